"""An interpreter of the PowerShell that the simulated head node is sent, over tree-sitter-powershell's syntax tree.

It plays Windows PowerShell 2.0 to 5.1 where they differ from what a reader may expect: a missing program leaves
``$LASTEXITCODE`` as it was, arguments of programs are joined as those versions do, native output comes line by line in
the console's encoding, names are compared without case. What is not modelled, or is newer than the machine's
PowerShell, is refused: recorded, and the script ends with an error that it cannot catch.
"""

import base64
import contextlib
import datetime
import functools
import ntpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import tree_sitter
import tree_sitter_powershell

from extensions.head_nodes.builds import codec
from extensions.head_nodes.filesystem import File, Folder
from extensions.head_nodes.machine import Dropped, Live, NamespaceError
from extensions.head_nodes.programs import Console, find, start
from extensions.head_nodes.programs.synthetic import SYNTHETIC

if TYPE_CHECKING:
    from extensions.head_nodes.machine import Machine

_LANGUAGE = tree_sitter.Language(tree_sitter_powershell.language())
_SINGLE = "'\u2018\u2019\u201a\u201b"
_DOUBLE = '"\u201c\u201d\u201e'
# What makes two scripts of one text different.
_NONCE = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_COMMAND_LINE_LIMIT = 32766

# Nodes that only pass a single child on.
_WRAPPERS = frozenset(
    {
        "pipeline",
        "pipeline_chain",
        "logical_expression",
        "bitwise_expression",
        "comparison_expression",
        "additive_expression",
        "multiplicative_expression",
        "format_expression",
        "range_expression",
        "array_literal_expression",
        "unary_expression",
        "logical_argument_expression",
        "bitwise_argument_expression",
        "comparison_argument_expression",
        "additive_argument_expression",
        "multiplicative_argument_expression",
        "format_argument_expression",
        "range_argument_expression",
        "argument_expression",
        "expression_with_unary_operator",
        "while_condition",
        "for_condition",
        "for_initializer",
        "for_iterator",
        "command_name_expr",
        "path_command_name",
        "string_literal",
        "integer_literal",
    }
)

# What came with a version, and is refused below it: words of the script in lower case.
_NEWER = {
    "-in": 3,
    "-notin": 3,
    "-shl": 3,
    "-shr": 3,
    "$psitem": 3,
    "ordered": 3,
    "pscustomobject": 3,
    "convertto-json": 3,
    "convertfrom-json": 3,
    "get-ciminstance": 3,
    "invoke-restmethod": 3,
    "invoke-webrequest": 3,
    "-file": 3,
    "-directory": 3,
    "-raw": 3,
    "class": 5,
    "enum": 5,
    "using": 5,
    "new": 5,
    "&&": 7,
    "||": 7,
    "??": 7,
    "get-error": 7,
}

_ALIASES = {
    "%": "foreach-object",
    "foreach": "foreach-object",
    "?": "where-object",
    "where": "where-object",
    "select": "select-object",
    "sort": "sort-object",
    "echo": "write-output",
    "dir": "get-childitem",
    "ls": "get-childitem",
    "gci": "get-childitem",
    "gwmi": "get-wmiobject",
    "sc": "set-content",
}


class Node(Protocol):
    """A node of the syntax tree, as far as it is used here."""

    @property
    def type(self) -> str:
        """The kind of node, as the grammar calls it."""

    @property
    def children(self) -> list[Any]:
        """All children, punctuation too."""

    @property
    def named_children(self) -> list[Any]:
        """The children that the grammar names."""

    @property
    def child_count(self) -> int:
        """How many children there are."""

    @property
    def start_byte(self) -> int:
        """Where it begins in the script."""

    @property
    def end_byte(self) -> int:
        """Where it ends in the script."""

    @property
    def has_error(self) -> bool:
        """Whether the grammar met an error in it."""


# --- values ---------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """Something is not modelled; the script cannot catch it."""


class Object:
    """A .NET or COM object: ``members`` are properties (callables are read late), ``methods`` take their arguments."""

    def __init__(
        self,
        type_: str,
        members: dict[str, Any] | None = None,
        methods: dict[str, Callable[..., Any]] | None = None,
        text: str | None = None,
        number: int | None = None,
    ) -> None:
        self.type = type_
        self.members = {name.lower(): value for name, value in (members or {}).items()}
        self.methods = {name.lower(): value for name, value in (methods or {}).items()}
        self.text = text
        self.number = number
        self.settable: set[str] = set()


class Thrown(Exception):
    """An error of PowerShell on its way up; ``record`` is the error record, ``ends`` whether it ends the script."""

    def __init__(self, record: Object, ends: bool = False) -> None:
        super().__init__(record.text)
        self.record = record
        self.ends = ends


class _Exit(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    pass


def exception(type_: str, message: str, hresult: int, inner: Object | None = None) -> Object:
    """A .NET exception object; ``hresult`` as an unsigned number."""
    members = {"Message": message, "InnerException": inner, "HResult": hresult - 2**32 if hresult >= 2**31 else hresult}
    return Object(type_, members, text=f"{type_}: {message}")


def error_record(error: Object, text: str | None = None) -> Object:
    """An error record around an exception; as a string it is its message."""
    message = error.members["message"] if text is None else text
    return Object("System.Management.Automation.ErrorRecord", {"Exception": error}, text=message)


def runtime_error(message: str) -> Thrown:
    return Thrown(error_record(exception("System.Management.Automation.RuntimeException", message, 0x80131501)))


def com_error(hresult: int, message: str, wrapped: bool) -> Thrown:
    """A COMException, as New-Object throws it, or wrapped in a MethodInvocationException as a method call does."""
    error = exception("System.Runtime.InteropServices.COMException", message, hresult)
    error.members["errorcode"] = error.members["hresult"]
    if wrapped:
        error = exception("System.Management.Automation.MethodInvocationException", message, 0x80131501, error)
    return Thrown(error_record(error))


# --- running --------------------------------------------------------------------------------------------------------


def run(machine: "Machine", script: str, console: Console, user: str) -> tuple[bytes, bytes, int]:
    """Interpret a script: its standard output, its standard error and the exit code of powershell.exe.

    The code is that of ``exit``, else 1 when the last statement failed or an error ended the script, else 0. With a
    console output is in the console's codepage, without one (a remote runspace) in UTF-8.

    Raises:
        Dropped: the connection is to be lost; carries the output until then.
    """
    interpreter = Interpreter(machine, console, user)
    output: list[Any] = []
    code = 0
    try:
        code = interpreter.script(script, output)
    except Dropped as drop:
        drop.stdout = interpreter.written(output)
        raise
    except Refused as error:
        machine.refuse(f"PowerShell: {error}")
        interpreter.stderr.append(f"NOT MODELLED: {error}")
        code = 1
    try:
        stdout = interpreter.written(output)
    except Refused as error:
        machine.refuse(f"PowerShell: {error}")
        stdout, code = b"", 1
    encoding = codec(console.codepage) if console.present else "utf-8"
    noise = _PROGRESS if machine.progress_noise and console.present else b""
    stderr = "".join(line + "\r\n" for line in interpreter.stderr).encode(encoding, "replace")
    return stdout, noise + stderr, code


_PROGRESS = (
    b"#< CLIXML\r\n"
    b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0">'
    b'<TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS>'
    b'<I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing modules for first use.</AV><AI>0</AI><Nil /><PI>-1</PI>'
    b"<PC>-1</PC><T>Completed</T><SR>-1</SR><SD> </SD></PR></MS></Obj></Objs>"
)


@functools.lru_cache(maxsize=64)
def _parse(script: str) -> tuple[Node, frozenset[str]]:
    """The syntax tree of a script, and its words outside of single-quoted strings, in lower case.

    Scripts that differ in a nonce only share a tree: its nodes have places, their text is read from the script.
    """
    source = script.encode("utf-8")
    root: Node = tree_sitter.Parser(_LANGUAGE).parse(source).root_node
    words: set[str] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node.child_count and node.type not in ("variable", "command_parameter"):
            stack.extend(node.children)
        elif node.type != "verbatim_string_characters":
            words.add(source[node.start_byte : node.end_byte].decode("utf-8").lower())
    return root, frozenset(words)


class Interpreter:
    """One script on one machine. Variables are dynamic, functions see those of their callers."""

    def __init__(self, machine: "Machine", console: Console, user: str) -> None:
        self.machine = machine
        self.console = console
        self.user = user
        self.major = int((machine.powershell or "0").split(".")[0])
        self.stderr: list[str] = []
        self._scopes: list[dict[str, Any]] = [{"erroractionpreference": "Continue", "progresspreference": "Continue"}]
        self._functions: dict[str, tuple[list[str], Node]] = {}
        self.modules: set[str] = set()
        self._guarded = 0
        self._ok = True
        self._source = b""

    # --- scripts and statements --------------------------------------------------------------------------------------

    def script(self, text: str, out: list[Any]) -> int:
        if self.major == 1 and self.console.present:
            return self._version_one(text)
        if self.major < 2:
            raise Refused("a runspace of a host without PowerShell 2.0")
        plain = plain_quotes(text)
        self._source = plain.encode("utf-8")
        root, words = _parse(_NONCE.sub(lambda found: "0" * len(found[0]), plain))
        if root.has_error:
            raise Refused("the grammar finds a syntax error in the script")
        newer = sorted(word for word in words if _NEWER.get(word, 0) > self.major)
        if newer:
            raise Refused(f"{newer[0]} is not there in PowerShell {self.machine.powershell}")
        try:
            for child in root.named_children:
                if child.type == "statement_list":
                    self._statements(child, out)
                elif child.type != "comment":
                    raise self._unknown(child)
        except _Exit as end:
            return end.code
        except _Return:
            return 0
        except Thrown as error:
            self._report(error)
            return 1
        return 0 if self._ok else 1

    def _version_one(self, text: str) -> int:
        """PowerShell 1.0 cannot parse ``try``: the whole script fails."""
        if not re.search(r"\btry\b", text):
            raise Refused("PowerShell 1.0 is only modelled for scripts with try")
        self.stderr.append("Missing statement block after 'try'. At line:1 char:1")
        return 1

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8")

    def _unknown(self, node: Node) -> Refused:
        return Refused(f"{node.type} {self._text(node)[:120]!r}")

    def written(self, values: Sequence[Any]) -> bytes:
        """Output objects as the console host prints them."""
        lines: list[str] = []
        for value in _flat(values):
            if isinstance(value, Object) and value.text is None:
                raise Refused(f"formatting of a {value.type}")
            if value is not None:
                lines.append(self.string(value))
        encoding = codec(self.console.codepage) if self.console.present else "utf-8"
        return "".join(line + "\r\n" for line in lines).encode(encoding, "replace")

    def _report(self, error: Thrown) -> None:
        self._ok = False
        self.stderr.append(error.record.text or error.record.type)

    def _statements(self, node: Node, out: list[Any]) -> None:
        for child in node.named_children:
            if child.type in ("empty_statement", "comment"):
                continue
            try:
                self._statement(child, out)
            except Thrown as error:
                if self._guarded or error.ends or self.string(self._get("erroractionpreference")).lower() == "stop":
                    raise
                if self.string(self._get("erroractionpreference")).lower() == "silentlycontinue":
                    self._ok = False
                else:
                    self._report(error)

    def _block(self, node: Node, out: list[Any]) -> None:
        for child in node.named_children:
            if child.type == "statement_list":
                self._statements(child, out)
            elif child.type in ("script_block", "script_block_body"):
                self._block(child, out)
            elif child.type != "comment":
                raise self._unknown(child)

    def _statement(self, node: Node, out: list[Any]) -> None:
        handler = {
            "pipeline": self._pipeline,
            "if_statement": self._if,
            "while_statement": self._while,
            "for_statement": self._for,
            "foreach_statement": self._foreach,
            "try_statement": self._try,
            "function_statement": self._function,
            "flow_control_statement": self._flow,
        }.get(node.type)
        if handler is None:
            raise self._unknown(node)
        handler(node, out)

    def _if(self, node: Node, out: list[Any]) -> None:
        condition, block = None, None
        for child in node.named_children:
            if child.type == "statement_block":
                block = child
            elif child.type == "elseif_clauses":
                break
            elif child.type not in ("else_clause", "comment"):
                condition = child
        if condition is None or block is None:
            raise self._unknown(node)
        if self.true(self._value(condition)):
            return self._block(block, out)
        for child in node.named_children:
            if child.type == "elseif_clauses":
                for clause in child.named_children:
                    if self.true(self._value(clause.named_children[0])):
                        return self._block(clause.named_children[-1], out)
            elif child.type == "else_clause":
                return self._block(child.named_children[-1], out)
        return None

    def _loop(self, block: Node, out: list[Any]) -> bool:
        """One turn; False ends the loop."""
        try:
            self._block(block, out)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def _while(self, node: Node, out: list[Any]) -> None:
        condition, block = node.named_children[0], node.named_children[-1]
        while self.true(self._value(condition)) and self._loop(block, out):
            pass

    def _for(self, node: Node, out: list[Any]) -> None:
        parts = {child.type: child for child in node.named_children}
        if "for_initializer" in parts:
            self._value(parts["for_initializer"])
        while "for_condition" not in parts or self.true(self._value(parts["for_condition"])):
            if not self._loop(parts["statement_block"], out):
                return
            if "for_iterator" in parts:
                self._value(parts["for_iterator"])

    def _foreach(self, node: Node, out: list[Any]) -> None:
        variable, items, block = [child for child in node.named_children if child.type != "comment"]
        value = self._value(items)
        if value is None and self.major >= 3:
            return
        for item in list(value) if isinstance(value, list) else [value]:
            self._set(variable, item)
            if not self._loop(block, out):
                return

    def _try(self, node: Node, out: list[Any]) -> None:
        block, catch, final = None, None, None
        for child in node.named_children:
            if child.type == "statement_block":
                block = child
            elif child.type == "catch_clauses":
                if len(child.named_children) != 1 or len(child.named_children[0].named_children) != 1:
                    raise self._unknown(child)
                catch = child.named_children[0].named_children[0]
            elif child.type == "finally_clause":
                final = child.named_children[-1]
        if block is None:
            raise self._unknown(node)
        try:
            self._guarded += 1
            try:
                self._block(block, out)
            finally:
                self._guarded -= 1
        except Thrown as error:
            if catch is None:
                raise
            self._ok = True
            with self.item(error.record):
                self._block(catch, out)
        finally:
            if final is not None:
                self._block(final, out)

    def _function(self, node: Node, out: list[Any]) -> None:
        name, parameters, body = "", [], None
        for child in node.named_children:
            if child.type == "function_name":
                name = self._text(child).lower()
            elif child.type == "function_parameter_declaration":
                for parameter in child.named_children[0].named_children if child.named_children else ():
                    if len(parameter.named_children) != 1:
                        raise self._unknown(parameter)
                    parameters.append(self._text(parameter.named_children[0]).lstrip("$").lower())
            elif child.type == "script_block":
                body = child
        if body is None:
            raise self._unknown(node)
        self._functions[name] = (parameters, body)

    def _flow(self, node: Node, out: list[Any]) -> None:
        word = node.children[0].type
        value = self._value(node.named_children[0]) if node.named_children else None
        if word == "exit":
            raise _Exit(self.integer(value))
        if word == "throw":
            error = runtime_error(self.string(value) if value is not None else "ScriptHalted")
            error.ends = True
            raise error
        if word == "return":
            _emit(value, out)
            raise _Return
        raise {"break": _Break, "continue": _Continue}[word]()

    @contextlib.contextmanager
    def item(self, value: Any) -> Iterator[None]:
        """``$_`` is ``value`` for the time of a ``with``; other variables stay those of the scope around."""
        scope = self._scopes[-1]
        before = scope.get("_")
        scope["_"] = value
        try:
            yield
        finally:
            scope["_"] = before

    def block(self, block: Object, item: Any, out: list[Any]) -> None:
        """Run a script block of a cmdlet on one item of the pipeline."""
        with self.item(item):
            self._block(block.members["node"], out)

    # --- pipelines and commands --------------------------------------------------------------------------------------

    def _pipeline(self, node: Node, out: list[Any]) -> None:
        inner = node
        if inner.type == "pipeline":
            if inner.child_count != 1:
                raise self._unknown(node)
            inner = inner.children[0]
        if inner.type == "assignment_expression":
            self._assign(inner)
            return
        if inner.type != "pipeline_chain":
            raise self._unknown(inner)
        stages = [child for child in inner.children if child.type != "|"]
        values: list[Any] | None = None
        for number, stage in enumerate(stages):
            target: list[Any] = out if number == len(stages) - 1 else []
            if stage.type == "command":
                self._command(stage, values, target)
            elif number:
                raise self._unknown(stage)
            else:
                bare = self._collapse(stage)
                value = self._value(bare)
                self._ok = True
                if bare.type not in ("post_increment_expression", "post_decrement_expression"):
                    _emit(value, target)
            values = target

    def _command(self, node: Node, given: list[Any] | None, out: list[Any]) -> None:
        name, called = "", False
        arguments: list[tuple[str, Any]] = []
        errors, discard = "", False
        for child in node.named_children:
            if child.type == "command_invokation_operator":
                if self._text(child) != "&":
                    raise self._unknown(node)
                called = True
            elif child.type == "command_name":
                name = self._text(child)
            elif child.type == "command_name_expr":
                name = self._called_name(child)
            elif child.type == "command_elements":
                arguments, errors, discard = self._elements(child)
            elif child.type != "comment":
                raise self._unknown(child)
        target: list[Any] = [] if discard else out
        self._dispatch(name, called, arguments, errors, given, target)

    def _called_name(self, node: Node) -> str:
        inner = self._collapse(node)
        if inner.type == "command_name":
            return self._text(inner)
        value = self._value(inner)
        if not isinstance(value, str) or not value:
            raise Refused(f"call of {self._text(node)}")
        return value

    def _elements(self, node: Node) -> tuple[list[tuple[str, Any]], str, bool]:
        """Arguments, the redirection of errors ("", "2>&1" or "2>$null"), and whether output is thrown away.

        An argument is (parameter, value): ("-name", None) for a parameter, ("", value) for a value.
        """
        arguments: list[tuple[str, Any]] = []
        errors, discard = "", False
        for child in node.named_children:
            if child.type == "command_argument_sep":
                continue
            if child.type == "command_parameter":
                arguments.append((self._text(child), None))
            # The grammar takes a redirection without a blank before the file for a word.
            elif child.type == "redirection" or (child.type == "generic_token" and ">" in self._text(child)):
                text = re.sub(r"\s+", "", self._text(child)).lower()
                if text in ("2>&1", "2>$null"):
                    errors = text
                elif text == ">$null":
                    discard = True
                else:
                    raise self._unknown(child)
            elif child.type == "generic_token":
                arguments.append(("", self._text(child)))
            elif child.type == "argument_list":
                inner = [grand for grand in child.named_children if grand.type == "argument_expression_list"]
                values = [self._value(value) for value in inner[0].named_children] if inner else []
                arguments.append(("", values if len(values) != 1 else values[0]))
            else:
                arguments.append(("", self._value(child)))
        return arguments, errors, discard

    def _dispatch(
        self,
        name: str,
        called: bool,
        arguments: list[tuple[str, Any]],
        errors: str,
        given: list[Any] | None,
        out: list[Any],
    ) -> None:
        lower = name.lower()
        alias = _ALIASES.get(lower)
        if alias is not None and alias not in _CMDLETS:
            raise Refused(f"{name}, an alias of {alias}")
        lower = alias or lower
        if lower in self._functions:
            self._invoke(lower, arguments, out)
            return
        cmdlet = _CMDLETS.get(lower)
        if cmdlet is not None and self._has(lower):
            self._ok = True
            cmdlet(self, Bound(self, lower, arguments), given, out)
            return
        program = find(self.machine, name)
        if program is not None:
            self._native(program, arguments, errors, given, out)
            return
        if "-" in name and not called and not name.lower().endswith(".exe") and cmdlet is None:
            raise Refused(f"cmdlet {name}")
        message = (
            f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program."
        )
        error = exception("System.Management.Automation.CommandNotFoundException", message, 0x80131501)
        raise Thrown(error_record(error))

    def _has(self, cmdlet: str) -> bool:
        """Whether the machine has a cmdlet; those of features depend on its build."""
        kind = self.machine.build.cmdlets
        # PowerShell 3.0 loads a module by itself when one of its cmdlets is called.
        loaded = self.major >= 3 or "servermanager" in self.modules
        return {
            "install-windowsfeature": kind == "install" and loaded,
            "uninstall-windowsfeature": kind == "install" and loaded,
            "add-windowsfeature": kind != "none" and loaded,
            "remove-windowsfeature": kind != "none" and loaded,
        }.get(cmdlet, True)

    def _invoke(self, name: str, arguments: list[tuple[str, Any]], out: list[Any]) -> None:
        parameters, body = self._functions[name]
        if any(parameter for parameter, _value in arguments) or len(arguments) > len(parameters):
            raise Refused(f"arguments of function {name}")
        values = [value for _parameter, value in arguments]
        scope: dict[str, Any] = dict.fromkeys(parameters)
        scope.update(zip(parameters, values, strict=False))
        self._scopes.append(scope)
        try:
            self._block(body, out)
        except _Return:
            pass
        finally:
            self._scopes.pop()

    def _native(
        self, program: str, arguments: list[tuple[str, Any]], errors: str, given: list[Any] | None, out: list[Any]
    ) -> None:
        words: list[str] = []
        for parameter, value in arguments:
            for item in [parameter] if parameter else _flat([value]):
                words.append(self.string(item))
        tail = join_arguments(words)
        if len(tail) + len(program) > _COMMAND_LINE_LIMIT:
            raise runtime_error(f"Program '{program}' failed to run: The filename or extension is too long")
        stdin = None
        if given is not None:
            stdin = "".join(self.string(item) + "\r\n" for item in given).encode("ascii", "replace")
        encoding = codec(self.console.codepage)
        output = start(self.machine, program, tail, stdin, self.console, self.user)
        for line in _lines(output.stdout.decode(encoding, "replace")):
            out.append(line)
        for line in _lines(output.stderr.decode(encoding, "replace")):
            if errors != "2>&1":
                self.stderr += [] if errors else [line]
                continue
            error = exception("System.Management.Automation.RemoteException", line, 0x80131501)
            if self.string(self._get("erroractionpreference")).lower() == "stop":
                raise Thrown(error_record(error))
            out.append(error_record(error))
        self._scopes[0]["lastexitcode"] = output.code - 2**32 if output.code >= 2**31 else output.code
        self._ok = output.code == 0

    # --- expressions -------------------------------------------------------------------------------------------------

    def _collapse(self, node: Node) -> Node:
        while node.type in _WRAPPERS and node.child_count == 1:
            node = node.children[0]
        return node

    def _value(self, node: Node) -> Any:
        node = self._collapse(node)
        handler = _EXPRESSIONS.get(node.type)
        if handler is None:
            raise self._unknown(node)
        return handler(self, node)

    def _piped(self, node: Node) -> Any:
        out: list[Any] = []
        self._pipeline(node, out)
        return _unwrap(out)

    def _run_command(self, node: Node) -> Any:
        out: list[Any] = []
        self._command(node, None, out)
        return _unwrap(out)

    def _list_of_statements(self, node: Node) -> list[Any]:
        out: list[Any] = []
        self._block(node, out)
        return out

    def _array(self, node: Node) -> Any:
        values = self._list_of_statements(node)
        return values

    def _literal_array(self, node: Node) -> Any:
        return [self._value(child) for child in node.named_children]

    def _grouped(self, node: Node) -> Any:
        return self._value(node.named_children[0])

    def _subexpression(self, node: Node) -> Any:
        return _unwrap(self._list_of_statements(node))

    def _verbatim(self, node: Node) -> str:
        return self._text(node)[1:-1].replace("''", "'")

    def _expandable(self, node: Node) -> str:
        if node.named_children:
            raise self._unknown(node)
        text = self._text(node)[1:-1]
        if "`" in text or "$" in text:
            raise self._unknown(node)
        return text.replace('""', '"')

    def _integer(self, node: Node) -> int:
        return int(self._text(node))

    def _variable(self, node: Node) -> Any:
        return self._get(self._text(node)[1:].lower())

    def _get(self, name: str) -> Any:
        scope, _colon, bare = name.rpartition(":")
        if scope not in ("", "global", "script"):
            raise Refused(f"variable {name}")
        if scope and bare != "lastexitcode":
            return self._scopes[0].get(bare)
        for values in reversed(self._scopes):
            if bare in values:
                return values[bare]
        return self._automatic(bare)

    def _automatic(self, name: str) -> Any:
        machine = self.machine
        if name in ("true", "false"):
            return name == "true"
        if name == "?":
            return self._ok
        if name == "psversiontable":
            return Object("System.Collections.Hashtable", {"PSVersion": _version(machine)})
        if name == "host":
            raw = Object("InternalHostRawUserInterface", {"BufferSize": None})
            if self.console.present:
                raw.settable.add("buffersize")
            ui = Object("InternalHostUserInterface", {"RawUI": raw})
            host = "ConsoleHost" if self.console.present else "ServerRemoteHost"
            return Object("InternalHost", {"Name": host, "UI": ui})
        return None

    def _set(self, node: Node, value: Any) -> None:
        node = self._collapse(node)
        if node.type == "variable":
            name = self._text(node)[1:].lower()
            scope, _colon, bare = name.rpartition(":")
            if scope not in ("", "global") or bare in ("true", "false", "null", "host", "psversiontable"):
                raise Refused(f"assignment to ${name}")
            (self._scopes[0] if scope else self._scopes[-1])[bare] = value
            return
        if node.type == "member_access":
            self._set_member(node, value)
            return
        raise self._unknown(node)

    def _set_member(self, node: Node, value: Any) -> None:
        if self._text(node).lower().replace("system.", "") == "[console]::outputencoding":
            if not self.console.present:
                raise runtime_error('Exception setting "OutputEncoding": "The handle is invalid."')
            if not isinstance(value, Object) or value.number is None:
                raise Refused("an OutputEncoding of this kind")
            self.console.codepage = value.number
            return
        owner = self._value(node.named_children[0])
        name = self._text(node.named_children[1]).lower()
        if not isinstance(owner, Object) or name not in owner.members:
            raise self._unknown(node)
        if name not in owner.settable:
            raise runtime_error(f'Exception setting "{name}": the host does not support it.')
        owner.members[name] = value

    def _assign(self, node: Node) -> Any:
        target, operator, source = [child for child in node.named_children if child.type != "comment"]
        sign = self._text(operator)
        value = self._value(source)
        if sign in ("+=", "-="):
            value = self._calculate(sign[0], self._value(target.named_children[0]), value)
        elif sign != "=":
            raise self._unknown(node)
        self._set(target.named_children[0], value)
        self._ok = True
        return None

    def _step(self, node: Node) -> Any:
        old = self.integer(self._value(node.named_children[0]))
        self._set(node.named_children[0], old + (1 if node.type == "post_increment_expression" else -1))
        return old

    def _binary(self, node: Node) -> Any:
        children = [child for child in node.children if child.type != "comment"]
        result = self._value(children[0])
        for at in range(1, len(children), 2):
            sign = self._text(children[at]).lower()
            if sign in ("-and", "-or"):
                left = self.true(result)
                if left == (sign == "-or"):
                    result = left
                    continue
                result = self.true(self._value(children[at + 1]))
                continue
            result = self._operate(sign, result, self._value(children[at + 1]))
        return result

    def _operate(self, sign: str, left: Any, right: Any) -> Any:
        if sign in ("+", "-", "*"):
            return self._calculate(sign, left, right)
        if sign == "..":
            first, last = self.integer(left), self.integer(right)
            return list(range(first, last + 1)) if first <= last else list(range(first, last - 1, -1))
        if sign == "-replace":
            return self._replace(left, right)
        if sign in ("-match", "-notmatch"):
            if isinstance(left, list):
                raise Refused(f"{sign} on an array")
            found = re.search(self.string(right), self.string(left), re.IGNORECASE) is not None
            return found == (sign == "-match")
        if sign in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge"):
            if isinstance(left, list):
                raise Refused(f"{sign} on an array")
            return self._compare(sign, left, right)
        raise Refused(f"operator {sign}")

    def _calculate(self, sign: str, left: Any, right: Any) -> Any:
        if sign == "+":
            if isinstance(left, list):
                return left + (right if isinstance(right, list) else [right])
            if isinstance(left, str):
                return left + self.string(right)
            if left is None:
                return right
            return self.integer(left) + self.integer(right)
        if isinstance(left, str | list):
            raise Refused(f"{sign} on a string or array")
        first, second = self.integer(left), self.integer(right)
        return first - second if sign == "-" else first * second

    def _replace(self, left: Any, right: Any) -> Any:
        pair = right if isinstance(right, list) else [right, ""]
        if isinstance(left, list) or len(pair) != 2:
            raise Refused("-replace with these operands")
        replacement = re.sub(r"\\", r"\\\\", self.string(pair[1]))
        replacement = re.sub(r"\$(\d)", r"\\g<\1>", replacement)
        return re.sub(self.string(pair[0]), replacement, self.string(left), flags=re.IGNORECASE)

    def _compare(self, sign: str, left: Any, right: Any) -> bool:
        if isinstance(left, str):
            first: Any = left.lower()
            second: Any = self.string(right).lower()
        elif isinstance(left, datetime.datetime) and isinstance(right, datetime.datetime):
            first, second = left, right
        elif left is None or right is None:
            if sign not in ("-eq", "-ne"):
                raise Refused(f"{sign} with $null")
            return (left is None and right is None) == (sign == "-eq")
        elif isinstance(left, Object) and left.number is None:
            raise Refused(f"{sign} on a {left.type}")
        else:
            first, second = self.integer(left), self.integer(right)
        return bool(
            {
                "-eq": first == second,
                "-ne": first != second,
                "-lt": first < second,
                "-le": first <= second,
                "-gt": first > second,
                "-ge": first >= second,
            }[sign]
        )

    def _unary(self, node: Node) -> Any:
        if node.children[0].type == "cast_expression":
            return self._value(node.children[0])
        sign = self._text(node.children[0]).lower()
        value = self._value(node.children[-1])
        if sign in ("-not", "!"):
            return not self.true(value)
        if sign == "-":
            return -self.integer(value)
        raise self._unknown(node)

    def _cast(self, node: Node) -> Any:
        type_ = _type_name(self._text(node.named_children[0]))
        value = self._value(node.named_children[-1])
        if type_ in ("int", "int32", "long", "int64"):
            return self.integer(value)
        if type_ == "string":
            return self.string(value)
        if type_ == "bool":
            return self.true(value)
        if type_ == "void":
            return None
        raise Refused(f"cast to [{type_}]")

    def _element(self, node: Node) -> Any:
        owner, index = self._value(node.named_children[0]), self._value(node.named_children[1])
        if owner is None:
            raise runtime_error("Cannot index into a null array.")
        items = owner if isinstance(owner, list | str) else [owner]
        if isinstance(index, list):
            return [items[self.integer(at)] for at in index if -len(items) <= self.integer(at) < len(items)]
        at = self.integer(index)
        return items[at] if -len(items) <= at < len(items) else None

    # --- members -----------------------------------------------------------------------------------------------------

    def _member(self, node: Node) -> Any:
        owner_node, name_node = node.named_children
        name = self._text(name_node).lower()
        if self._collapse(owner_node).type == "type_literal":
            return self._static(_type_name(self._text(owner_node)), name, None)
        return self._property(self._value(owner_node), name)

    def _property(self, owner: Any, name: str) -> Any:
        if owner is None:
            # PowerShell 3.0 counts nothing as zero things and one thing as one.
            return 0 if name in ("count", "length") and self.major >= 3 else None
        if isinstance(owner, list):
            if name in ("count", "length"):
                return len(owner)
            if self.major < 3:
                return None
            return _unwrap([self._property(item, name) for item in owner])
        if isinstance(owner, str) and name == "length":
            return len(owner.encode("utf-16-le")) // 2
        if isinstance(owner, bytes) and name in ("length", "count"):
            return len(owner)
        if isinstance(owner, Object) and name in owner.members:
            value = owner.members[name]
            return value() if callable(value) else value
        if name == "count":
            return 1 if self.major >= 3 else None
        if isinstance(owner, Object) and owner.type in _OPEN_TYPES:
            return None
        raise Refused(f"property {name} of {_kind(owner)}")

    def _call(self, node: Node) -> Any:
        owner_node, name_node, *rest = node.named_children
        name = self._text(name_node).lower()
        arguments: list[Any] = []
        for part in rest:
            for inner in part.named_children:
                arguments += [self._value(child) for child in inner.named_children]
        if self._collapse(owner_node).type == "type_literal":
            return self._static(_type_name(self._text(owner_node)), name, arguments)
        owner = self._value(owner_node)
        if owner is None:
            raise runtime_error("You cannot call a method on a null-valued expression.")
        if isinstance(owner, str):
            return self._string_method(owner, name, arguments)
        if isinstance(owner, datetime.datetime):
            return self._time_method(owner, name, arguments)
        if isinstance(owner, int) and name == "tostring" and not arguments:
            return self.string(owner)
        if isinstance(owner, Object) and name in owner.methods:
            return owner.methods[name](*arguments)
        if isinstance(owner, Object) and name == "tostring" and owner.text is not None and not arguments:
            return owner.text
        raise Refused(f"method {name} of {_kind(owner)}")

    def _string_method(self, owner: str, name: str, arguments: list[Any]) -> Any:
        if name in ("startswith", "endswith", "contains") and len(arguments) == 1:
            part = self.string(arguments[0])
            tests = {"startswith": owner.startswith, "endswith": owner.endswith, "contains": owner.__contains__}
            return tests[name](part)
        if name == "substring" and 1 <= len(arguments) <= 2:
            begin = self.integer(arguments[0])
            end = begin + self.integer(arguments[1]) if len(arguments) == 2 else len(owner)
            if not 0 <= begin <= end <= len(owner):
                raise runtime_error('Exception calling "Substring": "Index and length must refer to the string."')
            return owner[begin:end]
        if name == "indexof" and len(arguments) == 1:
            return owner.find(self.string(arguments[0]))
        if name == "replace" and len(arguments) == 2:
            return owner.replace(self.string(arguments[0]), self.string(arguments[1]))
        if not arguments and name in ("trim", "toupper", "tolower", "tostring"):
            changes = {"trim": owner.strip, "toupper": owner.upper, "tolower": owner.lower, "tostring": owner.__str__}
            return changes[name]()
        raise Refused(f"method {name} of a string")

    def _time_method(self, owner: datetime.datetime, name: str, arguments: list[Any]) -> Any:
        if name == "tostring" and arguments == ["s"]:
            return f"{owner:%Y-%m-%dT%H:%M:%S}"
        units = {"adddays": "days", "addhours": "hours", "addminutes": "minutes", "addseconds": "seconds"}
        if name in units and len(arguments) == 1:
            return owner + datetime.timedelta(**{units[name]: self.integer(arguments[0])})
        if name == "touniversaltime" and not arguments:
            return owner.astimezone(datetime.UTC)
        raise Refused(f"method {name} of a DateTime")

    def _static(self, type_: str, name: str, arguments: list[Any] | None) -> Any:
        """A static member (``arguments`` None) or method of the modelled types."""
        key = f"{type_}::{name}"
        if arguments is None:
            if key == "datetime::utcnow":
                return self.machine.now()
            if key == "text.encoding::utf8":
                return _encoding(65001)
            if key == "console::outputencoding":
                return _encoding(self.console.codepage)
            raise Refused(f"[{type_}]::{name}")
        if key == "convert::tobase64string" and len(arguments) == 1 and isinstance(arguments[0], bytes):
            return base64.b64encode(arguments[0]).decode("ascii")
        if key == "convert::frombase64string" and len(arguments) == 1:
            return base64.b64decode(self.string(arguments[0]))
        if key == "runtime.interopservices.marshal::gethrforexception" and len(arguments) == 1:
            error = arguments[0]
            if isinstance(error, Object) and "hresult" in error.members:
                return error.members["hresult"]
        if key == "string::isnullorempty" and len(arguments) == 1:
            return not self.string(arguments[0])
        raise Refused(f"[{type_}]::{name}() with {len(arguments)} arguments")

    # --- conversions -------------------------------------------------------------------------------------------------

    def string(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "True" if value else "False"
        if isinstance(value, str | int):
            return str(value)
        if isinstance(value, list):
            return " ".join(self.string(item) for item in value)
        if isinstance(value, Object) and value.text is not None:
            return value.text
        raise Refused(f"{_kind(value)} as a string")

    def integer(self, value: Any) -> int:
        if value is None:
            return 0
        if isinstance(value, bool | int):
            return int(value)
        if isinstance(value, Object) and value.number is not None:
            return value.number
        if isinstance(value, str):
            try:
                return int(value.strip() or "0", 0)
            except ValueError:
                raise runtime_error(f'Cannot convert value "{value}" to type "System.Int32".') from None
        raise Refused(f"{_kind(value)} as a number")

    @staticmethod
    def true(value: Any) -> bool:
        if isinstance(value, list):
            return len(value) > 1 or (len(value) == 1 and Interpreter.true(value[0]))
        if isinstance(value, Object):
            return value.number != 0 if value.number is not None else True
        return bool(value)


# --- cmdlets --------------------------------------------------------------------------------------------------------


class Bound:
    """The arguments of one call of a cmdlet."""

    def __init__(self, interpreter: Interpreter, cmdlet: str, arguments: list[tuple[str, Any]]) -> None:
        self._interpreter = interpreter
        self._cmdlet = cmdlet
        self._arguments = arguments

    def take(
        self, positional: Sequence[str], valued: Sequence[str] = (), switches: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Values by lower-case parameter name. Refuses parameters that are none of these.

        ``-ErrorAction`` is always known. Switches that were given are True.
        """
        found: dict[str, Any] = {}
        free = list(positional)
        rest = list(self._arguments)
        while rest:
            parameter, value = rest.pop(0)
            name = parameter.lower().lstrip("-").rstrip(":")
            if not parameter:
                if not free:
                    raise Refused(f"{self._cmdlet}: too many arguments")
                found[free.pop(0)] = value
            elif name in switches:
                found[name] = True
            elif name in (*positional, *valued, "erroraction", "ea") and rest and not rest[0][0]:
                found["erroraction" if name == "ea" else name] = rest.pop(0)[1]
                free = [item for item in free if item != name]
            else:
                raise Refused(f"{self._cmdlet} {parameter}")
        return found

    def text(self, found: dict[str, Any], name: str) -> str:
        if name not in found:
            raise Refused(f"{self._cmdlet} without -{name}")
        return self._interpreter.string(found[name])

    def block(self, found: dict[str, Any]) -> Object:
        block = found.get("block")
        if not isinstance(block, Object) or block.type != "ScriptBlock":
            raise Refused(f"{self._cmdlet} without a script block")
        return block

    def fail(self, found: dict[str, Any], error: Thrown) -> None:
        """A non-terminating error: reported, thrown with -ErrorAction Stop."""
        action = self._interpreter.string(found.get("erroraction", self._interpreter._get("erroractionpreference")))
        if action.lower() == "stop":
            raise error
        self._interpreter._ok = False
        if action.lower() != "silentlycontinue":
            self._interpreter.stderr.append(error.record.text or "")


Cmdlet = Callable[[Interpreter, Bound, list[Any] | None, list[Any]], None]


def _foreach_object(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    block = bound.block(bound.take(["block"]))
    for item in given or []:
        self.block(block, item, out)


def _where_object(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    block = bound.block(bound.take(["block"]))
    for item in given or []:
        answer: list[Any] = []
        self.block(block, item, answer)
        if self.true(answer):
            out.append(item)


def _sort_object(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take(["property"], switches=["descending"])
    items = list(given or [])
    if "property" in found:
        name = self.string(found["property"]).lower()
        out += sorted(items, key=lambda item: self._property(item, name), reverse="descending" in found)
    else:
        out += sorted(items, key=lambda item: self.string(item).lower(), reverse="descending" in found)


def _select_object(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take([], ["first", "last", "expandproperty"])
    items = list(given or [])
    if "first" in found:
        items = items[: self.integer(found["first"])]
    if "last" in found:
        items = items[-self.integer(found["last"]) :]
    if "expandproperty" in found:
        name = self.string(found["expandproperty"]).lower()
        items = [self._property(item, name) for item in items]
    out += items


def _write_output(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take(["inputobject"])
    for value in given if given is not None else [found.get("inputobject")]:
        _emit(value, out)


def _out_null(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    bound.take([])


def _new_object(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take(["typename", "argumentlist"], ["comobject"])
    if "comobject" in found:
        out.append(_com_object(self, bound.text(found, "comobject")))
        return
    type_ = _type_name(bound.text(found, "typename"))
    if type_ == "text.utf8encoding":
        out.append(_encoding(65001))
    elif type_ == "management.automation.host.size":
        out.append(Object(type_))
    else:
        raise Refused(f"New-Object {type_}")


def _get_wmiobject(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take(["class"])
    if bound.text(found, "class").lower() != "win32_operatingsystem":
        raise Refused(f"Get-WmiObject {bound.text(found, 'class')}")
    machine = self.machine
    members = {
        "LastBootUpTime": machine.boot_identity,
        "BuildNumber": str(machine.number),
        "CSName": machine.name,
    }
    out.append(Object("System.Management.ManagementObject", members))


def _test_path(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    path = bound.text(bound.take([], ["literalpath"]), "literalpath")
    if not re.match(r"[A-Za-z]:", path):
        raise Refused(f"Test-Path of {path}")
    out.append(self.machine.files.get(path) is not None)


def _get_childitem(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take([], ["literalpath"], ["recurse"])
    path = ntpath.normpath(bound.text(found, "literalpath"))
    node = self.machine.files.get(path)
    if node is None:
        message = f"Cannot find path '{path}' because it does not exist."
        error = exception("System.Management.Automation.ItemNotFoundException", message, 0x80131501)
        bound.fail(found, Thrown(error_record(error)))
        return
    stack = [(path, child) for child in node.children] if isinstance(node, Folder) else [("", node)]
    while stack:
        above, child = stack.pop(0)
        full = above.rstrip("\\") + "\\" + child.name if above else path
        out.append(_file_object(full, child))
        if "recurse" in found and isinstance(child, Folder):
            stack += [(full, grandchild) for grandchild in child.children]


def _file_object(path: str, node: File | Folder) -> Object:
    members = {
        "FullName": path,
        "Name": node.name,
        "PSIsContainer": isinstance(node, Folder),
        "LastWriteTimeUtc": node.written,
    }
    if isinstance(node, File):
        members["Length"] = node.size
        members["DirectoryName"] = path.rpartition("\\")[0]
    return Object("System.IO.DirectoryInfo" if isinstance(node, Folder) else "System.IO.FileInfo", members, text=path)


def _import_module(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
    found = bound.take(["name"])
    name = bound.text(found, "name")
    if name.lower() != "servermanager":
        raise Refused(f"Import-Module {name}")
    if self.machine.build.cmdlets == "none":
        message = f"The specified module '{name}' was not loaded because no valid module file was found."
        error = exception("System.IO.FileNotFoundException", message, 0x80070002)
        bound.fail(found, Thrown(error_record(error)))
        return
    self.modules.add(name.lower())


_EXIT_CODES = {0: "Success", 3010: "SuccessRestartRequired", 1003: "NoChangeNeeded", 1000: "Failed", 1004: "Failed"}


def _feature(install: bool) -> Cmdlet:
    def cmdlet(self: Interpreter, bound: Bound, given: list[Any] | None, out: list[Any]) -> None:
        found = bound.take(["name"])
        name = bound.text(found, "name")
        names = {feature.lower(): feature for feature in ("WDS", "WDS-Deployment", "WDS-Transport")}
        if name.lower() not in names:
            raise Refused(f"feature {name}")
        machine = self.machine
        if not machine.elevated(self.user):
            code = 5
        elif install:
            code = machine.install_feature(names[name.lower()])
        else:
            code = machine.remove_feature(names[name.lower()])
        if code in (5, 1000, 1004):
            texts = SYNTHETIC["feature.error"].texts
            message = texts.get(machine.language, texts["en"])
            error = exception("System.Exception", message, 0x80131500)
            bound.fail(found, Thrown(error_record(error)))
        good = code in (0, 1003, 3010)
        exit_code = Object("FeatureOperationExitCode", text=_EXIT_CODES.get(code, "Failed"), number=code)
        restart = Object("RestartState", text="Yes" if code == 3010 else "No", number=int(code == 3010))
        members = {"Success": good, "ExitCode": exit_code, "RestartNeeded": restart}
        out.append(Object("Microsoft.Windows.ServerManager.Commands.FeatureOperationResult", members))

    return cmdlet


_CMDLETS: dict[str, Cmdlet] = {
    "foreach-object": _foreach_object,
    "where-object": _where_object,
    "sort-object": _sort_object,
    "select-object": _select_object,
    "write-output": _write_output,
    "out-null": _out_null,
    "new-object": _new_object,
    "get-wmiobject": _get_wmiobject,
    "test-path": _test_path,
    "get-childitem": _get_childitem,
    "import-module": _import_module,
    "install-windowsfeature": _feature(True),
    "uninstall-windowsfeature": _feature(False),
    "add-windowsfeature": _feature(True),
    "remove-windowsfeature": _feature(False),
}


# --- COM: WdsTptMgmt (facts/windows.md section 4) -------------------------------------------------------------------


def _com_object(self: Interpreter, name: str) -> Object:
    if name.lower() != "wdstptmgmt.wdstransportmanager":
        raise Refused(f"COM object {name}")
    if not self.machine.tools:
        if self.major < 3:
            message = f"Cannot load COM type {name}."
            error = exception("System.Management.Automation.PSArgumentException", message, 0x80070057)
            raise Thrown(error_record(error))
        raise com_error(0x80040154, "Retrieving the COM class factory failed: 80040154 Class not registered.", False)

    def server(host: Any) -> Object:
        if self.string(host).lower() not in ("localhost", self.machine.name.lower()):
            raise Refused(f"transport server {self.string(host)}")
        if not self.machine.elevated(self.user):
            raise com_error(0x80070005, "Access is denied.", True)
        return _transport_server(self)

    return Object("WdsTransportManager", methods={"GetWdsTransportServer": server})


def _transport_server(self: Interpreter) -> Object:
    machine = self.machine
    bits = 1 + 2 * ("WDS-Transport" in machine.features) + 4 * ("WDS-Deployment" in machine.features)

    def retrieve(provider: Any, name: Any, tombstones: Any) -> Object:
        try:
            if not machine.running("WDSServer"):
                raise NamespaceError(0xC1100113)
        except NamespaceError as error:
            raise com_error(error.hresult, "The transport server is not available.", True) from error
        wanted, only = self.string(name).lower(), self.string(provider).lower()
        found = [
            live
            for key, live in machine.live.items()
            if wanted in ("", key)
            and only in ("", live.content_provider.lower())
            and (self.true(tombstones) or not live.tombstoned)
        ]
        return _collection(self, found)

    setup = Object("WdsTransportSetupManager", {"InstalledFeatures": bits})
    running = {"WdsTransportServicesRunning": machine.running("WDSServer")}
    configuration = Object("WdsTransportConfigurationManager", running)
    namespaces = Object("WdsTransportNamespaceManager", methods={"RetrieveNamespaces": retrieve})
    members = {"SetupManager": setup, "ConfigurationManager": configuration, "NamespaceManager": namespaces}
    return Object("WdsTransportServer", members)


def _collection(self: Interpreter, found: list[Live]) -> Object:
    def item(index: Any) -> Object:
        at = self.integer(index)
        if not 1 <= at <= len(found):
            raise com_error(0x80070057, "The parameter is incorrect.", True)
        live = found[at - 1]
        members = {
            "Name": live.name,
            "ContentProvider": live.content_provider,
            "Configuration": live.configuration,
            "FriendlyName": live.friendly_name,
            "Description": live.description,
            "Type": live.type,
            "Registered": live.registered,
            "Tombstoned": live.tombstoned,
            "TransmissionStarted": live.transmission_started,
        }
        return Object("WdsTransportNamespace", members)

    return Object("WdsTransportCollection", {"Count": len(found)}, {"Item": item})


# --- helpers --------------------------------------------------------------------------------------------------------


def plain_quotes(script: str) -> str:
    """The script with ASCII quotes where PowerShell takes a typographic one for a quote; the grammar knows ASCII only.

    In a single-quoted string two quotes of any kind stand for the second of them.
    """
    if not any(quote in script for quote in _SINGLE[1:] + _DOUBLE[1:]):
        return script
    out: list[str] = []
    index = 0
    while index < len(script):
        char = script[index]
        index += 1
        if char == "#" and (index == 1 or script[index - 2] in " \t\r\n;{}()"):
            end = script.find("\n", index)
            end = len(script) if end < 0 else end
            out.append(script[index - 1 : end])
            index = end
        elif char in _SINGLE:
            out.append("'")
            while index < len(script):
                char = script[index]
                index += 1
                if char not in _SINGLE:
                    out.append(char)
                elif script[index : index + 1] and script[index] in _SINGLE:
                    out.append(script[index].replace("'", "''"))
                    index += 1
                else:
                    out.append("'")
                    break
        elif char in _DOUBLE:
            out.append('"')
            while index < len(script):
                char = script[index]
                index += 1
                out.append('"' if char in _DOUBLE else char)
                if char == "`":
                    out.append(script[index : index + 1])
                    index += 1
                elif char in _DOUBLE:
                    break
        else:
            out.append(char)
    return "".join(out)


def join_arguments(words: Sequence[str]) -> str:
    """Arguments as Windows PowerShell 2.0 to 5.1 joins them to a command line.

    One with white space outside of its own double quotes is put in quotes; nothing is escaped; an empty one vanishes.
    """
    joined: list[str] = []
    for word in words:
        quotes, needed, backslash = 0, False, False
        for char in word:
            if char == '"' and not backslash:
                quotes += 1
            elif char.isspace() and quotes % 2 == 0:
                needed = True
            backslash = char == "\\"
        if word:
            joined.append(f'"{word}"' if needed else word)
    return " ".join(joined)


def _lines(text: str) -> list[str]:
    """Lines as .NET's StreamReader reads them: a lone carriage return ends one too."""
    lines = re.split(r"\r\n|\r|\n", text)
    return lines[:-1] if lines[-1] == "" else lines


def _emit(value: Any, out: list[Any]) -> None:
    if isinstance(value, list):
        out += value
    elif value is not None:
        out.append(value)


def _unwrap(values: list[Any]) -> Any:
    return None if not values else values[0] if len(values) == 1 else values


def _flat(values: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat += value if isinstance(value, list) else [value]
    return flat


def _kind(value: Any) -> str:
    return value.type if isinstance(value, Object) else f"a {type(value).__name__}"


def _type_name(text: str) -> str:
    """The name of a type in lower case, without brackets and ``System.``."""
    return text.strip("[]").lower().removeprefix("system.")


def _encoding(codepage: int) -> Object:
    name = codec(codepage)

    def decode(data: Any) -> str:
        return bytes(data).decode(name, "replace")

    def encode(text: Any) -> bytes:
        if not isinstance(text, str):
            raise Refused(f"GetBytes of {_kind(text)}")
        return text.encode(name, "replace")

    methods: dict[str, Callable[..., Any]] = {"GetBytes": encode, "GetString": decode}
    return Object("System.Text.Encoding", {"CodePage": codepage}, methods, number=codepage)


def _version(machine: "Machine") -> Object:
    text = machine.powershell or ""
    if text == "5.1":
        text = f"5.1.{machine.number}.1"
    parts = [int(part) for part in text.split(".")]
    return Object("System.Version", {"Major": parts[0], "Minor": parts[1]}, text=text)


# Objects of which an absent property is $null and no mistake of the script.
_OPEN_TYPES = frozenset({"System.Management.Automation.ErrorRecord"})

_EXPRESSIONS: dict[str, Callable[[Interpreter, Node], Any]] = {
    "pipeline": Interpreter._piped,
    "pipeline_chain": Interpreter._piped,
    "command": Interpreter._run_command,
    "assignment_expression": Interpreter._assign,
    "array_expression": Interpreter._array,
    "array_literal_expression": Interpreter._literal_array,
    "parenthesized_expression": Interpreter._grouped,
    "sub_expression": Interpreter._subexpression,
    "verbatim_string_characters": Interpreter._verbatim,
    "expandable_string_literal": Interpreter._expandable,
    "decimal_integer_literal": Interpreter._integer,
    "variable": Interpreter._variable,
    "logical_expression": Interpreter._binary,
    "comparison_expression": Interpreter._binary,
    "additive_expression": Interpreter._binary,
    "multiplicative_expression": Interpreter._binary,
    "range_expression": Interpreter._binary,
    "logical_argument_expression": Interpreter._binary,
    "comparison_argument_expression": Interpreter._binary,
    "additive_argument_expression": Interpreter._binary,
    "multiplicative_argument_expression": Interpreter._binary,
    "range_argument_expression": Interpreter._binary,
    "expression_with_unary_operator": Interpreter._unary,
    "cast_expression": Interpreter._cast,
    "element_access": Interpreter._element,
    "member_access": Interpreter._member,
    "invokation_expression": Interpreter._call,
    "post_increment_expression": Interpreter._step,
    "post_decrement_expression": Interpreter._step,
    "script_block_expression": lambda self, node: Object("ScriptBlock", {"node": node.named_children[0]}),
}

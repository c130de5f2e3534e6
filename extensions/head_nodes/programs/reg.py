"""reg.exe: query, copy, add, delete."""

from extensions.head_nodes.programs.base import Call, Output
from extensions.head_nodes.registry import TYPES, Data, Key, Value

_VERBS = ("query", "copy", "add", "delete")


def main(call: Call) -> Output:
    """``reg query|copy|add|delete``: exit code 0, or 1 with a sentence on standard error."""
    if not call.arguments or call.arguments[0].lower() not in _VERBS:
        return call.refuse("only query, copy, add and delete are modelled")
    verb, *rest = call.arguments
    return {"query": _query, "copy": _copy, "add": _add, "delete": _delete}[verb.lower()](call, rest)


def _path(call: Call, text: str, verb: str) -> tuple[str, Output | None]:
    try:
        return call.machine.registry.full(text), None
    except KeyError:
        return "", call.err(call.say("reg.invalid_key", verb=verb), 1)


def _syntax(call: Call, verb: str) -> Output:
    return call.err(call.say("reg.syntax", verb=verb), 1)


def _missing(call: Call) -> Output:
    return call.err(call.say("reg.missing"), 1)


def render(call: Call, value: Value) -> str:
    """One line of a value as reg query prints it; a line break in the data is printed as it is."""
    name = value.name or call.say("reg.default")
    data = value.data
    if isinstance(data, bytes):
        text = data.hex().upper()
    elif isinstance(data, int):
        text = f"0x{data:x}"
    elif isinstance(data, tuple):
        text = "\\0".join(data)
    else:
        text = data
    return f"    {name}    {value.type}    {text}\n"


def _values(call: Call, key: Key) -> str:
    return "".join(render(call, value) for value in key.values)


def _query(call: Call, rest: list[str]) -> Output:
    if not rest:
        return _syntax(call, "QUERY")
    recurse, wanted = False, None
    options = rest[1:]
    while options:
        option = options.pop(0).lower()
        if option == "/s":
            recurse = True
        elif option == "/v" and options:
            wanted = options.pop(0)
        elif option == "/ve":
            wanted = ""
        else:
            return call.refuse(f"option {option}")
    path, error = _path(call, rest[0], "QUERY")
    key = call.machine.registry.key(path) if not error else None
    if error or key is None:
        return error or _missing(call)
    if wanted is not None:
        if recurse:
            return call.refuse("/v with /s")
        value = key.get(wanted)
        if value is None:
            return _missing(call)
        return call.out(f"\n{path}\n{render(call, value)}\n")
    if recurse:
        return call.out("".join(f"\n{where}\n{_values(call, below)}" for where, below in key.walk(path)) + "\n")
    text = f"\n{path}\n{_values(call, key)}\n" if key.values else "\n"
    return call.out(text + "".join(f"{path}\\{below.name}\n" for below in key.keys))


def _copy(call: Call, rest: list[str]) -> Output:
    if len(rest) < 2:
        return _syntax(call, "COPY")
    options = {option.lower() for option in rest[2:]}
    if options - {"/s", "/f"}:
        return call.refuse("options of copy")
    source, error = _path(call, rest[0], "COPY")
    target, error_too = _path(call, rest[1], "COPY")
    if error or error_too:
        return error or error_too or _syntax(call, "COPY")
    if call.denied():
        return call.err(call.say("reg.denied"), 1)
    registry = call.machine.registry
    key = registry.key(source)
    if key is None:
        return _missing(call)
    if (target.lower() + "\\").startswith(source.lower() + "\\"):
        return call.refuse("source and target overlap")
    there = registry.key(target)
    if "/f" not in options and there is not None and any(there.get(value.name) for value in key.values):
        return call.refuse(call.say("reg.exists", name=key.values[0].name))
    copied = key.clone() if "/s" in options else Key(key.name)
    if "/s" not in options:
        for value in key.values:
            copied.set(*value)
    registry.make(target).merge(copied)
    call.machine.wrote(f"registry copy {source} {target}")
    return call.out(call.say("done"))


def _number(text: str) -> int | None:
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return None


def _data(type_: str, text: str) -> Data | None:
    """The data of ``/d`` for a type; None where it does not fit."""
    if type_ in ("REG_DWORD", "REG_QWORD"):
        number = _number(text)
        limit = 2**32 if type_ == "REG_DWORD" else 2**64
        return number if number is not None and 0 <= number < limit else None
    if type_ == "REG_MULTI_SZ":
        return tuple(part for part in text.split("\\0") if part)
    if type_ == "REG_BINARY":
        try:
            return bytes.fromhex(text)
        except ValueError:
            return None
    return text


def _add(call: Call, rest: list[str]) -> Output:
    if not rest:
        return _syntax(call, "ADD")
    name, type_, text, force = None, "REG_SZ", "", False
    options = rest[1:]
    while options:
        option = options.pop(0).lower()
        if option == "/f":
            force = True
        elif option == "/ve":
            name = ""
        elif option in ("/v", "/t", "/d") and options:
            value = options.pop(0)
            if option == "/v":
                name = value
            elif option == "/t":
                type_ = value.upper()
            else:
                text = value
        elif option.startswith("/"):
            return call.refuse(f"option {option}")
        else:
            return _syntax(call, "ADD")
    path, error = _path(call, rest[0], "ADD")
    if error:
        return error
    if type_ not in TYPES:
        return call.refuse(f"type {type_}")
    if call.denied():
        return call.err(call.say("reg.denied"), 1)
    if name is None:
        call.machine.reg_make(path)
        return call.out(call.say("done"))
    data = _data(type_, text)
    if data is None:
        return _syntax(call, "ADD")
    there = call.machine.registry.key(path)
    if there is not None and there.get(name) and not force:
        return call.refuse(call.say("reg.exists", name=name))
    call.machine.reg_set(path, name, type_, data)
    return call.out(call.say("done"))


def _delete(call: Call, rest: list[str]) -> Output:
    if not rest:
        return _syntax(call, "DELETE")
    name, force, everything = None, False, False
    options = rest[1:]
    while options:
        option = options.pop(0).lower()
        if option == "/f":
            force = True
        elif option == "/va":
            everything = True
        elif option == "/v" and options:
            name = options.pop(0)
        else:
            return call.refuse(f"option {option}")
    path, error = _path(call, rest[0], "DELETE")
    if error:
        return error
    if not force or everything:
        return call.refuse("delete without /f, or with /va")
    if call.denied():
        return call.err(call.say("reg.denied"), 1)
    key = call.machine.registry.key(path)
    if key is None or (name is not None and key.get(name) is None):
        return _missing(call)
    if name is None:
        call.machine.reg_remove(path)
    else:
        key.unset(name)
        call.machine.wrote(f"registry delete {path} {name}")
    return call.out(call.say("done"))

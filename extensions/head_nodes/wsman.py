"""The WS-Management service of one simulated head node: shells, commands, faults, counts.

What it does not model it answers with a fault and notes in ``refused``; tests assert that nothing was refused.
Two things are simpler than on Windows: a Receive is answered when the command has ended (or the operation timed out),
not piece by piece while it runs; and a shell does not go away by itself when nobody uses it.
"""

import base64
import binascii
import re
import threading
import time
import traceback
import uuid
import xml.etree.ElementTree as ET
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol

from extensions.head_nodes import soap, tls
from extensions.head_nodes.auth import METHODS, Account
from extensions.head_nodes.soap import Fault, Request, element

OPERATION_TIMED_OUT = 2150858793
SHELL_NOT_FOUND = 2150858843
# 2150859173, not ...174: that one is about operations (hashicorp/vagrant issue 7489, ansible PR 83656).
TOO_MANY_SHELLS = 2150859173
# pypsrp issue 192, pywinrm issue 273.
RESOURCE_NOT_FOUND = 2150858811
ACCESS_DENIED = 5
INVALID = 87
NOT_SUPPORTED = 50
UNEXPECTED = 1359
LOSSES = ("before", "middle", "after")

CMD_URI = f"{soap.SHELL}/cmd"
POWERSHELL_URI = f"{soap.POWERSHELL}/Microsoft.PowerShell"
_DONE = f"{soap.SHELL}/CommandState/Done"
_RUNNING = f"{soap.SHELL}/CommandState/Running"
# The OEM codepage of the machine's language.
_CODEPAGE = 0
# What the envelope around a payload takes at most.
_AROUND = 4096
_ENCODED = re.compile(r"-EncodedCommand\s+\"?(?P<data>[A-Za-z0-9+/=]+)", re.IGNORECASE)
_COMMAND = {"WINRS_SKIP_CMD_SHELL": {"TRUE", "FALSE"}, "WINRS_CONSOLEMODE_STDIN": {"TRUE", "FALSE"}}
_KEEPALIVE = {"WSMAN_CMDSHELL_OPTION_KEEPALIVE": {"TRUE"}}
_SIGNALS = {
    f"{soap.SHELL}/signal/terminate",
    f"{soap.SHELL}/signal/ctrl_c",
    f"{soap.SHELL}/signal/ctrl_break",
    "powershell/signal/ctrl_c",
}


class Execution(Protocol):
    """What running something gave; ``lose`` (of LOSSES) asks for the connection to be dropped there."""

    @property
    def stdout(self) -> bytes:
        """What it printed."""

    @property
    def stderr(self) -> bytes:
        """What it printed as errors."""

    @property
    def code(self) -> int:
        """Its exit code."""

    @property
    def lose(self) -> str | None:
        """What is lost on the way, one of LOSSES."""


class Machine(Protocol):
    """What stands behind the service: the seam to machine.py. Called from several threads at once.

    ``run_cmd``: a line for cmd.exe; ``run_program``: the command line of a process, which no cmd.exe reads first
    (WINRS_SKIP_CMD_SHELL); both answer in the codepage (0: the machine's own). ``run_powershell`` answers in UTF-8.
    ``boots``: how often it went down; a change takes the shells away. ``powershell``: its version, None for none.
    """

    @property
    def refused(self) -> list[str]:
        """What was asked for and is not modelled."""

    @property
    def writes(self) -> list[str]:
        """What was changed, a line each."""

    @property
    def boots(self) -> int:
        """How often it went down."""

    @property
    def powershell(self) -> str | None:
        """The version of PowerShell."""

    def run_cmd(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Execution:
        """Run a line of cmd.exe."""

    def run_program(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Execution:
        """Run the command line of a process."""

    def run_powershell(self, script: str, user: str) -> Execution:
        """Run a script."""

    def accepts(self) -> bool:
        """Whether it answers, and is not down."""

    def dump(self) -> Any:
        """The whole state, for JSON."""


# Runs something on the machine: how it went, and its output in pieces of a stream's name and data.
Work = Callable[[], tuple[Execution, list[tuple[str, bytes]]]]


class Dropped(Exception):
    """The connection is to be reset without an answer."""


class Refusal(Exception):
    """Something that is not modelled; the text says what."""


class Reply(NamedTuple):
    """An answer; ``cut`` asks for half of it and a reset."""

    status: int
    body: bytes
    cut: bool = False


@dataclass(frozen=True)
class Settings:
    """What can be set on a node while it runs.

    ``latency``: seconds that each command takes longer; ``accepting``: whether connections are accepted; ``shells``:
    MaxShellsPerUser; ``denied``: the account may log in but not open shells; ``https``: whether that port answers;
    ``certificate``: one of tls.KINDS; ``methods``: of auth.METHODS, what is offered.
    """

    user: str = "Administrator"
    password: str = "Passw0rd!"
    latency: float = 0.0
    accepting: bool = True
    shells: int = 30
    denied: bool = False
    https: bool = True
    certificate: str = "good"
    methods: tuple[str, ...] = METHODS

    def changed(self, changes: Mapping[str, Any]) -> "Settings":
        """These settings with ``changes``. Raises ValueError, which says what is wrong."""
        known = {each.name: type(each.default) for each in fields(self)}
        values = dict(changes)
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no such setting: {name}; there are: {', '.join(known)}")
            if known[name] is tuple and isinstance(value, list):
                values[name] = value = tuple(value)
            if known[name] is float and isinstance(value, int) and not isinstance(value, bool):
                values[name] = value = float(value)
            if value.__class__ is not known[name]:
                raise ValueError(f"{name} must be a {known[name].__name__}, not {value!r}")
        made = replace(self, **values)
        if made.certificate not in tls.KINDS:
            raise ValueError(f"certificate must be one of {', '.join(tls.KINDS)}, not {made.certificate!r}")
        if not made.methods or not set(made.methods) <= set(METHODS):
            raise ValueError(f"methods must be some of {', '.join(METHODS)}, not {made.methods!r}")
        if any(re.search(r"[:\r\n]", text) for text in (made.user, made.password)):
            raise ValueError("user and password cannot hold a colon or a line break: pyspnego's account file has none")
        if made.latency < 0 or made.shells < 0:
            raise ValueError("latency and shells cannot be negative")
        return made


@dataclass
class Loss:
    """A fault of the network: the connection is dropped at a command.

    ``at``: "before" the command ran, in the "middle" of its output, or "after" it ran, without an answer.
    ``contains``: only at a command whose text (decoded) holds this; ``skip``: so many of those pass first;
    ``times``: so many are dropped then.
    """

    at: str
    contains: str = ""
    skip: int = 0
    times: int = 1

    def __post_init__(self) -> None:
        if self.at not in LOSSES:
            raise ValueError(f"a connection is lost at one of {', '.join(LOSSES)}, not at {self.at!r}")

    def hits(self, text: str) -> bool:
        """Whether this command is lost; counts down."""
        if not self.times or self.contains not in text:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Command:
    """A command that was started; it runs in a thread of its own and its output is fetched by Receive."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.changed = threading.Condition()
        # Pieces as (stream, data); a piece is never divided between two answers.
        self.pieces: deque[tuple[str, bytes]] = deque()
        self.code: int | None = None
        self.lose: str | None = None
        self.broken = ""
        self.abandoned = False

    @property
    def done(self) -> bool:
        return self.code is not None or self.abandoned or bool(self.broken)

    def finish(self, code: int, lose: str | None, pieces: Sequence[tuple[str, bytes]]) -> None:
        """Say that it has ended with this exit code and output."""
        with self.changed:
            self.pieces.extend(pieces)
            self.lose = self.lose or lose
            self.code = code
            self.changed.notify_all()

    def fail(self, why: str) -> None:
        """Say that it could not be run."""
        with self.changed:
            self.broken = why
            self.changed.notify_all()

    def abandon(self) -> None:
        """Wake who waits for it: its shell is gone."""
        with self.changed:
            self.abandoned = True
            self.changed.notify_all()

    def take(self, budget: int) -> list[tuple[str, bytes]]:
        """The next pieces of output that fit into ``budget`` bytes, at least one."""
        taken: list[tuple[str, bytes]] = []
        while self.pieces and (not taken or len(self.pieces[0][1]) <= budget):
            budget -= len(self.pieces[0][1])
            taken.append(self.pieces.popleft())
        return taken


class Shell(ABC):
    """An open shell of one kind."""

    streams: tuple[str, ...] = ("stdout",)

    def __init__(self, node: "Node", user: str, identity: str) -> None:
        self.node = node
        self.user = user
        self.id = identity
        self.opened = time.time()
        self.commands: dict[str, Command] = {}

    @property
    @abstractmethod
    def resource(self) -> str:
        """The resource URI of its kind."""

    @abstractmethod
    def start(self, request: Request, line: ET.Element) -> Command:
        """Start the command of a CommandLine. Raises Refusal, Fault, Dropped."""

    @abstractmethod
    def send(self, stream: ET.Element) -> None:
        """Take input. Raises Refusal, Fault."""

    def source(self, command: str | None) -> Command:
        """Where Receive of this command id (None: of the shell itself) reads. Raises Refusal, Fault."""
        if command is None:
            raise Refusal("Receive without a command")
        return self.command(command)

    def command(self, identity: str) -> Command:
        """The command of this id. Raises Fault."""
        try:
            return self.commands[identity.upper()]
        except KeyError:
            raise Fault(
                SHELL_NOT_FOUND, "w:InvalidSelectors", f"There is no command {identity} in the shell {self.id}."
            ) from None

    def close(self) -> None:
        """Let go of everything that waits."""
        for command in self.commands.values():
            command.abandon()


class CmdShell(Shell):
    """The WinRS shell: commands of cmd.exe."""

    streams = ("stdout", "stderr")
    resource = CMD_URI

    def __init__(self, node: "Node", user: str, identity: str, codepage: int) -> None:
        super().__init__(node, user, identity)
        self.codepage = codepage

    def start(self, request: Request, line: ET.Element) -> Command:
        check_options(request, _COMMAND)
        children(line, "Command", "Arguments")
        program = line.findtext(f"{{{soap.SHELL}}}Command") or ""
        arguments = [each.text or "" for each in line.iterfind(f"{{{soap.SHELL}}}Arguments")]
        if not program:
            raise Refusal("Command without a program")
        command = Command(line.get("CommandId", str(uuid.uuid4())).upper())
        direct = request.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "TRUE"

        def work() -> tuple[Execution, list[tuple[str, bytes]]]:
            run = self.node.machine.run_program if direct else self.node.machine.run_cmd
            execution = run(program, arguments, self.codepage, self.user)
            output = (("stdout", execution.stdout), ("stderr", execution.stderr))
            return execution, [piece for name, data in output for piece in divided(name, data)]

        self.commands[command.id] = command
        self.node.run(command, decoded(" ".join([program, *arguments])), work)
        return command

    def send(self, stream: ET.Element) -> None:
        self.command(stream.get("CommandId", ""))
        if stream.text:
            raise Refusal(f"Send of {len(stream.text)} base64 characters: a program's standard input")


@dataclass
class Counts:
    """What a node was asked.

    ``http``: every HTTP request, also those that only log in; ``kinds``: WS-Management messages by their kind;
    ``connections``: accepted ones; ``failed_logins``; ``readable``: messages whose body crossed http unencrypted.
    """

    http: int = 0
    connections: int = 0
    failed_logins: int = 0
    readable: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


class Node:
    """One simulated head node as its clients and its tests see it. Every method may be called from any thread."""

    def __init__(self, name: str, machine: Machine, settings: Settings | None = None) -> None:
        self.name = name
        self.machine = machine
        self.settings = settings or Settings()
        self.counts = Counts()
        self.losses: list[Loss] = []
        self.shells: dict[str, Shell] = {}
        self.lost_shells = 0
        self._refused: list[str] = []
        self._lock = threading.RLock()
        self._boots = machine.boots

    # --- for tests

    def set(self, **changes: Any) -> None:
        """Change settings (see Settings). Raises ValueError, and then changes nothing."""
        self.settings = self.settings.changed(changes)

    def lose(self, at: str, contains: str = "", skip: int = 0, times: int = 1) -> None:
        """Drop connections at commands (see Loss). Raises ValueError."""
        with self._lock:
            self.losses.append(Loss(at, contains, skip, times))

    def clear(self) -> None:
        """Begin to count anew, refusals and writes too; open shells and settings stay as they are."""
        with self._lock:
            self.counts = Counts()
            self.losses.clear()
            self.lost_shells = 0
            self._refused.clear()
            self.machine.refused.clear()
            self.machine.writes.clear()

    @property
    def refused(self) -> list[str]:
        """What was asked for and is not modelled, by the service and by the machine."""
        return [*self._refused, *self.machine.refused]

    @property
    def total(self) -> int:
        """How many WS-Management messages were answered: exactly 5 for one healthy check."""
        return sum(self.counts.kinds.values())

    def status(self) -> dict[str, Any]:
        """Everything readable about it, as JSON types."""
        with self._lock:
            counts = asdict(self.counts)
            return {
                "name": self.name,
                "accepts": self.accepts(),
                "counts": {**counts, "kinds": dict(self.counts.kinds), "total": self.total},
                "refused": self.refused,
                "writes": list(self.machine.writes),
                "open_shells": [
                    {"id": shell.id, "user": shell.user, "resource": shell.resource, "opened": shell.opened}
                    for shell in self.shells.values()
                ],
                "lost_shells": self.lost_shells,
                "losses": [asdict(loss) for loss in self.losses if loss.times],
                "settings": asdict(replace(self.settings, password="")) | {"password": "(not shown)"},
            }

    # --- for the service

    def account(self) -> Account:
        """Who may log in now."""
        return Account(self.settings.user, self.settings.password)

    def accepts(self) -> bool:
        """Whether it accepts connections now: it is set to, and the machine is not booting."""
        up = self.machine.accepts()
        if self.machine.boots != self._boots:
            self._boots = self.machine.boots
            self.forget()
        return self.settings.accepting and up

    def refuse(self, what: str) -> None:
        """Note something that is not modelled."""
        with self._lock:
            self._refused.append(what)

    def count(self, name: str, kind: str = "") -> None:
        """Count one more of a field of Counts, or of a kind of message."""
        with self._lock:
            if kind:
                self.counts.kinds[kind] += 1
            else:
                setattr(self.counts, name, getattr(self.counts, name) + 1)

    def forget(self) -> None:
        """The machine went down: its shells are gone."""
        with self._lock:
            gone = list(self.shells.values())
            self.shells.clear()
            self.lost_shells += len(gone)
        for shell in gone:
            shell.close()

    def handle(self, data: bytes, user: str) -> Reply:
        """Answer one message of ``user``. Raises Dropped."""
        message = ""
        try:
            try:
                request = soap.parse(data)
                message = request.message
                self.count("kinds", request.kind)
                return self._operate(request, user)
            except soap.EnvelopeError as error:
                self.refuse(f"malformed message: {error}")
                raise Fault(INVALID, "w:SchemaValidationError", f"The message is malformed: {error}", 400) from error
            except (Refusal, soap.UnknownHeader) as error:
                self.refuse(str(error))
                raise Fault(NOT_SUPPORTED, "w:UnsupportedFeature", f"The lab does not model this: {error}") from error
        except Fault as raised:
            return Reply(raised.status, soap.fault(message, raised, self.name))

    def _operate(self, request: Request, user: str) -> Reply:
        operation = {
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.TRANSFER}/Delete": self._delete,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Send": self._send,
            f"{soap.SHELL}/Signal": self._signal,
        }.get(request.action)
        if operation is None:
            raise Refusal(f"action {request.action}")
        if set(request.selectors) - {"ShellId"}:
            raise Refusal(f"selectors {', '.join(request.selectors)}")
        return operation(request, user)

    def _create(self, request: Request, user: str) -> Reply:
        # Imported here: psrp.py builds on this module.
        from extensions.head_nodes.psrp import Pool

        wanted = request.child("Shell")
        if wanted is None:
            raise Refusal("Create of something else than a shell")
        if self.settings.denied:
            raise Fault(ACCESS_DENIED, "w:AccessDenied", "Access is denied.")
        shell: Shell
        if request.resource == CMD_URI:
            check_options(request, {"WINRS_NOPROFILE": {"TRUE", "FALSE"}, "WINRS_CODEPAGE": None})
            children(wanted, "InputStreams", "OutputStreams")
            _streams(wanted, "stdin", "stdout stderr")
            codepage = request.options.get("WINRS_CODEPAGE", str(_CODEPAGE))
            if not codepage.isdecimal():
                raise Refusal(f"WINRS_CODEPAGE {codepage}")
            shell = CmdShell(self, user, str(uuid.uuid4()).upper(), int(codepage))
        elif request.resource == POWERSHELL_URI:
            shell = Pool.create(self, user, request, wanted)
        else:
            raise Refusal(f"a shell of {request.resource}")
        with self._lock:
            if sum(each.user == user for each in self.shells.values()) >= self.settings.shells:
                raise Fault(
                    TOO_MANY_SHELLS,
                    "w:QuotaLimit",
                    f"This user is allowed a maximum number of {self.settings.shells} concurrent shells, which has"
                    " been exceeded. Close existing shells or raise the quota for this user.",
                )
            if shell.id in self.shells:
                raise Fault(INVALID, "w:AlreadyExists", f"There is a shell {shell.id} already.")
            self.shells[shell.id] = shell
        selector = element(soap.WSMAN, "Selector", shell.id, Name="ShellId")
        created = element(
            soap.TRANSFER,
            "ResourceCreated",
            None,
            element(soap.ADDRESSING, "Address", f"http://{self.name}:5985/wsman"),
            element(
                soap.ADDRESSING,
                "ReferenceParameters",
                None,
                element(soap.WSMAN, "ResourceURI", request.resource),
                element(soap.WSMAN, "SelectorSet", None, selector),
            ),
        )
        described = element(
            soap.SHELL,
            "Shell",
            None,
            element(soap.SHELL, "ShellId", shell.id),
            element(soap.SHELL, "ResourceUri", request.resource),
            element(soap.SHELL, "Owner", user),
            element(soap.SHELL, "OutputStreams", " ".join(shell.streams)),
        )
        return Reply(200, soap.response(request, created, described))

    def _shell(self, request: Request, user: str) -> Shell:
        identity = request.selectors.get("ShellId", "").upper()
        shell = self.shells.get(identity)
        if shell is None or shell.user != user:
            raise Fault(
                SHELL_NOT_FOUND,
                "w:InvalidSelectors",
                f"The request for the Windows Remote Shell with ShellId {identity} failed because the shell was not"
                " found on the server.",
            )
        if request.resource != shell.resource:
            raise Refusal(f"{request.kind} of {request.resource} on a shell of {shell.resource}")
        return shell

    def _delete(self, request: Request, user: str) -> Reply:
        check_options(request, {})
        shell = self._shell(request, user)
        with self._lock:
            self.shells.pop(shell.id, None)
        shell.close()
        return Reply(200, soap.response(request))

    def _command(self, request: Request, user: str) -> Reply:
        shell = self._shell(request, user)
        line = _body(request, "CommandLine")
        command = shell.start(request, line)
        answer = element(soap.SHELL, "CommandResponse", None, element(soap.SHELL, "CommandId", command.id))
        return Reply(200, soap.response(request, answer))

    def _send(self, request: Request, user: str) -> Reply:
        check_options(request, {})
        shell = self._shell(request, user)
        for stream in _body(request, "Send"):
            shell.send(stream)
        return Reply(200, soap.response(request, element(soap.SHELL, "SendResponse")))

    def _signal(self, request: Request, user: str) -> Reply:
        check_options(request, {})
        shell = self._shell(request, user)
        signal = _body(request, "Signal")
        code = (signal.findtext(f"{{{soap.SHELL}}}Code") or "").strip()
        if code.lower() not in {known.lower() for known in _SIGNALS}:
            raise Refusal(f"Signal {code}")
        command = shell.command(signal.get("CommandId", ""))
        del shell.commands[command.id]
        command.abandon()
        return Reply(200, soap.response(request, element(soap.SHELL, "SignalResponse")))

    def _receive(self, request: Request, user: str) -> Reply:
        check_options(request, _KEEPALIVE)
        shell = self._shell(request, user)
        receive = _body(request, "Receive")
        desired = receive.find(f"{{{soap.SHELL}}}DesiredStream")
        if desired is None or not set((desired.text or "").split()) <= set(shell.streams):
            raise Refusal(f"Receive of {None if desired is None else desired.text}")
        identity = desired.get("CommandId")
        command = shell.source(identity)
        with command.changed:
            command.changed.wait_for(lambda: command.done or (identity is None and command.pieces), request.timeout)
            if command.abandoned:
                # The client hears of the shell's end by its next message; this one is lost with the machine.
                raise Dropped
            if command.broken:
                raise Fault(UNEXPECTED, "w:InternalError", command.broken)
            if not command.done and not command.pieces:
                raise Fault(
                    OPERATION_TIMED_OUT,
                    "w:TimedOut",
                    "The WS-Management service cannot complete the operation within the time specified in"
                    " OperationTimeout.",
                )
            if command.lose == "after":
                raise Dropped
            pieces = command.take(max(1, (request.envelope - _AROUND) * 3 // 4))
            ended = command.code is not None and not command.pieces
            cut = command.lose == "middle"
        return Reply(200, soap.response(request, _received(command, identity, pieces, ended)), cut)

    # --- running

    def run(self, command: Command, text: str, work: Work) -> None:
        """Run ``work`` in a thread, after the latency. Raises Dropped."""
        with self._lock:
            lose = next((loss.at for loss in self.losses if loss.hits(text)), None)
        if lose == "before":
            command.abandon()
            raise Dropped
        command.lose = lose
        threading.Thread(target=self._work, args=(command, work), daemon=True).start()

    def _work(self, command: Command, work: Work) -> None:
        try:
            time.sleep(self.settings.latency)
            execution, pieces = work()
            # The machine has run it already; to the client both look the same.
            lose = "after" if execution.lose == "before" else execution.lose
            command.finish(execution.code, lose, pieces)
        except Refusal as refusal:
            self.refuse(str(refusal))
            command.fail(f"The lab does not model this: {refusal}")
        except Exception as error:
            # A mistake of the simulated machine must not look like a slow command.
            self.refuse("the machine failed: " + "".join(traceback.format_exception(error)))
            command.fail(f"The simulated machine failed: {error!r}")


def divided(name: str, data: bytes, size: int = 32768) -> list[tuple[str, bytes]]:
    """A stream's data in pieces of at most ``size`` bytes."""
    return [(name, data[at : at + size]) for at in range(0, len(data), size)]


def decoded(line: str) -> str:
    """A command line together with the PowerShell script that it carries encoded, if it does."""
    match = _ENCODED.search(line)
    if match is None:
        return line
    try:
        return f"{line}\n{base64.b64decode(match['data'], validate=True).decode('utf-16-le')}"
    except (binascii.Error, UnicodeDecodeError):
        return line


def check_options(request: Request, known: Mapping[str, set[str] | None]) -> None:
    """Raises Refusal when the request has an option that is not in ``known`` or has another value than those."""
    for name, value in request.options.items():
        if name not in known:
            raise Refusal(f"{request.kind} with option {name}={value}")
        allowed = known[name]
        if allowed is not None and value.upper() not in allowed:
            raise Refusal(f"{request.kind} with option {name}={value}")


def children(parent: ET.Element, *known: str) -> None:
    """Raises Refusal when an element has a child of another name than these."""
    names = sorted({child.tag.rpartition("}")[2] for child in parent} - set(known))
    if names:
        raise Refusal(f"{parent.tag.rpartition('}')[2]} with {', '.join(names)}")


def _streams(shell: ET.Element, inputs: str, outputs: str) -> None:
    for name, known in (("InputStreams", inputs), ("OutputStreams", outputs)):
        text = shell.findtext(f"{{{soap.SHELL}}}{name}") or ""
        if sorted(text.split()) != sorted(known.split()):
            raise Refusal(f"{name} {text}")


def _body(request: Request, name: str) -> ET.Element:
    found = request.child(name)
    if found is None:
        raise Fault(INVALID, "w:SchemaValidationError", f"The message has no {name}.", 400)
    return found


def _received(command: Command, identity: str | None, pieces: Sequence[tuple[str, bytes]], ended: bool) -> ET.Element:
    answer = element(soap.SHELL, "ReceiveResponse")
    named = {} if identity is None else {"CommandId": command.id}
    for name, data in pieces:
        answer.append(element(soap.SHELL, "Stream", base64.b64encode(data).decode(), Name=name, **named))
    if identity is not None:
        state = element(soap.SHELL, "CommandState", None, State=_DONE if ended else _RUNNING, **named)
        if ended:
            state.append(element(soap.SHELL, "ExitCode", str(command.code)))
        answer.append(state)
    return answer

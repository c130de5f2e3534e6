"""Runspace pools and pipelines of the PowerShell Remoting Protocol (MS-PSRP), as far as running a script needs them.

Messages and objects are read and written by pypsrp's own classes, the ones its client uses.
"""

import base64
import binascii
import struct
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

from pypsrp.complex_objects import (
    GenericComplexObject,
    HostInfo,
    HostMethodIdentifier,
    ObjectMeta,
    PSInvocationState,
    RunspacePoolState,
)
from pypsrp.exceptions import FragmentError, SerializationError
from pypsrp.messages import (
    ApplicationPrivateData,
    CreatePipeline,
    Destination,
    EndOfPipelineInput,
    InitRunspacePool,
    MessageType,
    PipelineHostCall,
    PipelineState,
    RunspacePoolStateMessage,
    SessionCapability,
)
from pypsrp.powershell import Fragment, Fragmenter
from pypsrp.serializer import Serializer

from extensions.head_nodes import soap
from extensions.head_nodes.soap import Fault, Request
from extensions.head_nodes.wsman import (
    INVALID,
    POWERSHELL_URI,
    RESOURCE_NOT_FOUND,
    Command,
    Execution,
    Node,
    Refusal,
    Shell,
    check_options,
)

# The version of the protocol that each version of PowerShell speaks (MS-PSRP, appendix A); 1.0 has no remoting.
_PROTOCOLS = {"2": "2.1", "3": "2.2", "4": "2.2", "5": "2.3"}
_FRAGMENT = 32000
_SET_SHOULD_EXIT = 6
_NOT_SPECIFIED = 0


class _Reader(Serializer):
    """pypsrp's serializer, which can write a HostInfo but not read one: it is left out."""

    def deserialize(self, element: ET.Element | str, metadata: ObjectMeta | None = None, clear: bool = True) -> Any:
        if metadata is not None and metadata.object is HostInfo:
            # Read all the same: later objects refer to the types that it names.
            super().deserialize(element, ObjectMeta("ObjDynamic", object=GenericComplexObject), clear=clear)
            return None
        return super().deserialize(element, metadata, clear)


class Pool(Shell):
    """A runspace pool: a shell whose commands are pipelines."""

    resource = POWERSHELL_URI

    def __init__(self, node: Node, user: str, identity: str, protocol: str) -> None:
        super().__init__(node, user, identity)
        self._protocol = protocol
        self._serializer = Serializer()
        self._fragmenter = Fragmenter(_FRAGMENT, _Reader())
        self._objects = 0
        self._own = Command("")
        self._seen: list[type] = []

    @classmethod
    def create(cls, node: Node, user: str, request: Request, shell: ET.Element) -> "Pool":
        """The pool of a Create request. Raises Refusal, Fault."""
        protocol = _PROTOCOLS.get((node.machine.powershell or "").partition(".")[0])
        if protocol is None:
            raise Fault(
                RESOURCE_NOT_FOUND,
                "a:DestinationUnreachable",
                f"The resource URI ({request.resource}) was not found in the WS-Management catalog.",
            )
        check_options(request, {"protocolversion": {"2.1", "2.2", "2.3"}, "WINRS_NOPROFILE": {"TRUE"}})
        known = {f"{{{soap.SHELL}}}{name}" for name in ("InputStreams", "OutputStreams", "IdleTimeOut")}
        creation = shell.find(f"{{{soap.POWERSHELL}}}creationXml")
        unknown = [child.tag for child in shell if child.tag not in known and child is not creation]
        if unknown or creation is None:
            raise Refusal(f"a runspace pool with {', '.join(unknown) or 'no creationXml'}")
        pool = cls(node, user, shell.get("ShellId", str(uuid.uuid4())).upper(), protocol)
        pool._feed(creation.text or "", None)
        return pool

    def source(self, command: str | None) -> Command:
        return self._own if command is None else super().source(command)

    def start(self, request: Request, line: ET.Element) -> Command:
        check_options(request, {"WINRS_SKIP_CMD_SHELL": {"FALSE"}})
        if line.findtext(f"{{{soap.SHELL}}}Command"):
            raise Refusal("a program by name in a runspace pool")
        command = Command(line.get("CommandId", str(uuid.uuid4())).upper())
        self.commands[command.id] = command
        for argument in line.iterfind(f"{{{soap.SHELL}}}Arguments"):
            self._feed(argument.text or "", command)
        return command

    def send(self, stream: ET.Element) -> None:
        if stream.get("Name") != "stdin":
            raise Refusal(f"an answer to a host call, by stream {stream.get('Name')}")
        identity = stream.get("CommandId")
        self._feed(stream.text or "", None if identity is None else self.command(identity))

    def close(self) -> None:
        super().close()
        self._own.abandon()

    def _feed(self, text: str, command: Command | None) -> None:
        try:
            messages = self._fragmenter.defragment(base64.b64decode(text, validate=True))
        except (binascii.Error, struct.error, FragmentError, SerializationError) as error:
            raise Fault(INVALID, "w:SchemaValidationError", f"Not fragments of PSRP messages: {error}") from error
        except KeyError as error:
            raise Refusal(f"PSRP message type {error}") from error
        for message in messages:
            self._take(message.data, command)

    def _take(self, data: Any, command: Command | None) -> None:
        if isinstance(data, SessionCapability) and not self._seen:
            self._seen.append(SessionCapability)
        elif isinstance(data, InitRunspacePool) and self._seen == [SessionCapability]:
            if data.max_runspaces != 1:
                raise Refusal(f"a runspace pool of {data.max_runspaces} runspaces")
            self._seen.append(InitRunspacePool)
            self._opened()
        elif isinstance(data, CreatePipeline) and command is not None and InitRunspacePool in self._seen:
            self._run(command, data)
        elif isinstance(data, EndOfPipelineInput) and command is not None:
            pass
        else:
            raise Refusal(f"PSRP message {type(data).__name__}")

    def _opened(self) -> None:
        private = _made(ApplicationPrivateData, data={})
        opened = _made(RunspacePoolStateMessage, state=RunspacePoolState.OPENED)
        for data in (SessionCapability(self._protocol, "2.0", "1.1.0.1"), private, opened):
            self._own.pieces.extend(self._pack(data, None))

    def _run(self, command: Command, asked: CreatePipeline) -> None:
        script = _script(asked)
        machine = self.node.machine

        def work() -> tuple[Execution, list[tuple[str, bytes]]]:
            execution = machine.run_powershell(script, self.user)
            return execution, list(self._output(execution, command))

        self.node.run(command, script, work)

    def _output(self, execution: Execution, command: Command) -> Iterator[tuple[str, bytes]]:
        for line in _lines(execution.stdout):
            yield from self._pack(line, command, MessageType.PIPELINE_OUTPUT)
        for line in _lines(execution.stderr):
            yield from self._pack(_error(line), command, MessageType.ERROR_RECORD)
        if execution.code:
            # What "exit" in a script does: the host is told to end.
            method = _made(HostMethodIdentifier, value=_SET_SHOULD_EXIT)
            yield from self._pack(_made(PipelineHostCall, ci=-100, mi=method, mp=[execution.code]), command)
        yield from self._pack(_made(PipelineState, state=PSInvocationState.COMPLETED), command)

    def _pack(self, data: Any, command: Command | None, kind: int | None = None) -> Iterator[tuple[str, bytes]]:
        identity = None if command is None else command.id
        packed = struct.pack("<II", Destination.CLIENT, kind or data.MESSAGE_TYPE)
        for each in (self.id, identity):
            packed += (uuid.UUID(each) if each else uuid.UUID(int=0)).bytes_le
        # pypsrp's own Message cannot pack a pipeline's output.
        serialized = self._serializer.serialize(data)
        packed += b"" if serialized is None else ET.tostring(serialized, encoding="utf-8")
        self._objects += 1
        for number, at in enumerate(range(0, len(packed), _FRAGMENT)):
            piece = packed[at : at + _FRAGMENT]
            end = at + _FRAGMENT >= len(packed)
            yield "stdout", Fragment(self._objects, number, piece, start=at == 0, end=end).pack()


def _made(kind: Any, **values: Any) -> Any:
    """An object of a class of pypsrp that has no types."""
    return kind(**values)


def _script(asked: CreatePipeline) -> str:
    pipeline = asked.pipeline
    if pipeline is None or asked.is_nested or pipeline.is_nested or pipeline.redirect_err_to_out:
        raise Refusal("a nested pipeline or one with its errors redirected")
    if not asked.no_input:
        raise Refusal("a pipeline with input")
    commands: list[Any] = pipeline.commands or []
    if len(commands) != 1 or not commands[0].is_script or commands[0].args:
        raise Refusal("a pipeline that is not one script without arguments")
    script: str = commands[0].cmd
    return script


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def _error(line: str) -> GenericComplexObject:
    """A line of a native program's stderr. Made by hand: pypsrp's ErrorRecord can only be read."""
    exception = GenericComplexObject()
    exception.types = ["System.Management.Automation.RemoteException", "System.Exception", "System.Object"]
    exception.to_string = line
    record = GenericComplexObject()
    record.types = ["System.Management.Automation.ErrorRecord", "System.Object"]
    record.to_string = line
    record.extended_properties = {
        "Exception": exception,
        "FullyQualifiedErrorId": "NativeCommandError",
        "ErrorCategory_Category": _NOT_SPECIFIED,
        "ErrorCategory_Reason": "RemoteException",
        "ErrorCategory_TargetName": line,
        "ErrorCategory_TargetType": "String",
        "ErrorCategory_Message": f"NotSpecified: ({line}:String) [], RemoteException",
        "SerializeExtendedInfo": False,
    }
    return record

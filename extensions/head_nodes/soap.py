"""Envelopes of WS-Management (MS-WSMV): a request taken apart, answers and faults put together."""

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import NamedTuple

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMV = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
POWERSHELL = "http://schemas.microsoft.com/powershell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

for _prefix, _uri in {
    "s": ENVELOPE,
    "a": ADDRESSING,
    "w": WSMAN,
    "p": WSMV,
    "x": TRANSFER,
    "rsp": SHELL,
    "f": FAULT,
}.items():
    ET.register_namespace(_prefix, _uri)

# What the clients send; a header that is not named here is refused.
_HEADERS = {
    *(f"{{{ADDRESSING}}}{name}" for name in ("Action", "MessageID", "ReplyTo", "To")),
    *(
        f"{{{WSMAN}}}{name}"
        for name in ("Locale", "MaxEnvelopeSize", "OperationTimeout", "OptionSet", "ResourceURI", "SelectorSet")
    ),
    *(f"{{{WSMV}}}{name}" for name in ("DataLocale", "SessionId")),
}
_DURATION = re.compile(r"PT(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?")
_DEFAULT_ENVELOPE = 153600
_DEFAULT_TIMEOUT = 60.0


class EnvelopeError(Exception):
    """The body of a request is not an envelope of WS-Management; the text says why."""


class UnknownHeader(Exception):
    """A request has a header that is not modelled; the text names it."""


class Fault(Exception):
    """A fault to answer with.

    ``code`` is the number that clients decide on: of wsmerror.h (decimal) or of Win32; ``subcode`` the SOAP subcode
    with its prefix; ``status`` the HTTP status.
    """

    def __init__(self, code: int, subcode: str, reason: str, status: int = 500) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.status = status


class Request(NamedTuple):
    """One request: ``timeout`` in seconds, ``envelope`` the most bytes that an answer may have."""

    action: str
    resource: str
    message: str
    timeout: float
    envelope: int
    selectors: Mapping[str, str]
    options: Mapping[str, str]
    body: ET.Element

    @property
    def kind(self) -> str:
        """The last part of the action: Create, Command, Send, Receive, Signal, Delete or what was asked for."""
        return self.action.rpartition("/")[2]

    def child(self, name: str) -> ET.Element | None:
        """The element ``name`` of the shell's namespace in the body."""
        return self.body.find(f"{{{SHELL}}}{name}")


def parse(data: bytes) -> Request:
    """The request in ``data``. Raises EnvelopeError when it is none, UnknownHeader when a header is not modelled."""
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise EnvelopeError(f"not XML: {error}") from error
    header = root.find(f"{{{ENVELOPE}}}Header")
    body = root.find(f"{{{ENVELOPE}}}Body")
    if header is None or body is None:
        raise EnvelopeError(f"no SOAP 1.2 header and body in {root.tag}")
    unknown = sorted({child.tag for child in header} - _HEADERS)
    if unknown:
        raise UnknownHeader(f"header {', '.join(unknown)}")
    return Request(
        action=_text(header, ADDRESSING, "Action"),
        resource=_text(header, WSMAN, "ResourceURI"),
        message=_text(header, ADDRESSING, "MessageID"),
        timeout=seconds(_text(header, WSMAN, "OperationTimeout", "")),
        envelope=int(_text(header, WSMAN, "MaxEnvelopeSize", str(_DEFAULT_ENVELOPE))),
        selectors=_named(header, "Selector"),
        options=_named(header, "Option"),
        body=body,
    )


def seconds(duration: str) -> float:
    """An ISO 8601 duration of hours, minutes and seconds. Raises EnvelopeError when it is none; "" is the default."""
    if not duration:
        return _DEFAULT_TIMEOUT
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise EnvelopeError(f"not a duration: {duration!r}")
    hours, minutes, rest = (float(part or 0) for part in match.group("hours", "minutes", "seconds"))
    return hours * 3600 + minutes * 60 + rest


def _text(header: ET.Element, namespace: str, name: str, default: str | None = None) -> str:
    text = header.findtext(f"{{{namespace}}}{name}", default)
    if text is None:
        raise EnvelopeError(f"no header {name}")
    return text.strip()


def _named(header: ET.Element, name: str) -> dict[str, str]:
    return {each.get("Name", ""): each.text or "" for each in header.iterfind(f"*/{{{WSMAN}}}{name}")}


def element(namespace: str, name: str, text: str | None = None, *children: ET.Element, **attributes: str) -> ET.Element:
    """An element with a text, children and attributes."""
    made = ET.Element(f"{{{namespace}}}{name}", attributes)
    made.text = text
    made.extend(children)
    return made


def response(request: Request, *body: ET.Element) -> bytes:
    """The answer to ``request`` with these elements in its body."""
    return _envelope(f"{request.action}Response", request.message, body)


def fault(message: str, raised: Fault, machine: str) -> bytes:
    """A fault that answers the message of this id ("" when it has none) in the name of ``machine``."""
    code = element(
        ENVELOPE,
        "Code",
        None,
        element(ENVELOPE, "Value", "s:Receiver" if raised.status == 500 else "s:Sender"),
        element(ENVELOPE, "Subcode", None, element(ENVELOPE, "Value", raised.subcode)),
    )
    text = element(ENVELOPE, "Text", raised.reason)
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    detail = element(FAULT, "WSManFault", None, element(FAULT, "Message", raised.reason))
    detail.set("Code", str(raised.code))
    detail.set("Machine", machine)
    body = element(
        ENVELOPE,
        "Fault",
        None,
        code,
        element(ENVELOPE, "Reason", None, text),
        element(ENVELOPE, "Detail", None, detail),
    )
    return _envelope(_FAULT_ACTION, message, [body])


def _envelope(action: str, relates_to: str, body: Iterable[ET.Element]) -> bytes:
    header = element(
        ENVELOPE,
        "Header",
        None,
        element(ADDRESSING, "Action", action),
        element(ADDRESSING, "MessageID", f"uuid:{str(uuid.uuid4()).upper()}"),
        element(ADDRESSING, "To", _ANONYMOUS),
        element(ADDRESSING, "RelatesTo", relates_to),
    )
    root = element(ENVELOPE, "Envelope", None, header, element(ENVELOPE, "Body", None, *body))
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=False)
    # Subcodes carry these prefixes as text, which the serializer does not see.
    for prefix, uri in (("a", ADDRESSING), ("w", WSMAN)):
        if f'xmlns:{prefix}="{uri}"'.encode() not in data:
            data = data.replace(b"<s:Envelope ", f'<s:Envelope xmlns:{prefix}="{uri}" '.encode(), 1)
    return data

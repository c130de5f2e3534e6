"""Who a request comes from: Basic and Negotiate/NTLM of one connection, and NTLM's encryption of messages.

NTLM's acceptor is pyspnego's, which both clients depend on too.
"""

import base64
import binascii
import hmac
import os
import re
import struct
import tempfile
import threading
from collections.abc import Callable
from typing import NamedTuple

import spnego
from spnego.exceptions import SpnegoError

ENCRYPTED = "multipart/encrypted"
METHODS = ("basic", "ntlm")
_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY = b"--Encrypted Boundary"
_ENCRYPTED_BODY = re.compile(
    re.escape(_BOUNDARY)
    + rb"\r\n\s*Content-Type: "
    + re.escape(_PROTOCOL.encode())
    + rb"\r\n\s*OriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(?P<length>\d+)\r\n"
    + re.escape(_BOUNDARY)
    + rb"\r\n\s*Content-Type: application/octet-stream\r\n(?P<data>.*)"
    + re.escape(_BOUNDARY)
    + rb"--\r\n",
    re.DOTALL,
)
# pyspnego's acceptor finds accounts only through a file that an environment variable names.
_STORE_VARIABLE = "NTLM_USER_FILE"
_STORE_LOCK = threading.Lock()


class Account(NamedTuple):
    """The one account of a node that may log in; local, so a domain before it is the node's name or a dot."""

    user: str
    password: str


class Verdict(NamedTuple):
    """What a request's credentials are worth.

    ``user`` is "" unless it may pass; ``failed`` says that credentials were given and were wrong; ``headers`` are
    values of WWW-Authenticate for the answer.
    """

    user: str
    failed: bool
    headers: tuple[str, ...]


class EncryptionError(Exception):
    """An encrypted message cannot be read on this connection; the text says why."""


class Login:
    """The authentication of one connection: NTLM holds for the connection, Basic for a request."""

    def __init__(self, node: str, account: Callable[[], Account], methods: Callable[[], tuple[str, ...]]) -> None:
        self._node = node
        self._account = account
        self._methods = methods
        self._context: spnego.ContextProxy | None = None
        self._user = ""

    def check(self, header: str) -> Verdict:
        """Judge the value of a request's Authorization header, "" when it has none."""
        if not header:
            return Verdict(self._user, False, () if self._user else self._offer())
        scheme, _space, token = header.partition(" ")
        try:
            data = base64.b64decode(token.strip(), validate=True)
        except binascii.Error:
            return Verdict("", True, self._offer())
        if scheme.lower() == "basic" and "basic" in self._methods():
            return self._basic(data)
        if scheme.lower() in ("negotiate", "ntlm") and "ntlm" in self._methods():
            return self._negotiate(scheme, data)
        return Verdict("", True, self._offer())

    def _offer(self) -> tuple[str, ...]:
        offers = {"ntlm": ("Negotiate",), "basic": ('Basic realm="WSMAN"',)}
        return tuple(offer for method in ("ntlm", "basic") if method in self._methods() for offer in offers[method])

    def _basic(self, data: bytes) -> Verdict:
        user, _colon, password = data.decode("utf-8", "replace").partition(":")
        account = self._account()
        right = hmac.compare_digest(password.encode(), account.password.encode())
        if right and user.lower() in {f"{prefix}{account.user}".lower() for prefix in ("", ".\\", f"{self._node}\\")}:
            return Verdict(account.user, False, ())
        return Verdict("", True, self._offer())

    def _negotiate(self, scheme: str, token: bytes) -> Verdict:
        if self._context is None or self._context.complete:
            self._user = ""
            self._context = spnego.server(
                hostname=self._node, protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate
            )
        try:
            out = self._step(self._context, token)
        except SpnegoError:
            self._context = None
            return Verdict("", True, self._offer())
        header = (f"{scheme} {base64.b64encode(out).decode()}",) if out else ()
        if self._context.complete:
            self._user = self._account().user
        return Verdict(self._user, False, header)

    def _step(self, context: spnego.ContextProxy, token: bytes) -> bytes | None:
        account = self._account()
        with _STORE_LOCK, tempfile.NamedTemporaryFile("w", encoding="utf-8") as store:
            for domain in ("", ".", self._node):
                store.write(f"{domain}:{account.user}:{account.password}\n")
            store.flush()
            before = os.environ.get(_STORE_VARIABLE, "")
            os.environ[_STORE_VARIABLE] = store.name
            try:
                return context.step(token)
            finally:
                # Emptied, not deleted: a thread that reads the whole environment just then would fail.
                os.environ[_STORE_VARIABLE] = before

    def decrypt(self, content_type: str, body: bytes) -> bytes:
        """The message in an encrypted body. Raises EncryptionError."""
        if self._context is None or not self._context.complete:
            raise EncryptionError("an encrypted message on a connection that nobody has logged in to with NTLM")
        if f'protocol="{_PROTOCOL}"' not in content_type:
            raise EncryptionError(f"not {_PROTOCOL}: {content_type}")
        match = _ENCRYPTED_BODY.fullmatch(body)
        if match is None:
            raise EncryptionError("the parts of the encrypted body are not as MS-WSMV 2.2.9.1 has them")
        data = match["data"]
        length = struct.unpack_from("<i", data)[0]
        try:
            message = self._context.unwrap_winrm(data[4 : 4 + length], data[4 + length :])
        except SpnegoError as error:
            raise EncryptionError(f"cannot be decrypted: {error}") from error
        if len(message) != int(match["length"]):
            raise EncryptionError(f"{len(message)} bytes where {int(match['length'])} were announced")
        return message

    def encrypt(self, message: bytes) -> tuple[str, bytes]:
        """The content type and the body that carry ``message`` encrypted. Raises EncryptionError."""
        if self._context is None or not self._context.complete:
            raise EncryptionError("nothing can be encrypted on a connection that nobody has logged in to with NTLM")
        header, data, padding = self._context.wrap_winrm(message)
        lines = (
            _BOUNDARY,
            f"\tContent-Type: {_PROTOCOL}".encode(),
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d" % (len(message) + padding),
            _BOUNDARY,
            b"\tContent-Type: application/octet-stream",
            struct.pack("<i", len(header)) + header + data + _BOUNDARY + b"--",
            b"",
        )
        return f'{ENCRYPTED};protocol="{_PROTOCOL}";boundary="Encrypted Boundary"', b"\r\n".join(lines)

"""The HTTP and HTTPS ports of many simulated head nodes in one process.

A node that does not accept connections (set so, or its machine is booting) has no listening port: a client is refused
by the kernel, as by a real host. Its open connections are reset, and a boot takes its shells away.
"""

import os
import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from extensions.head_nodes.auth import ENCRYPTED, EncryptionError, Login
from extensions.head_nodes.tls import Authority
from extensions.head_nodes.wsman import Dropped, Node

HTTP_PORT = 5985
HTTPS_PORT = 5986
_PATH = "/wsman"
_SOAP = "application/soap+xml;charset=UTF-8"
# Seconds: how soon the ports follow a node that boots or came up.
_LOOK = 0.02
_HANDSHAKE = 10.0
_MOST = 16 * 1024 * 1024


class ServiceError(Exception):
    """The ports cannot be opened; the text says what and where."""


def own_addresses(count: int) -> list[str]:
    """Loopback addresses (127.x.y.1 and up) that no other process asking this way has while it runs."""
    high, low = divmod(os.getpid() & 0xFFFF, 256)
    if not 0 < count < 255:
        raise ValueError(f"1 to 254 addresses, not {count}")
    # 127.0 is left to the machine's own services.
    return [f"127.{high or 255}.{low}.{number}" for number in range(1, count + 1)]


class _Listener(socketserver.BaseServer):
    """One port of one node; what a handler knows of its connection's end."""

    def __init__(self, service: "Service", node: Node, address: str, port: int, secure: bool) -> None:
        super().__init__((address, port), _Handler)
        self.service = service
        self.node = node
        self.address = address
        self.port = port
        self.secure = secure
        self.socket: socket.socket | None = None
        self.connections: set[socket.socket] = set()

    @property
    def wanted(self) -> bool:
        """Whether the port is to be open now."""
        return self.node.accepts() and (self.node.settings.https or not self.secure)

    def open(self) -> None:
        """Open the port. Raises ServiceError."""
        made = socket.socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((self.address, self.port))
            made.listen(128)
            made.setblocking(False)
        except OSError as error:
            made.close()
            raise ServiceError(
                f"{self.node.name}: cannot listen on {self.address} port {self.port}: {error.strerror}; is another"
                " lab running there? Give the node another 127.x.y.z address."
            ) from error
        self.socket = made

    def close(self) -> None:
        """Close the port and reset its connections."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        for connection in list(self.connections):
            _linger(connection)
            with suppress(OSError):
                # SSLSocket's own shutdown would take the TLS state away from the thread that reads.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def serve(self, connection: socket.socket) -> None:
        """Answer a connection until it ends; runs in a thread of its own."""
        self.connections.add(connection)
        live = connection
        try:
            connection.settimeout(_HANDSHAKE)
            if self.secure:
                context = self.service.authority.context(self.node.name, self.address, self.node.settings.certificate)
                live = context.wrap_socket(connection, server_side=True)
                self.connections.discard(connection)
                self.connections.add(live)
            live.settimeout(None)
            self.node.count("connections")
            _Handler(live, live.getpeername(), self)
        except OSError:
            # The client went away, or does not trust the certificate.
            pass
        finally:
            self.connections -= {connection, live}
            live.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.listener = cast(_Listener, self.server)
        self.node = self.listener.node
        self.login = Login(self.node.name, self.node.account, lambda: self.node.settings.methods)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            # Unsent data of a connection that was reset keeps socketserver from closing the other direction.
            self.rfile.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the counts tell it."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself does not accept is refused too."""
        self.node.refuse(f"HTTP {self.command or ''} {getattr(self, 'path', '')}: {code} {message or ''}")
        super().send_error(code, message, explain)

    def do_POST(self) -> None:
        try:
            self._post()
        except Dropped:
            self._reset()

    def _post(self) -> None:
        self.node.count("http")
        length = self.headers.get("Content-Length", "")
        if self.path != _PATH or not length.isdecimal() or int(length) > _MOST:
            self.close_connection = True
            self.send_error(404, f"POST {_PATH} with a Content-Length up to {_MOST} is all there is")
            return
        body = self.rfile.read(int(length))
        self._alive()
        verdict = self.login.check(self.headers.get("Authorization", ""))
        if not verdict.user:
            if verdict.failed:
                self.node.count("failed_logins")
            self._answer(401, verdict.headers)
        elif not body:
            self._answer(200, verdict.headers)
        else:
            self._message(verdict.user, verdict.headers, body)

    def _message(self, user: str, headers: Iterable[str], body: bytes) -> None:
        content_type = self.headers.get("Content-Type", "")
        encrypted = content_type.startswith(ENCRYPTED)
        try:
            message = self.login.decrypt(content_type, body) if encrypted else body
        except EncryptionError:
            # What Windows says to a message that was encrypted for a connection that was lost.
            self._answer(400, headers)
            return
        if not encrypted and not self.listener.secure:
            self.node.count("readable")
        reply = self.node.handle(message, user)
        self._alive()
        content_type, data = self.login.encrypt(reply.body) if encrypted else (_SOAP, reply.body)
        self._answer(reply.status, headers, content_type, data, reply.cut)

    def _alive(self) -> None:
        if not self.node.accepts():
            raise Dropped

    def _answer(
        self, status: int, authenticate: Iterable[str], content_type: str = _SOAP, body: bytes = b"", cut: bool = False
    ) -> None:
        self.send_response(status)
        for value in authenticate:
            self.send_header("WWW-Authenticate", value)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        if cut:
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        _linger(self.connection)


class Service:
    """The ports of nodes, from ``start`` to ``stop``; a context manager does both.

    ``nodes`` are pairs of a node and its address. ``ports`` are those of http and https on every address.
    """

    def __init__(
        self,
        nodes: Iterable[tuple[Node, str]],
        authority: Authority | None = None,
        ports: tuple[int, int] = (HTTP_PORT, HTTPS_PORT),
    ) -> None:
        self.authority = authority or Authority()
        self.nodes: dict[str, Node] = {}
        self.addresses: dict[str, str] = {}
        self._listeners: list[_Listener] = []
        for node, address in nodes:
            if node.name in self.nodes or address in self.addresses.values():
                raise ServiceError(f"two nodes are called {node.name} or have the address {address}")
            self.nodes[node.name] = node
            self.addresses[node.name] = address
            for port, secure in zip(ports, (False, True), strict=True):
                self._listeners.append(_Listener(self, node, address, port, secure))
        self._selector = selectors.DefaultSelector()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._workers: set[threading.Thread] = set()

    def node(self, name: str) -> Node:
        """The node of this name. Raises ServiceError, which says which there are."""
        try:
            return self.nodes[name]
        except KeyError:
            raise ServiceError(f"no such node: {name}; there are: {', '.join(self.nodes)}") from None

    def start(self) -> None:
        """Open the ports. Raises ServiceError, and then leaves none open."""
        try:
            for listener in self._listeners:
                if listener.wanted:
                    listener.open()
                    self._selector.register(cast(socket.socket, listener.socket), selectors.EVENT_READ, listener)
        except ServiceError:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._loop, name="windows-accept", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the ports, reset the connections and wait for their threads."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        for listener in self._listeners:
            listener.close()
        for node in self.nodes.values():
            for shell in list(node.shells.values()):
                # Who waits in a Receive would hold its thread.
                shell.close()
        for worker in list(self._workers):
            worker.join(5)
        self._selector.close()

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _loop(self) -> None:
        while not self._ended.is_set():
            for key, _events in self._selector.select(_LOOK):
                self._accept(key.data)
            self._follow()
            self._workers = {worker for worker in self._workers if worker.is_alive()}

    def _accept(self, listener: _Listener) -> None:
        if listener.socket is None:
            return
        try:
            connection, _address = listener.socket.accept()
        except OSError:
            # It went away before it was taken.
            return
        if not listener.wanted:
            _linger(connection)
            connection.close()
            return
        worker = threading.Thread(target=listener.serve, args=(connection,), daemon=True)
        self._workers.add(worker)
        worker.start()

    def _follow(self) -> None:
        """Make the ports what the nodes want."""
        for listener in self._listeners:
            wanted = listener.wanted
            if wanted and listener.socket is None:
                try:
                    listener.open()
                except ServiceError as error:
                    listener.node.refuse(str(error))
                    continue
                self._selector.register(cast(socket.socket, listener.socket), selectors.EVENT_READ, listener)
            elif not wanted and listener.socket is not None:
                self._selector.unregister(listener.socket)
                listener.close()


def _linger(connection: socket.socket) -> None:
    """Make the connection's end a reset."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

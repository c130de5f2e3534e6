"""Reading and breaking running nodes from another process: JSON lines over a private unix socket.

A request is one line, ``{"do": WHAT, "node": NAME, ...}``, its answer one: ``{"result": ...}`` or ``{"error": TEXT}``.
"""

import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import Machine
from extensions.head_nodes.service import Service, ServiceError
from extensions.head_nodes.wsman import Node

_TIMEOUT = 30.0

# Faults of the network and of WS-Management; those of the machines behind it stand in nodes.py.
FAULTS: Mapping[str, tuple[str, Callable[[Node], None]]] = {
    "lose-before": ("the connection breaks at the next command, before it runs", lambda node: node.lose("before")),
    "lose-middle": (
        "the connection breaks in the middle of the next command's output",
        lambda node: node.lose("middle"),
    ),
    "lose-after": ("the connection breaks when the next command has run", lambda node: node.lose("after")),
    "refuse-connections": ("its ports are closed", lambda node: node.set(accepting=False)),
    "accept-connections": ("its ports are open again", lambda node: node.set(accepting=True)),
    "deny": ("the account may log in, but not open a shell", lambda node: node.set(denied=True)),
    "no-shells": ("MaxShellsPerUser is used up", lambda node: node.set(shells=0)),
    "other-password": ("the account has another password", lambda node: node.set(password="An0ther!")),
    "no-https": ("the https port is closed", lambda node: node.set(https=False)),
    "wrong-name": ("its certificate is for another name", lambda node: node.set(certificate="wrong-name")),
    "expired-certificate": ("its certificate has expired", lambda node: node.set(certificate="expired")),
    "slow": ("every command takes half a second longer", lambda node: node.set(latency=0.5)),
}


class ControlError(Exception):
    """The service cannot be reached or says no; the text says which and why."""


class Control:
    """The client: each call asks the service behind the socket ``path`` once. Every method raises ControlError."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)

    def status(self, node: str | None = None) -> Any:
        """A node's status (see Node.status), or that of all by name."""
        return self._ask("status", node)

    def set(self, node: str, **changes: Any) -> None:
        """Change settings of a node (see wsman.Settings)."""
        self._ask("set", node, changes=changes)

    def lose(self, node: str, at: str, contains: str = "", skip: int = 0, times: int = 1) -> None:
        """Drop connections at commands of a node (see wsman.Loss)."""
        self._ask("lose", node, at=at, contains=contains, skip=skip, times=times)

    def lose_in_batch(self, node: str, match: str, times: int = 1) -> None:
        """End a batch of a head node after a native program: what comes after is not done, and the connection drops.

        ``match``: a regular expression for the program's command line.
        """
        self._ask("lose_in_batch", node, match=match, times=times)

    def break_(self, node: str, fault: str, **arguments: Any) -> None:
        """Put a fault of FAULTS, or of nodes.FAULTS with arguments, into a node."""
        self._ask("break", node, fault=fault, arguments=arguments)

    def clear(self, node: str | None = None) -> None:
        """Begin to count anew, on a node or on all; see Node.clear."""
        self._ask("clear", node)

    def dump(self, node: str) -> Any:
        """The state of a node's machine."""
        return self._ask("dump", node)

    def stop(self) -> None:
        """End the service and wait until it is gone."""
        self._ask("stop", None)
        deadline = time.monotonic() + _TIMEOUT
        while os.path.exists(self._path):
            if time.monotonic() > deadline:
                raise ControlError(f"{self._path}: the service did not end within {_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def _ask(self, do: str, node: str | None, **values: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_TIMEOUT)
            try:
                line.connect(self._path)
                line.sendall(json.dumps({"do": do, "node": node, **values}).encode() + b"\n")
                with line.makefile("rb") as file:
                    answer = json.loads(file.readline() or b"{}")
            except (OSError, ValueError) as error:
                raise ControlError(f"no simulated head nodes answer at {self._path}: {error}") from error
        if "result" not in answer:
            raise ControlError(answer.get("error", f"{self._path}: the service ended without an answer"))
        return answer["result"]


class Controller:
    """The server's side: answers for ``service`` at ``path``, and calls ``end`` when it is asked to stop."""

    def __init__(self, service: Service, path: Path, end: Callable[[], None]) -> None:
        self.service = service
        self.end = end
        self._path = path
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen. Raises ControlError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            with socket.socket(socket.AF_UNIX) as line:
                try:
                    line.connect(str(self._path))
                except OSError:
                    # Left by a process that was killed.
                    self._path.unlink()
                else:
                    raise ControlError(f"{self._path}: other simulated head nodes run there; stop them first")
        before = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), self)
        except OSError as error:
            raise ControlError(f"{self._path}: cannot listen there: {error}") from error
        finally:
            os.umask(before)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening; the socket goes away."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._path.unlink(missing_ok=True)

    def answer(self, request: Mapping[str, Any]) -> Any:
        """Carry one request out. Raises ControlError, ServiceError, ValueError."""
        values = dict(request)
        do = values.pop("do", "")
        name = values.pop("node", None)
        nodes = list(self.service.nodes.values()) if name is None else [self.service.node(name)]
        if do == "status":
            status = {each.name: each.status() | {"address": self.service.addresses[each.name]} for each in nodes}
            return status if name is None else status[name]
        if do == "clear":
            for each in nodes:
                each.clear()
            return None
        if do == "stop":
            self.end()
            return None
        if name is None:
            raise ControlError(f"{do}: name a node; there are: {', '.join(self.service.nodes)}")
        return self._of_one(do, nodes[0], values)

    def _of_one(self, do: str, node: Node, values: dict[str, Any]) -> Any:
        if do == "set":
            return node.set(**values["changes"])
        if do == "lose":
            return node.lose(**values)
        if do == "lose_in_batch":
            return _head_node(node).lose("middle", **values)
        if do == "dump":
            return node.machine.dump()
        if do == "break":
            return _break(node, values["fault"], values["arguments"])
        raise ControlError(f"no such request: {do}")


def _break(node: Node, fault: str, arguments: Mapping[str, Any]) -> None:
    if fault not in FAULTS:
        nodes.break_(_head_node(node), fault, **arguments)
    elif arguments:
        raise ControlError(f"{fault} takes no arguments")
    else:
        FAULTS[fault][1](node)


def _head_node(node: Node) -> Machine:
    if not isinstance(node.machine, Machine):
        raise ControlError(f"{node.name} is no head node: only faults of the service can be put into it")
    return node.machine


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, controller: Controller) -> None:
        self.controller = controller
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        controller = cast(_Server, self.server).controller
        for line in self.rfile:
            try:
                answer = {"result": controller.answer(json.loads(line))}
            except (ControlError, ServiceError, ValueError) as error:
                answer = {"error": str(error)}
            except Exception as error:
                # A mistake in a fault or a machine is told to who asked, who would hear nothing else.
                answer = {"error": f"{line.decode(errors='replace').strip()}: {error!r}"}
            self.wfile.write(json.dumps(answer).encode() + b"\n")

"""An SSH server before simulated head nodes, as Windows' own: each command goes to the host's default shell.

The SSH protocol is asyncssh's. A node that boots ends its connections and takes no new one.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncssh

from extensions.head_nodes.machine import Execution, Machine
from extensions.head_nodes.wsman import Settings

_ALGORITHM = "ssh-ed25519"
# Seconds: how soon a connection ends when its node goes down.
_LOOK = 0.02
_START = 30.0

Shell = Literal["cmd", "powershell"]


class Host(NamedTuple):
    """A node to be served: ``shell`` is the DefaultShell of its sshd, ``lines`` collects the commands it was sent."""

    machine: Machine
    address: str
    shell: Shell
    lines: list[str]


class Sshd:
    """Serves hosts while it is entered; ``variables`` are those of Ansible to reach them with."""

    def __init__(self, hosts: Mapping[str, Host], folder: Path) -> None:
        self._hosts = hosts
        self._folder = folder
        self._key = asyncssh.generate_private_key(_ALGORITHM)
        self._client_key = asyncssh.generate_private_key(_ALGORITHM)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sshd")
        self._servers: list[asyncssh.SSHAcceptor] = []
        self._ports: dict[str, int] = {}
        self._connections: dict[str, set[asyncssh.SSHServerConnection]] = {name: set() for name in hosts}
        self._watch: asyncio.Task[None] | None = None

    def __enter__(self) -> "Sshd":
        # Before there is a key in it: ssh takes none that others may read.
        (self._folder / "id").touch(mode=0o600)
        self._client_key.write_private_key(self._folder / "id")
        self._client_key.write_public_key(self._folder / "authorized_keys")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START)
        public = self._key.export_public_key().decode("ascii").strip()
        known = [f"[{host.address}]:{self._ports[name]} {public}" for name, host in self._hosts.items()]
        (self._folder / "known_hosts").write_text("\n".join(known) + "\n", encoding="ascii")
        return self

    def __exit__(self, *_unused: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_START)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def variables(self) -> dict[str, Any]:
        """For all hosts; where they differ, a template chooses by the host's name."""
        shells = {name: host.shell for name, host in self._hosts.items()}
        return {
            "ansible_connection": "ansible.builtin.ssh",
            "ansible_user": Settings().user,
            "ansible_password": "",
            "ansible_port": f"{{{{ {self._ports}[inventory_hostname] }}}}",
            "ansible_shell_type": f"{{{{ {shells}[inventory_hostname] }}}}",
            "ansible_ssh_private_key_file": str(self._folder / "id"),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self._folder / 'known_hosts'}",
        }

    async def _start(self) -> None:
        for name, host in self._hosts.items():
            server = await asyncssh.listen(
                host.address, 0, server_factory=self._factory(name, host), server_host_keys=[self._key],
                authorized_client_keys=str(self._folder / "authorized_keys"), process_factory=self._work(host),
                encoding=None,
            )  # fmt: skip
            self._servers.append(server)
            self._ports[name] = server.get_port()
        self._watch = asyncio.create_task(self._end_of_those_that_boot())

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for connections in self._connections.values():
            for connection in list(connections):
                connection.abort()
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def _factory(self, name: str, host: Host) -> Callable[[], asyncssh.SSHServer]:
        connections = self._connections[name]

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self._connection = conn
                connections.add(conn)
                if not host.machine.accepts():
                    conn.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                connections.discard(self._connection)

        return Server

    @staticmethod
    def _work(host: Host) -> Callable[["asyncssh.SSHServerProcess[bytes]"], Any]:
        async def work(process: "asyncssh.SSHServerProcess[bytes]") -> None:
            line = process.command or ""
            host.lines.append(line)
            user = str(process.get_extra_info("username"))
            done = await asyncio.get_running_loop().run_in_executor(None, _run, host, line, user)
            process.stdout.write(done.stdout)
            process.stderr.write(done.stderr)
            if done.lose:
                process.get_extra_info("connection").abort()
            else:
                process.exit(done.code)

        return work

    async def _end_of_those_that_boot(self) -> None:
        while True:
            for name, host in self._hosts.items():
                if self._connections[name] and not host.machine.accepts():
                    for connection in list(self._connections[name]):
                        connection.abort()
            await asyncio.sleep(_LOOK)


def _run(host: Host, line: str, user: str) -> Execution:
    """What the node's shell makes of a command line; its console has the OEM codepage."""
    if host.shell == "powershell":
        line = f'powershell.exe -c "{line}"'
    return host.machine.run_cmd(line, [], 0, user)

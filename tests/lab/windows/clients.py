"""The real clients, pywinrm and pypsrp, pointed at a simulated head node."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

USER = "Administrator"
PASSWORD = "Passw0rd!"


class Ran(NamedTuple):
    """What a client got of a command."""

    stdout: bytes
    stderr: bytes
    code: int


def pywinrm(endpoint: str, transport: Any = "plaintext", **options: Any) -> Protocol:
    """A pywinrm client; ``options`` go before the account and a trust that does not come from the environment."""
    return Protocol(
        endpoint, transport, **{"username": USER, "password": PASSWORD, "proxy": None, "ca_trust_path": None, **options}
    )


def run(client: Protocol, command: str, *arguments: str, codepage: int = 65001) -> Ran:
    """Create, Command, Receive, Signal, Delete by pywinrm."""
    shell = client.open_shell(codepage=codepage)
    identity = client.run_command(shell, command, arguments)
    ran = Ran(*client.get_command_output(shell, identity))
    client.cleanup_command(shell, identity)
    client.close_shell(shell)
    return ran


@contextmanager
def pypsrp(address: str, auth: str = "negotiate", **options: Any) -> Iterator[WSMan]:
    """A pypsrp connection over http, encrypted where the authentication can."""
    values: dict[str, Any] = {"ssl": False, "username": USER, "password": PASSWORD, "no_proxy": True, **options}
    if auth == "basic" and not values["ssl"]:
        values["encryption"] = "never"
    with WSMan(address, auth=auth, **values) as connection:
        yield connection


def run_winrs(connection: WSMan, command: str, *arguments: str, codepage: int = 65001) -> Ran:
    """Create, Command, Receive, Signal, Delete by pypsrp."""
    with WinRS(connection, codepage=codepage) as shell:
        process = Process(shell, command, list(arguments))
        process.invoke()
        process.signal(SignalCode.TERMINATE)
    assert process.rc is not None
    return Ran(process.stdout, process.stderr, process.rc)


@contextmanager
def runspace(connection: WSMan) -> Iterator[RunspacePool]:
    """An open runspace pool whose host keeps the exit code in ``pool.host.rc``."""
    host = PSHost(None, None, False, "test", None, PSHostUserInterface(), "")
    with RunspacePool(connection, host=host) as pool:
        yield pool


def script(pool: RunspacePool, text: str) -> PowerShell:
    """A script that has run in the pool."""
    shell = PowerShell(pool)
    shell.add_script(text)
    shell.invoke()
    return shell


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.01)

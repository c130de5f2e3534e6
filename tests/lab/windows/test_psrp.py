"""Runspace pools and pipelines as real pypsrp sees them."""

import pytest
from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from requests.exceptions import RequestException

from tests.lab.windows.clients import USER, pypsrp, runspace, script
from tests.lab.windows.conftest import Simulated


@pytest.mark.parametrize(("auth", "ssl"), [("basic", False), ("ntlm", False), ("negotiate", False), ("basic", True)])
def test_script_is_five_messages(simulated: Simulated, auth: str, ssl: bool) -> None:
    trust = simulated.ca_file if ssl else True
    with pypsrp(simulated.address, auth, ssl=ssl, cert_validation=trust) as connection, runspace(connection) as pool:
        shell = script(pool, "echo Grüße\r\n日本")
        assert shell.output == ["Grüße", "日本"]
        assert (shell.had_errors, shell.state) == (False, PSInvocationState.COMPLETED)
    assert dict(simulated.node.counts.kinds) == {"Create": 1, "Receive": 2, "Command": 1, "Delete": 1}
    assert simulated.machine.seen == [("echo Grüße\r\n日本", 65001, USER)]
    assert pool.state == RunspacePoolState.CLOSED
    simulated.assert_tidy()


@pytest.mark.parametrize(("powershell", "protocol"), [("2.0", "2.1"), ("3.0", "2.2"), ("5.1.17763.1", "2.3")])
def test_protocol_is_that_of_the_powershell(simulated: Simulated, powershell: str, protocol: str) -> None:
    simulated.machine.powershell = powershell
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        assert pool.protocol_version == protocol
        assert script(pool, "echo x").output == ["x"]
    simulated.assert_tidy()


@pytest.mark.parametrize("powershell", ["1.0", None])
def test_host_without_remoting(simulated: Simulated, powershell: str | None) -> None:
    simulated.machine.powershell = powershell
    with pypsrp(simulated.address) as connection, pytest.raises(WSManFaultError) as caught:
        RunspacePool(connection).open()
    assert caught.value.code == 2150858811
    simulated.assert_tidy()


def test_several_scripts_in_one_pool(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        for text in ("a", "b", "c"):
            assert script(pool, f"echo {text}").output == [text]
    simulated.assert_tidy()


def test_empty_lines_and_control_characters_arrive(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        assert script(pool, "echo a\n\n\x07 <&> _x000A_ 😀\n").output == ["a", "", "\x07 <&> _x000A_ 😀"]


def test_no_output(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        assert script(pool, "exit 0").output == []


def test_exit_code_reaches_the_host(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        script(pool, "exit 7")
        assert pool.host is not None
        assert pool.host.rc == 7
    simulated.assert_tidy()


def test_stderr_is_error_records(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        errors = script(pool, "error first\nsecond").streams.error
    assert [(str(error), error.fq_error) for error in errors] == [
        ("first", "NativeCommandError"),
        ("second", "NativeCommandError"),
    ]


def test_large_script_and_large_output(simulated: Simulated) -> None:
    long = "y" * 400000
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        assert script(pool, f"echo {long}").output == [long]
        assert script(pool, "size 900000").output == ["x" * 900000]
    assert simulated.node.counts.kinds["Send"] > 0
    assert simulated.node.counts.kinds["Receive"] > 3
    simulated.assert_tidy()


def test_running_pipeline_is_polled_and_stopped(simulated: Simulated) -> None:
    with pypsrp(simulated.address, operation_timeout=1) as connection, runspace(connection) as pool:
        shell = PowerShell(pool)
        shell.add_script("sleep 1.5")
        shell.begin_invoke()
        shell.poll_invoke()
        assert shell.state == PSInvocationState.RUNNING
        assert shell.end_invoke() == ["done"]
        other = PowerShell(pool)
        other.add_script("sleep 0.3")
        other.begin_invoke()
        other.stop()
        assert simulated.node.counts.kinds["Signal"] == 1
        assert script(pool, "echo x").output == ["x"]
    simulated.assert_tidy()


@pytest.mark.parametrize("at", ["before", "middle", "after"])
def test_lost_connection(simulated: Simulated, at: str) -> None:
    simulated.node.lose(at, contains="write")
    with pypsrp(simulated.address) as connection:
        pool = RunspacePool(connection)
        pool.open()
        with pytest.raises(RequestException):
            script(pool, "write once")
    assert len(simulated.node.shells) == 1
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        assert script(pool, "echo x").output == ["x"]
    assert simulated.node.refused == []


def test_shells_are_limited(simulated: Simulated) -> None:
    simulated.node.set(shells=1)
    with pypsrp(simulated.address) as connection, runspace(connection):
        with pypsrp(simulated.address) as other, pytest.raises(WSManFaultError) as caught:
            RunspacePool(other).open()
        assert caught.value.code == 2150859173
    simulated.assert_tidy()


# --- what is not modelled


def with_input(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_script("echo x")
    shell.invoke(["data"])  # type: ignore[arg-type]  # pypsrp's own annotation leaves lists out


def cmdlet(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_cmdlet("Get-Item")
    shell.invoke()


def with_argument(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_script("echo x")
    shell.add_argument("y")
    shell.invoke()


def two_statements(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_script("echo x")
    shell.add_statement()
    shell.add_script("echo y")
    shell.invoke()


UNKNOWN = {
    "input": (with_input, "input"),
    "cmdlet": (cmdlet, "not one script"),
    "argument": (with_argument, "not one script"),
    "statements": (two_statements, "not one script"),
    "metadata": (lambda pool: pool.get_command_metadata("*"), "GetCommandMetadata"),
    "key": (lambda pool: pool.exchange_keys(), "PublicKey"),
    "reset": (lambda pool: pool.reset_runspace_state(), "ResetRunspaceState"),
    "runspaces": (lambda pool: pool.get_available_runspaces(), "GetAvailableRunspaces"),
    "disconnect": (lambda pool: pool.disconnect(), "Disconnect"),
}


@pytest.mark.parametrize(("ask", "noted"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_is_a_fault_and_is_noted(simulated: Simulated, ask: object, noted: str) -> None:
    assert callable(ask)
    with pypsrp(simulated.address) as connection, runspace(connection) as pool:
        with pytest.raises(WSManFaultError) as caught:
            ask(pool)
        assert caught.value.code == 50
    assert len(simulated.node.refused) == 1
    assert noted in simulated.node.refused[0]
    assert simulated.machine.seen == []


def test_pool_of_several_runspaces_is_refused(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, pytest.raises(WSManFaultError):
        RunspacePool(connection, max_runspaces=2).open()
    assert simulated.node.refused == ["a runspace pool of 2 runspaces"]


def test_other_configuration_is_refused(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, pytest.raises(WSManFaultError):
        RunspacePool(connection, configuration_name="Microsoft.Exchange").open()
    assert len(simulated.node.refused) == 1


def test_mistake_of_the_machine_is_a_fault_and_is_noted(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, runspace(connection) as pool, pytest.raises(WSManFaultError):
        script(pool, "crash")
    assert "RuntimeError" in simulated.node.refused[0]

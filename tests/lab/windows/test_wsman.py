"""The WS-Man service as real pywinrm and pypsrp see it: operations, faults, logins, encryption, lost connections."""

import base64
import socket
import ssl
import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import requests
from pypsrp.exceptions import AuthenticationError, WinRMTransportError
from pypsrp.exceptions import WSManFaultError as PsrpFault
from pypsrp.shell import Process, WinRS
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError

from extensions.head_nodes import soap
from extensions.head_nodes.service import Service, ServiceError, own_addresses
from extensions.head_nodes.tls import Authority
from extensions.head_nodes.wsman import Loss, Node, Settings
from tests.lab.windows.clients import PASSWORD, USER, Ran, pypsrp, pywinrm, run, run_winrs, wait_until
from tests.lab.windows.conftest import Simulated
from tests.lab.windows.fake import FakeMachine, Result

HEALTHY = {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}
Client = Callable[[Simulated], Ran]


def by_pywinrm(transport: str, secure: bool) -> Client:
    def client(simulated: Simulated) -> Ran:
        endpoint, trust = (simulated.https, simulated.ca_file) if secure else (simulated.http, None)
        return run(pywinrm(endpoint, transport, ca_trust_path=trust), "echo", "Grüße", "ß")

    return client


def by_pypsrp(auth: str, secure: bool) -> Client:
    def client(simulated: Simulated) -> Ran:
        trust = simulated.ca_file if secure else True
        with pypsrp(simulated.address, auth, ssl=secure, cert_validation=trust) as connection:
            return run_winrs(connection, "echo", "Grüße", "ß")

    return client


CLIENTS = {
    "pywinrm, Basic, http": by_pywinrm("plaintext", False),
    "pywinrm, NTLM, http": by_pywinrm("ntlm", False),
    "pywinrm, Basic, https": by_pywinrm("plaintext", True),
    "pywinrm, NTLM, https": by_pywinrm("ntlm", True),
    "pypsrp, Basic, http": by_pypsrp("basic", False),
    "pypsrp, NTLM, http": by_pypsrp("ntlm", False),
    "pypsrp, Negotiate, http": by_pypsrp("negotiate", False),
    "pypsrp, Basic, https": by_pypsrp("basic", True),
    "pypsrp, Negotiate, https": by_pypsrp("negotiate", True),
}


# --- operations


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_one_command_is_five_messages(simulated: Simulated, client: Client) -> None:
    assert client(simulated) == Ran("Grüße ß\r\n".encode(), b"", 0)
    assert dict(simulated.node.counts.kinds) == HEALTHY
    assert simulated.node.total == 5
    assert simulated.node.counts.failed_logins == 0
    assert simulated.machine.seen == [("echo Grüße ß", 65001, USER)]
    simulated.assert_tidy()


def test_basic_needs_no_request_of_its_own(simulated: Simulated) -> None:
    run(pywinrm(simulated.http), "echo", "x")
    assert simulated.node.counts.http == 5
    assert simulated.node.counts.connections == 1


def test_further_commands_of_a_session_are_three_messages_each(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    for _ in range(3):
        command = client.run_command(shell, "echo", ["x"])
        client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
    client.close_shell(shell)
    assert simulated.node.total == 2 + 3 * 3
    simulated.assert_tidy()


@pytest.mark.parametrize(("codepage", "expected"), [(65001, "ü".encode()), (437, b"\x81"), (932, b"?")])
def test_codepage_reaches_the_machine(simulated: Simulated, codepage: int, expected: bytes) -> None:
    assert run(pywinrm(simulated.http), "echo", "ü", codepage=codepage).stdout == expected + b"\r\n"


def test_shell_without_a_codepage_has_the_machines_own(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, WinRS(connection, no_profile=True) as shell:
        Process(shell, "echo", ["x"]).invoke()
    assert simulated.machine.seen == [("echo x", 0, USER)]


def test_exit_code_and_stderr(simulated: Simulated) -> None:
    assert run(pywinrm(simulated.http), "exit", "1060") == Ran(b"", b"", 1060)
    assert run(pywinrm(simulated.http), "error", "oops") == Ran(b"", b"oops\r\n", 0)


def test_output_that_no_answer_can_hold_takes_several(simulated: Simulated) -> None:
    assert run(pywinrm(simulated.http, "ntlm"), "size", "400000").stdout == b"x" * 400000
    kinds = dict(simulated.node.counts.kinds)
    assert kinds.pop("Receive") > 1
    assert kinds == {name: 1 for name in HEALTHY if name != "Receive"}


def test_program_without_a_shell_around_it(simulated: Simulated) -> None:
    with pypsrp(simulated.address) as connection, WinRS(connection) as shell:
        process = Process(shell, "cmd.exe", ["/c", '"a & b"'], no_shell=True)
        process.invoke()
    assert process.stdout == b'direct: cmd.exe /c|"a & b"\r\n'


def test_receive_with_nothing_to_say_times_out_and_can_be_asked_again(simulated: Simulated) -> None:
    client = pywinrm(simulated.http, operation_timeout_sec=1, read_timeout_sec=5)
    shell = client.open_shell()
    command = client.run_command(shell, "sleep", ["1.3"])
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    assert client.get_command_output(shell, command) == (b"done\r\n", b"", 0)
    client.close_shell(shell)
    simulated.assert_tidy()


def test_latency_delays_the_command(simulated: Simulated) -> None:
    simulated.node.set(latency=1.3)
    client = pywinrm(simulated.http, operation_timeout_sec=1, read_timeout_sec=5)
    shell = client.open_shell()
    command = client.run_command(shell, "echo", ["x"])
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    assert client.get_command_output(shell, command)[0] == b"x\r\n"
    client.close_shell(shell)


def test_signal_ends_a_command(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    command = client.run_command(shell, "echo", ["x"])
    client.cleanup_command(shell, command)
    with pytest.raises(WSManFaultError) as caught:
        client.get_command_output(shell, command)
    assert caught.value.wsman_fault_code == 2150858843
    client.close_shell(shell)
    simulated.assert_tidy()


def test_end_of_input_is_taken_and_input_is_refused(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    command = client.run_command(shell, "echo", ["x"])
    client.send_command_input(shell, command, b"", end=True)
    simulated.node.clear()
    assert simulated.node.refused == []
    with pytest.raises(WSManFaultError):
        client.send_command_input(shell, command, b"data")
    assert len(simulated.node.refused) == 1
    assert "standard input" in simulated.node.refused[0]


def test_open_shells_are_listed(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    status = simulated.node.status()
    assert [(each["id"], each["user"]) for each in status["open_shells"]] == [(shell, USER)]
    client.close_shell(shell)
    assert simulated.node.status()["open_shells"] == []


# --- faults


def test_shell_that_is_not_there(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(str(uuid.uuid4()), "echo", ["x"])
    assert (caught.value.wsman_fault_code, caught.value.code) == (2150858843, 500)
    shell = client.open_shell()
    client.close_shell(shell, close_session=False)
    with pytest.raises(WSManFaultError) as caught:
        client.close_shell(shell)
    assert caught.value.wsman_fault_code == 2150858843
    simulated.assert_tidy()


def test_shells_of_a_user_are_limited(simulated: Simulated) -> None:
    simulated.node.set(shells=2)
    client = pywinrm(simulated.http)
    shells = [client.open_shell(), client.open_shell()]
    with pytest.raises(WSManFaultError) as caught:
        client.open_shell()
    assert caught.value.wsman_fault_code == 2150859173
    assert "maximum number of 2 concurrent shells" in str(caught.value.reason)
    client.close_shell(shells.pop(), close_session=False)
    shells.append(client.open_shell())
    for shell in shells:
        client.close_shell(shell, close_session=False)
    client.transport.close_session()
    simulated.assert_tidy()


def test_access_denied(simulated: Simulated) -> None:
    simulated.node.set(denied=True)
    with pytest.raises(WSManFaultError) as caught:
        pywinrm(simulated.http).open_shell()
    assert caught.value.wsman_fault_code == 5
    with pypsrp(simulated.address) as connection, pytest.raises(PsrpFault) as other:
        WinRS(connection).open()
    assert other.value.code == 5
    assert simulated.node.counts.failed_logins == 0


def test_mistake_of_the_machine_is_a_fault_and_is_noted(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    command = client.run_command(shell, "crash")
    with pytest.raises(WSManFaultError) as caught:
        client.get_command_output(shell, command)
    assert "crashed as asked" in str(caught.value.reason)
    assert "RuntimeError" in simulated.node.refused[0]


def test_what_the_machine_refuses_is_listed(simulated: Simulated) -> None:
    assert run(pywinrm(simulated.http), "format", "c:").code == 1
    assert simulated.node.status()["refused"] == ["format c:"]


# --- what is not modelled


def message(action: str, body: str = "", header: str = "", resource: str = f"{soap.SHELL}/cmd") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap.ENVELOPE}" xmlns:a="{soap.ADDRESSING}" xmlns:w="{soap.WSMAN}"'
        f' xmlns:rsp="{soap.SHELL}"><s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:1</a:MessageID>'
        f"<w:ResourceURI>{resource}</w:ResourceURI>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


CREATE = f"{soap.TRANSFER}/Create"
STREAMS = "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
UNKNOWN = {
    "action": message(f"{soap.TRANSFER}/Get"),
    "header": message(CREATE, f"<rsp:Shell>{STREAMS}</rsp:Shell>", "<w:Sequence/>"),
    "resource": message(CREATE, f"<rsp:Shell>{STREAMS}</rsp:Shell>", resource="http://example.com/wmi"),
    "working directory": message(
        CREATE, f"<rsp:Shell>{STREAMS}<rsp:WorkingDirectory>C:\\</rsp:WorkingDirectory></rsp:Shell>"
    ),
    "streams": message(CREATE, "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams></rsp:Shell>"),
    "option": message(
        CREATE,
        f"<rsp:Shell>{STREAMS}</rsp:Shell>",
        '<w:OptionSet><w:Option Name="WINRS_SECRET">1</w:Option></w:OptionSet>',
    ),
    "codepage": message(
        CREATE,
        f"<rsp:Shell>{STREAMS}</rsp:Shell>",
        '<w:OptionSet><w:Option Name="WINRS_CODEPAGE">utf</w:Option></w:OptionSet>',
    ),
    "selector": message(
        f"{soap.TRANSFER}/Delete",
        header='<w:SelectorSet><w:Selector Name="Name">x</w:Selector></w:SelectorSet>',
    ),
    "body": message(CREATE, "<rsp:Other/>"),
}


@pytest.mark.parametrize("data", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_is_a_fault_and_is_noted(simulated: Simulated, data: bytes) -> None:
    answer = requests.post(simulated.http, data=data, auth=(USER, PASSWORD), timeout=5)
    assert answer.status_code == 500
    assert ET.fromstring(answer.content).find(f".//{{{soap.FAULT}}}WSManFault[@Code='50']") is not None
    assert len(simulated.node.refused) == 1
    assert simulated.node.shells == {}


@pytest.mark.parametrize(
    "data", [b"not xml", b"<a/>", message(CREATE, header="<w:OperationTimeout>1</w:OperationTimeout>")]
)
def test_malformed_message(simulated: Simulated, data: bytes) -> None:
    assert requests.post(simulated.http, data=data, auth=(USER, PASSWORD), timeout=5).status_code == 400
    assert len(simulated.node.refused) == 1


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/wsman", 501), ("POST", "/powershell", 404)])
def test_other_http_is_refused(simulated: Simulated, method: str, path: str, status: int) -> None:
    url = f"http://{simulated.address}:5985{path}"
    assert requests.request(method, url, auth=(USER, PASSWORD), timeout=5).status_code == status
    assert len(simulated.node.refused) == 1


# --- logins


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_wrong_password_is_one_failed_login(simulated: Simulated, transport: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        pywinrm(simulated.http, transport, password="wrong").open_shell()
    assert simulated.node.counts.failed_logins == 1
    assert simulated.node.total == 0
    simulated.assert_tidy()


@pytest.mark.parametrize("auth", ["basic", "ntlm", "negotiate"])
def test_wrong_password_of_pypsrp_is_one_failed_login(simulated: Simulated, auth: str) -> None:
    with pypsrp(simulated.address, auth, password="wrong") as connection, pytest.raises(AuthenticationError):
        WinRS(connection).open()
    assert simulated.node.counts.failed_logins == 1


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
@pytest.mark.parametrize(
    ("user", "right"), [("administrator", True), ("HEADNODE\\Administrator", True), ("OTHER\\Administrator", False)]
)
def test_form_of_the_user(simulated: Simulated, transport: str, user: str, right: bool) -> None:
    client = pywinrm(simulated.http, transport, username=user)
    if right:
        assert run(client, "echo", "x").code == 0
    else:
        with pytest.raises(InvalidCredentialsError):
            client.open_shell()
    assert simulated.node.counts.failed_logins == (0 if right else 1)


def test_password_changes_while_it_runs(simulated: Simulated) -> None:
    simulated.node.set(password="N3w pass", user="operator")
    for transport in ("plaintext", "ntlm"):
        assert run(pywinrm(simulated.http, transport, username="operator", password="N3w pass"), "echo", "x").code == 0
        with pytest.raises(InvalidCredentialsError):
            pywinrm(simulated.http, transport).open_shell()


def test_request_without_a_login_is_no_failed_one(simulated: Simulated) -> None:
    answer = requests.post(simulated.http, timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Negotiate, Basic realm="WSMAN"'
    assert simulated.node.counts.failed_logins == 0


def test_method_that_is_not_offered(simulated: Simulated) -> None:
    simulated.node.set(methods=["ntlm"])
    with pytest.raises(InvalidCredentialsError):
        pywinrm(simulated.http).open_shell()
    assert run(pywinrm(simulated.http, "ntlm"), "echo", "x").code == 0


# --- encryption


@contextmanager
def wire(address: str) -> Iterator[tuple[int, list[bytes]]]:
    """A relay to a node's http port: its own port, and everything that went through it in both directions."""
    seen: list[bytes] = []
    threads = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def pump(source: socket.socket, target: socket.socket) -> None:
            while data := source.recv(65536):
                seen.append(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

        def accept() -> None:
            connection, _ = server.accept()
            with connection, socket.create_connection((address, 5985)) as other:
                back = threading.Thread(target=pump, args=(other, connection))
                back.start()
                pump(connection, other)
                back.join()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        yield server.getsockname()[1], seen
        threads[0].join()


@pytest.mark.parametrize(("transport", "readable"), [("plaintext", True), ("ntlm", False)])
def test_ntlm_over_http_cannot_be_read_on_the_wire(simulated: Simulated, transport: str, readable: bool) -> None:
    with wire(simulated.address) as (port, seen):
        assert run(pywinrm(f"http://127.0.0.1:{port}/wsman", transport), "echo", "treasure").stdout == b"treasure\r\n"
    data = b"".join(seen)
    assert (b"multipart/encrypted" in data) is not readable
    for secret in (b"treasure", b"Envelope", base64.b64encode(b"treasure\r\n")):
        assert (secret in data) is readable
    assert simulated.node.counts.readable == (5 if readable else 0)
    simulated.assert_tidy()


def test_pypsrp_over_http_cannot_be_read_on_the_wire(simulated: Simulated) -> None:
    with wire(simulated.address) as (port, seen), pypsrp("127.0.0.1", port=port) as connection:
        assert run_winrs(connection, "echo", "treasure").stdout == b"treasure\r\n"
    assert b"Envelope" not in b"".join(seen)
    assert simulated.node.counts.readable == 0


def test_encrypted_message_for_another_connection_is_bad(simulated: Simulated) -> None:
    headers = {"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'}
    for auth, status in ((None, 401), ((USER, PASSWORD), 400)):
        assert requests.post(simulated.http, data=b"?", headers=headers, auth=auth, timeout=5).status_code == status
    assert simulated.node.total == 0


def test_tampered_message_is_bad(simulated: Simulated) -> None:
    client = pywinrm(simulated.http, "ntlm")
    client.close_shell(client.open_shell(), close_session=False)
    encryption = client.transport.encryption
    assert encryption is not None
    session = client.transport.build_session()
    prepared = encryption.prepare_encrypted_request(session, simulated.http, message(CREATE))
    assert isinstance(prepared.body, bytes)
    at = prepared.body.index(b"octet-stream") + 60
    prepared.body = prepared.body[:at] + bytes([prepared.body[at] ^ 1]) + prepared.body[at + 1 :]
    assert session.send(prepared, timeout=5).status_code == 400
    client.transport.close_session()


# --- https


def test_certificate_of_another_authority(simulated: Simulated, tmp_path: object) -> None:
    other = f"{tmp_path}/other.pem"
    with open(other, "w", encoding="ascii") as file:
        file.write(Authority().pem)
    with pytest.raises(requests.exceptions.SSLError):
        pywinrm(simulated.https, ca_trust_path=other).open_shell()
    with (
        pypsrp(simulated.address, ssl=True, cert_validation=other) as connection,
        pytest.raises(requests.exceptions.SSLError),
    ):
        WinRS(connection).open()
    assert simulated.node.counts.http == 0


@pytest.mark.parametrize("certificate", ["wrong-name", "expired"])
def test_wrong_certificate(simulated: Simulated, certificate: str) -> None:
    simulated.node.set(certificate=certificate)
    client = pywinrm(simulated.https, ca_trust_path=simulated.ca_file)
    with pytest.raises(requests.exceptions.SSLError):
        client.open_shell()
    simulated.node.set(certificate="good")
    assert run(client, "echo", "x").code == 0


def test_https_can_be_off(simulated: Simulated) -> None:
    simulated.node.set(https=False)
    wait_until(lambda: not listens(simulated.address, 5986))
    assert listens(simulated.address, 5985)
    simulated.node.set(https=True)
    wait_until(lambda: listens(simulated.address, 5986))


def test_certificates_pass_strict_checks(authority: Authority) -> None:
    client = ssl.create_default_context(cadata=authority.pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = authority.context("HEADNODE", "127.0.0.1", "good")
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as pool, ours, theirs:
        accepted = pool.submit(server.wrap_socket, theirs, server_side=True)
        with client.wrap_socket(ours, server_hostname="127.0.0.1") as secure:
            assert secure.version() is not None
        accepted.result().close()


# --- lost connections


def listens(address: str, port: int = 5985) -> bool:
    with socket.socket() as line:
        return line.connect_ex((address, port)) == 0


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
@pytest.mark.parametrize(("at", "ran"), [("before", False), ("middle", True), ("after", True)])
def test_lost_connection(simulated: Simulated, transport: str, at: str, ran: bool) -> None:
    simulated.node.lose(at)
    client = pywinrm(simulated.http, transport)
    with pytest.raises(requests.exceptions.RequestException):
        run(client, "write", "once")
    wait_until(lambda: (simulated.machine.writes == ["once"]) is ran)
    # As on Windows the shell stays until the client, which has to log in anew, deletes it.
    assert len(simulated.node.shells) == 1
    pywinrm(simulated.http, transport).close_shell(next(iter(simulated.node.shells)))
    assert run(pywinrm(simulated.http, transport), "echo", "x").code == 0
    simulated.assert_tidy()


def encoded(script: str) -> Sequence[str]:
    return ["-NoProfile", "-EncodedCommand", base64.b64encode(script.encode("utf-16-le")).decode()]


def test_loss_is_chosen_by_the_script(simulated: Simulated) -> None:
    simulated.node.lose("after", contains="treasure")
    assert run(pywinrm(simulated.http), "PowerShell", *encoded("echo x")).stdout == b"x\r\n"
    with pytest.raises(requests.exceptions.ConnectionError):
        run(pywinrm(simulated.http), "PowerShell", *encoded("echo treasure"))
    assert run(pywinrm(simulated.http), "PowerShell", *encoded("echo treasure")).stdout == b"treasure\r\n"


def test_loss_is_chosen_by_count() -> None:
    loss = Loss("after", contains="a", skip=1, times=2)
    assert [loss.hits(text) for text in ("a", "b", "a", "ba", "a")] == [False, False, True, True, False]


@pytest.mark.parametrize("at", ["before", "middle", "after"])
def test_machine_can_ask_for_a_loss(simulated: Simulated, at: str) -> None:
    with pytest.raises(requests.exceptions.RequestException):
        run(pywinrm(simulated.http), "lose", at)


def test_booting_machine_refuses_connections_and_loses_its_shells(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    # It goes down at once, perhaps before the answer is out.
    with suppress(requests.exceptions.ConnectionError):
        client.run_command(shell, "boot", ["0.4"])
    wait_until(lambda: not listens(simulated.address))
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        pywinrm(simulated.http).open_shell()
    with pytest.raises(requests.exceptions.ConnectionError):
        client.run_command(shell, "echo", ["x"])
    wait_until(lambda: listens(simulated.address))
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(shell, "echo", ["x"])
    assert caught.value.wsman_fault_code == 2150858843
    assert simulated.node.status()["lost_shells"] == 1
    simulated.assert_tidy()


def test_boot_that_nobody_saw_takes_the_shells_too(simulated: Simulated) -> None:
    pywinrm(simulated.http).open_shell()
    simulated.machine.boots += 1
    wait_until(lambda: simulated.node.shells == {})
    assert simulated.node.lost_shells == 1


def test_node_can_refuse_connections(simulated: Simulated) -> None:
    client = pywinrm(simulated.http)
    shell = client.open_shell()
    simulated.node.set(accepting=False)
    wait_until(lambda: not listens(simulated.address))
    with pytest.raises(requests.exceptions.ConnectionError):
        client.close_shell(shell)
    simulated.node.set(accepting=True)
    wait_until(lambda: listens(simulated.address))
    pywinrm(simulated.http).close_shell(shell)
    simulated.assert_tidy()


# --- many


class Together(FakeMachine):
    """Answers a command only when all the others run one at the same time."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self._barrier = barrier

    def run_cmd(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Result:
        self._barrier.wait(120)
        return super().run_cmd(command, arguments, codepage, user)


def test_fifty_nodes_at_once(plain_environment: None, authority: Authority) -> None:
    count = 50
    barrier = threading.Barrier(count)
    errors: list[Exception] = []
    addresses = own_addresses(count)
    nodes = [Node(f"HN{number}", Together(barrier), Settings(latency=0.5)) for number in range(count)]
    with Service(zip(nodes, addresses, strict=True), authority), ThreadPoolExecutor(count) as pool:

        def check(address: str) -> Ran | None:
            try:
                return run(pywinrm(f"http://{address}:5985/wsman", "ntlm"), "echo", address)
            except Exception as error:
                # The others would wait for this one, and tell of that only.
                errors.append(error)
                barrier.abort()
                return None

        answers = list(pool.map(check, addresses))
    assert errors[:1] == []
    assert answers == [Ran(f"{address}\r\n".encode(), b"", 0) for address in addresses]
    for node in nodes:
        # A client that waits longer than its operation timeout, on a busy machine, asks for the output again.
        kinds = {**node.counts.kinds, "Receive": 1}
        assert (kinds, node.shells, node.refused) == (HEALTHY, {}, [])


# --- settings and the service itself


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delay": 1}, "no such setting: delay"),
        ({"latency": "1"}, "latency must be a float"),
        ({"latency": -1.0}, "negative"),
        ({"certificate": "none"}, "certificate must be one of"),
        ({"methods": ["kerberos"]}, "methods must be"),
        ({"password": "a:b"}, "colon"),
        ({"denied": 1}, "denied must be a bool"),
    ],
)
def test_wrong_setting_changes_nothing(changes: dict[str, object], said: str) -> None:
    node = Node("HEADNODE", FakeMachine())
    with pytest.raises(ValueError, match=said):
        node.set(**{"shells": 3, **changes})
    assert node.settings == Settings()


def test_password_is_not_in_the_status() -> None:
    node = Node("HEADNODE", FakeMachine(), Settings(password="Tre4sure"))
    assert "Tre4sure" not in str(node.status())


def test_clear_begins_anew(simulated: Simulated) -> None:
    run(pywinrm(simulated.http), "echo", "x")
    simulated.node.lose("after")
    simulated.node.clear()
    assert simulated.node.total == 0
    assert run(pywinrm(simulated.http), "echo", "x").code == 0
    assert dict(simulated.node.counts.kinds) == HEALTHY


def test_address_that_is_taken(simulated: Simulated) -> None:
    other = Service([(Node("OTHER", FakeMachine()), simulated.address)])
    with pytest.raises(ServiceError, match=f"OTHER: cannot listen on {simulated.address} port 5985"):
        other.start()


def test_two_nodes_with_one_address() -> None:
    with pytest.raises(ServiceError, match=r"127\.1\.1\.1"):
        Service([(Node("A", FakeMachine()), "127.1.1.1"), (Node("B", FakeMachine()), "127.1.1.1")])


def test_stop_leaves_nothing(plain_environment: None, authority: Authority) -> None:
    before = set(threading.enumerate())
    machine = FakeMachine()
    node = Node("HEADNODE", machine)
    address = own_addresses(1)[0]
    with ThreadPoolExecutor(1) as pool:
        with Service([(node, address)], authority):
            client = pywinrm(f"http://{address}:5985/wsman", operation_timeout_sec=20, read_timeout_sec=25)
            shell = client.open_shell()
            command = client.run_command(shell, "sleep", ["0.5"])
            waiting = pool.submit(client.get_command_output, shell, command)
            wait_until(lambda: node.counts.kinds["Receive"] == 1)
        with pytest.raises(requests.exceptions.ConnectionError):
            waiting.result()
    assert not listens(address)
    wait_until(lambda: set(threading.enumerate()) <= before)


def test_bad_http_status_reaches_pypsrp(simulated: Simulated) -> None:
    with (
        pypsrp(simulated.address, "basic", path="other") as connection,
        pytest.raises(WinRMTransportError, match="404"),
    ):
        WinRS(connection).open()

"""The nodes file, the control channel and the command line; and real ansible against what they start."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError

from extensions.head_nodes import nodes, spec
from extensions.head_nodes.control import FAULTS, Control, ControlError
from extensions.head_nodes.service import own_addresses
from extensions.head_nodes.spec import Spec, SpecError
from tests.lab.windows.clients import PASSWORD, USER, pypsrp, pywinrm, run, runspace, script, wait_until

ROOT = Path(__file__).resolve().parents[3]
FAKE = "tests.lab.windows.fake:machine"
Write = Callable[[Path, list[str]], Path]
MODULE = [sys.executable, "-m", "extensions.head_nodes"]


def nodes_file(folder: Path, addresses: list[str]) -> Path:
    path = folder / "nodes.json"
    entries = [{"name": f"hn{number}", "address": each, "builder": FAKE} for number, each in enumerate(addresses, 1)]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def head_nodes_file(folder: Path, addresses: list[str]) -> Path:
    path = folder / "nodes.json"
    entries = [
        {"name": "hn-2008", "builder": "head_node", "arguments": {"build": 6002, "language": "en"}},
        {"name": "hn-2019", "builder": "head_node", "arguments": {"build": 17763, "language": "de"}},
    ]
    path.write_text(
        json.dumps([{**each, "address": address} for each, address in zip(entries, addresses, strict=True)]),
        encoding="utf-8",
    )
    return path


class Served:
    """Nodes in a process of their own, started by the command line."""

    def __init__(self, folder: Path, addresses: list[str], write: Write = nodes_file) -> None:
        self.folder = folder
        self.socket = folder / "control"
        self.ca_file = folder / "ca.pem"
        self.ready_file = folder / "ready.json"
        self.addresses = addresses
        self.process = subprocess.Popen(
            [
                *MODULE, "serve", "--nodes", write(folder, addresses), "--socket", self.socket,
                "--ready-file", self.ready_file, "--ca-file", self.ca_file,
            ],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.control = Control(self.socket)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        verb, *rest = arguments
        return subprocess.run(
            [*MODULE, verb, "--socket", self.socket, *rest], cwd=ROOT, capture_output=True, text=True, check=False
        )

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    # Others in this process use the low numbers.
    it = Served(tmp_path_factory.mktemp("nodes"), own_addresses(62)[60:])
    try:
        yield it
    finally:
        code, said = it.end()
    assert code == 0
    assert "ended" in said
    assert "Traceback" not in said
    assert {path.name for path in it.folder.iterdir()} == {"nodes.json"}
    for address in it.addresses:
        with socket.socket() as line:
            assert line.connect_ex((address, 5985)) != 0


@pytest.fixture
def control(served: Served, plain_environment: None) -> Control:
    served.control.clear()
    return served.control


def url(served: Served, number: int = 0) -> str:
    return f"http://{served.addresses[number]}:5985/wsman"


def test_ready_file(served: Served) -> None:
    assert json.loads(served.ready_file.read_text(encoding="utf-8")) == {
        "pid": served.process.pid,
        "socket": str(served.socket),
        "ca_file": str(served.ca_file),
        "nodes": {"hn1": served.addresses[0], "hn2": served.addresses[1]},
    }


def test_socket_is_private(served: Served) -> None:
    assert stat.S_IMODE(served.socket.stat().st_mode) == 0o600


def test_status_shows_what_was_asked(served: Served, control: Control) -> None:
    assert run(pywinrm(url(served)), "write", "once").code == 0
    status = control.status("hn1")
    assert status["counts"]["total"] == 5
    assert status["writes"][-1] == "once"
    assert (status["open_shells"], status["refused"], status["address"]) == ([], [], served.addresses[0])
    assert control.status()["hn2"]["counts"]["total"] == 0
    assert control.dump("hn1")["writes"][-1] == "once"


def test_settings_and_losses(served: Served, control: Control) -> None:
    control.set("hn1", password="Other 1", latency=0.1)
    with pytest.raises(InvalidCredentialsError):
        pywinrm(url(served)).open_shell()
    control.lose("hn1", "before", contains="treasure")
    with pytest.raises(requests.exceptions.ConnectionError):
        run(pywinrm(url(served), password="Other 1"), "echo", "treasure")
    status = control.status("hn1")
    assert status["counts"]["failed_logins"] == 1
    assert status["settings"]["latency"] == 0.1
    control.set("hn1", password=PASSWORD, latency=0)
    pywinrm(url(served)).close_shell(status["open_shells"][0]["id"])


def test_certificate_file_is_the_one_to_trust(served: Served, control: Control) -> None:
    secure = f"https://{served.addresses[0]}:5986/wsman"
    assert run(pywinrm(secure, ca_trust_path=str(served.ca_file)), "echo", "x").code == 0


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda control: control.status("hn9"), "no such node: hn9; there are: hn1, hn2"),
        (lambda control: control.set("hn1", speed=1), "no such setting: speed"),
        (lambda control: control.lose("hn1", "never"), "at 'never'"),
        (lambda control: control._ask("reboot", "hn1"), "no such request: reboot"),
        (lambda control: control._ask("dump", None), "name a node"),
        (lambda control: control.break_("hn1", "missing-namespace"), "hn1 is no head node"),
        (lambda control: control.break_("hn1", "deny", once=True), "deny takes no arguments"),
    ],
)
def test_wrong_request_is_told(control: Control, ask: Any, said: str) -> None:
    with pytest.raises(ControlError, match=said):
        ask(control)


def test_command_line(served: Served, control: Control) -> None:
    shown = served.cli("status")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1].split()[:3] == ["hn1", served.addresses[0], "up"]
    assert served.cli("break", "hn2", "refuse-connections").returncode == 0
    assert served.cli("status").stdout.splitlines()[2].split()[2] == "down"
    assert served.cli("break", "hn2", "accept-connections").returncode == 0
    assert json.loads(served.cli("status", "hn2").stdout)["accepts"] is True
    wrong = served.cli("break", "hn7", "deny")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "error: no such node: hn7; there are: hn1, hn2\n"


def test_second_service_at_the_same_socket(served: Served, control: Control, tmp_path: Path) -> None:
    files = ("--ready-file", str(served.ready_file), "--ca-file", str(served.ca_file))
    second = served.cli("serve", "--nodes", str(nodes_file(tmp_path, own_addresses(70)[69:])), *files)
    assert second.returncode == 1
    assert served.ready_file.exists()
    assert served.ca_file.exists()
    assert "other simulated head nodes run there" in second.stderr
    assert control.status("hn1")["accepts"] is True


def test_second_service_at_the_same_address(served: Served, tmp_path: Path) -> None:
    second = subprocess.run(
        [*MODULE, "serve", "--nodes", nodes_file(tmp_path, served.addresses[:1]), "--socket", tmp_path / "control"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"hn1: cannot listen on {served.addresses[0]} port 5985" in second.stderr
    assert not (tmp_path / "control").exists()


def test_started_in_the_background(plain_environment: None, tmp_path: Path) -> None:
    def cli(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([*MODULE, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    started = cli("start", "hn1=missing-namespace,event-592", "hn2", "--baseline", "--inventory", "inventory.json")
    try:
        assert started.returncode == 0, started.stderr
        content = json.loads((tmp_path / "inventory.json").read_text(encoding="utf-8"))["all"]["children"]
        hosts = content["hpc_head_nodes"]["hosts"]
        assert f"hn2: {hosts['hn2']['ansible_host']} ports 5985 and 5986, {USER} {PASSWORD}\n" in started.stderr
        state = {name: json.loads(cli("state", name).stdout) for name in hosts}
        kept = "HKEY_LOCAL_MACHINE\\SOFTWARE\\imaging.multicast\\Namespaces\\HN1-CCP"
        assert state["hn1"]["registry"][kept]["ContentProvider"] == "WDS"
        assert [len(each["live"]) for each in state.values()] == [0, 1]
        seen = {name: {event[1] for event in each["events"]} for name, each in state.items()}
        assert seen["hn1"] - seen["hn2"] == {592, 771}
        assert run(pywinrm(f"http://{hosts['hn2']['ansible_host']}:5985/wsman"), "dir", "C:\\").code != 0
    finally:
        stopped = cli("stop")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("hn2 refused, because it is not modelled: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "error: name a node, or give a file with --nodes"),
        (["hn1=tipsy"], "no fault 'tipsy'; there are missing-namespace"),
        (["hn1", "--build", "1"], "hn1: head_node with "),
        (["hn1", "hn1"], "two nodes are called hn1"),
    ],
)
def test_start_tells_what_is_wrong(tmp_path: Path, words: list[str], said: str) -> None:
    arguments = ["start", *words, "--socket", str(tmp_path / "control")]
    done = subprocess.run([*MODULE, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no simulated head nodes answer at"):
        Control(tmp_path / "control").status()


def test_stop_and_a_socket_that_was_left(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(tmp_path / "control"))
    it = Served(tmp_path, own_addresses(80)[79:])
    stopped = it.cli("stop")
    if stopped.returncode:
        it.process.kill()
    it.process.communicate(timeout=30)
    assert (stopped.returncode, stopped.stderr, it.process.returncode) == (0, "", 0)
    assert {path.name for path in tmp_path.iterdir()} == {"nodes.json"}


def test_faults_are_listed(served: Served) -> None:
    listed = served.cli("faults").stdout
    for name in (*FAULTS, *nodes.FAULTS):
        assert re.search(rf"^{name} +\w", listed, re.MULTILINE), name


def test_every_fault_can_be_put_in() -> None:
    for _, apply in FAULTS.values():
        apply(spec.build(Spec("hn1", "127.0.0.1", FAKE)))


# --- the machines behind it


def test_head_nodes(tmp_path: Path, plain_environment: None) -> None:
    it = Served(tmp_path, own_addresses(92)[90:], head_nodes_file)
    try:
        for number, name in enumerate(("hn-2008", "hn-2019")):
            check_head_node(it, number, name)
    finally:
        assert it.end()[0] == 0


def check_head_node(it: Served, number: int, name: str) -> None:
    """A head node is asked in both ways, broken and rebooted through the service."""
    answer = run(pywinrm(url(it, number), "ntlm"), "sc.exe", "query", "WDSServer")
    assert (answer.code, b": 4 " in answer.stdout) == (0, True)
    with pypsrp(it.addresses[number]) as connection, runspace(connection) as pool:
        output = script(pool, "sc.exe query WDSServer").output
    assert "\r\n".join([*output, ""]) == answer.stdout.decode()
    it.control.break_(name, "service-stopped")
    assert b": 1 " in run(pywinrm(url(it, number)), "sc.exe", "query", "WDSServer").stdout
    assert it.cli("break", name, "event", "id_=769").returncode == 0
    assert it.control.status(name)["writes"] == []
    it.control.lose_in_batch(name, "^reg.exe query HKLM.SYSTEM.Setup")
    with pytest.raises(requests.exceptions.RequestException):
        run(pywinrm(url(it, number)), "cmd.exe", "/c", '"reg.exe query HKLM\\SYSTEM\\Setup&net.exe start WDSServer"')
    assert it.control.status(name)["writes"] == []
    pywinrm(url(it, number)).close_shell(it.control.status(name)["open_shells"][0]["id"])
    assert run(pywinrm(url(it, number)), "shutdown.exe", "/r", "/t", "10", "/d", "p:2:4").code == 0
    wait_until(lambda: it.control.dump(name)["boots"] == 1 and it.control.status(name)["accepts"])
    status = it.control.status(name)
    assert (status["refused"], status["open_shells"]) == ([], [])
    assert len(status["writes"]) > 0


# --- the nodes file


def entry(**values: Any) -> dict[str, Any]:
    return {"name": "hn1", "address": "127.1.2.3", "builder": FAKE, **values}


def test_nodes_file(tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps([entry(settings={"latency": 1, "user": "operator"})]), encoding="utf-8")
    node = spec.build(spec.load(path)[0])
    assert (node.name, node.settings.latency, node.settings.user) == ("hn1", 1.0, "operator")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read"),
        ("{}", "must be a JSON list"),
        ("[]", "must be a JSON list"),
        ("[1]", "node 1: unknown 1"),
        (json.dumps([entry(), entry(colour="red")]), "node 2: unknown colour; known: name, address, builder"),
        ('[{"address": "127.1.2.3"}]', "node 1: .*name"),
        (json.dumps([entry(address="10.0.0.1")]), "10.0.0.1 is not a 127.x.y.z address"),
        (json.dumps([entry(settings={"shells": "2"})]), "shells must be a int"),
    ],
)
def test_wrong_nodes_file(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SpecError, match=said):
        spec.load(path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"builder": "tests.lab.windows.fake:none"}, "hn1: tests.lab.windows.fake:none with {}: .*none"),
        ({"builder": "tests.lab.windows.nowhere:none"}, "No module named"),
        ({"builder": "tail_node"}, "no builder 'tail_node'"),
        ({"arguments": {"colour": "red"}}, "colour"),
    ],
)
def test_wrong_builder(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        spec.build(Spec(**entry(**values)))


# --- real ansible


def test_ansible_raw_over_winrm_and_psrp(served: Served, control: Control, tmp_path: Path) -> None:
    """Two hosts, two connection plugins, NTLM with encrypted messages and TLS."""
    inventory = tmp_path / "hosts"
    common = f"ansible_user={USER} ansible_password={PASSWORD}"
    inventory.write_text(
        f"one ansible_host={served.addresses[0]} ansible_connection=winrm ansible_port=5985"
        f" ansible_winrm_transport=ntlm {common}\n"
        f"two ansible_host={served.addresses[1]} ansible_connection=psrp ansible_port=5986 ansible_psrp_auth=negotiate"
        f" ansible_psrp_ca_cert={served.ca_file} {common}\n",
        encoding="utf-8",
    )
    configuration = tmp_path / "ansible.cfg"
    configuration.touch()
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_HOME": str(tmp_path),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible"), "-i", inventory, "all", "-m", "raw", "-a", "echo Grüße"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stderr
    for host in ("one", "two"):
        assert f"{host} | CHANGED | rc=0 >>\nGrüße\n" in done.stdout
    status = control.status()
    assert status["hn1"]["counts"]["kinds"] == {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}
    assert status["hn2"]["counts"]["kinds"] == {"Create": 1, "Command": 1, "Receive": 2, "Delete": 1}
    for each in status.values():
        assert (each["counts"]["total"], each["open_shells"], each["refused"]) == (5, [], [])
        assert each["counts"]["readable"] == 0

"""The scenarios of extensions/molecule, and the page that tells how to use molecule in another repository."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.lab import cgroups, network
from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.lab import Lab
from tests.lab.mounts import mounts
from tests.lab.windows import clients
from tests.project.tree import CACHE, ROOT, environment, run
from tests.project.venvs import PLATFORMS, platform

SCENARIOS = ROOT / "extensions" / "molecule"
SHIPPED_REQUIREMENTS = ROOT / "extensions" / "head_nodes" / "requirements.txt"
PAGE = ROOT / "docs" / "molecule.md"
# What a scenario repairs; its other hosts stay as they are.
REPAIRED = {
    "fog-healthy": set(),
    "fog-broken": {"fog1", "fog4"},
    "wds-missing-namespace": {"hn1"},
    "fleet": {"fog1", "store1", "hn1"},
}
SEQUENCE = ["destroy", "create", "prepare", "check", "converge", "idempotence", "verify", "destroy"]
_STEP = re.compile(r"^INFO +\[\S+ > (\w+)\] Executing$", re.M)
_RECAP = re.compile(r"^(?P<host>\S+) +: ok=(?P<ok>\d+) +changed=(?P<changed>\d+) .*failed=(?P<failed>\d+)", re.M)
_WARNING = re.compile(r"^(WARNING |\[(DEPRECATION )?WARNING\])", re.M)


class Counts(NamedTuple):
    """A host's line of a recap."""

    ok: int
    changed: int
    failed: int


class Run(NamedTuple):
    """What molecule did: exit code, output, and the output of each step in order."""

    code: int
    output: str
    steps: list[tuple[str, str]]

    def recap(self, step: str) -> Mapping[str, Counts]:
        """The recap of a step that was run once, by host."""
        (text,) = [text for name, text in self.steps if name == step]
        found = _RECAP.finditer(text)
        return {each["host"]: Counts(*(int(each[name]) for name in Counts._fields)) for each in found}


@pytest.fixture(scope="module")
def tools() -> Path:
    """Where molecule and the ansible-playbook that it runs are."""
    return platform("molecule")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """molecule keeps what it knows of scenarios there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def destroyed(able: None, tools: Path, home: Path) -> Iterator[None]:
    """Whatever a test left of the scenarios is taken away after it."""
    yield
    for name in REPAIRED:
        if Lab(DEFAULT_STATE, f"molecule-{name}").folder.exists() or list(home.rglob(f"*.{name}/head-nodes.sock")):
            molecule(tools, home, "destroy", "-s", name)


def molecule(tools: Path, home: Path, *arguments: str, cwd: Path = ROOT) -> Run:
    env = environment(HOME=str(home), NO_COLOR="1", LC_ALL="C.UTF-8")
    done = subprocess.run(
        [tools / "molecule", *arguments], cwd=cwd, env={**env, "PATH": f"{tools}:{env['PATH']}"}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False,
    )  # fmt: skip
    _, *found = _STEP.split(done.stdout)
    return Run(done.returncode, done.stdout, list(zip(found[::2], found[1::2], strict=True)))


def assert_green(done: Run, repaired: set[str], sequence: list[str]) -> None:
    assert done.code == 0, done.output
    assert not _WARNING.search(done.output), done.output
    assert [name for name, _ in done.steps] == sequence
    hosts = set(done.recap("verify"))
    assert repaired <= hosts
    for step, changing in (("check", repaired), ("converge", repaired), ("idempotence", set())):
        recap = done.recap(step)
        assert {name for name, counts in recap.items() if counts.changed} == changing, (step, done.output)
        assert hosts <= set(recap), (step, done.output)
    assert all(counts.ok > 1 and not counts.failed for counts in done.recap("verify").values()), done.output
    assert "All assertions passed" in dict(done.steps)["verify"]
    assert "imaging.multicast" not in dict(done.steps)["verify"].replace(str(SCENARIOS), "")


def assert_nothing_left(name: str, home: Path) -> None:
    """No lab, network namespace, control group, mount or process of the scenario is there."""
    lab = Lab(DEFAULT_STATE, f"molecule-{name}")
    assert not lab.folder.exists()
    assert not list(network.path(lab.netns).parent.glob(f"{lab.netns}*"))
    assert not [root for root in cgroups.hierarchies(mounts()) if (root / lab.netns).exists()]
    assert str(lab.folder) not in Path("/proc/mounts").read_text()
    left = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(each in words for each in (str(lab.folder), lab.netns, f"{home}/")):
            left.append(words)
    assert not left


def test_base_configuration_checks_before_it_converges() -> None:
    sequence = yaml.safe_load((SCENARIOS / "config.yml").read_text())["scenario"]["test_sequence"]
    assert sequence == SEQUENCE
    assert {path.parent.name for path in SCENARIOS.glob("*/molecule.yml")} == set(REPAIRED)


def test_verifiers_use_nothing_of_the_collection() -> None:
    files = [*SCENARIOS.glob("*/verify.yml"), *(SCENARIOS / "shared" / "tasks").glob("*")]
    assert len(files) > len(REPAIRED)
    assert not [str(file) for file in files if "multicast." in file.read_text()]


@pytest.mark.parametrize("name", REPAIRED)
def test_scenario(name: str, tools: Path, home: Path, destroyed: None) -> None:
    assert_green(molecule(tools, home, "test", "-s", name), REPAIRED[name], SEQUENCE)
    assert_nothing_left(name, home)


@pytest.mark.parametrize("name", ["wds-missing-namespace", "fog-broken"])
def test_verifier_goes_red_without_the_repair(name: str, tools: Path, home: Path, destroyed: None) -> None:
    assert molecule(tools, home, "create", "-s", name).code == 0
    done = molecule(tools, home, "verify", "-s", name)
    assert done.code != 0
    assert {host for host, counts in done.recap("verify").items() if counts.failed} == REPAIRED[name]
    assert "Assertion failed" in done.output
    assert molecule(tools, home, "destroy", "-s", name).code == 0
    assert_nothing_left(name, home)


def test_the_page_in_another_repository(
    archive: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, home = tmp_path / "infra", tmp_path / "home"
    home.mkdir()
    files = re.findall(r"`(molecule/default/\w+\.yml)`.*?```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [Path(name).stem for name, _ in files] == ["molecule", "create", "converge", "verify", "destroy"]
    for name, content in files:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(content)
    env = environment(HOME=str(home), PATH=f"{tools}:{environment()['PATH']}")
    run(tools / "ansible-galaxy", "collection", "install", archive, "--offline", cwd=repository, env=env)
    installed = home / ".ansible" / "collections" / "ansible_collections" / "imaging" / "multicast"
    assert (installed / SHIPPED_REQUIREMENTS.relative_to(ROOT)).is_file()
    assert not (installed / "extensions" / "molecule").exists()

    done = molecule(tools, home, "test", cwd=repository)
    assert_green(done, {"head1"}, [step for step in SEQUENCE if step != "prepare"])
    assert str(ROOT) not in done.output.replace(str(CACHE), "")
    assert_nothing_left("default", home)

    # A scenario that asked for what is not modelled is red, at its end.
    assert molecule(tools, home, "create", cwd=repository).code == 0
    (inventory,) = home.rglob("head-nodes.json")
    nodes = json.loads(inventory.read_text())["all"]["children"]["hpc_head_nodes"]["hosts"]
    monkeypatch.setenv("NO_PROXY", "*")
    assert clients.run(clients.pywinrm(f"http://{nodes['head1']['ansible_host']}:5985/wsman"), "dir", "C:\\").code
    red = molecule(tools, home, "destroy", cwd=repository)
    assert red.code != 0
    assert re.search(r"head1 refused, because it is not\s+modelled:", red.output), red.output
    assert_nothing_left("default", home)


def test_the_page_asks_for_what_is_pinned_here() -> None:
    def names(path: Path) -> set[str]:
        return {word.lower() for word in re.findall(r"^([A-Za-z][\w-]*)", path.read_text(), re.M)}

    (asked,) = re.findall(r"pip install (molecule .*)", PAGE.read_text())
    assert set(asked.split()) | names(SHIPPED_REQUIREMENTS) == names(PLATFORMS / "molecule.txt")

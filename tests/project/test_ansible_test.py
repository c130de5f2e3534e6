"""ansible-test on each supported ansible-core, without Docker, and nothing it skips goes unnoticed.

What hangs on the order in which ansible-core prints is tried on each of them too.
"""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.project.pythons import Version, absent, interpreters
from tests.project.test_playbooks import DEAD, Fleet, found, healthy, recap, stale
from tests.project.tree import CACHE, copy, environment, run
from tests.project.venvs import venv


class Core(NamedTuple):
    """One ansible-core: its exact release, the Pythons it runs on, the pip releases its ansible-test asks for."""

    release: str
    pythons: tuple[Version, ...]
    pips: tuple[str, ...]


CORES = {
    "2.16": Core("2.16.19", ((3, 10), (3, 11), (3, 12)), ("21.3.1", "23.1.2")),
    "2.17": Core("2.17.14", ((3, 10), (3, 11), (3, 12)), ("21.3.1", "23.1.2")),
    "2.19": Core("2.19.14", ((3, 11), (3, 12), (3, 13)), ("24.2",)),
    "2.21": Core("2.21.5", ((3, 12), (3, 13), (3, 14)), ("25.2",)),
}
OLDEST = "2.16"
PINNED = "2.19"
# `make test` has the release of .venv, `make test-all` the others too.
RELEASES = [PINNED, *(pytest.param(name, marks=pytest.mark.platform) for name in CORES if name != PINNED)]
# Never shipped, and held to ruff and mypy: ansible-test's rules are for collections.
NOT_OF_THE_COLLECTION = ("tests/bench", "tests/lab", "tests/platforms", "tests/project", "tools")
ABSENT_PYTHON = re.compile(
    r'Skipping (?:sanity test "(?:compile|import)"|unit tests) on Python 3\.(\d+) because it could'
)


def controller(name: str) -> Version:
    """The newest Python here that this ansible-core runs on."""
    usable = [version for version in CORES[name].pythons if version in interpreters()]
    if not usable:
        absent(f"ansible-core {name}", CORES[name].pythons)
    return max(usable)


def install(name: str) -> Path:
    """The ansible-test of a virtual environment in the cache."""
    python = interpreters()[controller(name)]
    return venv(f"ansible-{name}", python, f"ansible-core=={CORES[name].release}") / "ansible-test"


def copy_tree(name: str, without: tuple[str, ...]) -> Path:
    """A fresh copy of the checkout as ansible-test wants it: a git repository at ansible_collections/X/Y.

    ``without`` are folders that are left out.
    """
    top = CACHE / f"tree-{name}"
    tree = top / "ansible_collections" / "imaging" / "multicast"
    shutil.rmtree(top, ignore_errors=True)
    copy(tree, without)
    run("git", "init", "--quiet", tree)
    return tree


def ansible_test(name: str, *arguments: str, without: tuple[str, ...] = NOT_OF_THE_COLLECTION) -> str:
    """Run ansible-test with a HOME of its own; every unexpected skip is a failure."""
    program = install(name)
    home = CACHE / f"home-{name}"
    pips = home / ".ansible" / "test" / "cache"
    pips.mkdir(parents=True, exist_ok=True)
    for release in CORES[name].pips:
        shutil.copy(Path(__file__).with_name("get_pip.py"), pips / f"get_pip_{release.replace('.', '_')}.py")
    path = [str(program.parent), *(str(python.parent) for python in interpreters().values()), "/usr/bin", "/bin"]
    env = environment(HOME=str(home), PATH=":".join(path), LC_ALL="C.UTF-8")
    output = run(program, *arguments, "--venv", "--color", "no", cwd=copy_tree(name, without), env=env)
    unexpected = unexpected_skips(output, {minor for _, minor in interpreters()})
    assert not unexpected, f"ansible-test left something out: {unexpected}\n{output}"
    return output


def unexpected_skips(output: str, minors: set[int]) -> list[str]:
    """Lines that say a test was left out, but for a Python that is not on this machine."""
    found = []
    for line in output.splitlines():
        absent = ABSENT_PYTHON.search(line)
        if re.search("skipping|not found", line, re.IGNORECASE) and not (absent and int(absent[1]) not in minors):
            found.append(line)
    return found


def test_a_skip_is_noticed():
    there = {11}
    absent = 'WARNING: Skipping sanity test "import" on Python 3.14 because it could not be found.'
    assert unexpected_skips(absent, there) == []
    present = absent.replace("3.14", "3.11")
    shellcheck = "WARNING: Required program shellcheck not found."
    assert unexpected_skips(f"{present}\nall fine\n{shellcheck}", there) == [present, shellcheck]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("false", pytest.skip.Exception)])
def test_a_missing_python_fails_where_the_whole_matrix_is_promised(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("tests.project.test_ansible_test.interpreters", dict)
    either = (pytest.fail.Exception, pytest.skip.Exception)
    with pytest.raises(either, match=r"^ansible-core 2\.21 needs Python 3\.12 or 3\.13 or 3\.14, which is") as newest:
        controller("2.21")
    with pytest.raises(either, match=r"needs Python 3\.6, which is neither") as oldest:
        test_target_code_on_python_3_6(OLDEST)
    assert (newest.type, oldest.type) == (outcome, outcome)


@pytest.mark.slow
@pytest.mark.parametrize("name", RELEASES)
def test_sanity(name):
    # That the code compiles and can be imported on each Python is tried with the release that serves most of them.
    only = () if name == OLDEST else ("--python", "{}.{}".format(*controller(name)))
    output = ansible_test(name, "sanity", *only, without=(*NOT_OF_THE_COLLECTION, "tests/unit"))
    assert 'Running sanity test "validate-modules"' in output
    assert 'Running sanity test "shellcheck"' in output


@pytest.mark.slow
@pytest.mark.parametrize("name", RELEASES)
def test_units(name):
    major, minor = controller(name)
    assert re.search(r"\d+ passed", ansible_test(name, "units", "--python", f"{major}.{minor}"))


@pytest.mark.slow
@pytest.mark.platform
@pytest.mark.parametrize("name", [OLDEST, max(CORES)])  # test_playbooks.py has the pinned one
def test_the_recap_is_last_and_changes_no_hosts_fate(name, tmp_path):
    fleet = Fleet(tmp_path, install(name).with_name("ansible-playbook"))
    fleet.add("person", {"findings": [found("fog.image.missing")]})
    fleet.add("good", healthy())
    fleet.add("stale", stale())
    fleet.add("dead", healthy(), **DEAD)
    mixed = fleet.run()
    assert mixed.code == 2
    assert mixed.recap == recap(healthy=1, repaired=1, needs_person=1, unreachable=1)
    assert re.search(r"good +: .*failed=0", mixed.output)
    assert fleet.run("--limit", "dead").recap == recap(unreachable=1)
    in_order = fleet.run("--limit", "good,stale", playbook="check-multicast.yml")
    assert (in_order.code, in_order.recap) == (0, recap(healthy=2))


@pytest.mark.slow
@pytest.mark.platform
@pytest.mark.parametrize("name", [OLDEST])  # the newest that still serves it
def test_target_code_on_python_3_6(name):
    """modules and module_utils on the oldest Python of a target (EL 8's platform Python)."""
    if (3, 6) not in interpreters():
        absent("target code (beside vermin, in test_style.py)", ((3, 6),))
    assert re.search(r"\d+ passed", ansible_test(name, "units", "--python", "3.6"))

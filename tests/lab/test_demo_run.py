"""``make repair`` without an inventory, on a lab of its own: what a newcomer sees."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lab import controller
from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.conftest import lab_name
from tests.lab.demo import CHECKOUT, FIRST, SECOND
from tests.lab.lab import Lab

HEAD = re.compile(r"^host +\| outcome +\| findings +\| steps$", re.MULTILINE)
RECAPS = [
    "fleet 8 | healthy 1 | repaired 6 | would repair 0 | needs a person 1 | failed 0 | unreachable 0",
    "fleet 8 | healthy 7 | repaired 0 | would repair 0 | needs a person 1 | failed 0 | unreachable 0",
]


@pytest.fixture
def own_lab(able: None) -> Iterator[Lab]:
    lab = Lab(DEFAULT_STATE, lab_name("demo"))
    try:
        yield lab
    finally:
        lab.down()


def test_a_broken_fleet_is_repaired_and_left_alone_the_second_time(own_lab: Lab) -> None:
    demo = (
        "import sys; from pathlib import Path; from tests.lab.console import Progress; from tests.lab.lab import Lab;"
        "from tests.lab.demo import repair; sys.exit(repair(Lab(Path(sys.argv[1]), sys.argv[2], Progress()), []))"
    )
    done = subprocess.run(
        [sys.executable, "-c", demo, str(DEFAULT_STATE), own_lab.name],
        cwd=CHECKOUT,
        env=controller.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.findall(r"^fleet .*$", done.stdout, re.MULTILINE) == RECAPS
    first, second = HEAD.split(done.stdout)[1:]
    words = {"healthy": "healthy", "repaired": "repaired", "needs_person": "needs a person"}
    for table, outcomes in ((first, FIRST), (second, SECOND)):
        shown = dict(re.findall(r"^(\w+) +\| ([\w ]+?) +\| ", table, re.MULTILINE))
        assert shown == {host: words[outcome] for host, outcome in outcomes.items()}
    assert "The second run changed nothing (changed=0 on every host)." in second
    assert re.findall(r".*(?:WARNING|DEPRECAT|Traceback).*", done.stdout) == []

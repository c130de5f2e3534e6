"""The demonstration behind `make repair` notices when reality is not what it promises."""

import pytest

from tests.lab.demo import FIRST, SECOND, Run, differences

CHANGED = {host: int(outcome == "repaired") for host, outcome in FIRST.items()}


def test_what_is_promised_passes():
    assert differences(Run(2, FIRST, CHANGED), FIRST, changing=True) == []
    assert differences(Run(2, SECOND, dict.fromkeys(SECOND, 0)), SECOND, changing=False) == []


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (Run(2, {**SECOND, "fog1": "failed"}, dict.fromkeys(SECOND, 0)), "fog1: failed instead of healthy"),
        (Run(2, SECOND, {**dict.fromkeys(SECOND, 0), "fog2": 1}), "fog2: changed=1"),
        (Run(0, SECOND, dict.fromkeys(SECOND, 0)), "ansible-playbook ended with 0"),
        (Run(2, {**SECOND, "fog9": "healthy"}, dict.fromkeys(SECOND, 0)), "fog9: healthy instead of not in the report"),
    ],
)
def test_anything_else_is_told(run, found):
    assert differences(run, SECOND, changing=False) == [found]


def test_a_run_that_broke_off_is_told():
    told = differences(Run(4, {}, {}), FIRST, changing=True)
    assert "fog1: not in the report instead of repaired" in told
    assert "store2: not in Ansible's recap" in told


def test_the_fleet_ends_as_promised():
    assert sorted(FIRST.values()) == ["healthy", "needs_person", *["repaired"] * 6]

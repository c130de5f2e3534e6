"""FOG servers and simulated head nodes of one lab in one run, as somebody with an inventory of both starts it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab import controller, headnodes
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.processes import wait_for
from tests.lab.held import held, waiting
from tests.lab.host import Host
from tests.lab.lab import Lab

EVERYONE = "fog4,hn1,hn2"


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    """fog4, beside the head nodes."""
    with borrowed(lab, boot, "fog4") as (host,):
        headnodes.start(lab)
        headnodes.control(lab).clear()
        yield host
        for name, node in headnodes.control(lab).status().items():
            assert node["refused"] == [], name
            assert node["open_shells"] == [], name


def test_both_platforms_are_repaired_in_one_run(lab: Lab, fog4: Host) -> None:
    assert [(row[0], row[4]) for row in headnodes.rows(lab)] == [("hn1", "running"), ("hn2", "running")]
    FAULTS["service-stopped"](lab, fog4)
    headnodes.control(lab).break_("hn1", "missing-namespace")

    run = controller.playbook(lab, "repair-multicast", [fog4, "hn1", "hn2"])
    assert run.code == 0, run.output
    outcomes = {"fog4": "repaired", "hn1": "repaired", "hn2": "healthy"}
    assert {name: run.outcome(name) for name in outcomes} == outcomes
    assert {name: run.report["hosts"][name]["platform"] for name in outcomes} == {
        "fog4": "fog",
        "hn1": "wds",
        "hn2": "wds",
    }

    # The same by make, on an inventory: no lab is started, nothing is left to change.
    again = lab.run(
        ["make", "repair", f"INVENTORY={lab.inventory}", f"ARGS=--limit {EVERYONE}"], cwd=controller.CHECKOUT
    )
    assert "fleet 3 | healthy 3 | repaired 0" in again.stdout
    assert "fresh lab" not in again.stdout
    assert again.stdout.count("changed=0") == 3


def test_a_slow_fog_server_holds_no_head_node_up(lab: Lab, fog4: Host) -> None:
    FAULTS["stale-session"](lab, fog4)
    headnodes.control(lab).break_("hn1", "missing-namespace")
    with ThreadPoolExecutor(1) as pool, held(fog4, "LOCK TABLES tasks READ") as holder:
        running = pool.submit(controller.playbook, lab, "repair-multicast", [fog4, "hn1"])
        # FOG's repair hangs in its first write; the head node's ends meanwhile.
        waiting(fog4, "UPDATE `tasks`")
        node = headnodes.control(lab)
        wait_for("hn1 to be repaired", lambda: "namespace HN1-CCP created" in node.status("hn1")["writes"], 60.0)
        assert not running.done()
        holder.release()
        run = running.result()
    assert {name: run.outcome(name) for name in ("fog4", "hn1")} == {"fog4": "repaired", "hn1": "repaired"}


def test_make_check_only_looks(lab: Lab, fog4: Host) -> None:
    headnodes.control(lab).break_("hn1", "missing-namespace")
    try:
        looked = lab.run(
            ["make", "check", f"INVENTORY={lab.inventory}", f"ARGS=--limit {EVERYONE}"],
            cwd=controller.CHECKOUT,
            check=False,
        )
        assert "fleet 3 | healthy 2 | repaired 0 | would repair 1" in looked.stdout
        assert headnodes.control(lab).status("hn1")["writes"] == []
    finally:
        controller.playbook(lab, "repair-multicast", ["hn1"])

"""The collection on the database of a real FOG 1.5.9 installation, where such a dump is at hand.

What it shows on the real tables, the other tests of the lab show on the lab's own schema, which always runs.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import database, layout
from tests.lab.fog.database import Sql
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.service import log_shows, restart
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import assert_cancelled, held_daemon, stale

DUMP = Path(__file__).resolve().parents[2].parent / "shared" / "facts" / "fog-1.5.9-schema-270.sql.gz"
TABLES = 51


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    """fog4 with the dump in place of the lab's schema, and the lab's node, images and computers in it."""
    if not DUMP.exists():
        pytest.skip(f"no dump of a real FOG database at {DUMP}")
    with borrowed(lab, boot, "fog4") as (host,):
        host.run(["systemctl", "stop", layout.UNIT])
        dump = gzip.decompress(DUMP.read_bytes()).decode("utf-8")
        database.script(host, f"DROP DATABASE {layout.DATABASE}; CREATE DATABASE {layout.DATABASE};")
        # The dump names no database; its first lines are comments for the client that made it.
        database.script(host, f"USE {layout.DATABASE};\n{dump}")
        database.script(host, database.seed(host.spec, lab.fleet))
        restart(host)
        log_shows(host, "* No new tasks found")
        yield host


def test_the_collection_works_on_a_real_database(lab: Lab, fog4: Host) -> None:
    tables = witness.checksums(fog4)
    assert len(tables) == TABLES
    healthy = controller.module(lab, fog4, "fog_multicast_info")
    assert (healthy["fog"]["schema"], healthy["fog"]["engine"]) == (layout.SCHEMA, "MyISAM")
    assert controller.finding_ids(healthy) == set()

    (session,) = stale(fog4, fog4, "stale")
    FAULTS["record-stale"](lab, fog4)
    with held_daemon(fog4):
        before = witness.checksums(fog4)
        found = controller.module(lab, fog4, "fog_multicast_info")
        assert controller.finding_ids(found) >= {"fog.session.stale", "fog.interface.record_stale"}
        assert witness.checksums(fog4) == before

        corrected = controller.module(lab, fog4, "fog_storage_iface")
        assert corrected["wrong"] == ["record"]
        assert Sql(fog4).value("SELECT ngmInterface FROM nfsGroupMembers") == "eth0"

        result = controller.module(lab, fog4, "fog_multicast_reset")
        assert result["sessions"] == [session.id]
        assert_cancelled(fog4, session)
        restored = controller.module(
            lab, fog4, "fog_multicast_reset", arguments={"restore_from": result["backup_file"]}
        )
        assert restored["changed"]
        after = witness.checksums(fog4)
        rows = ("multicastSessions", "multicastSessionsAssoc", "tasks")
        assert {table: after[table] for table in rows} == {table: before[table] for table in rows}
        again = controller.module(lab, fog4, "fog_multicast_reset")
        assert again["sessions"] == [session.id]
    assert controller.finding_ids(controller.module(lab, fog4, "fog_multicast_info")) == set()
    changed = {table for table, checksum in witness.checksums(fog4).items() if checksum != tables[table]}
    # queue_session sets the next port, as FOG does.
    assert changed <= {"multicastSessions", "multicastSessionsAssoc", "tasks", "globalSettings", "nfsGroupMembers"}

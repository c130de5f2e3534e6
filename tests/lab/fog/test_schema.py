"""The lab's schema beside a recorded one of a real FOG, both in a MariaDB of the lab."""

import gzip
from pathlib import Path

import pytest

from tests.lab.fog import layout
from tests.lab.fog.conftest import Fresh
from tests.lab.fog.database import Row, Sql, script
from tests.lab.host import Host

pytestmark = pytest.mark.lab
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "facts" / "fog-1.5.9-schema-270.sql.gz"
SCRATCH = "recorded"
TABLES = {
    *("schemaVersion", "globalSettings", "nfsGroups", "nfsGroupMembers", "hosts", "images", "imageGroupAssoc"),
    *("multicastSessions", "multicastSessionsAssoc", "tasks", "taskStates", "taskTypes"),
}
COLUMNS = """
SELECT table_name AS t, column_name AS c, ordinal_position AS position, column_type AS type, is_nullable AS nullable,
column_default AS value, extra FROM information_schema.columns WHERE table_schema = %s ORDER BY t, position
"""
ENGINES = "SELECT table_name AS t, engine FROM information_schema.tables WHERE table_schema = %s"
# FOG has some keys twice, once unique and once not.
KEYS = """
SELECT t, words, MIN(non_unique) AS non_unique FROM (SELECT table_name AS t, index_name, non_unique,
GROUP_CONCAT(column_name ORDER BY seq_in_index) AS words FROM information_schema.statistics WHERE table_schema = %s
GROUP BY table_name, index_name, non_unique) AS indices GROUP BY t, words ORDER BY t, words
"""


def shape(host: Host, schema: str) -> dict[str, list[Row]]:
    """Columns, engines and keys of a schema, of the lab's tables only."""
    found = Sql(host).batch((COLUMNS, schema), (ENGINES, schema), (KEYS, schema))
    return {
        name: [row for row in rows if row["t"] in TABLES]
        for name, (_, rows) in zip(("columns", "engines", "keys"), found, strict=True)
    }


def test_tables_and_engine(fresh: Fresh) -> None:
    host = fresh("fog1")
    found = shape(host, layout.DATABASE)
    assert {row["t"]: row["engine"] for row in found["engines"]} == dict.fromkeys(TABLES, "MyISAM")
    keys = {(row["t"], row["words"], row["non_unique"]) for row in found["keys"]}
    assert ("multicastSessionsAssoc", "msID,tID", 0) in keys
    assert {words for table, words, _ in keys if table == "multicastSessions"} == {"msID", "msNFSGroupID"}
    assert Sql(host).value("SELECT vValue FROM schemaVersion") == layout.SCHEMA


def test_schema_is_the_recorded_one(fresh: Fresh) -> None:
    if not RECORDED.exists():
        pytest.skip(f"the recorded schema is not there: {RECORDED}")
    host = fresh("fog1")
    recorded = gzip.decompress(RECORDED.read_bytes()).decode("utf-8")
    script(host, f"CREATE OR REPLACE DATABASE {SCRATCH};\nUSE {SCRATCH};\n{recorded}")
    try:
        ours, theirs = shape(host, layout.DATABASE), shape(host, SCRATCH)
        defaults = "SELECT settingKey, settingValue, settingCategory FROM globalSettings ORDER BY settingKey"
        settings = {row["settingKey"]: row for row in Sql(host, SCRATCH).rows(defaults)}
        own = {row["settingKey"]: row for row in Sql(host).rows(defaults)}
    finally:
        script(host, f"DROP DATABASE {SCRATCH};")
    assert {row["t"] for row in theirs["columns"]} == TABLES
    for what in ("engines", "keys"):
        assert sorted(map(str, ours[what])) == sorted(map(str, theirs[what]))
    assert ours["columns"] == theirs["columns"]
    # The address is the host's own, and the lab looks more often.
    for key in ("FOG_WEB_HOST", "MULTICASTSLEEPTIME"):
        assert own.pop(key)["settingCategory"] == settings[key]["settingCategory"]
    assert own == {key: settings[key] for key in own}

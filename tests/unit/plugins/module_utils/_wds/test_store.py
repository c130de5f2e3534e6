# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry says about WDS, from any text: what was printed is read, and nothing is made up."""

from ansible_collections.imaging.multicast.plugins.module_utils._wds import store, writes
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer
from ansible_collections.imaging.multicast.plugins.module_utils._wds.registry import fold, parse_registry
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from hypothesis import given
from hypothesis import strategies as st

LINE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20).map(str.strip)
PLAIN = LINE.filter(lambda text: "    REG_" not in text)
NAME = PLAIN.filter(lambda text: text and "\\" not in text)
NUMBER = st.integers(0, 2**32 - 1)
NUMBERS = ("Type", "SessionStartType", "SessionFlags", "MinClients", "StartTime")
TEXTS = ("FriendlyName", "Description", "ContentProvider", "Configuration")
ENTRY = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(NUMBERS, NUMBER), **dict.fromkeys(TEXTS, PLAIN), "Other": PLAIN}
)
ENTRIES = st.dictionaries(NAME, ENTRY, max_size=4).filter(lambda found: len(set(map(fold, found))) == len(found))
PARTS = (head_node.SERVICE, head_node.NAMESPACES, head_node.OWN, "\\A", "\\Reinstall", "\\Parameters", "\n", "\n\n")
LINES = ("    Type    REG_DWORD    0x1", "    ContentProvider    REG_SZ    WDS", "    Stage    REG_SZ    x", "?", "\r")
PIECES = st.lists(st.sampled_from(PARTS + LINES), max_size=12)


def values(entry):
    return [
        (name, "REG_DWORD", hex(data)) if isinstance(data, int) else (name, "REG_SZ", data)
        for name, data in entry.items()
    ]


def tree(path, entries):
    return parse_registry(head_node.printed([(path + "\\" + name, values(entry)) for name, entry in entries.items()]))


@given(ENTRIES)
def test_namespaces_are_read_as_they_were_printed(entries):
    found = store.read_namespaces(tree(head_node.NAMESPACES, entries))
    assert [each.name for each in found] == list(entries)
    for each in found:
        entry = entries[each.name]
        numbers = (each.type, each.session_start_type, each.session_flags, each.min_clients, each.start_time)
        assert numbers == tuple(entry.get(name) for name in NUMBERS)
        texts = (each.friendly_name, each.description, each.content_provider, each.configuration)
        assert texts == tuple(entry.get(name, "") for name in TEXTS)
        known = {"Type", "ContentProvider", "Configuration"} <= set(entry) and bool(entry["ContentProvider"])
        lost = any(store.lossy(entry.get(name, "")) for name in ("ContentProvider", "Configuration"))
        assert each.complete == (known and not lost)


@given(ENTRIES)
def test_providers_are_read_as_they_were_printed(entries):
    found = store.read_providers(tree(head_node.PROVIDERS, entries))
    assert [(each.name, each.description) for each in found] == [
        (name, entry.get("Description", "")) for name, entry in entries.items()
    ]


@given(ENTRY)
def test_parameters_and_settings_are_read_as_they_were_printed(entry):
    parameters = {"McStartAddr": "239.192.5.1", "UdpPortPolicy": 1, **entry}
    below = {"Parameters": parameters, "Providers\\WDSMC\\Protocol": {"ApBlockSize": 1385, **entry}}
    read = tree(head_node.SERVICE, below)
    assert store.read_parameters(read) == {name: str(data) for name, data in parameters.items()}
    settings = {
        "Parameters\\McStartAddr": "239.192.5.1",
        "Parameters\\UdpPortPolicy": "1",
        "Providers\\WDSMC\\Protocol\\ApBlockSize": "1385",
    }
    assert store.read_settings(read) == settings
    # The same of a copy, which may be anywhere.
    assert store.read_settings(tree(head_node.OWN + "\\Backups\\x", below), store.OWN + "\\Backups\\x") == settings
    assert store.read_settings(read, store.OWN) == {}


@given(PLAIN, PLAIN, PLAIN)
def test_the_place_of_a_reinstall_is_read_as_it_was_printed(stage, boot, started):
    entry = {"Stage": stage, "Boot": boot, "Started": started}
    assert store.read_place(tree(head_node.OWN, {"Reinstall": entry})) == (stage, boot, started)
    assert store.read_place(tree(head_node.OWN, {"Namespaces": entry})) is None


@given(st.lists(NAME, unique=True))
def test_the_namespaces_of_a_place_come_back_as_they_were_kept(names):
    (command,) = [
        item
        for item in writes.keep_place(store.Place("remove", "b", "s"), names)
        if getattr(item, "arguments", ())[3:4] == ("Namespaces",)
    ]
    kept = command.arguments[command.arguments.index("/d") + 1]
    text = head_node.printed([(head_node.OWN + "\\Reinstall", [("Namespaces", "REG_SZ", kept)])])
    assert writes.namespaces_of_place(Answer(0, text)) == tuple(names)


@given(st.one_of(st.text(), PIECES.map("".join)))
def test_any_text_is_read(text):
    read = parse_registry(text)
    for each in store.read_namespaces(read):
        assert not each.complete or (each.type is not None and each.content_provider)
        assert each.name in text
    assert all(each.name in text for each in store.read_providers(read))
    assert all(name in text for name in store.read_parameters(read))
    assert all(name.rpartition("\\")[2] in text for name in store.read_settings(read))
    place = store.read_place(read)
    assert place is None or place.stage in text
    assert all(name in text for name in writes.namespaces_of_place(Answer(0, text)))

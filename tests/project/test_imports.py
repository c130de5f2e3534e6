"""Arrows point downwards only: who may import whom in what is shipped (CONTRIBUTING, where things are)."""

import ast
import graphlib
from pathlib import Path

import pytest

from tests.project.tree import ROOT, files

COLLECTION = "ansible_collections.imaging.multicast."
UTILS = "plugins.module_utils."
#: The rooms of a wing, lowest first; each is a file of that name and those whose names go on after it.
ROOMS = ("snapshot", "diagnose", "plan", "apply")
NOT_SHIPPED = ("tests", "tools")


def dotted(file: Path) -> str:
    return ".".join(file.with_suffix("").parts)


def imported(file: Path) -> set[str]:
    """The names that a file imports anywhere in it, within functions too; the collection's own begin with plugins."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = file.parts[: len(file.parts) - node.level] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            # What is imported is a module of that package, or a name of that module.
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name.removeprefix(COLLECTION) for name in found}


SOURCES = [file for file in files() if file.suffix == ".py" and file.parts[0] in ("plugins", "extensions")]
NAMES = {dotted(file): imported(file) for file in SOURCES}
GRAPH = {name: NAMES.keys() & found for name, found in NAMES.items()}


def below(name: str) -> set[str]:
    """All that a module imports, and what that imports, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = GRAPH[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def reached(start: str, *forbidden: str) -> list[str]:
    """Which modules that begin with ``start`` reach one that begins with any of ``forbidden``, and which."""
    starts = [name for name in GRAPH if name.startswith(start)]
    assert starts, start
    return [f"{name} -> {each}" for name in starts for each in sorted(below(name)) if each.startswith(forbidden)]


def test_imports_are_seen():
    seen = GRAPH[f"{UTILS}_fog.change"]
    assert {f"{UTILS}_flow", f"{UTILS}_fog.rows", f"{UTILS}_fog.apply"} <= seen  # of .., of ., within a function
    assert GRAPH["plugins.action.wds_multicast_info"] >= {f"{UTILS}_wds.run", "plugins.plugin_utils._windows"}


def test_no_plugin_imports_in_a_circle():
    graphlib.TopologicalSorter({name: GRAPH[name] for name in GRAPH if name.startswith("plugins.")}).prepare()


def test_the_wings_know_nothing_of_each_other():
    assert reached(f"{UTILS}_fog.", f"{UTILS}_wds.") == []
    assert reached(f"{UTILS}_wds.", f"{UTILS}_fog.") == []


def test_what_the_wings_share_knows_neither():
    shared = [name for name in GRAPH if name.startswith(UTILS) and name.count(".") == UTILS.count(".")]
    assert f"{UTILS}_findings" in shared
    assert [
        bad for name in shared for bad in reached(name, *(f"{UTILS}{wing}." for wing in ("_fog", "_wds", "_probe")))
    ] == []


@pytest.mark.parametrize("wing", ["_fog", "_wds"])
@pytest.mark.parametrize("room", ROOMS[:-1])
def test_a_room_does_not_know_those_above_it(wing, room):
    above = ROOMS[ROOMS.index(room) + 1 :]
    assert reached(f"{UTILS}{wing}.{room}", *(f"{UTILS}{wing}.{each}" for each in above)) == []


def test_what_runs_on_targets_knows_nothing_of_the_controller_and_of_modules():
    others = sorted({".".join(name.split(".")[:2]) for name in GRAPH if name.startswith("plugins.")} - {UTILS[:-1]})
    assert {"plugins.action", "plugins.modules", "plugins.plugin_utils"} <= set(others)
    assert reached(UTILS, *(f"{each}." for each in others)) == []
    assert reached("plugins.modules.", "plugins.action.", "plugins.plugin_utils.") == []


def test_what_is_shipped_does_not_know_tests():
    # `plugins` does not know its users either; ansible-rulebook's source in `extensions` is one of them.
    for start, forbidden in (("plugins", (*NOT_SHIPPED, "extensions")), ("extensions", NOT_SHIPPED)):
        assert [
            f"{name} -> {each}"
            for name, found in NAMES.items()
            if name.startswith(f"{start}.")
            for each in sorted(found)
            if each.split(".")[0] in forbidden
        ] == []

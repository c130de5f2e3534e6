"""What is promised of every role: each variable is specified, documented and prefixed, and no inventory is assumed."""

import re
from pathlib import Path

import pytest
import yaml

from plugins.plugin_utils._report import RESULTS
from tests.project.tree import ROOT
from tools import roles_doc

ROLES = [path.parent for path in sorted((ROOT / "roles").glob("*/meta"))]
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
#: Variables that hold for several roles, or that a playbook or an earlier run sets (design section 3).
SHARED = {
    "multicast_broken",
    "multicast_look_required",
    "multicast_max_broken_percent",
    "multicast_probe",
    "multicast_probe_hosts",
}
GROUPS = {group for _, _, group in RESULTS} | {"multicast_probe_clients"}


def code(role: Path) -> dict[Path, str]:
    """The YAML that runs, by file, without comments. What meta/ only specifies is not among it."""
    found = [path for path in sorted(role.rglob("*.yml")) if path.parent.name != "meta"]
    return {path: re.sub(r"#.*", "", path.read_text()) for path in found}


def names(role: Path, text: str) -> set[str]:
    return set(re.findall(rf"\b{role.name}_\w+", text)) - MODULES


def assigned(node: object) -> set[str]:
    """Names that tasks set: by ``register``, ``set_fact`` and ``vars``."""
    if isinstance(node, list):
        return {name for each in node for name in assigned(each)}
    if not isinstance(node, dict):
        return set()
    here = {node["register"]} if "register" in node else set()
    for key in ("ansible.builtin.set_fact", "vars"):
        here |= set(node.get(key, {}))
    return here | {name for each in node.values() for name in assigned(each)}


def load(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text()) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_is_specified(role):
    options = roles_doc.specs(role)["main"]["options"]
    defaults = load(role / "defaults" / "main.yml")
    tasks = {name for path in role.glob("tasks/*.yml") for name in assigned(yaml.safe_load(path.read_text()))}
    texts = code(role).values()
    used = {name for text in texts for name in names(role, text)}
    used |= {name for name in SHARED for text in texts if re.search(rf"{{[^}}]*\b{name}\b", text)}
    assert used - tasks - set(load(role / "vars" / "main.yml")) == set(options)
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert plain == {name: option["default"] for name, option in options.items() if name in plain}
    assert {name for name, option in options.items() if "default" in option} == set(defaults)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_of_its_own_has_its_prefix(role):
    own = set(load(role / "defaults" / "main.yml")) | set(load(role / "vars" / "main.yml"))
    own |= {name for path in role.glob("tasks/*.yml") for name in assigned(yaml.safe_load(path.read_text()))}
    assert own
    assert not {name for name in own if not name.startswith(f"{role.name}_")}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_inventory_group_is_assumed(role):
    assert not {
        f"{path.name}: {word}"
        for path, text in code(role).items()
        for word in re.findall(r"\bgroups\b|\bgroup_names\b|" + "|".join(GROUPS), text)
    }


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_nothing_is_restarted_behind_the_back_of_a_gate(role):
    assert not list(role.glob("handlers/*"))
    assert not [path for path, text in code(role).items() if re.search(r"^\s*notify:", text, re.MULTILINE)]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_there_are_no_tags_and_the_readme_says_so(role):
    assert not [path for path, text in code(role).items() if re.search(r"^\s*(?:- )?tags:", text, re.MULTILINE)]
    assert "The role has no tags, because " in (role / "README.md").read_text()


def test_readmes_are_current():
    assert [page for page, text in roles_doc.pages().items() if page.read_text() != text] == [], "run: make docs"

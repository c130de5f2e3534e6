"""What the modules' documentation promises, held against what they do: examples, return values, attributes.

Every example is run: those for FOG in the lab, those for head nodes on simulated ones. What they return is compared
with RETURN, key by key, in both directions; what check mode, diff and a second run do, with the attributes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from extensions.head_nodes.machine import OWN, Live
from extensions.head_nodes.nodes import healthy_log
from plugins.module_utils._findings import finding
from tests.lab import controller
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.controller import Fleet
from tests.lab.fog.database import Sql
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.service import stop_database
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import held_daemon, sending, stale
from tests.lab.wds.conftest import Heads, breaking, heads, wds_authority
from tests.lab.windows.site import Site
from tests.project.tree import BIN, CACHE, ROOT, environment, run

__all__ = ["breaking", "heads", "wds_authority"]

COLLECTION = "imaging.multicast."
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))
WRITING = ("fog_multicast_reset", "fog_multicast_service", "fog_storage_iface", "wds_multicast_namespace",
           "wds_transport_server")  # fmt: skip
RESET, IFACE, SERVICE = "fog_multicast_reset", "fog_storage_iface", "fog_multicast_service"
FOG = ("fog_multicast_info", RESET, IFACE, SERVICE, "multicast_probe")
SERVER = "wds_transport_server"
ATTRIBUTES = ("check_mode", "diff_mode", "idempotent", "platform")
HERE = Path(__file__).parent

#: What Ansible adds to results, or every module may return.
COMMON = {"changed", "diff", "msg", "failed", "invocation", "warnings", "deprecations", "exception", "ansible_facts"}
COMMON |= {"ansible_stats", "attempts", "ansible_loop_var", "item"}
#: What a task that ran in the background adds.
BACKGROUND = {
    "ansible_job_id",
    "finished",
    "started",
    "results_file",
    "stdout",
    "stdout_lines",
    "stderr",
    "stderr_lines",
}
#: When a key is returned: the documentation's words, and what they mean for a result.
RETURNED: Mapping[str, Callable[["Record"], bool]] = {
    "always": lambda record: True,
    "success": lambda record: not record.failed,
    "success, and when a step failed": lambda record: not record.failed or "steps" in record.result,
    "success, when a step failed, and when the database cannot be used": lambda record: (
        not record.failed or "steps" in record.result or "database" in record.result["msg"]
    ),
    "when it sends or receives": lambda record: record.result.get("role") in ("sender", "receiver"),
    "for O(role=judge)": lambda record: record.result.get("role") == "judge",
    "when it fails for that reason": lambda record: (
        record.failed and "Failed to import the required Python library" in record.result["msg"]
    ),
}
TYPES: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,), "dict": (dict,), "float": (float, int), "int": (int,), "list": (list,), "str": (str,),
}  # fmt: skip
#: Examples that are only run in check mode, and why.
ONLY_CHECKED = {"Look for five minutes whether a switch forgets its members": "it takes five minutes"}
#: Examples that are not run a second time, because their module's attribute says that this would not be the same.
ONCE = {
    "End session 12, also when it is still sending": "a session that is named must be active",
    "Restart it after the storage node's address was corrected": "each run with restart restarts",
}


#: Documented keys that no run here gives a value, by module, and why.
NEVER_SEEN: Mapping[str, Mapping[str, str]] = {
    "fog_multicast_reset": {
        "lock_holder": "it takes two runs at once (tests/lab/test_reset.py)",
        "steps.gate": "it asks for no consent",
    },
    "fog_storage_iface": {"lock_holder": "as of fog_multicast_reset"},
    "multicast_probe": {
        "findings.gate": "nothing it finds waits for consent",
        **dict.fromkeys(
            [f"silences.{key}" for key in ("began", "bytes", "datagrams", "reports", "ended", "prompt")],
            "it takes a switch that forgets its members (tests/lab/test_probe.py)",
        ),
    },
    "wds_multicast_namespace": {"steps.gate": "it asks for no consent"},
    "wds_transport_server": {"steps.gate": "consent is asked for before there is a step"},
}


class Record(NamedTuple):
    """A result of a task: which of an example's runs it was (see ``tasks``), its module, whether it failed.

    Runs that are no example's are "failing" ones, "more" ones, and the starts of a "background" task.
    """

    run: str
    task: str
    module: str
    host: str
    failed: bool
    result: dict[str, Any]


def documentation() -> dict[str, Any]:
    """What ansible-doc says about each module, fragments included."""
    env = environment(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_HOME=str(CACHE / "ansible"))
    said = run(BIN / "ansible-doc", "--json", *(COLLECTION + module for module in MODULES), env=env)
    return {name.removeprefix(COLLECTION): page for name, page in json.loads(said).items()}


@pytest.fixture(scope="module")
def docs() -> dict[str, Any]:
    return documentation()


# --- running the examples -------------------------------------------------------------------------------------------


def tasks(examples: str, repeat: bool) -> Iterator[dict[str, Any]]:
    """The examples as tasks, their names led by the run; with ``repeat`` "check" and "again" surround "real"."""
    for task in yaml.safe_load(examples):
        name = task["name"]
        copy = {key: value for key, value in task.items() if key != "register"}
        if name in ONLY_CHECKED:
            yield {**task, "name": f"check: {name}", "check_mode": True}
        elif repeat and "check_mode" not in task:
            yield {**copy, "name": f"check: {name}", "check_mode": True}
            yield {**task, "name": f"real: {name}"}
            if name not in ONCE:
                yield {**copy, "name": f"again: {name}"}
        else:
            yield {**task, "name": f"{'check' if task.get('check_mode') else 'real'}: {name}"}


def play(
    fleet: Fleet, folder: Path, hosts: str, wanted: Sequence[Mapping[str, Any]], *options: str, **variables: Any
) -> list[Record]:
    """Run tasks on hosts of an inventory, with diff; their results."""
    recorded = folder / "recorded.jsonl"
    recorded.unlink(missing_ok=True)
    book, extra = folder / "examples.yml", folder / "variables.json"
    book.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "diff": True, "tasks": list(wanted)}]))
    extra.write_text(json.dumps(variables))
    env = {
        **environment(PATH=f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL="C.UTF-8"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(CACHE / "ansible"),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "recorder"),
        "ANSIBLE_CALLBACKS_ENABLED": "recorder",
        "RECORDED": str(recorded),
    }
    command = ["ansible-playbook", "-i", str(fleet.inventory), str(book), "-e", f"@{extra}", *options]
    done = fleet.run(command, check=False, env=env, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    controller.assert_quiet(done.stdout + done.stderr)
    found = []
    for line in recorded.read_text().splitlines():
        one = json.loads(line)
        led, _, name = one["task"].partition(": ")
        action = one["action"].removeprefix(COLLECTION)
        if action in MODULES or "role" in one["result"]:
            module = action if action in MODULES else "multicast_probe"
            started = "ansible_job_id" in one["result"] and "findings" not in one["result"]
            led = "background" if started else led
            found.append(Record(led, name, module, one["host"], one["failed"], one["result"]))
    return found


# --- comparing ------------------------------------------------------------------------------------------------------


def held(docs: Mapping[str, Any], modules: Sequence[str], records: Sequence[Record]) -> None:
    """Fail the test where the documentation of ``modules`` and their results differ; all differences at once."""
    assert {one.module for one in records} == set(modules)
    wrong: list[str] = []
    for module in modules:
        page, own = docs[module], [one for one in records if one.module == module]
        found = [
            *_examples(module, page["examples"], own),
            *_returned(page["return"], [one for one in own if one.run != "background"], NEVER_SEEN.get(module, {})),
            *_attributes(page["doc"].get("attributes", {}), [one for one in own if one.run != "background"]),
        ]
        wrong += [f"{module}: {each}" for each in found]
    assert not wrong, "\n".join(wrong)


def _examples(module: str, examples: str, records: Sequence[Record]) -> Iterator[str]:
    every = yaml.safe_load(examples)
    own = {task["name"] for task in every if COLLECTION + module in task}
    if not own:
        yield "there is no example"
    ran = {one.task for one in records if one.run in ("check", "real", "background")}
    yield from (f"the example {name!r} was not run" for name in own - ran)
    for one in records:
        if one.failed != (one.run == "failing"):
            yield f"{one.run} {one.task!r} on {one.host}: failed is {one.failed}: {one.result.get('msg')}"


def _returned(documented: Mapping[str, Any], records: Sequence[Record], never: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for one in records:
        more = BACKGROUND if "ansible_job_id" in one.result else set()
        keys = set(one.result) - COMMON - more
        where = f"{one.run} {one.task!r} on {one.host}"
        yield from (f"{where}: {key} is not documented" for key in keys - set(documented))
        for key, about in documented.items():
            when = about["returned"]
            if RETURNED[when](one) != (key in keys):
                yield f"{where}: {key}, documented as returned {when!r}, was {'' if key in keys else 'not '}returned"
            if key in keys:
                yield from (f"{where}: {each}" for each in _differences(about, one.result[key], key, seen))
    every = set(_paths(documented))
    yield from (f"{path} was never seen with a value" for path in sorted(every - seen - set(never)))
    yield from (f"{path} was seen with a value after all" for path in sorted(set(never) & seen))


def _paths(documented: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, about in documented.items():
        yield above + key
        yield from _paths(about.get("contains", {}), f"{above}{key}.")


def _differences(about: Mapping[str, Any], value: Any, path: str, seen: set[str]) -> Iterator[str]:
    words = about["description"]
    if value is None:
        if "null" not in (words if isinstance(words, str) else " ".join(words)):
            yield f"{path} is null, which its description does not tell"
        return
    seen.add(path)
    if not isinstance(value, TYPES[about["type"]]) or (isinstance(value, bool) and about["type"] != "bool"):
        yield f"{path} is documented as {about['type']}, and was {value!r}"
        return
    if "sample" in about and not isinstance(about["sample"], TYPES[about["type"]]):
        yield f"the sample of {path} is no {about['type']}"
    elements: list[Any] = value if isinstance(value, list) else [value]
    if isinstance(value, list):
        kind = TYPES[about["elements"]]
        yield from (f"{path} has {each!r}, no {about['elements']}" for each in value if not isinstance(each, kind))
    contains = about.get("contains")
    if contains is None:
        return
    for each in elements:
        yield from (f"{path}.{key} is not documented" for key in set(each) - set(contains))
        yield from (f"{path}.{key} was not returned" for key in set(contains) - set(each))
        for key in set(each) & set(contains):
            yield from _differences(contains[key], each[key], f"{path}.{key}", seen)


def _attributes(attributes: Mapping[str, Any], records: Sequence[Record]) -> Iterator[str]:
    for name in ATTRIBUTES:
        if attributes.get(name, {}).get("support") not in ("full", "partial", "none", "N/A"):
            yield f"the attribute {name} is not documented"
            return
        if attributes[name]["support"] == "partial" and not attributes[name].get("details"):
            yield f"the attribute {name} does not say what is partial"
    succeeded = [one for one in records if not one.failed]
    if attributes["check_mode"]["support"] != "full":
        yield "check mode is not supported"
    checks = {(one.task, one.host): one.result["changed"] for one in succeeded if one.run == "check"}
    for one in succeeded:
        # Had check mode done what it says, nothing would be left to change.
        if one.run == "real" and checks.get((one.task, one.host), one.result["changed"]) != one.result["changed"]:
            yield f"{one.task!r} on {one.host}: check mode said changed={not one.result['changed']}"
        if one.run == "again" and one.result["changed"]:
            yield f"{one.task!r} on {one.host} changed something again"
    changing = [one for one in succeeded if one.result["changed"]]
    # Whether a module changes anything is what diff_mode tells.
    writes = attributes["diff_mode"]["support"] == "full"
    if bool(changing) != writes:
        yield f"diff_mode is {attributes['diff_mode']['support']}, and {len(changing)} runs changed something"
    for one in succeeded:
        shown = [each for each in one.result.get("diff") or [] if each.get("before") != each.get("after")]
        if bool(shown) != one.result["changed"]:
            yield f"{one.run} {one.task!r} on {one.host}: changed={one.result['changed']} with the diff {shown}"
    full = attributes["idempotent"]["support"] == "full"
    if full and any(one.task in ONCE for one in records):
        yield "an example cannot be run twice, and the attribute idempotent does not say so"


# --- the modules ----------------------------------------------------------------------------------------------------


def task(why: str, module: str, **arguments: Any) -> dict[str, Any]:
    """A task that is no example; ``why`` begins with the kind of run."""
    return {"name": why, "ignore_errors": why.startswith("failing: "), COLLECTION + module: arguments}


def fog_examples(lab: Lab, boot: Boot, docs: Mapping[str, Any], folder: Path) -> Iterator[Record]:
    """The results of the examples of the FOG modules and the probe."""

    def examples(module: str, host: Host, **variables: Any) -> list[Record]:
        return play(lab, folder, host.name, list(tasks(docs[module]["examples"], module in WRITING)), **variables)

    with borrowed(lab, boot, "fog1", "client1", "client2") as (fog1, *_clients):
        sql = Sql(fog1)
        sql.run("CREATE OR REPLACE USER 'fogreader'@'localhost' IDENTIFIED BY 'reader'")
        sql.run("GRANT SELECT ON fog.* TO 'fogreader'@'localhost'")
        sql.run("ALTER TABLE multicastSessions AUTO_INCREMENT = 11")
        (first,) = stale(fog1, fog1, "stale")
        second = sending(fog1, fog1, "live")
        assert (first.id, second.id) == (11, 12)
        with held_daemon(fog1):
            yield from examples("fog_multicast_info", fog1, vault_fogreader_password="reader")
            without = task("failing: no place for a backup", RESET, backup_dir="/etc/hostname/backups")
            yield from play(lab, folder, fog1.name, [without])
            yield from examples(RESET, fog1)
    with borrowed(lab, boot, "fog1") as (fog1,):
        FAULTS["record-stale"](lab, fog1)
        FAULTS["two-masters"](lab, fog1)
        with_gate = [task("more: a finding with a gate", module) for module in ("fog_multicast_info", RESET, SERVICE)]
        yield from play(lab, folder, fog1.name, with_gate, "--check")
        yield from examples(IFACE, fog1)
        FAULTS["record-stale"](lab, fog1)
        FAULTS["service-stopped"](lab, fog1)
        yield from examples(SERVICE, fog1)
        sending(fog1, fog1)
        FAULTS["child-dead"](lab, fog1)
        yield from play(lab, folder, fog1.name, [task("more: a step with a gate", SERVICE)])
        yield from examples("multicast_probe", fog1)
        stop_database(fog1)
        yield from play(lab, folder, fog1.name, [task("failing: no database", module) for module in (RESET, IFACE)])


def without_libraries(lab: Lab, folder: Path) -> list[Record]:
    """The results of the FOG modules on a host without their libraries: this one, with a settings file."""
    settings = folder / "fogsettings"
    settings.write_text("snmysqluser='fog'\nsnmysqlpass='secret'\nsnmysqlhost='localhost'\nmysqldbname='fog'\n")
    given: Mapping[str, Mapping[str, Any]] = {"multicast_probe": {"role": "sender"}}
    wanted = [
        task("failing: no libraries", module, fog_settings=str(settings), **given.get(module, {})) for module in FOG
    ]
    python = {"ansible_connection": "local", "ansible_python_interpreter": str(BIN / "python")}
    return play(lab, folder, "localhost", wanted, **python)


def test_the_fog_modules_and_the_probe(lab: Lab, boot: Boot, docs: dict[str, Any], tmp_path: Path) -> None:
    held(docs, FOG, [*fog_examples(lab, boot, docs, tmp_path), *without_libraries(lab, tmp_path)])


def test_the_modules_for_head_nodes(heads: Heads, breaking: None, docs: dict[str, Any], tmp_path: Path) -> None:
    same = {"computer_name": "HEADNODE", "configuration": "D:\\Images"}
    missing = {**same, "faults": ["missing-namespace"]}
    fleet = heads(
        {
            "kept": {**missing, "baseline": True},
            "bare": missing,
            "stopped": {**same, "baseline": True, "faults": ["service-disabled"]},
            "lost": missing,
            "halfway": {**missing, "faults": ["missing-namespace", "exit-code-1"]},
        }
    )
    place = {"Stage": "removed", "Boot": "20260101000000.000000+000", "Started": "20260101T101500Z"}
    for name, value in place.items():
        fleet.machines["halfway"].registry.set(f"{OWN}\\Reinstall", name, "REG_SZ", value)
    log = "\r\n".join(f"09/16/09 15:21:33: {line}" for line in healthy_log("HEADNODE-CCP")).encode()
    for machine in (fleet.machines["kept"], fleet.machines["bare"]):
        machine.files.put("D:\\Spool\\DeploymentLogs\\NODE001\\NODE001-20260101-101500.log", machine.now(), log)
        machine.new_namespace(Live("OLD-CCP", "WDS", "D:\\Images", "OLD-CCP"))
    records: list[Record] = []
    for module, hosts in (
        ("wds_multicast_info", "all"),
        ("wds_multicast_namespace", "kept:bare"),
        (SERVER, "stopped:lost"),
    ):
        wanted = list(tasks(docs[module]["examples"], module in WRITING))
        records += play(fleet.site, tmp_path, hosts, wanted)
    more = [task("more: an interrupted reinstall", SERVER), task("more: no consent", SERVER, state="reinstalled")]
    records += play(fleet.site, tmp_path, "halfway", more, "--check")
    held(docs, [module for module in MODULES if module.startswith("wds_")], records)


def test_the_modules_that_contact_no_host(docs: dict[str, Any], tmp_path: Path) -> None:
    fleet = Site(tmp_path, {"fog1": "192.0.2.1", "fog2": "192.0.2.2"})
    records = []
    for module in ("multicast_guard", "multicast_summary"):
        wanted = list(tasks(docs[module]["examples"], repeat=True))
        seen = {"findings": [finding("fog.image.missing", "session 1", "It is gone.").as_dict()], "changed": False}
        records += play(fleet, tmp_path, "all", wanted, fog_multicast_result=seen)
    held(docs, ["multicast_guard", "multicast_summary"], records)


def test_every_module_has_its_place_here() -> None:
    wds = [module for module in MODULES if module.startswith("wds_")]
    assert sorted([*FOG, *wds, "multicast_guard", "multicast_summary"]) == MODULES

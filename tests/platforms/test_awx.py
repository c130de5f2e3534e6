"""extensions/awx/configure.yml against a stand-in for AWX's API, which knows what the installed clients know."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.platforms.awx.server import UNIFIED, VERSION, Awx, Request, serving
from tests.project.bundled import bundled
from tests.project.tree import ROOT, environment, run
from tests.project.venvs import platform

PROJECT = ROOT / "extensions" / "awx"
TOKEN = "t0ken-of-the-administrator"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
SECRETS = (TOKEN, "c2VjcmV0", "database-secret", "domain-secret")
PAGE = ROOT / "docs" / "awx.md"


def mine() -> dict[str, Any]:
    """What the page tells people to give, with secrets where it has dots; and an inventory file."""
    told: dict[str, Any] = {}
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S):
        told |= yaml.safe_load(block)
    told["multicast_awx_machine"]["ssh_key_data"] = KEY
    told["multicast_awx_fog_database"]["password"] = "database-secret"
    told["multicast_awx_head_nodes"]["password"] = "domain-secret"
    assert "multicast_awx_inventory_files" not in told
    return {**told, "multicast_awx_inventory_files": ["inventory.yml"]}


# What AWX calls a playbook when it looks through a project (utils/ansible.py).
_PLAYBOOK = re.compile(r"^\s*?-?\s*?(?:hosts|(?:ansible\.builtin\.)?import_playbook):\s*?.*?$", re.M)
_CHANGED = re.compile(r"^TASK \[(?P<task>.*?)\] \**|^changed: \[localhost\](?: => \(item=(?P<item>[^)]+)\))?", re.M)
# How python-dateutil and awx.awx's own lookup read the schedule's rule: its first days, and the rule for those days.
_RRULE = """
import json, sys
from dateutil import rrule
sys.path.insert(0, sys.argv[1])
from ansible_collections.awx.awx.plugins.lookup.schedule_rrule import LookupModule
days = [str(day) for day in rrule.rrulestr(sys.argv[2])[:2]]
daily = LookupModule().get_rrule("day", {"start_date": "2026-01-01 02:00:00", "timezone": "UTC"})
print(json.dumps([days, daily]))
"""


class Run(NamedTuple):
    """One run of configure.yml: exit code, output, tasks (and items) that changed, what AWX was asked, and refused."""

    code: int
    output: str
    changed: list[str]
    requests: list[Request]
    refused: list[str]

    def writes(self) -> list[Request]:
        """The requests that were to change something."""
        return [request for request in self.requests if request.method != "GET"]


class Seen(NamedTuple):
    """Runs on an empty AWX, to look and for real; then on that one again, and to look with another wish."""

    awx: Awx
    looked: Run
    made: Run
    again: Run
    wished: Run


@pytest.fixture(scope="module")
def schema() -> Mapping[str, Any]:
    """What the installed clients know of the API."""
    reader = Path(__file__).parent / "awx" / "schema.py"
    told: Mapping[str, Any] = json.loads(run(platform("awx") / "python", reader, bundled("awx")))
    return told


@pytest.fixture
def awx(schema: Mapping[str, Any]) -> Awx:
    """A fresh AWX whose projects all have the files of extensions/awx/templates."""
    return _awx(schema)


def _awx(schema: Mapping[str, Any]) -> Awx:
    return Awx(
        schema,
        TOKEN,
        [file.name for file in (PROJECT / "templates").glob("*.yml") if _PLAYBOOK.search(file.read_text())],
    )


def _configured(
    folder: Path, awx: Awx, *options: str, project: Path = PROJECT, told: Mapping[str, Any] | None = None
) -> Run:
    """One run of the playbook of ``project`` with ``told``, which is ``mine()`` unless given."""
    folder.mkdir(exist_ok=True)
    (folder / "mine.json").write_text(json.dumps(mine() if told is None else told))
    before = len(awx.requests)
    with serving(awx) as address:
        done = subprocess.run(
            [platform("awx") / "ansible-playbook", project / "configure.yml", "-e", f"@{folder}/mine.json", *options],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env=environment(
                ANSIBLE_COLLECTIONS_PATH=str(bundled("awx")),
                ANSIBLE_HOME=str(folder / "home"),
                ANSIBLE_LOCALHOST_WARNING="False",
                ANSIBLE_INVENTORY_UNPARSED_WARNING="False",
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_PIPELINING="True",
                CONTROLLER_HOST=address,
                CONTROLLER_OAUTH_TOKEN=TOKEN,
                HOME=str(folder),
            ),
        )  # fmt: skip
    changed, task = [], ""
    for found in _CHANGED.finditer(done.stdout):
        if found["task"]:
            task = found["task"]
        else:
            changed.append(f"{task}: {found['item']}" if found["item"] else task)
    return Run(done.returncode, done.stdout + done.stderr, changed, awx.requests[before:], awx.refused)


@pytest.fixture(scope="module")
def seen(schema: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("awx")
    awx = _awx(schema)
    with ThreadPoolExecutor(2) as pool:
        looked = pool.submit(_configured, folder / "looked", _awx(schema), "--check")
        made = _configured(folder / "made", awx, "-vvv")
        wish = ("--check", "-e", "multicast_awx_slices=3")
        wished = pool.submit(_configured, folder / "wished", awx.copy(), *wish)
        return Seen(awx, looked.result(), made, _configured(folder / "again", awx), wished.result())


def test_nothing_is_refused_and_nothing_warned_of(seen: Seen) -> None:
    for each in (seen.looked, seen.made, seen.again, seen.wished):
        assert each.code == 0, each.output
        assert "[WARNING]" not in each.output
        assert "[DEPRECATION" not in each.output
        assert each.refused == []


def test_check_mode_tells_what_would_be_made_and_makes_nothing(seen: Seen) -> None:
    assert seen.looked.changed == [
        "Execution environment",
        "Project",
        "Inventory",
        "Credential types: fog database",
        "Credential types: head nodes",
        "Notification",
        "Say what check mode could not look at",
    ]
    assert seen.looked.writes() == []


def test_the_second_run_changes_nothing(seen: Seen) -> None:
    assert seen.again.changed == []
    assert seen.again.writes() == []
    assert len(seen.again.requests) > 50  # it did ask


def test_check_mode_tells_exactly_what_would_change(seen: Seen) -> None:
    assert seen.wished.changed == ["Job template repair"]
    assert seen.wished.writes() == []


def test_job_templates(seen: Seen) -> None:
    awx = seen.awx
    check, repair = (awx.named("job_templates", f"Multicast {name}") for name in ("check", "repair"))
    assert (check["playbook"], check["job_slice_count"]) == ("check.yml", 1)
    assert (repair["playbook"], repair["job_slice_count"], repair["survey_enabled"]) == ("repair.yml", 2, True)
    for template in (check, repair):
        name = template["name"]
        assert template["execution_environment"] == awx.named("execution_environments", "Multicast")["id"]
        assert template["project"] == awx.named("projects", "Multicast")["id"]
        assert template["inventory"] == awx.named("inventories", "Multicast")["id"]
        assert awx.linked("job_templates", name, "instance_groups") == ["default"]
        assert sorted(awx.linked("job_templates", name, "credentials")) == [
            "Multicast fog database",
            "Multicast head nodes",
            "Multicast machine",
        ]
    assert awx.named("execution_environments", "Multicast")["image"] == mine()["multicast_awx_image"]
    assert sorted(awx.linked("groups", "fog_servers", "hosts")) == ["fog.example.org", "storage1.example.org"]
    assert json.loads(awx.named("hosts", "headnode.example.org")["variables"]) == {}
    assert json.loads(awx.named("groups", "hpc_head_nodes")["variables"]) == {
        "ansible_connection": "winrm",
        "ansible_winrm_transport": "ntlm",
        "ansible_user": "{{ multicast_head_node_user }}",
        "ansible_password": "{{ multicast_head_node_password }}",
    }
    source = awx.named("inventory_sources", "Multicast inventory.yml")
    assert (source["source_path"], source["source_project"]) == ("inventory.yml", repair["project"])


def test_the_workflow_checks_asks_repairs_and_tells(seen: Seen) -> None:
    awx = seen.awx
    templates = [each for kind in UNIFIED for each in awx.objects[kind].values()]
    names = {each["id"]: each["name"] for each in templates}
    nodes = awx.objects["workflow_job_template_nodes"].values()
    assert {node["identifier"]: names[node["unified_job_template"]] for node in nodes} == {
        "check": "Multicast check",
        "approve": "Multicast approve",
        "repair": "Multicast repair",
    }
    ways = {
        (node["identifier"], when, following)
        for node in nodes
        for when in ("always_nodes", "success_nodes", "failure_nodes")
        for following in awx.linked("workflow_job_template_nodes", node["identifier"], when)
    }
    # The check ends non-zero when a host needs a person, and its stat must reach the repair all the same.
    assert ways == {("check", "always_nodes", "approve"), ("approve", "success_nodes", "repair")}
    for when in ("approvals", "success", "error"):
        linked = awx.linked("workflow_job_templates", "Multicast workflow", f"notification_templates_{when}")
        assert linked == ["Multicast"]
    workflow = awx.named("workflow_job_templates", "Multicast workflow")
    schedule = awx.named("schedules", "Multicast")
    assert (schedule["unified_job_template"], schedule["enabled"]) == (workflow["id"], True)
    # What a template or a survey sets wins over what an earlier job hands on, which is multicast_broken.
    told = {each["name"]: json.loads(each["extra_vars"]) for each in (*templates, workflow) if each.get("extra_vars")}
    assert told == {"Multicast repair": {"multicast_look_required": True}}


def test_the_survey_asks_for_the_gates_of_the_roles(seen: Seen) -> None:
    gates = {"multicast_max_broken_percent": 50}
    for role in ("fog_multicast", "wds_multicast"):
        told = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
        options = told["argument_specs"]["main"]["options"]
        gates |= {name: str(option["default"]).lower() for name, option in options.items() if "_allow_" in name}
    for kind, name in (("job_templates", "Multicast repair"), ("workflow_job_templates", "Multicast workflow")):
        survey = seen.awx.survey(kind, name)
        assert {question["variable"]: question["default"] for question in survey["spec"]} == gates
        assert all(question["required"] for question in survey["spec"])


def test_no_secret_is_shown(seen: Seen) -> None:
    for each in (seen.looked, seen.made, seen.again, seen.wished):
        assert [secret for secret in SECRETS if secret in each.output] == []
    # They did arrive where they belong.
    inputs = [each["inputs"] for each in seen.awx.objects["credentials"].values()]
    assert [secret for secret in SECRETS[1:] if secret not in json.dumps(inputs)] == []


def test_the_rule_of_the_schedule_is_one(seen: Seen) -> None:
    rule = seen.awx.named("schedules", "Multicast")["rrule"]
    days, daily = json.loads(run(platform("awx") / "python", "-c", _RRULE, bundled("awx"), rule))
    assert days == ["2026-01-01 02:00:00+00:00", "2026-01-02 02:00:00+00:00"]
    assert rule == daily


def test_the_least_that_is_needed(awx: Awx, tmp_path: Path) -> None:
    """No variable that has a default; the hosts come from a file of the project."""
    files = "multicast_awx_inventory_files"
    needed = (
        "multicast_awx_scm_url",
        "multicast_awx_image",
        "multicast_awx_machine",
        "multicast_awx_notification",
        files,
    )
    least = {name: value for name, value in mine().items() if name in needed}
    made, again = (_configured(tmp_path / each, awx, told=least) for each in ("made", "again"))
    for each in (made, again):
        assert each.code == 0, each.output
        assert "[WARNING]" not in each.output
    assert awx.refused == []
    assert again.changed == []
    assert again.writes() == []
    assert awx.linked("job_templates", "Multicast repair", "credentials") == ["Multicast machine"]
    assert awx.named("inventory_sources", "Multicast inventory.yml")["source_path"] == "inventory.yml"
    assert not {"hosts", "groups"} & set(awx.objects)
    assert "Multicast workflow" in [each["name"] for each in awx.objects["workflow_job_templates"].values()]


def test_pins() -> None:
    files = [folder / "collections" / "requirements.yml" for folder in (PROJECT, PROJECT / "templates")]
    pins = {each["name"]: each["version"] for file in files for each in _yaml(file)["collections"]}
    manifest = json.loads((bundled("awx") / "ansible_collections" / "awx" / "awx" / "MANIFEST.json").read_text())
    assert pins == {
        "awx.awx": manifest["collection_info"]["version"],
        "imaging.multicast": _yaml(ROOT / "galaxy.yml")["version"],
    }
    assert pins["awx.awx"] == VERSION
    assert f"awxkit=={VERSION} " in (Path(__file__).parent / "requirements" / "awx.txt").read_text()


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def test_a_wrong_name_in_the_playbook_ends_it(awx: Awx, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    playbook = project / "tasks" / "objects.yml"
    text = playbook.read_text()
    assert text.count(" image: ") == 1
    playbook.write_text(text.replace(" image: ", " picture: "))
    done = _configured(tmp_path / "run", awx, project=project)
    assert done.code == 2
    assert "Unsupported parameters for (awx.awx.execution_environment) module: picture" in done.output
    assert done.writes() == []


SURVEYS = "/api/v2/workflow_job_templates/5/survey_spec/"
QUESTION = {"question_name": "Why?", "variable": "why", "type": "text", "required": True}
CHOICE = {**QUESTION, "type": "multiplechoice", "choices": ["yes"], "default": "no"}
INPUTS = {"fields": [{"id": "user", "label": "User"}]}


def _asking(question: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "", "description": "", "spec": [question]}


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("GET", "/api/v2/wishes/", None, "no such resource"),
        ("GET", "/api/v2/job_templates/?playbok=x", None, "no filter"),
        ("GET", "/api/v2/organizations/99/", None, "no such object"),
        ("OPTIONS", "/api/v2/projects/", None, "not modelled"),
        ("DELETE", "/api/v2/organizations/1/", None, "not modelled"),
        ("POST", "/api/v2/organizations/", {"name": "Other"}, "not modelled"),
        ("POST", SURVEYS, {"name": "", "spec": []}, "a survey has"),
        ("POST", SURVEYS, _asking({**QUESTION, "chioces": []}), "unknown ['chioces']"),
        ("POST", SURVEYS, _asking(CHOICE), "no choice"),
        ("POST", SURVEYS, _asking({**QUESTION, "type": "boolean"}), "survey"),
        ("POST", "/api/v2/workflow_job_templates/5/success_nodes/", {"id": 1}, "no such resource"),
        ("POST", "/api/v2/workflow_job_templates/5/notification_templates_error/", {"id": 99}, "no object of"),
    ],
)
def test_the_stand_in_refuses(awx: Awx, method: str, path: str, body: Any, why: str) -> None:
    _refused(awx, Request(method, path, body), why)


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("projects", {"name": None}, "may not be null"),
        ("projects", {"scm_ulr": "x"}, "no field 'scm_ulr'"),
        ("projects", {"scm_type": "cvs"}, "none of"),
        ("projects", {"organization": 77}, "no object has the id 77"),
        ("projects", {"scm_update_on_launch": "yes"}, "no bool"),
        ("inventories", {"variables": {"a": 1}}, "no text of an object"),
        ("schedules", {"rrule": "RRULE:FREQ=DAILY;INTERVAL=1"}, "valid DTSTART"),
        ("schedules", {"rrule": "DTSTART:20260101T020000 RRULE:FREQ=DAILY;INTERVAL=1"}, "naive"),
        ("schedules", {"rrule": "DTSTART:20260101T020000Z RRULE:FREQ=DAILY"}, "INTERVAL"),
        ("job_templates", {"project": 4, "playbook": "chek.yml"}, "playbook not found"),
        (
            "notification_templates",
            {"notification_type": "webhook", "notification_configuration": {"ulr": ""}},
            "['ulr']",
        ),
        ("credential_types", {"kind": "cloud", "inputs": INPUTS, "injectors": {"env": {"U": "{{ usr }}"}}}, "['usr']"),
        ("credentials", {"organization": 1, "credential_type": 3, "inputs": {"usrname": "x"}}, "['usrname']"),
        ("workflow_job_templates", {"name": "W"}, "already"),
    ],
)
def test_the_stand_in_refuses_to_make(awx: Awx, kind: str, body: Mapping[str, Any], why: str) -> None:
    _refused(awx, Request("POST", f"/api/v2/{kind}/", {"name": "N", **body}), why)


def _refused(awx: Awx, request: Request, why: str) -> None:
    """Fail unless an AWX with a project (4) and a workflow (5) refuses the request."""
    token = f"Bearer {TOKEN}"
    project = awx.answer(Request("POST", "/api/v2/projects/", {"name": "Q", "scm_type": "git"}), token)
    assert (project.status, project.body["id"]) == (201, 4)
    while "current_update" in awx.answer(Request("GET", "/api/v2/projects/4/", None), token).body["summary_fields"]:
        awx.answer(Request("GET", "/api/v2/project_updates/4/", None), token)
    assert awx.answer(Request("POST", "/api/v2/workflow_job_templates/", {"name": "W"}), token).status == 201
    assert awx.refused == []
    assert awx.answer(request, token).status == 400
    (told,) = awx.refused
    assert why in told


def test_the_stand_in_wants_the_token(awx: Awx) -> None:
    assert awx.answer(Request("GET", "/api/v2/projects/", None), "Bearer other").status == 400
    assert "the token is wrong" in awx.refused[0]

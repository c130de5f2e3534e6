"""What AWX does to run a job: the inventory or a slice of it, private data, ansible-runner, what it keeps of the run.

Written after AWX 24: ``Inventory.get_script_data``, ``tasks/jobs.py``, ``utils/safe_yaml.py``,
``models/workflow.py`` (``WorkflowJobNode.get_job_kwargs``) and ``tasks/callback.py``.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.project.tree import environment

_TIMEOUT = 600.0
_FORKS = 20

Script = dict[str, Any]


class Inventory(NamedTuple):
    """An inventory of AWX: the variables of all, of groups and of hosts, and the hosts of each group."""

    variables: Mapping[str, Any]
    groups: Mapping[str, Sequence[str]]
    group_variables: Mapping[str, Mapping[str, Any]]
    hosts: Mapping[str, Mapping[str, Any]]

    def script(self, number: int = 0, count: int = 1) -> Script:
        """What a job, or slice ``number`` (from 1) of ``count``, gets of it: every ``count``-th host by name.

        A group stays without its hosts of other slices, and is left out when it has neither hosts nor variables; hosts
        of no group are direct members of all.
        """
        names = sorted(self.hosts)
        if number > 0 and count > 1:
            names = names[number - 1 :: count]
        data: Script = {"all": {"vars": dict(self.variables)}} if self.variables else {"all": {}}
        grouped: set[str] = set()
        for group, members in self.groups.items():
            own = [name for name in members if name in names]
            grouped.update(own)
            told: Script = {"hosts": own} if own else {}
            if self.group_variables.get(group):
                told["vars"] = dict(self.group_variables[group])
            if told:
                data[group] = told
        data["all"]["hosts"] = [name for name in names if name not in grouped]
        data["all"]["children"] = list(self.groups)
        data["_meta"] = {"hostvars": {name: dict(self.hosts[name], remote_tower_enabled="true") for name in names}}
        return data


class Finished(NamedTuple):
    """What is left of a job: exit code, AWX's status of it, events in order, the text a person sees."""

    rc: int
    status: str
    events: Sequence[Mapping[str, Any]]
    stdout: str

    @property
    def stats(self) -> Mapping[str, Any]:
        """The data of the event with which a playbook ends; AWX counts hosts from it."""
        (found,) = (event["event_data"] for event in self.events if event["event"] == "playbook_on_stats")
        return dict(found)

    @property
    def artifacts(self) -> Mapping[str, Any]:
        """The stats of the run, which AWX hands to the next nodes of a workflow."""
        return dict(self.stats.get("artifact_data") or {})

    @property
    def hosts(self) -> set[str]:
        """The hosts that took part."""
        return set(self.stats["processed"])


class _Untrusted(yaml.SafeDumper):
    """Writes every text as ``!unsafe``, so that nothing which came from a person or a run is a template."""

    def represent_data(self, data: Any) -> yaml.Node:
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


def untrusted(variables: Mapping[str, Any]) -> str:
    """Variables as AWX writes those of surveys, artifacts and credentials."""
    return yaml.dump(dict(variables), Dumper=_Untrusted, default_flow_style=False)


class Engine(NamedTuple):
    """ansible-runner in ``programs`` (a virtual environment's bin); ``enter`` makes a command run where the hosts are.

    ``collections`` is the folder that AWX's project update installed the project's collections into, ``project`` the
    project's files, ``key`` the machine credential's ssh key.
    """

    programs: Path
    enter: Callable[[Sequence[str]], list[str]]
    project: Path
    collections: Path
    key: str

    def run(
        self, folder: Path, ident: int, playbook: str, inventory: Script, variables: Mapping[str, Any],
        credential: Mapping[str, Any],
    ) -> Finished:  # fmt: skip
        """Run one job the way AWX does: transmit its private data, work it off elsewhere, process what comes back.

        ``variables`` are the job's extra variables, ``credential`` those that a credential's injectors add.
        """
        control, there = folder / "control", folder / "execution"
        there.mkdir(parents=True)
        self._private_data(control, there, inventory, variables, credential)
        env = environment(HOME=str(folder), PATH=f"{self.programs}:{environment()['PATH']}", LC_ALL="C.UTF-8")
        runner = str(self.programs / "ansible-runner")

        def stage(command: Sequence[str], sent: bytes) -> bytes:
            done = subprocess.run(command, input=sent, capture_output=True, env=env, timeout=_TIMEOUT, check=False)
            assert done.stdout, f"{command} said nothing: {done.stderr.decode(errors='replace')[-4000:]}"
            return done.stdout

        sent = stage([runner, "transmit", str(control), "--playbook", playbook, "--ident", str(ident)], b"")
        came = stage(self.enter([runner, "worker", "--private-data-dir", str(there)]), sent)
        stage([runner, "process", str(control), "--ident", str(ident)], came)
        return _finished(control / "artifacts" / str(ident))

    def _private_data(
        self, control: Path, there: Path, inventory: Script, variables: Mapping[str, Any], credential: Mapping[str, Any]
    ) -> None:
        for name in ("env", "inventory"):
            (control / name).mkdir(parents=True)
        shutil.copytree(self.project, control / "project")
        shutil.copytree(self.collections, control / "requirements_collections")
        script = control / "inventory" / "hosts"
        script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(inventory)!r})\n")
        script.chmod(0o700)
        texts = {
            "ssh_key": self.key,
            "extravars": untrusted(variables),
            "credential": untrusted(credential),
            "cmdline": f"-u root --forks {_FORKS} -e @{there / 'env' / 'credential'}",
            "settings": json.dumps({"job_timeout": _TIMEOUT, "suppress_ansible_output": True}),
            "envvars": json.dumps(
                {
                    "ANSIBLE_COLLECTIONS_PATH": str(there / "requirements_collections"),
                    "ANSIBLE_HOME": str(there / "home"),
                    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
                    "ANSIBLE_FORCE_COLOR": "True",
                    "AWX_PRIVATE_DATA_DIR": str(there),
                }
            ),
        }
        for name, text in texts.items():
            file = control / "env" / name
            file.touch(0o600)
            file.write_text(text)


def _finished(artifacts: Path) -> Finished:
    events = [json.loads(file.read_text()) for file in (artifacts / "job_events").glob("*.json")]
    return Finished(
        int((artifacts / "rc").read_text()),
        (artifacts / "status").read_text(),
        sorted(events, key=lambda event: int(event["counter"])),
        (artifacts / "stdout").read_text(),
    )

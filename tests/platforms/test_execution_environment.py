"""The execution environment of docs/execution-environment.md: what its build would install, and that the playbook runs.

No container engine runs here. Each step of the image's build that concerns the collection is done with the context's
own files instead.
"""

import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.lab.conftest import Boot
from tests.lab.lab import Lab
from tests.lab.wds.together import PSRP
from tests.platforms.installed import Installed, broken
from tests.project.tree import CACHE, ROOT, environment, run
from tests.project.venvs import platform, venv

PAGE = ROOT / "docs" / "execution-environment.md"
PYTHON = (ROOT / ".venv" / "bin" / "python").resolve()
#: What bindep is told by Fedora, RHEL, Debian and Ubuntu.
PLATFORMS = {
    "fedora": ("platform:fedora", "platform:redhat", "platform:rpm"),
    "rhel": ("platform:rhel", "platform:redhat", "platform:rpm"),
    "debian": ("platform:debian", "platform:dpkg"),
    "ubuntu": ("platform:ubuntu", "platform:dpkg"),
}
NAMES_OF_PACKAGES = """
import sys
from pathlib import Path
from bindep.depends import Depends
depends = Depends(Path(sys.argv[1]).read_text())
print(*sorted(rule[0] for rule in depends.active_rules(sys.argv[2:])))
"""


class Context(NamedTuple):
    """A build context: its folder, and what the image's build would be told to install."""

    folder: Path
    pip: Path
    bindep: Path


@pytest.fixture(scope="module")
def tools() -> Path:
    return platform("execution-environment")


@pytest.fixture(scope="module")
def context(archive: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context that ansible-builder makes of the page's definition, and what the collection in it asks for."""
    top = tmp_path_factory.mktemp("ee")
    text = PAGE.read_text()
    (top / "execution-environment.yml").write_text(re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)[0])
    shutil.copy(archive, top)
    env = environment(HOME=str(top), ANSIBLE_HOME=str(top / "ansible"), PATH=f"{tools}:/usr/bin:/bin")
    run(tools / "ansible-builder", "create", "--output-filename", "Containerfile", cwd=top, env=env)
    build = top / "context" / "_build"
    steps = (top / "context" / "Containerfile").read_text()
    assert "install $ANSIBLE_GALAXY_CLI_COLLECTION_OPTS -r requirements.yml --collections-path" in steps
    assert "scripts/introspect.py introspect" in steps
    collections = top / "collections"
    install = ("collection", "install", "--offline", "-r", "requirements.yml", "--collections-path", collections)
    run(tools / "ansible-galaxy", *install, cwd=build, env=env)
    pip, bindep = top / "pip.txt", top / "bindep.txt"
    asked = (f"--write-pip={pip}", f"--write-bindep={bindep}", collections)
    run(tools / "python", build / "scripts" / "introspect.py", "introspect", *asked, cwd=top, env=env)
    return Context(top / "context", pip, bindep)


def names(requirements: Path) -> set[str]:
    return {line.split()[0].lower() for line in requirements.read_text().splitlines() if line}


def test_the_page_names_this_version(archive: Path) -> None:
    assert set(re.findall(r"imaging-multicast-[^ ]*\.tar\.gz", PAGE.read_text())) == {archive.name}


def test_it_asks_for_what_the_connections_need(context: Context) -> None:
    assert names(context.pip) == {"pypsrp", "pywinrm"}


@pytest.mark.parametrize("name", PLATFORMS)
def test_it_asks_for_the_ssh_client_of_a_platform(context: Context, tools: Path, name: str) -> None:
    said = run(tools / "python", "-c", NAMES_OF_PACKAGES, context.bindep, *PLATFORMS[name])
    assert said.split() == ["openssh-clients" if "platform:rpm" in PLATFORMS[name] else "openssh-client"]


def test_the_main_playbook_runs_in_it(archive: Path, context: Context, lab: Lab, boot: Boot, tmp_path: Path) -> None:
    # The path is part of what the environment is made of, so it stays the same.
    wanted = CACHE / "execution-environment.txt"
    shutil.copy(context.pip, wanted)
    # ansible-core as the definition has it, in the versions under test; no wheel may be missing, as nothing compiles.
    definition: Any = yaml.safe_load((context.folder.parent / "execution-environment.yml").read_text())
    core = definition["dependencies"]["ansible_core"]["package_pip"]
    constraints = ("--only-binary", ":all:", "-c", str(ROOT / "requirements-dev.txt"))
    programs = venv("execution-environment-itself", PYTHON, core, "-r", str(wanted), *constraints)
    run(programs / "python", "-m", "pip", "check")
    installed = Installed(archive, tmp_path, programs)
    with broken(lab, boot, tmp_path, {"hn1": {}, "hn2": dict(PSRP)}) as fleet:
        hosts = installed.repair(fleet)
    assert {name: host["outcome"] for name, host in hosts.items()} == dict.fromkeys(fleet.hosts, "repaired")

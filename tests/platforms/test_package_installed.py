"""The archive: what is in it, that it works where it is installed, what Galaxy and the documentation's tools say."""

import json
import re
import tarfile
import zlib
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import Boot
from tests.lab.lab import Lab
from tests.lab.wds.together import PSRP
from tests.platforms.installed import Installed, broken
from tests.project.pythons import interpreters
from tests.project.test_ansible_test import CORES, PINNED, controller
from tests.project.tree import BIN, ROOT, environment, run
from tests.project.venvs import platform, venv

#: What users need, by the first part of its path.
FOR_USERS = {
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),  # to read
    *("docs", "changelogs"),
    *("meta", "playbooks", "plugins", "roles", "extensions"),  # to run
    *("bindep.txt", "requirements.txt"),  # to install
    *("FILES.json", "MANIFEST.json"),  # Galaxy's own
}
#: Pages of Ansible's own documentation that the collection's refer to; whatever else leads nowhere is an error.
ANSIBLE_PAGES = (
    "action_plugins",
    "ansible_configuration_settings",
    "common_return_values",
    *(f"ansible_collections.ansible.builtin.{name}_connection" for name in ("psrp", "ssh", "winrm")),
    "ansible_collections.ansible.builtin.set_stats_module",
)
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(archive, tmp_path_factory.mktemp("installed"), BIN)


@pytest.fixture(scope="module")
def tools() -> Path:
    return platform("package")


def test_only_what_users_need_is_in_it(archive: Path) -> None:
    with tarfile.open(archive) as content:
        names = {member.name for member in content if member.isfile()}
    assert {name.split("/")[0] for name in names} <= FOR_USERS
    assert {f"plugins/modules/{name}.py" for name in MODULES} <= names
    assert {name for name in names if name.startswith("changelogs/")} == {"changelogs/changelog.yaml"}
    hidden = [name for name in names if re.search(r"(^|/)(\.|__pycache__|tests?_|conftest)", name)]
    assert not hidden


def test_every_link_of_its_pages_leads_to_a_file_in_it(installed: Installed) -> None:
    linked = {
        (page.relative_to(installed.tree), target)
        for page in installed.tree.rglob("*.md")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    }
    assert linked
    assert not [(page, target) for page, target in linked if not (installed.tree / page.parent / target).exists()]


def test_only_the_installed_one_is_found(installed: Installed) -> None:
    found = json.loads(installed.run("ansible-galaxy", "collection", "list", "--format", "json"))
    assert [path for path, names in found.items() if "imaging.multicast" in names] == [str(installed.tree.parents[1])]


def test_ansible_doc_shows_every_module(installed: Installed) -> None:
    pages = installed.run("ansible-doc", *(f"imaging.multicast.{module}" for module in MODULES))
    for module in MODULES:
        assert f"> MODULE imaging.multicast.{module} ({installed.tree}/plugins/modules/{module}.py)" in pages


def test_ansible_doc_shows_a_role(installed: Installed) -> None:
    assert str(installed.tree) in installed.run("ansible-doc", "--type", "role", "imaging.multicast.fog_multicast")


def test_the_main_playbook_repairs(installed: Installed, lab: Lab, boot: Boot) -> None:
    with broken(lab, boot, installed.folder, {"hn1": {}}) as fleet:
        first = installed.repair(fleet)
        second = installed.repair(fleet)
    assert {name: host["outcome"] for name, host in first.items()} == {"fog1": "repaired", "hn1": "repaired"}
    assert {name: host["outcome"] for name, host in second.items()} == {"fog1": "healthy", "hn1": "healthy"}


@pytest.mark.parametrize("name", [name for name in CORES if name != PINNED])
def test_the_main_playbook_repairs_with(name: str, archive: Path, lab: Lab, boot: Boot, tmp_path: Path) -> None:
    pinned = (ROOT / "requirements-dev.txt").read_text().splitlines()
    ways = [line.split()[0] for line in pinned if line.startswith(("pypsrp==", "pywinrm=="))]
    core = f"ansible-core=={CORES[name].release}"
    installed = Installed(archive, tmp_path, venv(f"playbook-{name}", interpreters()[controller(name)], core, *ways))
    assert f"[core {CORES[name].release}]" in installed.run("ansible-playbook", "--version")
    with broken(lab, boot, tmp_path, {"hn1": {}, "hn2": dict(PSRP)}) as fleet:
        first = installed.repair(fleet)
        second = installed.repair(fleet)
    assert {name: host["outcome"] for name, host in first.items()} == dict.fromkeys(fleet.hosts, "repaired")
    assert {name: host["outcome"] for name, host in second.items()} == dict.fromkeys(fleet.hosts, "healthy")


def test_galaxy_imports_it(archive: Path, tools: Path, tmp_path: Path) -> None:
    env = environment(
        HOME=str(tmp_path),
        PATH=f"{tools}:/usr/bin:/bin",
        GALAXY_IMPORTER_RUN_ANSIBLE_TEST="False",  # asks for a container
        GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="True",
        GALAXY_IMPORTER_TMP_ROOT_DIR=str(tmp_path),
    )
    said = run(tools / "python", "-m", "galaxy_importer.main", archive, cwd=tmp_path, env=env)
    assert "...ansible-lint run complete" in said
    assert "Importer processing completed successfully" in said
    # Its log names the level of every line above INFO.
    assert not re.findall(r"^(?:WARNING|ERROR|CRITICAL).*", said, re.MULTILINE)
    imported = json.loads((tmp_path / "importer_result.json").read_text())
    documented = {
        each["content_name"]
        for each in imported["docs_blob"]["contents"]
        if each["content_type"] == "module" and each["doc_strings"].get("return")
    }
    assert documented == set(MODULES)


def docs_environment(installed: Installed, tools: Path, folder: Path) -> dict[str, str]:
    paths = {"HOME": str(folder), "PATH": f"{tools}:/usr/bin:/bin"}
    return installed.environment | paths | {"ANSIBLE_HOME": str(folder / "ansible"), "TMPDIR": str(folder)}


def test_the_documentation_is_clean(installed: Installed, tools: Path, tmp_path: Path) -> None:
    wanted = ("lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", installed.tree)
    said = run(tools / "antsibull-docs", *wanted, cwd=tmp_path, env=docs_environment(installed, tools, tmp_path))
    assert said == ""


def test_a_docs_site_builds(installed: Installed, tools: Path, tmp_path: Path) -> None:
    env = docs_environment(installed, tools, tmp_path)
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    wanted = ("sphinx-init", "--use-current", "--fail-on-error", "--dest-dir", site, "imaging.multicast")
    run(tools / "antsibull-docs", *wanted, cwd=tmp_path, env=env)
    # The pages of others lie on the network; what they are called stands here.
    labels = "".join(f"{name} std:label -1 {name}.html -\n" for name in ANSIBLE_PAGES)
    head = "# Sphinx inventory version 2\n# Project: ansible\n# Version: 1\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    (site / "ansible.inv").write_bytes(head.encode() + zlib.compress(labels.encode()))
    mapping = {"ansible": ("https://docs.ansible.com/", str(site / "ansible.inv"))}
    with (site / "conf.py").open("a") as config:
        config.write(f"intersphinx_mapping = {mapping!r}\n")
    # It turns every warning of Sphinx into an error.
    assert "-W" in (site / "build.sh").read_text()
    run("bash", site / "build.sh", cwd=site, env=env)
    pages = site / "build" / "html" / "collections" / "imaging" / "multicast"
    assert {path.name for path in pages.glob("*_module.html")} == {f"{name}_module.html" for name in MODULES}
    releases = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert [release for release in releases if f"v{release}" not in (pages / "changelog.html").read_text()] == []

"""What is shipped and what is promised about it: documentation, package, changelog, make targets."""

import os
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
import yaml

from tests.project.tree import BIN, ROOT, archive, copy, environment, files, run
from tools import findings_doc

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))


def make_targets(makefile: str) -> set[str]:
    """The targets of all rules, also of a rule with several; what begins with a dot is make's or the Makefile's own."""
    rules = re.findall(r"^([^\s:=#][^:=#\n]*):(?!=)", makefile, re.MULTILINE)
    return {name for rule in rules for name in rule.split() if not name.startswith(".")}


TARGETS = make_targets((ROOT / "Makefile").read_text())


def test_action_group_holds_every_module():
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert groups == {"multicast": MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_documentation_renders(module):
    page = run(BIN / "ansible-doc", f"imaging.multicast.{module}")
    assert "WARNING" not in page
    assert "EXAMPLES:" in page
    assert "RETURN VALUES:" in page


def test_package_builds(tmp_path):
    package = archive(tmp_path)
    with tarfile.open(package) as content:
        names = set(content.getnames())
    assert {"README.md", "LICENSE", "meta/runtime.yml", *(f"plugins/modules/{name}.py" for name in MODULES)} <= names
    assert not [name for name in names if name.startswith(("tests", "tools", "."))]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_changelog():
    run(BIN / "antsibull-changelog", "lint")
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    releases = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    unreleased = any((ROOT / "changelogs" / "fragments").glob("*.yml"))
    assert (version not in releases) == unreleased, "what is not released yet has a version that was not released yet"
    assert version == max((version, *releases), key=numbers)
    headings = re.findall(r'<a id="v([0-9-]+)"></a>', (ROOT / "CHANGELOG.md").read_text())
    assert headings == [release.replace(".", "-") for release in sorted(releases, key=numbers, reverse=True)]


def test_plugins_are_no_newer_than_the_collection():
    """The changelog's list of new plugins is made of this."""
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    added = {
        file.name: re.findall(r"^version_added: (\S+)$", file.read_text(), re.MULTILINE)
        for folder in ("modules", "lookup", "test")
        for file in (ROOT / "plugins" / folder).glob("[!_]*.py")
    }
    assert [name for name, found in added.items() if len(found) != 1 or numbers(found[0]) > numbers(version)] == []


def test_commands_in_the_documentation_exist():
    pages = [ROOT / file for file in files() if file.suffix == ".md" and file.name != "CHANGELOG.md"]
    named = {
        name for page in pages for name in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    }
    assert {"repair", "test"} <= named <= TARGETS


def test_every_target_is_seen():
    rules = "one two-2: ## help\n\t@a: b\nA := b:c\nexport D ?= e\n.PHONY: f\nifdef G\nthree/h.md:\nendif\n.own-i: j\n"
    assert make_targets(rules) == {"one", "two-2", "three/h.md"}


def test_help_lists_every_target():
    shown = set(re.findall(r"^  make ([a-z-]+) ", run("make", "--no-print-directory"), re.MULTILINE))
    assert shown == TARGETS


def test_findings_page_is_current():
    assert findings_doc.PAGE.read_text() == findings_doc.render(), "run: make docs"


def test_every_link_in_the_documentation_leads_somewhere():
    broken = []
    for file in files():
        if file.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", (ROOT / file).read_text()):
            if not (ROOT / file.parent / target).exists():
                broken.append(f"{file}: {target}")
    assert not broken


def test_every_path_in_contributing_leads_somewhere():
    named = re.findall(r"`([a-z_.]+/[^` ]*)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert "tests/lab/fog/faults.py" in named
    assert not [path for path in named if not list(ROOT.glob(path))]


def test_tests_that_share_a_lab_have_one_worker(tmp_path):
    """Without the groups each worker boots every host and goes through every round of faults."""
    words = ("-v", "-n", "2", "--dist", "loadgroup", "-o", f"cache_dir={tmp_path}", f"--basetemp={tmp_path / 'base'}")
    said = run(BIN / "python", "-m", "pytest", *words, "tests/lab/test_machine_parts.py", "-k", "two_labs_share")
    assert "@lab" in said


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ({}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LC_ALL": "C.UTF-8"}, "C.UTF-8"),
        ({"LANG": "xx_XX.UTF-8"}, "C.UTF-8"),  # no machine has it
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, "C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_TIME": "xx_XX.UTF-8"}, "C.UTF-8"),
    ],
)
def test_make_runs_ansible_in_a_locale_that_there_is(said, ends):
    locales = {name for name in os.environ if name == "LANG" or name.startswith("LC_")}
    env = {name: value for name, value in environment().items() if name not in locales} | said
    printed = run("make", "--no-print-directory", "--eval", 'locale:;@echo "$${LC_ALL-}"', "locale", env=env)
    assert printed.strip() == ends
    run(BIN / "ansible", "--version", env={**env, "LC_ALL": printed.strip()})


@pytest.fixture
def elsewhere():
    """A folder with a short path, which ssh's sockets need, and which everybody may enter: pytest's own is neither."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def repair(folder: Path, *prefix: str, **env: str) -> str:
    """What ``make repair`` complains of in a fresh copy of the checkout; nothing is set up there afterwards either."""
    checkout = folder / "checkout"
    copy(checkout)
    checkout.chmod(0o777)
    before = sorted(checkout.iterdir())
    told = subprocess.run(
        [*prefix, "make", "repair"], cwd=checkout, env=environment(**env), capture_output=True, text=True, check=False
    )
    assert (told.stdout, told.returncode != 0) == ("", True)
    assert sorted(checkout.iterdir()) == before
    return told.stderr


def test_who_is_not_root_is_told_before_anything_is_set_up(elsewhere):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    told = repair(elsewhere, *nobody)
    assert "set-up: the lab needs root: namespaces, mounts and control groups do." in told


def test_what_the_lab_lacks_is_told_before_anything_is_set_up(elsewhere):
    programs = elsewhere / "programs"
    programs.mkdir()
    for folder in reversed(environment()["PATH"].split(os.pathsep)):
        for program in Path(folder).glob("*"):
            (programs / program.name).unlink(missing_ok=True)
            (programs / program.name).symlink_to(program)
    (programs / "systemd-nspawn").unlink()
    told = repair(elsewhere, PATH=str(programs))
    assert "set-up: this machine cannot run the lab; it lacks:\n  - the program systemd-nspawn\n" in told
    assert "apt-get install systemd-container" in told

"""Style, types and the other rules that every file keeps."""

import re
import subprocess

from tests.project.tree import BIN, ROOT, copy, environment, files, run

HEADER = """\
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
# Put together here, so that this file does not hold what it looks for.
MACHINE_PATHS = tuple("/" + "/".join(parts) for parts in (("work", "main"), ("work", "shared"), ("root", ".pyenv")))


def test_ruff_check():
    run(BIN / "ruff", "check", ".")


def test_ruff_format():
    run(BIN / "ruff", "format", "--check", "--diff", ".")


def test_mypy():
    plugins = "ansible_collections.imaging.multicast.plugins"
    run(BIN / "mypy", "-p", plugins, "-p", "extensions", "-p", "tests", "-p", "tools")


def test_ansible_lint():
    # Its own HOME: it would write to ~/.ansible.
    path = f"{BIN}:{environment()['PATH']}"
    home = str(ROOT / ".cache" / "home-lint")
    run(BIN / "ansible-lint", "--strict", "--nocolor", env=environment(HOME=home, PATH=path))


def test_vermin():
    """Target code keeps to Python 3.6, also where no Python 3.6 can say so."""
    targets = [ROOT / "plugins" / part for part in ("modules", "module_utils")]
    # Used only where hasattr() finds it, which vermin does not see.
    guarded = ["--exclude", "os.pidfd_open", "--exclude", "signal.pidfd_send_signal"]
    run(BIN / "vermin", "--target=3.6-", "--no-tips", "--violations", "--eval-annotations", *guarded, *targets)


def test_a_commit_and_a_push_are_held_to_the_rules(tmp_path):
    """`pre-commit install` alone, in a clone: ruff sees what is committed, `make lint` what is pushed."""
    clone, programs = tmp_path / "clone", tmp_path / "programs"
    copy(clone)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    programs.mkdir()
    # What `make lint` finds is the subject of the other tests here.
    (programs / "make").write_text('#!/bin/sh\necho "asked to make $*"\nexit 1\n')
    (programs / "make").chmod(0o700)
    who = {f"GIT_{role}_{what}": "somebody" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = environment(HOME=str(tmp_path), **who)
    env["PATH"] = f"{programs}:{env['PATH']}"

    def git(*words):
        return subprocess.run(["git", *words], cwd=clone, env=env, capture_output=True, text=True, check=False)

    run("git", "init", "--quiet", "--bare", tmp_path / "origin", env=env)
    run("git", "init", "--quiet", clone, env=env)
    run(BIN / "pre-commit", "validate-config", cwd=clone, env=env)
    run(BIN / "pre-commit", "install", cwd=clone, env=env)
    assert git("add", "--all").returncode == 0
    committed = git("commit", "--quiet", "--message", "All of it")
    assert committed.returncode == 0, committed.stderr
    assert re.findall(r"^(.*?)\.{3,}(\w+)$", committed.stderr, re.M) == [
        ("ruff check", "Passed"),
        ("ruff format", "Passed"),
    ]
    (clone / "plugins" / "module_utils" / "new.py").write_text("import os\n")
    git("add", "--all")
    assert "Found 1 error (1 fixed, 0 remaining)" in git("commit", "--message", "Unused").stderr
    pushed = git("push", str(tmp_path / "origin"), "HEAD:main")
    assert pushed.returncode == 1
    assert "asked to make lint" in pushed.stdout


def test_license_header():
    missing = [
        str(file)
        for file in files()
        if file.parts[0] == "plugins"
        and file.suffix == ".py"
        and not (ROOT / file).read_text().removeprefix("#!/usr/bin/python\n").startswith(HEADER)
    ]
    assert not missing


def test_no_machine_path():
    """No path of the machine it was written on, nor of this one."""
    patterns = re.compile("|".join(re.escape(path) for path in {*MACHINE_PATHS, str(ROOT)}))
    found = []
    for file in files():
        text = (ROOT / file).read_text(errors="replace")
        found += [f"{file}: {line.strip()}" for line in text.splitlines() if patterns.search(line)]
    assert not found

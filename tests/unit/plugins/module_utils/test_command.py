# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a program of the host."""

import os
import sys

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils import _command as command


def script(folder, text, mode=0o755):
    path = folder / "prog"
    path.write_text("#!" + sys.executable + "\n" + text)
    path.chmod(mode)
    return path


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "relative::" + str(tmp_path))
    monkeypatch.setattr(command, "_FOLDERS", ())
    return tmp_path


def test_it_says_what_the_program_printed(on_path):
    script(on_path, "import os, sys; print(sys.argv[1:], os.environ['LC_ALL'], sys.stdin.read() == '')")
    assert command.ask("prog", ["a b", "$(c)"], 60) == "['a b', '$(c)'] C True\n"


def test_bytes_that_are_no_text_do_no_harm(on_path):
    script(on_path, "import sys; sys.stdout.buffer.write(b'\\xff')")
    assert command.ask("prog", [], 60) == "\ufffd"


def test_an_absent_program_is_told(on_path, monkeypatch):
    with pytest.raises(command.CommandError, match="the command prog is not on this host"):
        command.ask("prog", [], 60)
    monkeypatch.delenv("PATH")
    with pytest.raises(command.CommandError):
        command.ask("prog", [], 60)


def test_the_sbin_folders_are_looked_through_too(on_path, monkeypatch):
    (on_path / "sbin").mkdir()
    script(on_path / "sbin", "print('there')")
    monkeypatch.setattr(command, "_FOLDERS", (str(on_path / "sbin"),))
    assert command.ask("prog", [], 60) == "there\n"


def test_a_program_in_the_current_folder_is_never_run(on_path, monkeypatch):
    os.mkdir(str(on_path / "here"))
    script(on_path / "here", "print('wrong')")
    monkeypatch.chdir(str(on_path / "here"))
    with pytest.raises(command.CommandError, match="not on this host"):
        command.ask("prog", [], 60)


@pytest.mark.parametrize(
    ("said", "told"), [("Error: no\n such thing.\n", "Error: no such thing"), ("", "nothing"), ("x" * 5000, "x" * 200)]
)
def test_a_failure_is_told_with_its_words(on_path, said, told):
    script(on_path, "import sys; sys.stderr.write(%r); sys.exit(3)" % said)
    with pytest.raises(command.CommandError) as caught:
        command.ask("prog", ["show"], 60)
    assert str(caught.value) == "{} show ended with code 3 and said: {}".format(on_path / "prog", told)


def test_a_program_that_hangs_is_given_up(on_path):
    script(on_path, "import time; time.sleep(600)")
    with pytest.raises(command.CommandError, match=r"did not end within 0\.2 s"):
        command.ask("prog", [], 0.2)


def test_a_program_that_cannot_be_run_is_told(on_path):
    path = on_path / "prog"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    with pytest.raises(command.CommandError, match="cannot be run: Exec format error"):
        command.ask("prog", [], 60)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cmd.exe of WinRS: one line with framed answers, and nothing in it that cmd.exe would act on."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, scripts, winrs
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer, Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.errors import FrameError, UnsendableError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import (
    NONCE,
    OBSERVATION,
    SENDABLE,
    cmd_words,
    framed,
    nonces,
    program_arguments,
)
from hypothesis import given
from hypothesis import strategies as st

COMMANDS = (*OBSERVATION, scripts.BOOT_COMMAND)


class Protocol:
    """What is used of pywinrm's Protocol, with one shell and one command at a time."""

    def __init__(self, output=b"", fault=None):
        self.output = output
        self.fault = fault
        self.calls = []

    def run_command(self, shell_id, command, arguments=(), console_mode_stdin=True, skip_cmd_shell=False):
        self.calls.append(("run", shell_id, command, tuple(arguments), skip_cmd_shell))
        return "C1"

    def get_command_output(self, shell_id, command_id):
        self.calls.append(("receive", shell_id, command_id))
        if self.fault:
            raise self.fault
        return self.output, b"noise", 1

    def cleanup_command(self, shell_id, command_id):
        self.calls.append(("signal", shell_id, command_id))


class Connection:
    shell_id = "S1"

    def __init__(self, protocol):
        self.protocol = protocol


def programs(line):
    """The programs of a line with their arguments, as cmd.exe and their C runtime see them."""
    pieces = cmd_words(line)
    assert pieces[0::4] == [piece for piece in pieces if piece.startswith("echo #") and piece.endswith("{")]
    assert set(pieces[2::4]) == {"echo("}
    assert all("!ERRORLEVEL!" in piece for piece in pieces[3::4])
    found = []
    for piece in pieces[1::4]:
        assert piece.endswith(" <nul 2>&1")
        program, _unused, rest = piece[: -len(" <nul 2>&1")].partition(" ")
        found.append((program, tuple(program_arguments(rest))))
    return found


def test_the_observation_is_one_line():
    parts = winrs.parts(COMMANDS, nonces())
    assert len(parts) == 1
    assert len(parts[0].text) < 4000
    assert programs(parts[0].text) == [(item.program, item.arguments) for item in COMMANDS]


def test_each_answer_comes_back():
    part = winrs.parts(COMMANDS, nonces())[0]
    answers = winrs.answers(framed(part.text, {"dns": (1060, "x"), "hpc": (1, "")}), part)
    assert list(answers) == [item.key for item in COMMANDS]
    assert answers["dns"] == Answer(1060, "x")


def test_a_missing_program_has_the_same_code_as_under_powershell():
    part = winrs.parts(COMMANDS, nonces())[0]
    assert winrs.answers(framed(part.text, {"events": (9009, "")}), part)["events"] == Answer(-1, "")


def test_a_cut_answer_is_an_error():
    part = winrs.parts(COMMANDS, nonces())[0]
    with pytest.raises(FrameError):
        winrs.answers(framed(part.text, {})[:-9], part)


@pytest.mark.parametrize("character", [*'&|<>^%!"()', "\n", "\r", "\u2028", "\0"])
@pytest.mark.parametrize("where", ["/Namespace:{}", "a b {} c", "{}"])
def test_no_value_reaches_cmd_with_a_character_it_acts_on(character, where):
    command = Command("new", "wdsutil.exe", ("/New-Namespace", where.format(character)))
    with pytest.raises(UnsendableError):
        winrs.parts([command], nonces())


@pytest.mark.parametrize(
    "value",
    [
        "netstat.exe -ano -p UDP|findstr.exe /c::64&del x",
        "netstat.exe -ano -p UDP|findstr.exe",
        "x netstat.exe -ano -p UDP|findstr.exe /c::64",
        "netstat.exe -ano -p UDP|findstr.exe /c::64\n",
        "/q:*[System[Provider[@Name='a'&'b']]]",
        "/q:*[System[TimeCreated[timediff(@SystemTime) <= 5]]]&",
        "/q:*[System[TimeCreated[timediff(@SystemTime) <= %x%]]]",
    ],
)
def test_only_the_whole_known_texts_may_hold_such_characters(value):
    with pytest.raises(UnsendableError):
        winrs.parts([Command("k", "cmd.exe", ("/c", value))], nonces())


@given(st.lists(SENDABLE, min_size=1, max_size=4))
def test_every_value_that_passes_arrives_unchanged(values):
    try:
        part = winrs.parts([Command("k", "wdsutil.exe", tuple(values))], nonces())[0]
    except UnsendableError:
        assert set("".join(values)) & set("&|<>^%!()")
        return
    assert programs(part.text) == [("wdsutil.exe", tuple(values))]


def test_what_does_not_fit_is_split_and_too_long_is_refused():
    commands = [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 1000)) for number in range(20)]
    parts = winrs.parts(commands, nonces())
    assert [item for part in parts for item in part.items] == commands
    assert len(parts) > 2
    assert all(len(f'cmd.exe /v:on /s /c "{part.text}"') <= 8191 - 64 for part in parts)
    with pytest.raises(UnsendableError, match="too long"):
        winrs.parts([Command("k", "reg.exe", ("v" * 8100,))], nonces())


@pytest.mark.parametrize(
    ("where", "engine", "unusable"),
    [
        (0, "    PowerShellVersion    REG_SZ    2.0\r\n", False),
        (0, "    PowerShellVersion    REG_SZ    1.0\r\n", True),
        (0, "ERROR: not found", False),
        (1, "    PowerShellVersion    REG_SZ    2.0\r\n", True),
        (-1, "", True),
    ],
)
def test_powershell_is_used_where_it_can_run_a_script(where, engine, unusable):
    part = winrs.parts(winrs.LOOK, lambda: NONCE)[0]
    output = framed(part.text, {"where": (where, ""), "engine": (0, engine)})
    assert winrs.unusable(winrs.answers(output, part)) is unusable


def test_the_look_only_reads():
    assert all(batch.reads(command) for command in winrs.LOOK)


def test_a_line_runs_in_a_cmd_of_its_own_and_is_cleaned_up():
    protocol = Protocol("Köln".encode() + b"\xff")
    assert winrs.execute(Connection(protocol), "echo a&echo b") == "Köln\ufffd"
    assert protocol.calls == [
        ("run", "S1", "cmd.exe", ("/v:on", "/s", "/c", '"echo a&echo b"'), True),
        ("receive", "S1", "C1"),
        ("signal", "S1", "C1"),
    ]


def test_a_line_that_breaks_is_cleaned_up_as_well():
    protocol = Protocol(fault=OSError("broken"))
    with pytest.raises(OSError, match="broken"):
        winrs.execute(Connection(protocol), "echo a")
    assert protocol.calls[-1] == ("signal", "S1", "C1")

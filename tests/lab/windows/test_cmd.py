"""cmd.exe of the simulated head node."""

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.cmd import LIMIT, strip_quotes
from extensions.head_nodes.machine import Machine
from extensions.head_nodes.programs.texts import TEXTS

KEY = "HKLM\\SOFTWARE\\none"


def head(language: str = "en", **arguments: object) -> Machine:
    return nodes.build("head-1", "head_node", {"language": language, **arguments})


def run(machine: Machine, line: str) -> tuple[str, str, int]:
    done = machine.run_cmd(line, [], 65001, "Administrator")
    return done.stdout.decode(), done.stderr.decode(), done.code


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo a&echo b", "a\r\nb\r\n"),
        ("echo a&& echo b", "a\r\nb\r\n"),
        (f"reg.exe query {KEY} 2>nul && echo no || echo yes", "yes\r\n"),
        ('echo "a & b"', '"a & b"\r\n'),
        ("echo a^&b", "a&b\r\n"),
        ("echo(&echo x", "\r\nx\r\n"),
        ("echo %COMPUTERNAME% %NOTHING%", "HEAD-1 %NOTHING%\r\n"),
        ("echo !COMPUTERNAME!", "!COMPUTERNAME!\r\n"),
        ("echo a >nul", ""),
        ("echo one|findstr.exe /c:two&echo end", "end\r\n"),
        ("echo one|findstr.exe /c:on", "one\r\n"),
        ("rem x&echo y", "y\r\n"),
        ("echo a&exit /b 3&echo b", "a\r\n"),
        ("chcp", "Active code page: 65001\r\n"),
    ],
)
def test_lines(line: str, output: str) -> None:
    machine = head()
    assert run(machine, line)[0] == output
    assert not machine.refused


def test_exit_codes() -> None:
    machine = head()
    assert run(machine, "echo a&exit /b 3")[2] == 3
    assert run(machine, "sc.exe query none")[2] == 1060
    assert run(machine, "sc.exe query none|findstr.exe /c:1060")[2] == 0
    assert run(machine, "cmd.exe /c sc.exe query none")[2] == 1060
    assert not machine.refused


def test_a_framed_batch_as_it_comes_without_a_command_shell() -> None:
    machine = head()
    line = (
        f"echo #1 a {{&reg.exe query {KEY} <nul 2>&1&echo(&echo #1 }} !ERRORLEVEL! a&echo #1 b {{&nothing.exe"
        ' "x & y" <nul 2>&1&echo(&echo #1 } !ERRORLEVEL! b'
        '&cmd.exe /c "ver|findstr.exe /c:Micro" <nul 2>&1&echo !ERRORLEVEL!'
    )
    done = machine.run_program("cmd.exe", ["/v:on", "/s", "/c", f'"{line}"'], 65001, "Administrator")
    lines = done.stdout.decode().split("\r\n")
    assert lines[0] == "#1 a {"
    assert lines[1].startswith("ERROR: ")
    assert lines[3] == "#1 } 1 a"
    assert lines[5].startswith("'nothing.exe' is not recognized")
    assert "#1 } 9009 b" in lines
    assert lines[-3:] == ["Microsoft Windows [Version 10.0.17763.6414]", "0", ""]
    assert done.stderr == b""
    assert not machine.refused


@pytest.mark.parametrize(
    ("line", "always", "left"),
    [
        ('"a b"', True, "a b"),
        ('"reg.exe query x|findstr.exe y"', False, "reg.exe query x|findstr.exe y"),
        ('"reg.exe query "a b" /s"', True, 'reg.exe query "a b" /s'),
        ('"my program"', False, '"my program"'),
        ("reg.exe x", True, "reg.exe x"),
    ],
)
def test_which_quotes_cmd_takes_off(line: str, always: bool, left: str) -> None:
    assert strip_quotes(line, always) == left


@pytest.mark.parametrize("language", ["en", "de", "fr", "ja"])
def test_an_unknown_program_and_a_long_line_in_every_language(language: str) -> None:
    machine = head(language)
    out, err, code = run(machine, "nothing.exe /x")
    assert (out, code) == ("", 1)
    assert err == TEXTS["cmd.unknown"][language].format(name="nothing.exe").replace("\n", "\r\n")
    fits = "echo " + "x" * (LIMIT - 5)
    assert run(machine, fits)[2] == 0
    assert run(machine, fits + "x") == ("", TEXTS["cmd.long"][language].replace("\n", "\r\n"), 1)
    assert not machine.refused


@pytest.mark.parametrize(
    "line", ["dir C:\\", "echo a>file.txt", "(echo a)", "for %i in (1) do echo x", "type x", "findstr.exe /c:a <file"]
)
def test_what_is_not_modelled_is_refused(line: str) -> None:
    machine = head()
    assert run(machine, line)[2] == 87
    assert len(machine.refused) == 1
    assert not machine.writes


def test_a_program_that_is_not_there_cannot_be_started_directly() -> None:
    done = head().run_program("nothing.exe", ["a"], 65001, "a")
    assert (done.stdout, done.code) == (b"", 2)

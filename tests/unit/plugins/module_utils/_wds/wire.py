# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a value and a program on the other side, modelled from its own rules for the tests of the wire.

Nothing here but what is sent is shared with the code under test.
"""

import re

from ansible_collections.imaging.multicast.plugins.module_utils._wds import snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import LostError, Runner
from hypothesis import strategies as st

NONCE = "0123456789abcdef" * 2

# The commands of the first look at a head node; its script stands beside them.
OBSERVATION = tuple(item for item in snapshot.commands(30) if isinstance(item, Command))

HOSTILE = (
    "O'Brien",
    "a\u2018b\u2019c\u201ad\u201b",
    "'; Stop-Computer; '",
    "$(Stop-Computer)",
    "`$x",
    "@('a')",
    "# not a comment",
    "%PATH% & del | < > ^ ( ) !x!",
    "Bildverteilung für Köln",
    "日本語の名前",
    "\U0001f4be disk",
    "--%",
    "C:\\Program Files\\",
    "C:\\a b\\\\",
    "C:\\",
    "{}}{",
    "%s %d {0}",
    "\u00a0",
    "",
)

# Whatever may be sent: no double quote, no control character, no line break, no half of a pair.
SENDABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='"'), max_size=60)


def nonces():
    """A source of nonces: 32 digits, each call another."""
    numbers = iter(range(1, 10000))
    return lambda: f"{next(numbers):032x}"


def literal(text):
    """The value of a PowerShell literal in single quotes; a lone quote of any kind inside would end it."""
    kinds = "'\u2018\u2019\u201a\u201b"
    assert len(text) > 1
    assert text[0] == text[-1] == "'"
    inner, value, index = text[1:-1], "", 0
    while index < len(inner):
        if inner[index] in kinds:
            assert index + 1 < len(inner), "the literal has no end"
            assert inner[index + 1] in kinds, "the literal ends early"
            index += 1
        value += inner[index]
        index += 1
    return value


def command_line(arguments):
    """The command line that Windows PowerShell 2.0 to 5.1 makes of arguments."""
    words = []
    for argument in arguments:
        if not argument:
            continue
        quotes, needed = 0, False
        for character in argument:
            quotes += character == '"'
            needed = needed or (character.isspace() and quotes % 2 == 0)
        words.append(f'"{argument}"' if needed else argument)
    return " ".join(words)


def program_arguments(line):
    """What the C runtime of a program makes of its command line."""
    arguments, current, quoted, begun, index = [], "", False, False, 0
    while index < len(line):
        slashes = 0
        while index < len(line) and line[index] == "\\":
            slashes, index = slashes + 1, index + 1
        if index < len(line) and line[index] == '"':
            current += "\\" * (slashes // 2)
            begun = True
            if slashes % 2:
                current += '"'
            else:
                quoted = not quoted
            index += 1
            continue
        if slashes:
            current, begun = current + "\\" * slashes, True
            continue
        if line[index] in " \t" and not quoted:
            if begun:
                arguments.append(current)
            current, begun = "", False
        else:
            current, begun = current + line[index], True
        index += 1
    return [*arguments, current] if begun else arguments


def cmd_words(line):
    """The line in pieces as cmd.exe takes it apart at each & outside double quotes; what it would change fails."""
    pieces, quoted = [""], False
    for index, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        assert character not in "%^"
        if character == "!":
            around = line[max(0, index - 11) : index + 12]
            assert "!ERRORLEVEL!" in around
        if character == "&" and not quoted and not pieces[-1].endswith("2>"):
            pieces.append("")
        else:
            pieces[-1] += character
    assert not quoted
    return pieces


def framed(text, answers):
    """What a script or a line of cmd.exe prints, given as key -> (code, output), in the order of the script."""
    nonce = re.search("#([0-9a-f]{32}) ", text).group(1)
    # A script says "x 'key' reg.exe ..." or "...'key {'", a line of cmd.exe "echo #NONCE key {".
    keys = re.findall(r"^x '([^']+)'|^\$n\+'(\S+) \{'|echo #[0-9a-f]{32} (\S+) \{", text, re.MULTILINE)
    lines = []
    for found in keys:
        key = next(filter(None, found))
        code, output = answers.get(key, (0, "answer to " + key))
        lines += [f"#{nonce} {key} {{", output, f"#{nonce} }} {code} {key}"]
    return "\r\n".join(lines) + "\r\n"


class Host(Runner):
    """A runner without a host: answers are set by key, and anything else can be made of them."""

    where = "hn1 (winrm)"

    def __init__(self, answers=(), limit=None, has_cmd=False, present=True):
        self.answers = dict(answers)
        self.limit = limit
        self.has_cmd = has_cmd
        self.present = present  # whether there is a PowerShell
        self.sent = []
        self.forgotten = 0
        self.faults = []  # one is taken for each text: None, an exception, or a function of the output
        self.answers.setdefault("where", (0 if present else 1, ""))
        self.answers.setdefault("engine", (0, "    PowerShellVersion    REG_SZ    2.0"))

    def powershell(self, script):
        self.sent.append(("powershell", script))
        return self._answered(framed(script, self.answers) if self.present else "")

    def cmd(self, line):
        self.sent.append(("cmd", line))
        return self._answered(framed(line, self.answers))

    def forget(self):
        self.forgotten += 1

    def _answered(self, output):
        faults = self.faults[:1]
        del self.faults[:1]
        for fault in faults:
            if isinstance(fault, Exception):
                raise fault
            output = fault(output) if fault else output
        return output


def lost():
    """The connection broke."""
    return LostError("Connection aborted.")

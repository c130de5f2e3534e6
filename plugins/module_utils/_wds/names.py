# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that may be sent to a head node: what each may hold, and how it is quoted on its way.

A value passes four hands: ansible's connection plugin (which splits a script into lines), PowerShell or cmd.exe, the
command line of the program, and the program. What one of them would change is refused with a sentence, or quoted so
that it arrives as it was given.
"""

import re
import unicodedata
from typing import Pattern, Sequence

from .errors import UnsendableError

# Characters that PowerShell takes for a single quote; doubled, each stands for itself.
_SINGLE_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_SPACE = re.compile(r"\s")
_BARE = re.compile(r"[A-Za-z0-9_.:/=\\-]+\Z")
# cmd.exe acts on these between double quotes, or where a double quote is lost on the way.
_CMD = '"%!^&|<>()'

_LONGEST_NAME = 255  # facts/windows.md section 2
_LONGEST_TEXT = 1024


class ValueRefused(ValueError):
    """A value of an option cannot be used. ``str()`` is one sentence for a person."""


def namespace_name(value: str) -> str:
    """The name of a namespace: 1-255 characters, no backslash. (facts/windows.md section 2)

    :raises ValueRefused: the name cannot be used; the sentence says why.
    """
    return _name("the namespace name", value)


def content_provider(value: str) -> str:
    """The name of a content provider, with the limits of a namespace name: it is a key of the registry as well.

    :raises ValueRefused: the name cannot be used; the sentence says why.
    """
    return _name("the content provider", value)


def configuration(value: str) -> str:
    """The configuration string of a content provider: for ``WDS`` a folder, else whatever the provider takes.

    :raises ValueRefused: the text cannot be used; the sentence says why.
    """
    return _text("the configuration", value)


def friendly_name(value: str) -> str:
    """The friendly name of a namespace.

    :raises ValueRefused: the text cannot be used; the sentence says why.
    """
    return _text("the friendly name", value)


def description(value: str) -> str:
    """The description of a namespace; it may be empty.

    :raises ValueRefused: the text cannot be used; the sentence says why.
    """
    return _text("the description", value)


def folder(value: str) -> str:
    r"""A folder on the head node, e.g. ``D:\Spool\DeploymentLogs``; absolute, on a drive or a share.

    :raises ValueRefused: the text is no such folder; the sentence says why.
    """
    _text("the folder", value)
    if not re.match(r"(?:[A-Za-z]:[\\/]|\\\\[^\\/]+[\\/])", value):
        raise ValueRefused(f"the folder {value!r} must be an absolute path on the head node, such as D:\\Logs")
    return value


def powershell(value: str) -> str:
    """``value`` as a PowerShell literal: in single quotes, each kind of single quote doubled."""
    return "'%s'" % _SINGLE_QUOTES.sub(r"\1\1", value)


def powershell_argument(value: str) -> str:
    """``value`` as a literal that Windows PowerShell 2.0 to 5.1 hands to a native program unchanged.

    Windows PowerShell drops an empty argument, puts double quotes around one with white space without minding a
    backslash at its end, and passes a double quote on as it is.

    :raises UnsendableError: the value holds a double quote or a character that cannot be sent.
    """
    sendable(value)
    if '"' in value:
        raise UnsendableError(
            f"{value!r} holds a double quote, which Windows PowerShell 2.0 to 5.1 cannot hand to a program unchanged."
        )
    if not value:
        return powershell('""')
    return powershell(_guard_end(value) if _SPACE.search(value) else value)


def cmd_argument(value: str, known: Sequence[Pattern[str]] = ()) -> str:
    """``value`` as cmd.exe takes it: bare, or in double quotes.

    :param known: patterns of whole texts of this collection that may hold characters which cmd.exe acts on.
    :raises UnsendableError: the value holds a character that cmd.exe may act on.
    """
    sendable(value)
    if _BARE.match(value) and not value.endswith("\\"):
        return value
    if not any(pattern.match(value) for pattern in known):
        for character in _CMD:
            if character in value:
                raise UnsendableError(
                    f"{value!r} holds {character!r}, which cmd.exe may act on, and this host has no PowerShell "
                    "that could be used instead: choose a value without it or install Windows PowerShell 2.0."
                )
    return '"%s"' % _guard_end(value)


def sendable(value: str) -> str:
    """``value`` itself.

    :raises UnsendableError: it holds a control character, a line break of any kind or half of a surrogate pair.
    """
    fault = _unprintable(value)
    if fault:
        raise UnsendableError(f"{value!r} holds {fault}, which cannot be sent to a Windows host.")
    return value


def length(value: str) -> int:
    """Characters as Windows counts them: UTF-16 code units."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def _guard_end(value: str) -> str:
    return value + "\\" * (len(value) - len(value.rstrip("\\")))


def _name(what: str, value: str) -> str:
    if "\\" in value:
        raise ValueRefused(f"{what} {value!r} holds a backslash, which Windows Deployment Services does not allow")
    if not 1 <= length(value) <= _LONGEST_NAME:
        raise ValueRefused(f"{what} must have 1 to {_LONGEST_NAME} characters, this one has {length(value)}")
    if value != value.strip():
        raise ValueRefused(f"{what} {value!r} begins or ends with white space, which is lost on the way")
    return _checked(what, value)


def _text(what: str, value: str) -> str:
    if length(value) > _LONGEST_TEXT:
        raise ValueRefused(f"{what} must have at most {_LONGEST_TEXT} characters, this one has {length(value)}")
    return _checked(what, value)


def _checked(what: str, value: str) -> str:
    fault = _unprintable(value)
    if fault:
        raise ValueRefused(f"{what} {value!r} holds {fault}")
    if '"' in value:
        raise ValueRefused(
            f"{what} {value!r} holds a double quote: wdsutil is called through Windows PowerShell, which in versions "
            "2.0 to 5.1 does not hand a double quote to a program unchanged"
        )
    return value


def _unprintable(value: str) -> str:
    # str.splitlines() knows more line ends than \r and \n, and ansible's winrm takes a script apart with it.
    for character in value:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Zl", "Zp"):
            return f"a control character or line break (U+{ord(character):04X})"
        if kind == "Cs":
            return f"half of a surrogate pair (U+{ord(character):04X})"
    return ""

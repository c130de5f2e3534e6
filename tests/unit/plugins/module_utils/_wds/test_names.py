# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values on their way to a Windows host: what is refused, and that the rest arrives unchanged."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import names
from ansible_collections.imaging.multicast.plugins.module_utils._wds.errors import UnsendableError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import (
    HOSTILE,
    SENDABLE,
    cmd_words,
    command_line,
    literal,
    program_arguments,
)
from hypothesis import given
from hypothesis import strategies as st

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("value", ["HN1-CCP", "a", "n" * 255, "Köln & Söhne 100%", "it's", "日本", "(1) !"])
def test_a_name_that_windows_takes_is_taken(value):
    assert names.namespace_name(value) == value
    assert names.content_provider(value) == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "1 to 255 characters, this one has 0"),
        ("n" * 256, "this one has 256"),
        ("\U0001f4be" * 128, "this one has 256"),
        ("a\\b", "backslash"),
        ('a"b', "2.0 to 5.1 does not hand a double quote"),
        ("a\tb", "U+0009"),
        ("a\u2028b", "U+2028"),
        ("a\ud800b", "half of a surrogate pair"),
        (" a", "begins or ends with white space"),
    ],
)
@pytest.mark.parametrize("check", [names.namespace_name, names.content_provider])
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(check, value, why):
    with pytest.raises(names.ValueRefused) as caught:
        check(value)
    assert why in str(caught.value)
    assert str(caught.value).startswith("the ")


@pytest.mark.parametrize("check", [names.configuration, names.friendly_name, names.description])
def test_texts_may_be_empty_and_hold_backslashes(check):
    for value in ("", "C:\\Images\\", "D:\\Über uns\\", "a" * 1024):
        assert check(value) == value
    for value in ('"', "a\nb", "a" * 1025, "\udfff"):
        with pytest.raises(names.ValueRefused):
            check(value)


def test_a_folder_is_absolute():
    for value in ("D:\\Logs", "d:/logs", "\\\\server\\share", "C:\\"):
        assert names.folder(value) == value
    for value in ("Logs", "", "D:", "\\Logs", "D:\\a\nb", '"D:\\x"'):
        with pytest.raises(names.ValueRefused):
            names.folder(value)


@pytest.mark.parametrize("end", LINE_ENDS)
def test_no_kind_of_line_end_is_sent(end):
    # ansible's winrm plugin takes a script apart with splitlines(), which knows all of them.
    assert len(f"a{end}b".splitlines()) == 2
    for check in (names.sendable, names.powershell_argument, names.cmd_argument):
        with pytest.raises(UnsendableError):
            check(f"a{end}b")


@pytest.mark.parametrize("value", HOSTILE)
def test_a_program_under_powershell_gets_the_value_unchanged(value):
    line = command_line(["first", literal(names.powershell_argument(value)), "last"])
    assert program_arguments(line) == ["first", value, "last"]


@given(st.lists(SENDABLE, max_size=5))
def test_every_list_of_arguments_arrives_unchanged(values):
    line = command_line([literal(names.powershell_argument(value)) for value in values])
    assert program_arguments(line) == values


@given(st.text(st.sampled_from("a \\'\u2019"), max_size=8))
def test_spaces_quotes_and_backslashes_in_any_order_arrive_unchanged(value):
    assert program_arguments(command_line([literal(names.powershell_argument(value)), "z"])) == [value, "z"]


@given(st.text())
def test_a_powershell_literal_is_one_value(value):
    assert literal(names.powershell(value)) == value


def test_a_double_quote_is_refused_for_a_program():
    with pytest.raises(UnsendableError, match="double quote"):
        names.powershell_argument('a"b')


@pytest.mark.parametrize("character", list('&|<>^%!"()') + list(LINE_ENDS) + ["\0", "\x1a", "\x08"])
@pytest.mark.parametrize("around", ["{}", "a{}b", "a b{}", "{} "])
def test_what_cmd_acts_on_is_refused_without_powershell(character, around):
    with pytest.raises(UnsendableError):
        names.cmd_argument(around.format(character))


@given(SENDABLE)
def test_what_cmd_accepts_arrives_unchanged(value):
    try:
        argument = names.cmd_argument(value)
    except UnsendableError:
        assert set(value) & set("&|<>^%!()")
        return
    assert cmd_words(f"prog.exe {argument}") == [f"prog.exe {argument}"]
    assert program_arguments(argument + " z") == [value, "z"]


def test_length_counts_as_windows_does():
    assert names.length("a\U0001f4be") == 3

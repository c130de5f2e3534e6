# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reg.exe prints."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.registry import (
    Key,
    Tree,
    Value,
    fold,
    parse_registry,
)
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st

ROOT = head_node.HKLM + r"\SOFTWARE\x"


def one(values, path=ROOT):
    tree = parse_registry(head_node.printed([(path, values)]))
    assert list(tree.keys) == [fold(path)]
    return tree.key(path)


def test_values_of_every_type():
    key = one(
        [
            ("Text", "REG_SZ", "a b"),
            ("Path", "REG_EXPAND_SZ", r"%SystemRoot%\x"),
            ("List", "REG_MULTI_SZ", r"one\0Path=C:\two\0"),
            ("Number", "REG_DWORD", "0xfde8"),
            ("Long", "REG_QWORD", "0x1d5a3f2b4c6d8e0"),
            ("Bytes", "REG_BINARY", "00FF"),
            ("None", "REG_NONE", ""),
        ]
    )
    assert key.text("Text") == "a b"
    assert key.text("Path") == r"%SystemRoot%\x"
    assert key.value("List").strings == ("one", r"Path=C:\two")
    assert key.number("Number") == 65000
    assert key.number("Long") == 0x1D5A3F2B4C6D8E0
    assert key.value("Bytes").data == "00FF"
    assert key.value("None").data == ""
    assert not key.doubtful


def test_a_value_of_another_type_is_no_text_and_no_number():
    key = one(
        [
            ("Text", "REG_DWORD", "0x1"),
            ("Number", "REG_SZ", "0x1"),
            ("List", "REG_SZ", r"a\0b"),
            ("Bad", "REG_DWORD", "x"),
        ]
    )
    assert (key.text("Text"), key.number("Number"), key.number("Bad"), key.text("Absent")) == ("", None, None, "")
    assert key.value("List").strings == ()
    assert key.number("Absent") is None


@pytest.mark.parametrize("language", head_node.LANGUAGES)
def test_the_default_value_has_a_name_in_every_language(language):
    text = head_node.printed([(ROOT, [("a", "REG_SZ", "b")])], head_node.DEFAULT[language])
    assert parse_registry(text).key(ROOT).text("a") == "b"


def test_data_may_be_empty_with_or_without_the_blanks():
    text = "%s\n    a    REG_SZ    \n    b    REG_SZ\n    c    REG_SZ    d  \n" % ROOT
    key = parse_registry(text).key(ROOT)
    assert key.values == (Value("a", "REG_SZ", ""), Value("b", "REG_SZ", ""), Value("c", "REG_SZ", "d  "))
    assert not key.doubtful


def test_names_have_no_case_and_keep_blanks_brackets_and_letters_of_any_script():
    path = ROOT + r"\[a] (b)  \xc9t\xe9 \u540d\u524d"
    key = one([("\u540d \xe9", "REG_SZ", "\u5024")], path)
    assert key.path == path
    assert key.text("\u540d \xc9") == "\u5024"
    tree = parse_registry(head_node.printed([(path, [])]))
    assert tree.key("hklm" + path[len(head_node.HKLM) :].upper()) is not None


@pytest.mark.parametrize(("one_name", "other"), [("\xdf", "SS"), ("\u0131", "I"), ("\u017f", "S"), ("\ufb01", "FI")])
def test_no_two_names_become_one_by_a_languages_rules(one_name, other):
    assert fold(one_name) != fold(other)


def test_carriage_returns_are_line_ends_and_other_separators_are_data():
    text = "%s\r\n    a    REG_SZ    x\u2028y\x0bz\x85\r\n    b    REG_SZ    c\r\n" % ROOT
    key = parse_registry(text).key(ROOT)
    assert (key.text("a"), key.text("b"), key.doubtful) == ("x\u2028y\x0bz\x85", "c", False)


def test_data_of_several_lines_is_kept_and_makes_the_key_doubtful():
    key = one([("a", "REG_SZ", "first\n\nthird"), ("b", "REG_SZ", "c")])
    assert (key.text("a"), key.text("b"), key.doubtful) == ("first\n\nthird", "c", True)
    ends_blank = one([("a", "REG_SZ", "first\n"), ("b", "REG_SZ", "c")])
    assert (ends_blank.text("a"), ends_blank.doubtful) == ("first\n", True)


def test_data_shaped_like_another_value_makes_the_key_doubtful():
    key = one(
        [("Description", "REG_SZ", "x\n    ContentProvider    REG_SZ    evil"), ("contentprovider", "REG_SZ", "WDS")]
    )
    assert key.doubtful


def test_data_shaped_like_a_key_makes_that_key_doubtful():
    forged = "x\n%s\\ns\n    Type    REG_DWORD    0x2" % ROOT
    tree = parse_registry(
        head_node.printed([(ROOT + r"\ns", [("Type", "REG_DWORD", "0x1")]), (ROOT, [("a", "REG_SZ", forged)])])
    )
    assert tree.key(ROOT + r"\ns").doubtful


def test_data_with_a_type_in_it_belongs_to_the_first_name():
    key = one([("a", "REG_SZ", "x    REG_SZ    y")])
    assert key.values == (Value("a", "REG_SZ", "x    REG_SZ    y"),)


def test_children_are_only_those_directly_below():
    text = head_node.printed([(ROOT + path, []) for path in ("", r"\a", r"\a\b", r"\B", "other")])
    tree = parse_registry(text)
    assert [key.name for key in tree.children(ROOT)] == ["a", "B"]
    assert tree.children(ROOT + r"\none") == ()


@pytest.mark.parametrize("language", head_node.LANGUAGES)
def test_an_error_is_no_key(language):
    for text in (head_node.NOT_FOUND[language], head_node.DENIED[language], "", "\n\n"):
        assert parse_registry(text) == Tree({})


TEXT = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), max_size=20)
# A name that ends with a blank, or holds two, cannot be told from the blanks that end it.
NAME = TEXT.filter(lambda text: text.strip() == text and text and "    REG_" not in text + "    ")
PART = TEXT.filter(lambda text: text and "\\" not in text)
TYPE = st.sampled_from(["REG_SZ", "REG_DWORD", "REG_BINARY", "REG_MULTI_SZ"])
KEYS = st.lists(
    st.tuples(PART, st.lists(st.tuples(NAME, TYPE, TEXT), unique_by=lambda value: fold(value[0]))),
    unique_by=lambda key: fold(key[0]),
)


@given(KEYS)
def test_what_is_printed_is_read_again(keys):
    tree = parse_registry(head_node.printed([(ROOT + "\\" + name, values) for name, values in keys]))
    assert list(tree.keys.values()) == [
        Key(ROOT + "\\" + name, tuple(Value(*value) for value in values), False) for name, values in keys
    ]


PIECES = st.lists(
    st.sampled_from([ROOT, "\n", "    ", "a", "REG_SZ", "REG_", "\\", "\r", "\n\n", "\x00", "0x1", "\u2028"])
)


@given(st.one_of(st.text(), PIECES.map("".join)))
def test_any_text_is_read(text):
    tree = parse_registry(text)
    assert all(key.path for key in tree.keys.values())


@given(st.text(), st.text())
def test_folding_is_stable(one_name, other):
    assert fold(fold(one_name)) == fold(one_name)
    assert fold(one_name) + fold(other) == fold(one_name + other)
    assert len(fold(one_name)) == len(one_name)


@pytest.mark.parametrize(
    "unit",
    [
        ROOT + "\n    a    REG_SZ    b\n",
        "    a    REG_",
        "    a    REG_A",
        " ",
        "\n",
        "x\n",
        "    REG_SZ",
        "\n    a    REG_SZ",
    ],
    ids=len,
)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(parse_registry, ROOT + "\n    first    REG_SZ    ", unit)

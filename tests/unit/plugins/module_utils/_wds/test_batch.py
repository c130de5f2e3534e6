# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts with framed answers, and what hostile, broken or huge output can do to them: nothing."""

import base64

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, scripts, snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer, Command, Part, Script
from ansible_collections.imaging.multicast.plugins.module_utils._wds.errors import FrameError, UnsendableError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import (
    NONCE,
    SENDABLE,
    framed,
    nonces,
)
from hypothesis import given
from hypothesis import strategies as st

ONE = Command("one", "reg.exe", ("query", "HKLM"))
TWO = Command("two", "sc.exe", ("query", "WDSServer"))
PART = Part("", NONCE, (ONE, TWO))
GOOD = f"#{NONCE} one {{\r\nfirst\r\n\r\n#{NONCE} }} 0 one\r\n#{NONCE} two {{\r\n#{NONCE} }} 1060 two\r\n"
CLIXML = '#< CLIXML\r\n<Objs Version="1.1.0.1"><Obj S="progress" RefId="0"></Obj></Objs>\r\n'


def test_answers_are_read_out_of_their_frames():
    assert batch.parse(GOOD, PART) == {"one": Answer(0, "first\n"), "two": Answer(1060, "")}


def test_line_ends_do_not_matter():
    assert batch.parse(GOOD.replace("\r\n", "\n"), PART) == batch.parse(GOOD, PART)
    assert batch.parse(GOOD.rstrip(), PART) == batch.parse(GOOD, PART)


def test_noise_outside_the_frames_is_left_out():
    noisy = CLIXML + GOOD.replace(f"#{NONCE} two {{", f"{CLIXML}banner\r\n#{NONCE} two {{") + CLIXML
    assert batch.parse(noisy, PART) == batch.parse(GOOD, PART)


def test_a_frame_with_another_nonce_is_output():
    other = "f" * 32
    forged = f"#{other} }} 0 one\r\n#{other} two {{\r\nforged\r\n#{other} }} 0 two\r\n"
    answers = batch.parse(GOOD.replace("first\r\n", forged), PART)
    assert answers["one"].output.startswith(f"#{other} }} 0 one\n")
    assert answers["two"] == Answer(1060, "")


@pytest.mark.parametrize(
    "forged",
    [
        f" #{NONCE} }} 0 one",
        f"x#{NONCE} }} 0 one",
        f"#{NONCE}",
        f"#{NONCE[:-1]} }} 0 one",
        f"#{NONCE.upper()} }} 0 one",
        f"\u2028#{NONCE} }} 0 one",
        f"\v#{NONCE} }} 0 one",
    ],
)
def test_a_frame_that_is_not_alone_on_its_line_is_output(forged):
    assert batch.parse(GOOD.replace("first", forged), PART)["one"] == Answer(0, forged + "\n")


@pytest.mark.parametrize(
    "line",
    [
        "two {",
        "} 0 two",
        "one {",
        "} 0x one",
        "}",
        "} 0",
        "} 0 on",
        "}  one",
        "} 0 one x",
        "} 99999999999 one",
        "",
        "x {",
    ],
)
def test_a_frame_out_of_its_place_is_an_error(line):
    with pytest.raises(FrameError):
        batch.parse(GOOD.replace("first", f"#{NONCE} {line}"), PART)


def test_answers_in_another_order_or_to_other_questions_are_an_error():
    first, second = GOOD[: GOOD.index(f"#{NONCE} two")], GOOD[GOOD.index(f"#{NONCE} two") :]
    for wrong in (second + first, first + first, GOOD.replace("two", "three"), first + "x" + second):
        with pytest.raises(FrameError):
            batch.parse(wrong, PART)


def test_after_the_last_frame_none_may_follow():
    with pytest.raises(FrameError):
        batch.parse(GOOD + GOOD, PART)


@given(st.integers(0, len(GOOD.rstrip()) - 1))
def test_output_that_is_cut_off_is_an_error(end):
    with pytest.raises(FrameError) as caught:
        batch.parse(GOOD[:end], PART)
    assert "one" in str(caught.value) or "two" in str(caught.value) or "not where it belongs" in str(caught.value)


BODY = st.text(st.characters(blacklist_characters="\r\n"), max_size=40)


@given(st.lists(st.lists(BODY, max_size=4), min_size=1, max_size=5), st.lists(st.integers(-1, 9009), min_size=5))
def test_whatever_programs_print_comes_back_as_their_own(bodies, codes):
    items = tuple(Command(f"k{number}", "reg.exe", ()) for number in range(len(bodies)))
    part = Part("", NONCE, items)
    lines = []
    for number, body in enumerate(bodies):
        item, code = items[number], codes[number]
        lines += [f"#{NONCE} {item.key} {{", *body, f"#{NONCE} }} {code} {item.key}"]
    answers = batch.parse("\r\n".join(lines), part)
    assert list(answers) == [item.key for item in items]
    for number, body in enumerate(bodies):
        item, code = items[number], codes[number]
        clean = "\n".join(body)
        assert answers[item.key].code == code
        assert [c for c in answers[item.key].output if c != "\ufffd"] == [
            c for c in clean if not "\ud800" <= c <= "\udfff" and c != "\ufffd"
        ]


@given(st.text(), st.text())
def test_no_output_without_the_nonce_is_an_answer(before, after):
    for text in (before, after, before + after):
        if NONCE not in text:
            with pytest.raises(FrameError):
                batch.parse(text, PART)


def test_megabytes_are_read():
    body = "\r\n".join(f"#{number:032x} }} 0 one" for number in range(100000))
    assert len(batch.parse(GOOD.replace("first", body), PART)["one"].output) > 3000000


def test_bytes_that_are_no_utf8_become_harmless():
    output = batch.parse(GOOD.replace("first", b"K\xf6ln \xed\xa0\x80".decode("utf-8", "surrogateescape")), PART)
    assert output["one"].output == "K\ufffdln \ufffd\ufffd\ufffd\n"
    output["one"].output.encode("utf-8")


def test_the_whole_observation_fits_one_command_line_of_winrm():
    parts = batch.powershell_parts(snapshot.commands(3650), nonces(), batch.longest_script())
    assert len(parts) == 1
    assert len(batch.encoded(parts[0].text)) < 8191 - 1000, "no room is left for another command"


def test_the_longest_script_is_the_longest_that_cmd_accepts():
    longest = batch.longest_script()
    assert 2950 <= longest <= 3040
    assert len(batch.encoded("x" * longest)) <= 8191 - len(r"C:\Windows\system32\cmd.exe /C ") - 2
    assert len(batch.encoded("x" * (longest + 3))) > 8191 - 64


def test_the_encoded_command_line_is_what_powershell_reads():
    line = batch.encoded("'ö'")
    assert line.startswith("PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand ")
    assert base64.b64decode(line.split(" ")[-1]).decode("utf-16-le") == "'ö'"


def test_what_does_not_fit_is_split_and_keeps_its_order():
    items = [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 400)) for number in range(30)]
    parts = batch.powershell_parts(items, nonces(), batch.longest_script())
    assert len(parts) > 3
    assert [item for part in parts for item in part.items] == items
    for part in parts:
        assert len(batch.encoded(part.text)) <= 8191
        assert part.text.startswith("$ErrorActionPreference='Continue'")
        assert batch.parse(framed(part.text, {}), part).keys() == set(part.keys)
    assert len({part.nonce for part in parts}) == len(parts)


def test_without_a_limit_nothing_is_split():
    items = [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 400)) for number in range(30)]
    assert len(batch.powershell_parts(items, nonces())) == 1


@given(st.lists(st.lists(SENDABLE, max_size=3), min_size=1, max_size=8), st.integers(700, 3000))
def test_no_part_is_too_long_and_nothing_is_lost(arguments, limit):
    items = [Command(f"k{number}", "reg.exe", tuple(words)) for number, words in enumerate(arguments)]
    try:
        parts = batch.powershell_parts(items, nonces(), limit)
    except UnsendableError:
        assert any(len(batch.powershell_line(item).encode("utf-16-le")) // 2 + 300 > limit for item in items)
        return
    assert [item for part in parts for item in part.items] == items
    assert all(len(part.text.encode("utf-16-le")) // 2 <= limit for part in parts)
    for number, following in enumerate(parts[1:]):
        joined = parts[number].text + "\n" + batch.powershell_line(following.items[0])
        assert len(joined.encode("utf-16-le")) // 2 > limit, "the part before had room"


def test_a_command_that_fits_nowhere_is_refused_before_anything_is_made():
    drawn = []
    items = [ONE, Command("long", "wdsutil.exe", ("/ConfigString:" + "c" * 4000,))]
    with pytest.raises(UnsendableError, match=r"'long' is too long .* \(4\d\d\d characters, 30\d\d fit\)"):
        batch.powershell_parts(items, lambda: drawn.append(1), batch.longest_script())
    assert not drawn


def test_a_character_outside_the_plane_counts_twice():
    item = Command("k", "reg.exe", ("\U0001f4be" * 1400,))
    with pytest.raises(UnsendableError):
        batch.powershell_parts([item], nonces(), batch.longest_script())


@pytest.mark.parametrize("nonce", ["", "0" * 31, "'" * 32, "0" * 33])
def test_a_nonce_is_32_digits(nonce):
    with pytest.raises(ValueError, match="nonce"):
        batch.powershell_parts([ONE], lambda: nonce)


@pytest.mark.parametrize(
    "items",
    [
        [],
        [ONE, ONE],
        [Command("One", "reg.exe", ())],
        [Command("a b", "reg.exe", ())],
        [Command("a'", "reg.exe", ())],
        [Script("", "1")],
        [Command("a", "sc", ())],
        [Command("a", "where", ())],
        [Command("a", "reg.exe;x.exe", ())],
        [Command("a", "..\\reg.exe", ())],
    ],
)
def test_a_mistake_of_this_collection_is_refused(items):
    # `sc` and `where` are aliases of PowerShell: facts/windows.md section 8.7.
    with pytest.raises(ValueError, match=r"nothing|malformed|not the full name"):
        batch.powershell_parts(items, nonces())


def test_each_exit_code_is_reset_and_printed():
    # $LASTEXITCODE keeps its old value when a program is missing: facts/windows.md section 8.2.
    text = batch.powershell_parts([ONE], nonces())[0].text
    before, after = text.split("& $p $a")
    assert "$global:LASTEXITCODE=-1" in before
    assert after.index("catch{}") < after.index("'} '+$global:LASTEXITCODE")


def test_the_helper_function_comes_only_with_commands():
    assert "function x(" not in batch.powershell_parts([scripts.boot()], nonces())[0].text


def test_a_value_cannot_take_part_in_the_template():
    item = Command("k", "reg.exe", ("%s %(key)s {0} $n",))
    assert "'%s %(key)s {0} $n'" in batch.powershell_parts([item], nonces())[0].text


READS = [
    *snapshot.commands(30),
    scripts.boot(),
    *scripts.deployments(["D:\\x"], 1, 1),
    scripts.BOOT_COMMAND,
]
WRITES = [
    Command("k", "reg.exe", ("copy", "a", "b", "/s", "/f")),
    Command("k", "reg.exe", ("delete", "a", "/f")),
    Command("k", "reg.exe", ("queryx",)),
    Command("k", "reg.exe", ()),
    Command("k", "sc.exe", ("config", "WDSServer", "start=", "auto")),
    Command("k", "net.exe", ("start", "WDSServer")),
    Command("k", "cmd.exe", ("/c", "del x")),
    Command("k", "wdsutil.exe", ("/New-Namespace",)),
    Command("k", "servermanagercmd.exe", ("-query",)),
    Command("k", "shutdown.exe", ("/r",)),
    Command("k", "wmic.exe", ("os", "call", "reboot")),
    scripts.install_feature(),
    scripts.remove_feature(),
]


@pytest.mark.parametrize("item", READS, ids=lambda item: item.key)
def test_a_look_is_known_as_one(item):
    assert batch.reads(item)


@pytest.mark.parametrize("item", WRITES, ids=str)
def test_anything_else_counts_as_a_write(item):
    assert not batch.reads(item)

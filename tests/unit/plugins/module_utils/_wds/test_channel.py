# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The channel: which way a question goes, what a broken way is called, and waiting for a boot."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, scripts
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer, Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import (
    Channel,
    ChannelError,
    DeniedError,
    FrameError,
    LostError,
    Runner,
    ShellLimitError,
    UnreachableError,
    UnsendableError,
)
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import (
    OBSERVATION,
    Host,
    lost,
    nonces,
)

READ = Command("wds", "sc.exe", ("query", "WDSServer"))
WRITE = Command("new", "wdsutil.exe", ("/New-Namespace", "/Namespace:HN1-CCP"))
BEFORE = "20261122001500.500000+060"
AFTER = "20261122003000.500000+060"


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self):
        self.now = 1000.0
        self.naps = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.naps.append(seconds)
        self.now += seconds


def channel(host, clock=None):
    clock = clock or Clock()
    return Channel(host, nonces(), clock, clock.sleep)


def booted(identity):
    return lambda output: output.replace("answer to boot", "boot " + identity)


def big(count):
    return [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 800)) for number in range(count)]


def test_the_observation_is_one_round_trip():
    host = Host({"wds": (1060, "missing")}, limit=batch.longest_script(), has_cmd=True)
    asked = channel(host)
    assert asked.powershell is None
    answers = asked.run([*OBSERVATION, scripts.live()])
    assert len(host.sent) == 1
    assert asked.powershell is True
    assert asked.where == "hn1 (winrm)"
    assert answers["wds"] == Answer(1060, "missing")
    assert answers["live"].code == 0


def test_a_missing_program_is_told_by_its_code():
    assert channel(Host({"wds": (-1, "")})).run([READ])["wds"].code == -1


def test_what_does_not_fit_is_asked_in_several_round_trips():
    host = Host(limit=batch.longest_script())
    answers = channel(host).run(big(9))
    assert list(answers) == [f"k{number}" for number in range(9)]
    assert len(host.sent) > 2
    assert len({text for _way, text in host.sent}) == len(host.sent)


def test_nothing_is_sent_when_one_command_cannot_be():
    for bad in (
        Command("long", "wdsutil.exe", ("/x" * 3000,)),
        Command("quote", "wdsutil.exe", ('a"b',)),
        Command("line", "wdsutil.exe", ("a\nb",)),
    ):
        host = Host(limit=batch.longest_script())
        with pytest.raises(UnsendableError):
            channel(host).run([WRITE, bad])
        assert not host.sent


def test_each_script_has_a_nonce_of_its_own_from_a_safe_source(monkeypatch):
    drawn = []
    monkeypatch.setattr("secrets.token_hex", lambda size: drawn.append(size) or f"{len(drawn):032x}")
    host = Host()
    asked = Channel(host)
    asked.run([READ])
    asked.run([READ])
    assert drawn == [16, 16]


def test_an_answer_of_another_script_is_none():
    host = Host()
    asked = channel(host)
    asked.run([READ])
    old = host.sent[0][1]
    host.faults = [lambda output: output.replace(f"{2:032x}", f"{1:032x}")]
    assert f"{1:032x}" in old
    with pytest.raises(FrameError):
        asked.run([READ])


def test_a_broken_connection_names_what_may_have_been_written():
    host = Host(limit=batch.longest_script())
    host.faults = [None, lost()]
    with pytest.raises(LostError) as caught:
        channel(host).run([WRITE, *big(4)])
    text = str(caught.value)
    assert text.startswith("The connection to hn1 (winrm) broke while 'k")
    assert "Connection aborted." in text
    assert text.endswith(
        "wdsutil.exe /New-Namespace may have been done or not: run again, the state is read before anything is changed."
    )
    assert len(host.sent) == 2, "nothing is sent again"


def test_a_broken_look_changed_nothing():
    host = Host()
    host.faults = [lost()]
    with pytest.raises(LostError, match=r"'none', 'store', 'own' and 11 more ran .* Nothing was to be changed: run"):
        channel(host).run([*OBSERVATION, scripts.live()])


@pytest.mark.parametrize(
    "broken",
    [
        lambda output: output[: len(output) // 2],
        lambda output: output[:-4],
        lambda output: output + output,
        lambda output: "\r\n".join(output.splitlines()[:1]),
        lambda output: output.replace("answer", "\r\n".join(output.splitlines()[-1:])),
    ],
)
def test_output_that_is_not_whole_is_no_answer(broken):
    host = Host(has_cmd=True)
    host.faults = [broken]
    with pytest.raises(FrameError) as caught:
        channel(host).run([READ, WRITE])
    assert "The output of hn1 (winrm) is not whole" in str(caught.value)
    assert "wdsutil.exe /New-Namespace may have been done or not" in str(caught.value)
    assert len(host.sent) == 1


@pytest.mark.parametrize("error", [UnreachableError("u"), DeniedError("d"), ShellLimitError("s")])
def test_a_refusal_is_passed_on_and_not_tried_again(error):
    host = Host()
    host.faults = [error]
    with pytest.raises(type(error)) as caught:
        channel(host).run([READ])
    assert caught.value is error
    assert len(host.sent) == 1


def test_without_powershell_the_same_commands_go_through_cmd():
    host = Host({"boot": (0, "LastBootUpTime=" + BEFORE)}, has_cmd=True, present=False)
    asked = channel(host)
    answers = asked.run([*OBSERVATION, scripts.live()])
    assert asked.powershell is False
    assert [way for way, _text in host.sent] == ["powershell", "cmd", "cmd"]
    assert answers["live"] == Answer(None, "")
    assert answers["boot"] == Answer(0, "LastBootUpTime=" + BEFORE)
    assert all(answers[item.key].code == 0 for item in OBSERVATION)
    asked.run([READ])
    assert [way for way, _text in host.sent[3:]] == ["cmd"], "PowerShell is not looked for twice"


def test_scripts_alone_send_nothing_through_cmd():
    host = Host(has_cmd=True, present=False)
    asked = channel(host)
    asked.run([READ])
    count = len(host.sent)
    assert asked.run([scripts.install_feature()]) == {"feature": Answer(None, "")}
    assert len(host.sent) == count


def test_powershell_1_is_as_good_as_none():
    host = Host({"engine": (0, "    PowerShellVersion    REG_SZ    1.0")}, has_cmd=True, present=False)
    host.answers["where"] = (0, "")
    asked = channel(host)
    assert asked.run([READ])["wds"].code == 0
    assert asked.powershell is False


@pytest.mark.parametrize("has_cmd", [True, False])
def test_powershell_that_is_there_but_runs_nothing_is_an_error(has_cmd):
    host = Host(has_cmd=has_cmd)
    host.faults = [lambda output: "disabled by your\r\nadministrator"]
    with pytest.raises(
        FrameError, match=r"ran nothing .*\(disabled by your administrator\).*must be allowed to run it"
    ):
        channel(host).run([WRITE])
    assert [way for way, _text in host.sent if way == "powershell"] == ["powershell"]
    assert not any("wdsutil" in text for way, text in host.sent if way == "cmd")


def test_a_value_that_cmd_would_act_on_is_refused_before_it_is_sent():
    host = Host(has_cmd=True, present=False)
    with pytest.raises(UnsendableError, match="this host has no PowerShell"):
        channel(host).run([READ, Command("new", "wdsutil.exe", ("/Namespace:a&b",))])
    assert not any("wdsutil" in text for way, text in host.sent if way == "cmd")


def test_a_broken_cmd_shell_names_what_may_have_been_written():
    host = Host(has_cmd=True, present=False)
    host.faults = [None, None, lost()]
    with pytest.raises(LostError, match=r"wdsutil.exe /New-Namespace may have been done or not"):
        channel(host).run([WRITE])


def wait(host, clock=None, timeout=600.0, before=BEFORE):
    clock = clock or Clock()
    told = []
    found = channel(host, clock).await_boot(before, timeout, lambda line: told.append((clock.now, line)))
    return found, told


def test_the_new_identity_is_returned():
    host = Host()
    host.faults = [booted(BEFORE), lost(), UnreachableError("refused"), lambda output: "", booted(AFTER)]
    found, told = wait(host)
    assert found == AFTER
    assert len(host.sent) == 5
    assert host.forgotten == 3, "a connection that broke is not used again"
    assert not told, "nothing to tell within seconds"


def test_the_same_boot_in_summer_time_or_by_a_set_clock_is_no_new_one():
    host = Host()
    host.faults = [booted("20261122011500.500000+120"), booted("20261122001503.100000+060"), booted(AFTER)]
    assert wait(host)[0] == AFTER


def test_a_host_that_does_not_say_its_boot_is_asked_again():
    host = Host()
    host.faults = [None, booted(AFTER)]
    assert wait(host)[0] == AFTER


def test_without_powershell_wmic_is_asked():
    host = Host({"boot": (0, "LastBootUpTime=" + AFTER)}, has_cmd=True, present=False)
    assert wait(host)[0] == AFTER


@pytest.mark.parametrize("error", [DeniedError("wrong password"), ShellLimitError("no more shells")])
def test_a_refusal_ends_the_wait_at_once(error):
    host = Host()
    host.faults = [lost(), error]
    with pytest.raises(type(error)):
        wait(host)
    assert len(host.sent) == 2


def test_a_host_that_does_not_come_back_is_an_error_in_time():
    host, clock = Host(), Clock()
    host.faults = [UnreachableError("refused")] * 1000
    with pytest.raises(ChannelError, match=r"hn1 \(winrm\) did not start anew within 600 s \(refused\): .* run again"):
        wait(host, clock)
    assert clock.now == 1600.0
    assert len(host.sent) < 90, "it backs off"
    assert max(clock.naps) <= 10
    assert clock.naps[0] < 1


def test_a_host_that_never_goes_down_is_an_error_too():
    host = Host()
    host.faults = [booted(BEFORE)] * 1000
    with pytest.raises(ChannelError, match="it still runs"):
        wait(host, timeout=60.0)
    assert host.forgotten == 0, "one shell serves all looks"


def test_progress_is_told_every_ten_seconds_at_most():
    host, clock = Host(), Clock()
    host.faults = [UnreachableError("refused")] * 1000
    told = []
    with pytest.raises(ChannelError):
        channel(host, clock).await_boot(BEFORE, 120.0, lambda line: told.append((clock.now, line)))
    moments = [moment for moment, _line in told]
    assert 6 <= len(moments) <= 12
    assert all(moments[number + 1] - moment >= 10 for number, moment in enumerate(moments[:-1])), moments
    assert told[0][1].startswith("hn1 (winrm): waiting for the restart, 1")
    assert told[0][1].endswith(" s of 120 s: refused")


def test_an_unknown_boot_cannot_be_waited_for():
    host = Host()
    with pytest.raises(ChannelError, match="not known"):
        wait(host, before="")
    assert not host.sent


def test_a_bare_runner_does_nothing():
    for call in (lambda: Runner().powershell(""), lambda: Runner().cmd(""), Runner().forget):
        with pytest.raises(NotImplementedError):
            call()

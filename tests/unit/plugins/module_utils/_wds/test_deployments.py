# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the deployment logs say."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.deployments import Deployment, parse_deployments
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st

FOLDER = r"C:\HPC\SpoolDir\DeploymentLogs"
IMAGE = r"Images\baseoobe.wim"
COPY = r'31:09/16/09 15:21:34: COMMAND: robocopy "Z:\\Images" "C:\\\\" "baseoobe.wim" /R:5 /W:5'
USAGE = "25:usage: CcpImg.exe -ipaddress:<address> -namespace:<name> -user:<user> -password:<password>"
FAILED = "40:Multicast Failed with Exit Code 1"
SECRET = "Pa55-w0rd"


def command(namespace="HEADNODE-CCP", user="*******", password="*******", number=21):
    return (
        '%d:09/16/09 15:21:33: COMMAND: CcpImg.exe -ipaddress:192.168.0.1 -namespace:"%s" -user:"%s" '
        r'-filesrc:"Images\baseoobe.wim" -filedst:"%%INSTALLDRIVE%%\baseoobe.wim" -password:"%s"'
    ) % (number, namespace, user, password)


def log(*lines, node="NODE01", name="deploy.log", time="2026-11-20T15:30:00Z", folder=FOLDER):
    path = "%s\\%s\\%s" % (folder, node, name)
    return "\n".join(["file %s %s" % (head_node.b64(path), time), *list(lines)])


def read(*logs):
    return parse_deployments(["\n".join(("files %d" % len(logs), *logs))], [FOLDER])


def only(*lines):
    found = read(log(*lines)).deployments
    assert len(found) == 1
    return found[0]


def test_a_healthy_deployment():
    path = FOLDER + r"\NODE01\deploy.log"
    healthy = Deployment("NODE01", "2026-11-20T15:30:00Z", path, IMAGE, "HEADNODE-CCP", False, False, None)
    assert read(log(command())) == ((healthy,), False, (), True, False)


def test_a_blank_namespace_with_usage_and_fallback():
    found = only(command(""), USAGE, COPY, FAILED)
    assert found[3:] == (IMAGE, "", True, True, 1)


@pytest.mark.parametrize("namespace", ["", "HEADNODE-CCP"])
def test_user_and_password_are_never_kept(namespace):
    masked, bare = only(command(namespace), COPY), only(command(namespace, "HPC\\admin", SECRET), COPY)
    assert masked == bare
    assert SECRET not in repr(bare)
    assert "admin" not in repr(bare)


@pytest.mark.parametrize(
    "line",
    [
        '1:COMMAND: CcpImg.exe -namespace:"HEADNODE-CCP -user:"x" -filesrc:"a -password:"%s"',
        "1:COMMAND: CcpImg.exe -namespace: -filesrc:-password:%s",
        '1:COMMAND: CcpImg.exe -namespace:"" -filesrc:"a -password:%s',
        '1:COMMAND: CcpImg.exe -filesrc:"a.wim -password:%s -user:x" -namespace:"n"',
    ],
)
def test_a_line_with_missing_quotes_gives_no_password_away(line):
    assert SECRET not in repr(read(log(line % SECRET)))


def test_values_without_quotes():
    found = only(r"1:COMMAND: CCPIMG -namespace:HEADNODE-CCP -filesrc:Images\x.wim -password:y")
    assert (found.namespace, found.image) == ("HEADNODE-CCP", r"Images\x.wim")
    assert only("1:COMMAND: CcpImg.exe -namespace: -user:x").namespace == ""


def test_the_usage_text_is_no_command_and_an_unrelated_copy_no_fallback():
    found = only(command(), r'30:COMMAND: robocopy "Z:\Drivers" "C:\Drivers" /E')
    assert (found.namespace, found.usage, found.fallback) == ("HEADNODE-CCP", False, False)
    assert only(command(""), USAGE).namespace == ""


def test_of_several_attempts_in_a_log_the_last_counts():
    found = only(command("", number=1), USAGE, COPY, FAILED, command("HEADNODE-CCP", number=90))
    assert found[4:] == ("HEADNODE-CCP", False, False, None)


def test_the_newest_log_of_a_compute_node_counts_whatever_the_order():
    old = log(command(""), name="old.log", time="2026-11-01T00:00:00Z")
    new = log(command(), name="new.log", time="2026-11-02T00:00:00Z", node="node01")
    other = log(command(""), node="NODE02", time="2026-11-03T00:00:00.123Z")
    for logs in ((old, new, other), (new, other, old)):
        found = read(*logs).deployments
        assert [(each.node, each.namespace) for each in found] == [("NODE02", ""), ("node01", "HEADNODE-CCP")]


def test_the_compute_node_is_the_folder_below_the_searched_one():
    deep = log(command(), name=r"sub\x.log")
    assert [each.node for each in read(deep).deployments] == ["NODE01"]
    elsewhere = log(command(), folder=r"D:\Other", node="NODE09")
    assert [each.node for each in read(elsewhere).deployments] == ["NODE09"]
    assert [each.node for each in parse_deployments([deep], [FOLDER.lower() + "\\"]).deployments] == ["NODE01"]


def test_logs_that_tell_nothing_of_multicast_are_left_out():
    assert read(log(COPY), log(USAGE, node="NODE02"), log(node="NODE03")).deployments == ()
    assert only(FAILED)[3:] == ("", None, False, False, 1)


def test_what_the_script_says_of_itself():
    text = "absent %s\nfiles 0\ncut\nerror -2147024891" % head_node.b64("D:\\none")
    assert parse_deployments([text]) == ((), True, ("D:\\none",), True, True)
    assert parse_deployments([""]).ended is False


def test_what_several_scripts_say_is_one():
    other = "D:\\Other"
    old, new = log(command(""), time="2026-11-20T15:30:00Z"), log(command(), time="2026-11-21T15:30:00Z", folder=other)
    texts = ["files 1\n" + old + "\ncut", "absent QQ==\nfiles 1\n" + new]
    both = parse_deployments(texts, [FOLDER, other])
    # The newest log of a compute node counts, in whichever folder it is.
    assert [each.namespace for each in both.deployments] == ["HEADNODE-CCP"]
    assert both == parse_deployments(texts[::-1], [FOLDER, other])
    assert both[1:] == (True, ("A",), True, False)
    # One that did not come to its end, and lines without a file, are not made up for by the other.
    broken = parse_deployments(["files 1\n" + old, command("ELSE-CCP")], [FOLDER])
    assert (broken.ended, broken.deployments[0].namespace) == (False, "")
    assert parse_deployments(["files 0", "files 0\nerror -2147024891"]).failed


@pytest.mark.parametrize(
    "first", ["file ? 2026-11-20T15:30:00Z", "file gICA 2026-11-20T15:30:00Z", "file QQ== yesterday"]
)
def test_lines_of_a_file_without_a_name_belong_to_none(first):
    assert read(log(command()) + "\n" + first + "\n" + command("")).deployments[0].namespace == "HEADNODE-CCP"


TEXT = st.text(st.characters(blacklist_characters='"\n\r', blacklist_categories=["Cs"]), max_size=20)


@given(TEXT.filter(lambda text: ":" not in text), TEXT, TEXT)
def test_what_is_logged_is_read_again_without_its_secrets(namespace, user, password):
    found = only(command(namespace, user, password))
    assert (found.namespace, found.image) == (namespace, IMAGE)
    assert found == only(command(namespace))


PIECES = [
    "file ",
    "QQ==",
    " 2026-11-20T15:30:00Z",
    "\n",
    "1:",
    "COMMAND:",
    "CcpImg",
    ' -namespace:"',
    '"',
    "robocopy",
    "cut",
    "usage:",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_is_read(text):
    parse_deployments([text], [FOLDER])


@pytest.mark.parametrize(
    "unit",
    [" -namespace:", ' -namespace:"', '-filesrc:"', command() + "\n", "usage:", " ", "Multicast Failed"],
    ids=len,
)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(lambda text: parse_deployments([text]), log("1:COMMAND: CcpImg"), unit)

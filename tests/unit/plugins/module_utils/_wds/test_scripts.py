# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every PowerShell text that is sent, read by a real grammar; and that it stays within PowerShell 2.0."""

import re

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, names, scripts, snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.errors import UnsendableError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import (
    HOSTILE,
    OBSERVATION,
    SENDABLE,
    literal,
    nonces,
)
from hypothesis import given

tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed for this Python")
grammar = pytest.importorskip("tree_sitter_powershell", reason="tree-sitter-powershell is not installed here")

PARSER = tree_sitter.Parser(tree_sitter.Language(grammar.language()))

# What Windows PowerShell 2.0 knows. A new word in a script has to be looked up before it is added here.
COMMANDS = {
    "%",
    "?",
    "b",
    "findstr.exe",
    "Get-ChildItem",
    "Get-WmiObject",
    "Import-Module",
    "New-Object",
    "Select-Object",
    "Sort-Object",
    "Test-Path",
    "x",
}
# Sent to Server 2012 and newer only, whose PowerShell has them.
FEATURE_COMMANDS = {"Install-WindowsFeature", "Uninstall-WindowsFeature"}
PARAMETERS = {"-ComObject", "-Descending", "-ErrorAction", "-First", "-LiteralPath", "-Recurse"}
OPERATORS = {"-eq", "-ge", "-gt", "-le", "-lt", "-ne", "-replace"}
TYPES = {
    "[Console]",
    "[Convert]",
    "[DateTime]",
    "[int]",
    "[Runtime.InteropServices.Marshal]",
    "[Text.Encoding]",
}
STATEMENTS = {
    "for_statement",
    "foreach_statement",
    "function_statement",
    "if_statement",
    "try_statement",
    "while_statement",
}


def nodes(text):
    """Every node of the tree, in order."""
    waiting = [PARSER.parse(text.encode("utf-8")).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def texts(text, kind):
    return {node.text.decode("utf-8") for node in nodes(text) if node.type == kind}


def faults(text):
    return [(node.type, node.start_point) for node in nodes(text) if node.is_error or node.is_missing]


def sent(*items):
    return batch.powershell_parts(items, nonces())[0].text


def wdsutil(value):
    return Command("new", "wdsutil.exe", ("/New-Namespace", "/Namespace:" + value, value))


SCRIPTS = {
    "observation": snapshot.commands(3650),
    "boot": (scripts.boot(),),
    "deployments": scripts.deployments(["D:\\Spool\\DeploymentLogs", "\\\\hn1\\SpoolDir\\DeploymentLogs"], 30, 262144),
    "remove": (scripts.remove_feature(),),
    "install": (scripts.install_feature(),),
}


def test_the_grammar_sees_a_mistake():
    assert faults("x 'a' reg.exe @('b'")
    assert faults("$n+'live {';try{")
    assert faults("'it's'")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_powershell(name):
    assert faults(sent(*SCRIPTS[name])) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_stays_powershell_when_ansible_takes_its_lines_apart(name):
    # ansible's _encode_script: strip each line, leave out empty ones.
    text = sent(*SCRIPTS[name])
    stripped = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    assert faults(stripped) == []
    assert stripped == text, "what is measured is what is sent"


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_fits_one_command_line(name):
    parts = batch.powershell_parts(SCRIPTS[name], nonces(), batch.longest_script())
    assert len(parts) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_is_newer_than_powershell_2(name):
    text = sent(*SCRIPTS[name])
    allowed = COMMANDS | (FEATURE_COMMANDS if name in ("remove", "install") else set())
    assert texts(text, "command_name") <= allowed
    assert texts(text, "command_parameter") <= PARAMETERS
    assert texts(text, "comparison_operator") <= OPERATORS
    assert texts(text, "type_literal") <= TYPES
    kinds = {node.type for node in nodes(text)}
    assert {kind for kind in kinds if kind.endswith("_statement")} - {"empty_statement"} <= STATEMENTS
    assert not kinds & {"class_statement", "ternary_expression", "null_coalesce_expression", "stop_parsing"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_text_is_taken_apart_by_variables(name):
    # Only verbatim strings: nothing in them is ever expanded.
    kinds = {node.type for node in nodes(sent(*SCRIPTS[name]))}
    assert not {kind for kind in kinds if kind.startswith("expandable")}


def test_the_names_of_programs_are_no_aliases():
    text = sent(*OBSERVATION)
    programs = re.findall(r"^x '[a-z]+' (\S+)", text, re.MULTILINE)
    assert len(programs) == len(OBSERVATION)
    assert all(program.endswith(".exe") for program in programs)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_one_literal(value):
    text = sent(wdsutil(value))
    plain = sent(wdsutil("plain"))
    assert faults(text) == []
    assert [node.type for node in nodes(text)] == [node.type for node in nodes(plain)]


@given(SENDABLE)
def test_every_value_stays_one_literal(value):
    text = sent(wdsutil(value))
    assert faults(text) == []
    strings = [node.text.decode("utf-8") for node in nodes(text) if node.type == "verbatim_string_characters"]
    expected = value if not (value.endswith("\\") and re.search(r"\s", value)) else None
    if expected:
        assert literal(strings[-1]) == expected


@pytest.mark.parametrize("value", ["D:\\it's", "D:\\a\u2019b", "\\\\hn1\\$(x)\\`'", "D:\\%d %s %(days)d"])
def test_a_hostile_folder_stays_one_literal(value):
    (script,) = scripts.deployments([value, "D:\\b"], 7, 1000)
    (plain,) = scripts.deployments(["D:\\a", "D:\\b"], 7, 1000)
    assert faults(sent(script)) == []
    assert [node.type for node in nodes(sent(script))] == [node.type for node in nodes(sent(plain))]
    assert names.powershell(value) in script.text


def test_a_folder_that_is_none_is_refused():
    for value in ("Logs", 'D:\\"', "D:\\a\nb", "D:\\a\u2028"):
        with pytest.raises(names.ValueRefused):
            scripts.deployments([value], 7, 1000)


def test_the_masks_of_a_deployment_log_hide_both_kinds_of_values():
    text = scripts.deployments(["D:\\b"], 7, 1000)[0].text
    pattern, mask = re.search(r"-replace '([^']+)','([^']+)'", text).groups()
    line = 'CcpImg.exe -namespace:"" -user:"HPC\\admin" -filesrc:"a b" -password:"it is secret" -password:bare x'
    masked = re.sub(pattern, mask.replace("$1", r"\1"), line, flags=re.IGNORECASE)
    assert masked == 'CcpImg.exe -namespace:"" -user:*** -filesrc:"a b" -password:*** -password:*** x'


def test_deployment_logs_are_read_with_few_processes():
    # One findstr.exe for each of 2,000 logs would take longer than everything else together.
    text = scripts.deployments(["D:\\b"], 7, 1000)[0].text
    assert "$i+=50" in text
    assert text.count("findstr.exe") == 1


def test_the_newest_logs_of_each_compute_node_are_searched_within_the_limit():
    text = scripts.deployments(["D:\\b"], 7, 1000)[0].text
    assert f"Sort-Object LastWriteTimeUtc -Descending|Select-Object -First {scripts.NEWEST})" in text
    # Headers count as well as lines.
    assert text.index("$left-=$h.Length;$h}") < text.index("$left-=$v.Length")


def test_a_limit_cuts_the_oldest_deployments():
    text = scripts.deployments(["D:\\b"], 7, 1000)[0].text
    assert text.index("$o=@($o|Sort-Object LastWriteTimeUtc -Descending)") < text.index("findstr.exe")


@pytest.mark.parametrize("folder", ["D:\\Spool%03d\\" + "d" * 200, "D:\\O'Neill's %03d"])
def test_folders_that_do_not_fit_into_one_command_line_are_shared_out(folder):
    given_folders = [folder % number for number in range(100)]
    searches = scripts.deployments(given_folders, 7, 262144)
    parts = batch.powershell_parts(searches, nonces(), batch.longest_script())
    assert len(parts) == len(searches) > 1
    listed = re.compile(r"foreach\(\$d in @\((.*)\)\)\{if")
    texts = [listed.search(part.text).group(1) for part in parts]
    assert ",".join(texts) == ",".join(names.powershell(each) for each in given_folders)
    # As few as can be: none takes the first folder of the next, and together they keep within the limit.
    for number in range(1, len(texts)):
        one_more = [*texts[number - 1].split(","), texts[number].split(",")[0]]
        assert len(scripts.deployments([literal(each) for each in one_more], 7, 262144)) > 1
    limits = [int(re.search(r"\$left=([0-9]+);", part.text).group(1)) for part in parts]
    assert len(set(limits)) == 1
    assert 262144 - len(parts) < sum(limits) <= 262144
    assert all(batch.reads(search) for search in searches)


def test_a_folder_that_fits_into_no_command_line_is_refused():
    searches = scripts.deployments(["D:\\b", "D:\\" + "'" * 1000, "D:\\c"], 7, 1000)
    with pytest.raises(UnsendableError, match="too long for one command line"):
        batch.powershell_parts(searches, nonces(), batch.longest_script())


def test_a_script_that_fails_says_a_number():
    text = sent(scripts.live())
    assert text.index("catch{$x=$_.Exception") < text.index("GetHRForException") < text.rindex("'} 0 live'")


def test_the_version_and_the_boot_come_before_com():
    text = scripts.live().text
    assert text.index("'ps '") < text.index("'boot '") < text.index("-ComObject")

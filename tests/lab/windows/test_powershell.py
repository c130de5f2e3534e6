"""The PowerShell interpreter of the simulated head node: its semantics, its versions, what it refuses."""

import base64

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.builds import LANGUAGES
from extensions.head_nodes.machine import Machine
from extensions.head_nodes.powershell import join_arguments
from extensions.head_nodes.programs import split

HEAD = (
    "$ErrorActionPreference='Continue'\n"
    "if($Host.Name -eq 'ConsoleHost'){try{[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false\n"
    "$Host.UI.RawUI.BufferSize=New-Object Management.Automation.Host.Size 9999,60}catch{}}\n"
    "function x($k,$p,$a){'<'+$k;$global:LASTEXITCODE=-1;try{& $p $a 2>&1|%{''+$_}}catch{};'>'+$global:LASTEXITCODE}\n"
)
LIVE = """try{
$s=(New-Object -ComObject WdsTptMgmt.WdsTransportManager).GetWdsTransportServer('localhost')
'features '+$s.SetupManager.InstalledFeatures
'running '+$s.ConfigurationManager.WdsTransportServicesRunning
$c=$s.NamespaceManager.RetrieveNamespaces('','',$true)
'count '+$c.Count
for($i=1;$i -le $c.Count;$i++){$m=$c.Item($i)
'ns '+$m.Name+' '+$m.Type+' '+$m.Registered+' '+$m.Tombstoned+' '+$m.TransmissionStarted}
}catch{$x=$_.Exception;while($x.InnerException){$x=$x.InnerException}
'error '+[Runtime.InteropServices.Marshal]::GetHRForException($x)}
"""


def head(powershell: str | None = "", *faults: str, build: int = 17763, language: str = "en") -> Machine:
    arguments = {"powershell": powershell, "build": build, "language": language, "faults": list(faults)}
    return nodes.build("head-1", "head_node", arguments)


def lines(machine: Machine, script: str) -> list[str]:
    """The output of a script in a runspace; nothing may have been refused."""
    done = machine.run_powershell(script, "Administrator")
    assert not machine.refused, machine.refused
    return done.stdout.decode().splitlines()


def encoded(machine: Machine, script: str, codepage: int = 65001) -> tuple[bytes, bytes, int]:
    """What powershell.exe gives as ansible's winrm connection starts it."""
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    options = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-EncodedCommand", text]
    done = machine.run_cmd("PowerShell", options, codepage, "Administrator")
    return done.stdout, done.stderr, done.code


def refusals(machine: Machine, script: str) -> list[str]:
    done = machine.run_powershell(script, "Administrator")
    assert done.code == 1
    assert b"NOT MODELLED" in done.stderr
    assert not machine.writes
    return machine.refused


# --- values and statements ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("'a'+1", ["a1"]),
        ("1+2*3", ["7"]),
        ("'it''s \u2019\u2019'", ["it's \u2019"]),
        ("$a='x';$A+$a", ["xx"]),
        ("''+$null+$true+$false", ["TrueFalse"]),
        ("$null", []),
        ("@(1,2,3).Count", ["3"]),
        ("$a=@();$a+='x';$a+=@('y','z');$a.Count;$a[-1]", ["3", "z"]),
        ("$o=@(0,1,2);@($o[1..5]).Count", ["2"]),
        ("$i=3;while($i -gt 0){$i--;if($i -eq 1){break};$i}", ["2"]),
        ("for($i=0;$i -lt 3;$i+=2){$i}", ["0", "2"]),
        ("foreach($x in @('b','a')){if($x -eq 'B'){continue};$x}", ["a"]),
        ("if(0){1}elseif('x'){2}else{3}", ["2"]),
        ("@(3,1,2)|Sort-Object -Descending|Select-Object -First 2", ["3", "2"]),
        ("@(1,2,3)|?{$_ -ge 2 -and -not ($_ -eq 3)}|%{'n'+$_}", ["n2"]),
        ("'a-user:x b' -replace '-(user):(\\S+)','-$1:***'", ["a-user:*** b"]),
        ("'abc'.Substring(1).Length;'abc'.StartsWith('ab')", ["2", "True"]),
        ("function f($v){if($v){return 'got '+$v};'none'};f 5;f", ["got 5", "none"]),
        ("try{throw 'x'}catch{'caught '+$_}finally{'end'}", ["caught x", "end"]),
        ("'before';$null.Foo();'after'", ["before", "after"]),
        ("[int]'0x10'+[int]$true", ["17"]),
        ("[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('\u00fc\u6f22'))", ["w7zmvKI="]),
        ("[DateTime]::UtcNow.AddDays(-1).ToString('s').Length", ["19"]),
        ("$x=1|%{$_+1};$x", ["2"]),
    ],
)
@pytest.mark.parametrize("version", ["2.0", "5.1"])
def test_what_scripts_print(script: str, output: list[str], version: str) -> None:
    assert lines(head(version), script) == output


def test_scripts_that_differ_in_a_nonce_print_their_own() -> None:
    machine = head()
    for nonce in ("0123456789abcdef" * 2, "f" * 32):
        assert lines(machine, f"'#{nonce} a';'b'") == [f"#{nonce} a", "b"]


def test_where_versions_differ() -> None:
    script = "foreach($x in $null){'turn'};'count '+('a').Count;$PSVersionTable.PSVersion.Major"
    assert lines(head("2.0"), script) == ["turn", "count ", "2"]
    assert lines(head("5.1"), script) == ["count 1", "5"]
    assert lines(head("5.1"), "''+$PSVersionTable.PSVersion") == ["5.1.17763.1"]


@pytest.mark.parametrize(
    "script",
    [
        "1 -in @(1,2)",
        "[ordered]@{}",
        "'x'|ConvertTo-Json",
        "Get-CimInstance Win32_OperatingSystem",
        "1|%{$PSItem}",
        "Get-ChildItem -LiteralPath C:\\ -File",
        "Get-ChildItem -LiteralPath C:\\ -Directory",
        "[Text.UTF8Encoding]::new()",
        "ver || ver",
    ],
)
def test_newer_constructs_are_refused_on_version_2(script: str) -> None:
    assert len(refusals(head("2.0"), "'first';" + script)) == 1


@pytest.mark.parametrize(
    "script",
    [
        "Invoke-Expression 'ver'",
        "Get-Process",
        "[IO.File]::ReadAllText('C:\\x')",
        "New-Object -ComObject WScript.Shell",
        "New-Object Net.WebClient",
        '"a $x"',
        "@{a=1}",
        "sc query WDSServer",
        "if(1){",
        "'a'.Normalize()",
        "Get-ChildItem -Filter *.log",
        "try{Get-Process}catch{'caught'}",
        "switch(1){1{2}}",
        "(Get-WmiObject Win32_OperatingSystem).Caption",
    ],
)
def test_what_is_not_modelled_is_refused_and_cannot_be_caught(script: str) -> None:
    assert len(refusals(head("5.1"), script)) == 1


# --- programs -------------------------------------------------------------------------------------------------------


def test_a_missing_program_is_an_error_that_leaves_the_exit_code() -> None:
    script = "$global:LASTEXITCODE=-1;try{& 'nothing.exe' @('a')}catch{'caught'};$LASTEXITCODE"
    assert lines(head(), script) == ["caught", "-1"]


def test_a_program_in_a_function_leaves_its_exit_code_everywhere() -> None:
    script = "$global:LASTEXITCODE=-1;function f($v){sc.exe query none >$null;$LASTEXITCODE};f;$LASTEXITCODE"
    assert lines(head(), script) == ["1060", "1060"]


def test_exit_codes_and_standard_error_of_programs() -> None:
    machine = head()
    output = lines(machine, HEAD + "x 'a' reg.exe @('query','HKLM\\SOFTWARE\\none')\nx 'b' sc.exe @('query','none')")
    assert output[0] == "<a"
    assert output[1].startswith("ERROR: The system was unable to find")
    assert output[2] == ">1"
    assert output[-1] == ">1060"
    assert not machine.writes


def test_standard_error_goes_its_own_way_unless_it_is_merged() -> None:
    done = head().run_powershell("reg.exe query HKLM\\SOFTWARE\\none;'end'", "a")
    assert done.stdout == b"end\r\n"
    assert done.stderr.startswith(b"ERROR:")
    assert done.code == 0


def test_standard_error_can_be_thrown_away() -> None:
    done = head().run_powershell("reg.exe query HKLM\\SOFTWARE\\none 2>$null;reg.exe query HKLM\\SOFTWARE >$null", "a")
    assert (done.stdout, done.stderr, done.code) == (b"", b"", 0)


def test_a_runspace_needs_powershell_2() -> None:
    for version in (None, "1.0"):
        assert len(refusals(head(version, build=6002), "'x'")) == 1


def test_the_commands_of_cmd_itself_are_none_of_powershell() -> None:
    assert encoded(head(), "ver")[2] == 1
    stdout, stderr, code = encoded(head(), "cmd.exe /c ver")
    assert (stdout, stderr, code) == (b"\r\nMicrosoft Windows [Version 10.0.17763.6414]\r\n", b"", 0)


def test_merged_standard_error_ends_a_script_that_stops_on_errors() -> None:
    script = "$ErrorActionPreference='Stop';reg.exe query HKLM\\SOFTWARE\\none 2>&1;'end'"
    done = head().run_powershell(script, "a")
    assert (done.stdout, done.code) == (b"", 1)


@pytest.mark.parametrize(
    ("words", "tail", "arguments"),
    [
        (["a", "b c"], 'a "b c"', ("a", "b c")),
        (["", "x"], "x", ("x",)),
        (['""', "x"], '"" x', ("", "x")),
        (["C:\\a b\\"], '"C:\\a b\\"', ('C:\\a b"',)),
        (["C:\\a b\\\\"], '"C:\\a b\\\\"', ("C:\\a b\\",)),
        (["C:\\a\\"], "C:\\a\\", ("C:\\a\\",)),
        (['say "hi there"'], '"say "hi there""', ("say hi", "there")),
        (['/d:"a b"'], '/d:"a b"', ("/d:a b",)),
        (["a\u00a0b"], '"a\u00a0b"', ("a\u00a0b",)),
    ],
)
def test_arguments_are_joined_as_windows_powershell_does(
    words: list[str], tail: str, arguments: tuple[str, ...]
) -> None:
    assert join_arguments(words) == tail
    assert split(tail) == arguments


def test_a_typographic_quote_ends_a_string() -> None:
    assert lines(head(), "'a\u2018+\u201ab\u2019") == ["ab"]
    assert lines(head(), "# it's\n'it\u2019\u2019s';\"a'b\"") == ["it\u2019s", "a'b"]
    assert len(refusals(head(), "'it\u2019s'")) == 1


def test_a_lone_carriage_return_in_output_ends_a_line() -> None:
    machine = head()
    machine.registry.set("HKLM\\SOFTWARE\\x", "v", "REG_SZ", "one\rtwo\nthree")
    output = lines(machine, "reg.exe query HKLM\\SOFTWARE\\x /v v|%{'['+$_+']'}")
    assert output[-4:] == ["[    v    REG_SZ    one]", "[two]", "[three]", "[]"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_native_output_comes_through_in_every_language(language: str) -> None:
    machine = head("2.0", language=language)
    script = HEAD + "x 'a' reg.exe @('query','HKLM\\SOFTWARE\\none')"
    console = encoded(machine, script)[0].decode().splitlines()
    runspace = lines(machine, script)
    assert console == runspace
    assert "\ufffd" not in console[1]


def test_without_a_console_its_encoding_cannot_be_set() -> None:
    script = "try{[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;'set'}catch{'failed'}"
    assert lines(head(), script) == ["failed"]
    assert encoded(head(), script)[0] == b"set\r\n"


def test_setting_the_encoding_changes_what_the_shell_writes() -> None:
    script = "[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;'\u00fc'"
    assert encoded(head(language="de"), script, 850)[0] == "\u00fc\r\n".encode()
    assert encoded(head(language="de"), "'\u00fc'", 850)[0] == b"\x81\r\n"


# --- the whole script -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("'x'", 0),
        ("exit 7", 7),
        ("sc.exe query none", 1),
        ("sc.exe query none;'x'", 0),
        ("sc.exe query none;exit $LASTEXITCODE", 1060),
        ("throw 'x'", 1),
        ("nothing.exe", 1),
    ],
)
def test_the_exit_code_of_powershell(script: str, code: int) -> None:
    assert encoded(head(), script)[2] == code


def test_no_powershell_is_the_error_of_cmd_in_its_language() -> None:
    for language in LANGUAGES:
        machine = head(None, build=6002, language=language)
        stdout, stderr, code = encoded(machine, "'x'")
        assert (stdout, code) == (b"", 1)
        assert "PowerShell" in stderr.decode()
        assert not machine.refused


def test_version_1_fails_as_a_whole() -> None:
    stdout, stderr, code = encoded(head("1.0", build=6002), HEAD + "x 'a' reg.exe @('query','HKLM')")
    assert (stdout, code) == (b"", 1)
    assert stderr


def test_progress_noise_is_on_standard_error_only() -> None:
    machine = head()
    machine.progress_noise = True
    stdout, stderr, code = encoded(machine, "'x'")
    assert (stdout, code) == (b"x\r\n", 0)
    assert stderr.startswith(b"#< CLIXML\r\n<Objs ")


def test_a_lost_connection_keeps_what_was_written_before() -> None:
    machine = head()
    machine.lose("middle", "sc.exe")
    script = (
        HEAD + "x 'a' reg.exe @('query','HKLM\\SOFTWARE\\none')\nx 'b' sc.exe @('query','none')\nx 'c' reg.exe @('x')"
    )
    done = machine.run_powershell(script, "a")
    assert done.lose == "middle"
    assert done.stdout.decode().splitlines()[-2:] == [">1", "<b"]


# --- COM, features, files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.0", "5.1"])
@pytest.mark.parametrize(
    ("faults", "output"),
    [
        ((), ["features 3", "running True", "count 1", "ns HEAD-1-CCP 1 True False False"]),
        (("clients-connected",), ["features 3", "running True", "count 1", "ns HEAD-1-CCP 1 True False True"]),
        (("tombstoned",), ["features 3", "running True", "count 1", "ns HEAD-1-CCP 1 False True True"]),
        (("missing-namespace",), ["features 3", "running True", "count 0"]),
        (("deployment-role", "service-stopped"), ["features 7", "running False", "error -1055915757"]),
    ],
)
def test_the_com_view(version: str, faults: tuple[str, ...], output: list[str]) -> None:
    machine = head(version, *faults)
    assert lines(machine, LIVE) == output
    assert not machine.writes


def test_the_com_classes_come_with_the_role() -> None:
    assert lines(head("5.1", "role-absent"), LIVE) == [f"error {0x80040154 - 2**32}"]
    assert lines(head("2.0", "role-absent"), LIVE) == [f"error {0x80070057 - 2**32}"]


FEATURE = (
    "try{Import-Module ServerManager -ErrorAction Stop\n$r=%s -ErrorAction Stop\n"
    "'success '+$r.Success\n'exit '+[int]$r.ExitCode\n'name '+$r.ExitCode\n'restart '+$r.RestartNeeded}catch{'failed'}"
)


def test_the_feature_cmdlets() -> None:
    machine = head(build=9600)
    install, remove = FEATURE % "Install-WindowsFeature WDS-Transport", FEATURE % "Uninstall-WindowsFeature WDS"
    assert lines(machine, install) == ["success True", "exit 1003", "name NoChangeNeeded", "restart No"]
    machine.wizard = True
    assert lines(machine, remove) == ["failed"]
    machine.wizard = False
    assert not machine.writes
    assert lines(machine, remove) == ["success True", "exit 3010", "name SuccessRestartRequired", "restart Yes"]
    assert machine.pending


@pytest.mark.parametrize(("build", "name"), [(7601, "Install-WindowsFeature"), (6002, "Add-WindowsFeature")])
def test_cmdlets_that_a_build_does_not_have(build: int, name: str) -> None:
    machine = head(build=build)
    done = machine.run_powershell(f"{name} WDS-Transport", "Administrator")
    assert (done.stdout, done.code) == (b"", 1)
    assert b"is not recognized" in done.stderr
    assert not machine.writes


def test_version_2_needs_the_module_first() -> None:
    machine = head("2.0", build=7601)
    assert lines(machine, "try{Add-WindowsFeature WDS-Transport}catch{'failed'}") == ["failed"]
    assert lines(machine, FEATURE % "Add-WindowsFeature WDS-Transport")[1] == "exit 1003"


def test_the_newest_log_of_each_compute_node_is_found() -> None:
    machine = head("2.0", "blank-namespace-logs")
    script = (
        "$d='C:\\Program Files\\Microsoft HPC Pack\\Data\\SpoolDir\\DeploymentLogs';$o=@()\n"
        "foreach($k in @(Get-ChildItem -LiteralPath $d|?{$_.PSIsContainer})){$o+=@("
        "Get-ChildItem -LiteralPath $k.FullName -Recurse|?{-not $_.PSIsContainer}"
        "|Sort-Object LastWriteTimeUtc -Descending|Select-Object -First 1)}\n"
        "$a=@('/n','/c:-namespace:','NUL');foreach($f in $o){$a+=$f.FullName}\n& findstr.exe $a"
    )
    found = lines(machine, script)
    assert sum('-namespace:""' in line for line in found) == 3

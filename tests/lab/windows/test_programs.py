"""The stock programs of the simulated head node: syntax, exit codes, languages and codepages."""

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.builds import BUILDS, LANGUAGES, codec
from extensions.head_nodes.machine import BASELINES, IMAGES, NAMESPACES, PARAMETERS, Machine
from extensions.head_nodes.programs import PROGRAMS, split
from extensions.head_nodes.programs.synthetic import SYNTHETIC
from extensions.head_nodes.programs.texts import TEXTS

CCP = "HEAD-1-CCP"
STORE = f"{NAMESPACES}\\{CCP}"


def head(language: str = "en", build: int = 17763, *faults: str) -> Machine:
    return nodes.build("head-1", "head_node", {"language": language, "build": build, "faults": list(faults)})


def run(machine: Machine, line: str, codepage: int = 65001, user: str = "Administrator") -> tuple[str, str, int]:
    """Standard output and error as text in the codepage (0: OEM), and the exit code."""
    done = machine.run_cmd(line, [], codepage, user)
    name = codec(codepage or machine.locale.codepage)
    return done.stdout.decode(name), done.stderr.decode(name), done.code


def clean(machine: Machine) -> bool:
    return not machine.refused and not machine.writes


# --- command lines --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tail", "arguments"),
    [
        ('a "b c" d', ("a", "b c", "d")),
        (r'"C:\a b\\" x', ("C:\\a b\\", "x")),
        (r"C:\a\b", ("C:\\a\\b",)),
        (r"a\"b", ('a"b',)),
        (r'"a\" b" c', ('a" b', "c")),
        ('""', ("",)),
        ("", ()),
        ('/x:"a b"c', ("/x:a bc",)),
    ],
)
def test_arguments_are_split_as_the_c_runtime_does(tail: str, arguments: tuple[str, ...]) -> None:
    assert split(tail) == arguments


# --- reg ------------------------------------------------------------------------------------------------------------


def test_reg_query_shows_a_key_and_its_values() -> None:
    machine = head()
    out, err, code = run(machine, f"reg.exe query {STORE}")
    full = STORE.replace("HKLM", "HKEY_LOCAL_MACHINE")
    assert out.startswith(f"\r\n{full}\r\n    Type    REG_DWORD    0x1\r\n    FriendlyName    REG_SZ    {CCP}\r\n")
    assert (err, code) == ("", 0)
    assert clean(machine)


def test_reg_query_walks_below_a_key_with_s_and_lists_subkeys_without() -> None:
    machine = head()
    flat, _, _ = run(machine, f"reg.exe query {NAMESPACES}")
    deep, _, _ = run(machine, f"reg.exe query {NAMESPACES.lower()} /S")
    full = NAMESPACES.replace("HKLM", "HKEY_LOCAL_MACHINE")
    assert flat == f"\r\n{full}\\{CCP}\r\n"
    assert f"\r\n{full}\r\n\r\n{full}\\{CCP}\r\n    Type    REG_DWORD    0x1\r\n" in deep


@pytest.mark.parametrize(
    ("type_", "given", "shown"),
    [
        ("REG_DWORD", "0x1F", "0x1f"),
        ("REG_QWORD", "4294967296", "0x100000000"),
        ("REG_MULTI_SZ", "a\\0b", "a\\0b"),
        ("REG_BINARY", "00ff10", "00FF10"),
        # cmd.exe replaces %SystemRoot% before reg.exe sees it.
        ("REG_EXPAND_SZ", "%SystemRoot%\\x", "C:\\Windows\\x"),
        ("REG_SZ", '""', ""),
    ],
)
def test_reg_add_writes_what_query_shows(type_: str, given: str, shown: str) -> None:
    machine = head()
    key = "HKLM\\SOFTWARE\\imaging.multicast\\x"
    _, err, code = run(machine, f"reg.exe add {key} /v Stage /t {type_} /d {given} /f")
    assert (err, code) == ("", 0)
    out, _, _ = run(machine, f"reg.exe query {key} /v stage")
    assert f"    Stage    {type_}    {shown}\r\n" in out
    assert len(machine.writes) == 1
    assert not machine.refused


@pytest.mark.parametrize("data", ["0x1ffffffff", "abc", "-1"])
def test_reg_add_refuses_a_number_that_does_not_fit(data: str) -> None:
    machine = head()
    _, err, code = run(machine, f"reg.exe add HKLM\\SOFTWARE\\x /v n /t REG_DWORD /d {data} /f")
    assert code == 1
    assert err.startswith("ERROR: Invalid syntax.")
    assert clean(machine)


def test_reg_copy_takes_a_tree_along_and_delete_takes_it_away() -> None:
    machine = head()
    assert run(machine, f'reg.exe copy "{STORE}" "{BASELINES}\\{CCP}" /s /f')[2] == 0
    assert machine.registry.value(f"{BASELINES}\\{CCP}", "ContentProvider") == "WDS"
    machine.registry.set(f"{BASELINES}\\{CCP}", "Own", "REG_SZ", "stays")
    assert run(machine, f'reg.exe copy "{STORE}" "{BASELINES}\\{CCP}" /s /f')[2] == 0
    assert machine.registry.value(f"{BASELINES}\\{CCP}", "Own") == "stays"
    assert run(machine, f"reg.exe delete {BASELINES}\\{CCP} /v own /f")[2] == 0
    assert machine.registry.value(f"{BASELINES}\\{CCP}", "Own") is None
    assert run(machine, f"reg.exe delete {BASELINES} /f")[2] == 0
    assert machine.registry.key(BASELINES) is None
    assert machine.registry.key(STORE) is not None
    assert len(machine.writes) == 4
    assert not machine.refused


@pytest.mark.parametrize(
    "line",
    [
        "reg.exe query HKLM\\SOFTWARE\\nothing",
        f"reg.exe query {STORE} /v nothing",
        "reg.exe copy HKLM\\SOFTWARE\\nothing HKLM\\SOFTWARE\\x /s /f",
        "reg.exe delete HKLM\\SOFTWARE\\nothing /f",
    ],
)
def test_reg_says_what_is_not_there_on_standard_error(line: str) -> None:
    machine = head()
    out, err, code = run(machine, line)
    assert (out, code) == ("", 1)
    assert err == "ERROR: The system was unable to find the specified registry key or value.\r\n"
    assert clean(machine)


@pytest.mark.parametrize("language", LANGUAGES)
def test_reg_speaks_the_language_in_its_codepage(language: str) -> None:
    machine = head(language)
    for codepage in (65001, 0):
        _, err, code = run(machine, "reg.exe query HKLM\\SOFTWARE\\nothing", codepage)
        assert err == TEXTS["reg.missing"][language].replace("\n", "\r\n")
        assert code == 1
    out, _, _ = run(machine, "reg.exe query HKLM\\SOFTWARE\\Microsoft\\HPC")
    assert f"    {TEXTS['reg.default'][language]}    REG_SZ    \r\n" in out
    assert clean(machine)


def test_what_a_codepage_lacks_becomes_a_question_mark() -> None:
    machine = head("de")
    machine.registry.set(STORE, "Description", "REG_SZ", "漢字 ü")
    raw = machine.run_cmd(f"reg.exe query {STORE} /v Description", [], 0, "a").stdout
    assert b"REG_SZ    ?? \x81\r\n" in raw


def test_reg_denies_writing_to_a_user_without_rights() -> None:
    machine = head()
    machine.limited_users.add("guest")
    for line in (f"delete {STORE} /f", "add HKLM\\SOFTWARE\\x /f", f"copy {STORE} HKLM\\SOFTWARE\\x /s /f"):
        assert run(machine, f"reg.exe {line}", user="guest")[1:] == ("ERROR: Access is denied.\r\n", 1)
    assert clean(machine)


@pytest.mark.parametrize(
    "line", ["reg.exe export HKLM\\x y", "reg.exe query HKLM /t REG_SZ", f"reg.exe delete {STORE}", "reg.exe"]
)
def test_what_reg_does_not_model_is_refused(line: str) -> None:
    machine = head()
    assert run(machine, line)[2] != 0
    assert len(machine.refused) == 1
    assert not machine.writes


# --- services -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("build", [6002, 17763])
def test_sc_shows_the_numeric_state_in_every_language(language: str, build: int) -> None:
    machine = head(language, build)
    out, err, code = run(machine, "sc.exe query WDSServer")
    assert (err, code) == ("", 0)
    assert ": 4  RUNNING" in out
    nodes.break_(machine, "service-stopped")
    assert ": 1  STOPPED" in run(machine, "sc.exe query wdsserver")[0]
    out, _, code = run(machine, "sc.exe query Nothing")
    assert code == 1060
    assert "1060" in out
    assert TEXTS["system.1060"][language] in out
    assert clean(machine)


def test_sc_queryex_shows_the_process_and_config_sets_the_start_type() -> None:
    machine = head()
    dns = machine.service("DNS")
    assert dns is not None
    assert f"PID                : {dns.pid}\r\n" in run(machine, "sc.exe queryex DNS")[0]
    for word, number in (("disabled", 4), ("demand", 3), ("auto", 2)):
        assert run(machine, f"sc.exe config WDSServer start= {word}")[0] == "[SC] ChangeServiceConfig SUCCESS\r\n"
        assert machine.start_type("WDSServer") == number
    assert run(machine, "sc.exe config Nothing start= auto")[2] == 1060
    assert not machine.refused


def test_start_needs_its_blank_as_the_real_sc_does() -> None:
    machine = head()
    assert run(machine, "sc.exe config WDSServer start=disabled")[2] != 0
    assert machine.start_type("WDSServer") == 2
    assert len(machine.refused) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_net_starts_once_and_not_what_is_disabled(language: str) -> None:
    machine = head(language, 17763, "service-stopped")
    out, err, code = run(machine, "net.exe start WDSServer")
    assert (err, code) == ("", 0)
    service = machine.service("WDSServer")
    assert service is not None
    assert machine.display(service) in out
    assert machine.running("WDSServer")
    out, err, code = run(machine, "net.exe start WDSServer")
    assert (out, code) == ("", 2)
    assert "2182" in err
    nodes.break_(machine, "service-disabled")
    out, err, code = run(machine, "net.exe start WDSServer")
    assert (out, code) == ("", 2)
    assert "1058" in err
    assert "2185" in run(machine, "net.exe start Nothing")[1]
    nodes.break_(machine, "service-cannot-start")
    assert run(machine, "sc.exe config WDSServer start= auto")[2] == 0
    out, err, code = run(machine, "net.exe start WDSServer")
    assert (out, code) == ("", 2)
    assert "1053" in err
    assert not machine.running("WDSServer")
    assert not machine.refused


# --- wdsutil --------------------------------------------------------------------------------------------------------

NEW = (
    f'wdsutil.exe /New-Namespace "/FriendlyName:A name" /Description:d /Namespace:{CCP} /ContentProvider:WDS'
    f' "/ConfigString:{IMAGES}" /NamespaceType:AutoCast'
)


def test_wdsutil_creates_a_namespace_in_store_and_live_view() -> None:
    machine = head("en", 17763, "missing-namespace")
    assert run(machine, NEW)[2] == 0
    assert machine.registry.value(STORE, "FriendlyName") == "A name"
    assert machine.registry.value(STORE, "Configuration") == IMAGES
    assert machine.live[CCP.lower()].description == "d"
    assert f"Namespace Name: {CCP}\r\n" in run(machine, "wdsutil.exe /Get-AllNamespaces")[0]
    assert run(machine, f"wdsutil.exe /Get-Namespace /Namespace:{CCP}")[2] == 0
    assert len(machine.writes) == 1
    assert not machine.refused


@pytest.mark.parametrize(
    ("change", "hresult"),
    [
        (("ContentProvider:WDS", "ContentProvider:Other"), "0xC1100104"),
        ((f"/Namespace:{CCP}", "/Namespace:" + "n" * 256), "0xC110010A"),
        ((f"/Namespace:{CCP}", "/Namespace:a\\b"), "0xC110010A"),
        ((IMAGES, "D:\\nowhere"), "0x8007010B"),
        (("AutoCast", "Sometimes"), "0x80070057"),
    ],
)
def test_wdsutil_refuses_with_the_known_code_and_changes_nothing(change: tuple[str, str], hresult: str) -> None:
    machine = head("en", 17763, "missing-namespace")
    out, _, code = run(machine, NEW.replace(*change))
    assert f"Error Code: {hresult}\r\n" in out
    assert code % 2**32 == int(hresult, 16)
    assert clean(machine)
    assert machine.registry.key(STORE) is None


def test_wdsutil_knows_what_is_there_and_what_is_not() -> None:
    machine = head()
    assert "0xC1100107" in run(machine, NEW)[0]
    assert "0xC1100108" in run(machine, "wdsutil.exe /Remove-Namespace /Namespace:other")[0]
    assert "0xC1210105" in run(machine, "wdsutil.exe /Get-Namespace /Namespace:other")[0]
    nodes.break_(machine, "service-stopped")
    assert "0xC1100113" in run(machine, NEW)[0]
    assert "0xC1100113" in run(machine, "wdsutil.exe /Get-AllNamespaces")[0]
    assert clean(machine)


def test_a_namespace_with_clients_stays_delete_pending_unless_forced() -> None:
    machine = head("en", 17763, "clients-connected")
    assert run(machine, f"wdsutil.exe /Remove-Namespace /Namespace:{CCP}")[2] == 0
    assert machine.live[CCP.lower()].tombstoned
    assert machine.registry.key(STORE) is None
    assert "Namespace Name" not in run(machine, "wdsutil.exe /Get-AllNamespaces /ExcludeDeletePending")[0]
    machine = head("en", 17763, "clients-connected")
    assert run(machine, f"wdsutil.exe /Remove-Namespace /Namespace:{CCP} /Force")[2] == 0
    assert not machine.live


@pytest.mark.parametrize(("build", "option"), [(6002, "Show"), (7601, "Details"), (26100, "Details")])
def test_clients_are_asked_for_by_another_option_since_2008_r2(build: int, option: str) -> None:
    machine = head("en", build, "clients-connected")
    assert "192.168.0.31" in run(machine, f"wdsutil.exe /Get-AllNamespaces /{option}:Clients")[0]
    wrong = "Details" if option == "Show" else "Show"
    assert "0x80070057" in run(machine, f"wdsutil.exe /Get-AllNamespaces /{wrong}:Clients")[0]


def test_wdsutil_comes_with_the_role() -> None:
    machine = head("en", 17763, "role-absent")
    _, err, code = run(machine, "wdsutil.exe /Get-AllNamespaces")
    assert (code, "is not recognized" in err) == (1, True)


# --- events ---------------------------------------------------------------------------------------------------------

QUERY = (
    "wevtutil.exe qe Application \"/q:*[System[Provider[@Name='WDSMC' or @Name='wdscpmsg'] and"
    ' TimeCreated[timediff(@SystemTime) <= {age}]]]" /f:xml /rd:true /c:{count}'
)


def test_wevtutil_gives_the_newest_events_of_the_sources_as_xml() -> None:
    machine = head("ja", 17763)
    machine.events.clear()
    machine.log("Other", 1, 2, ["x"])
    machine.log("WDSMC", 769, 2, ["old"], age=7200)
    nodes.break_(machine, "event-769")
    nodes.break_(machine, "event-257", data=["C:\\<a> & b"], age=60)
    out, err, code = run(machine, QUERY.format(age=7_000_000, count=64))
    assert (err, code) == ("", 0)
    first, second = out.splitlines()
    assert "<Provider Name='wdscpmsg'/><EventID Qualifiers='49152'>257</EventID>" in first
    assert "<Data>C:\\&lt;a&gt; &amp; b</Data>" in first
    assert f"<Data>{CCP}</Data>" in second
    assert len(run(machine, QUERY.format(age=8_000_000, count=64))[0].splitlines()) == 3
    assert len(run(machine, QUERY.format(age=8_000_000, count=1))[0].splitlines()) == 1
    assert clean(machine)


@pytest.mark.parametrize("line", ["wevtutil.exe el", "wevtutil.exe qe Application /q:*[System] /f:xml"])
def test_other_queries_are_refused(line: str) -> None:
    machine = head()
    assert run(machine, line)[2] != 0
    assert len(machine.refused) == 1


# --- netstat, findstr -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_netstat_through_findstr_shows_who_holds_the_ports(language: str) -> None:
    machine = head(language, 17763, "dns-port-clash")
    dns = machine.service("DNS")
    assert dns is not None
    out, err, code = run(machine, 'cmd.exe /c "netstat.exe -ano -p UDP|findstr.exe /c::64 /c::65000"')
    assert (err, code) == ("", 0)
    lines = out.splitlines()
    assert all(line.startswith("  UDP    0.0.0.0:64") or ":65000" in line for line in lines)
    assert sum(line.endswith(f"    {dns.pid}") for line in lines) == 1001
    assert clean(machine)


def test_findstr_numbers_lines_names_files_and_ends_with_1_when_nothing_is_found() -> None:
    machine = head()
    machine.files.put("C:\\logs\\a b.log", machine.now(), b"one\r\nTwo -namespace:x\r\nthree\r\n")
    machine.files.put("C:\\logs\\raw.log", machine.now(), b"\xff\xfe two\r\n")
    out, _, code = run(machine, 'findstr.exe /n /i /c:two "/c:-NameSpace:x" NUL "C:\\logs\\a b.log"')
    assert (out, code) == ("C:\\logs\\a b.log:2:Two -namespace:x\r\n", 0)
    assert run(machine, 'findstr.exe /c:two "C:\\logs\\a b.log"')[2] == 1
    raw = machine.run_cmd("findstr.exe /c:two C:\\logs\\raw.log", [], 65001, "a").stdout
    assert raw == b"\xff\xfe two\r\n"
    assert run(machine, "findstr.exe /c:two C:\\logs\\none.log")[1:] == ("FINDSTR: C:\\logs\\none.log\r\n", 1)
    assert clean(machine)


def test_findstr_refuses_what_would_be_a_regular_expression() -> None:
    machine = head()
    run(machine, "findstr.exe /c:a.b C:\\x")
    assert len(machine.refused) == 1
    run(machine, "findstr.exe /l /c:a.b NUL")
    assert len(machine.refused) == 1


# --- features, shutdown, wmic, where --------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDS)
def test_what_a_build_has(build: int) -> None:
    machine = head("en", build)
    facts = BUILDS[build]
    for program, there in (("servermanagercmd.exe", facts.servermanagercmd), ("wmic.exe", facts.wmic)):
        assert (run(machine, f"where.exe {program}")[2] == 0) == there
    assert run(machine, "ver")[0] == f"\r\nMicrosoft Windows [Version {facts.release}]\r\n"
    assert clean(machine)


def test_servermanagercmd_gives_the_documented_codes() -> None:
    machine = head("de", 6002)
    machine.limited_users.add("guest")
    line = "servermanagercmd.exe -{} WDS{}"
    assert run(machine, line.format("remove", "-Nothing"))[2] == 4
    assert run(machine, line.format("remove", ""), user="guest")[2] == 5
    assert run(machine, line.format("install", "-Transport"))[2] == 1003
    machine.wizard = True
    assert run(machine, line.format("remove", ""))[2] == 1004
    machine.wizard = False
    assert clean(machine)
    assert run(machine, line.format("remove", ""))[2] == 3010
    assert run(machine, line.format("install", "-Transport"))[2] == SYNTHETIC["servermanagercmd.pending"].code
    assert machine.pending == {"WDS": "remove", "WDS-Transport": "remove"}


def test_wmic_gives_the_boot_identity_with_its_strange_line_ends() -> None:
    machine = head()
    raw = machine.run_cmd("wmic.exe os get LastBootUpTime /value", [], 65001, "a").stdout
    assert b"\r\r\nLastBootUpTime=" + machine.boot_identity.encode() + b"\r\r\n" in raw


def test_where_answers_quietly_with_q() -> None:
    machine = head()
    assert run(machine, "where.exe /Q PowerShell.exe") == ("", "", 0)
    assert run(machine, "where.exe /Q nothing.exe") == ("", "", 1)
    assert run(machine, "where.exe nothing.exe")[1:] == (TEXTS["where.missing"]["en"].replace("\n", "\r\n"), 1)


def test_the_transport_range_of_each_build() -> None:
    assert head("en", 6002).registry.value(PARAMETERS, "UdpPortPolicy") is None
    assert head("en", 7601).registry.value(PARAMETERS, "UdpPortPolicy") == 0


# --- the tables -----------------------------------------------------------------------------------------------------


def test_every_synthetic_thing_says_why() -> None:
    assert all(entry.why.endswith(".") and len(entry.why) > 30 for entry in SYNTHETIC.values())
    assert not set(TEXTS) & set(SYNTHETIC)


def test_every_text_is_in_english_and_of_known_languages() -> None:
    for texts in [*TEXTS.values(), *(entry.texts for entry in SYNTHETIC.values() if entry.texts)]:
        assert "en" in texts
        assert set(texts) <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_fits_into_the_codepage_of_its_language(language: str) -> None:
    for texts in [*TEXTS.values(), *(entry.texts for entry in SYNTHETIC.values())]:
        if language in texts:
            texts[language].encode(codec(LANGUAGES[language].codepage))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verbs_of_wdsutil_and_servermanagercmd_in_every_language(language: str) -> None:
    machine = head(language, 6002)
    for line, code in (
        ("wdsutil.exe /Get-AllNamespaces", 0),
        ("wdsutil.exe /Get-TransportServer /Show:Config", 0),
        ("wdsutil.exe /Stop-TransportServer", 0),
        ("wdsutil.exe /Enable-TransportServer", 0),
        ("wdsutil.exe /Start-TransportServer", 0),
        ("servermanagercmd.exe -install WDS-Transport", 1003),
    ):
        shown = run(machine, line)
        assert shown[1:] == ("", code)
        assert run(machine, line, 0)[0] == shown[0]
    assert CCP in run(machine, "wdsutil.exe /Get-AllNamespaces")[0]
    assert not machine.refused


@pytest.mark.parametrize("program", sorted(set(PROGRAMS) - {"chcp.com"}))
def test_every_program_refuses_a_strange_call_and_changes_nothing(program: str) -> None:
    machine = head("fr", 7601)
    before = machine.dump()
    _, err, code = run(machine, f"{program} /strange")
    assert code
    assert machine.refused
    assert "NOT MODELLED" in err
    after = machine.dump()
    assert (after["registry"], after["services"], after["writes"]) == (before["registry"], before["services"], [])

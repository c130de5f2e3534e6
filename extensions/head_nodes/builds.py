"""What the Windows builds have that the simulated head node plays (facts/windows.md section 6)."""

from typing import NamedTuple


class Build(NamedTuple):
    """One Windows Server build.

    Fields:
        product, version, service_pack: ProductName, CurrentVersion and CSDVersion of its registry ("": no CSDVersion).
        release: what ``ver`` prints.
        servermanagercmd: servermanagercmd.exe is there.
        cmdlets: feature cmdlets: "none", "add" (Add-, Remove-) or "install" (Install-, Uninstall- and the older names).
        wmic: wmic.exe is there.
        clients: wdsutil's option for a namespace's clients ("Show" or "Details").
        powershell: the PowerShell version it came with.
    """

    product: str
    version: str
    service_pack: str
    release: str
    servermanagercmd: bool
    cmdlets: str
    wmic: bool
    clients: str
    powershell: str


_2008 = "Windows Server (R) 2008 HPC Edition"
_R2 = "Windows Server 2008 R2 HPC Edition"

BUILDS = {
    6001: Build(_2008, "6.0", "Service Pack 1", "6.0.6001", True, "none", True, "Show", "2.0"),
    6002: Build(_2008, "6.0", "Service Pack 2", "6.0.6002", True, "none", True, "Show", "2.0"),
    # 6002 with the updates of 2019 (KB4489887, KB4493471).
    6003: Build(_2008, "6.0", "Service Pack 2", "6.0.6003", True, "none", True, "Show", "2.0"),
    7600: Build(_R2, "6.1", "", "6.1.7600", True, "add", True, "Details", "2.0"),
    7601: Build(_R2, "6.1", "Service Pack 1", "6.1.7601", True, "add", True, "Details", "2.0"),
    9200: Build("Windows Server 2012 Standard", "6.2", "", "6.2.9200", False, "install", True, "Details", "3.0"),
    9600: Build("Windows Server 2012 R2 Standard", "6.3", "", "6.3.9600", False, "install", True, "Details", "4.0"),
    14393: Build(
        "Windows Server 2016 Standard", "6.3", "", "10.0.14393.7428", False, "install", True, "Details", "5.1"
    ),
    17763: Build(
        "Windows Server 2019 Standard", "6.3", "", "10.0.17763.6414", False, "install", True, "Details", "5.1"
    ),
    20348: Build(
        "Windows Server 2022 Standard", "6.3", "", "10.0.20348.2762", False, "install", True, "Details", "5.1"
    ),
    26100: Build(
        "Windows Server 2025 Standard", "6.3", "", "10.0.26100.2314", False, "install", False, "Details", "5.1"
    ),
}


class Language(NamedTuple):
    """A display language: its ANSI codepage as a Python codec, the OEM codepage's number, its offset from UTC in
    minutes (winter)."""

    ansi: str
    codepage: int
    offset: int


LANGUAGES = {
    "en": Language("cp1252", 437, 0),
    "de": Language("cp1252", 850, 60),
    "fr": Language("cp1252", 850, 60),
    "ja": Language("cp932", 932, 540),
}


def codec(codepage: int) -> str:
    """Python's codec of a Windows codepage.

    Raises:
        LookupError: the model has no such codepage.
    """
    known = {65001: "utf-8", 437: "cp437", 850: "cp850", 932: "cp932", 1252: "cp1252"}
    if codepage not in known:
        raise LookupError(f"codepage {codepage}")
    return known[codepage]

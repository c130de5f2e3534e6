# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A head node's answers as its stock programs print them, in four languages, for the tests of the readers.

The layouts follow reg.exe, sc.exe, wevtutil.exe and netstat.exe; the words of other languages are as near as needed to
show that no word is read.
"""

import base64

from ansible_collections.imaging.multicast.plugins.module_utils._wds import store
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer

HKLM = "HKEY_LOCAL_MACHINE"
SERVICE = HKLM + store.STORE[4:]
NAMESPACES = HKLM + store.NAMESPACES[4:]
PROVIDERS = HKLM + store.PROVIDERS[4:]
OWN = HKLM + store.OWN[4:]
VERSION = HKLM + r"\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
COMPUTER = HKLM + r"\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName"
HPC = HKLM + r"\SOFTWARE\Microsoft\HPC"
SHARES = HKLM + r"\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares"
PENDING = HKLM + r"\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
ENVIRONMENT = HKLM + r"\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"

LANGUAGES = ("en", "de", "fr", "ja")
DEFAULT = {
    "en": ("(Default)", "(value not set)"),
    "de": ("(Standard)", "(Wert nicht festgelegt)"),
    "fr": ("(par d\xe9faut)", "(valeur non d\xe9finie)"),
    "ja": ("(\u65e2\u5b9a)", "(\u5024\u306e\u8a2d\u5b9a\u306a\u3057)"),
}
NOT_FOUND = {
    "en": "ERROR: The system was unable to find the specified registry key or value.",
    "de": "FEHLER: Der angegebene Registrierungsschl\xfcssel bzw. Wert wurde nicht gefunden.",
    "fr": "ERREUR\xa0: le syst\xe8me n'a pas trouv\xe9 la cl\xe9 ou la valeur de Registre sp\xe9cifi\xe9e.",
    "ja": "\u30a8\u30e9\u30fc: \u30ad\u30fc\u304c\u898b\u3064\u304b\u308a\u307e\u305b\u3093",
}
DENIED = {
    "en": "ERROR: Access is denied.",
    "de": "FEHLER: Zugriff verweigert",
    "fr": "ERREUR\xa0: acc\xe8s refus\xe9.",
    "ja": "\u30a8\u30e9\u30fc: \u30a2\u30af\u30bb\u30b9\u304c\u62d2\u5426\u3055\u308c\u307e\u3057\u305f\u3002",
}
NO_SERVICE = {
    "en": "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nThe specified service does not exist.",
    "de": "[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:\n\nDer angegebene Dienst ist nicht installiert.",
    "fr": "[SC] EnumQueryServicesStatus:OpenService \xe9chec(s) 1060 :\n\nLe service sp\xe9cifi\xe9 n'existe pas.",
    "ja": "[SC] EnumQueryServicesStatus:OpenService \u5931\u6557 1060:\n\n\u5b58\u5728\u3057\u307e\u305b\u3093",
}
LABELS = {
    "en": ("SERVICE_NAME: ", "TYPE", "STATE", "WIN32_EXIT_CODE", "SERVICE_EXIT_CODE", "CHECKPOINT", "WAIT_HINT", ": "),
    "de": (
        "SERVICE_NAME: ",
        "TYP",
        "STATUS",
        "WIN32_BEENDIGUNGSCODE",
        "DIENST_CODE",
        "PR\xdcFPUNKT",
        "WARTEZEIT",
        ": ",
    ),
    "fr": (
        "NOM_SERVICE : ",
        "TYPE",
        "\xc9TAT",
        "CODE_SORTIE_WIN32",
        "CODE_SERVICE",
        "POINT_CONTR\xd4LE",
        "ATTENTE",
        " : ",
    ),
    "ja": (
        "\u30b5\u30fc\u30d3\u30b9\u540d: ",
        "\u7a2e\u985e",
        "\u72b6\u614b",
        "WIN32_\u7d42\u4e86",
        "\u7d42\u4e86",
        "\u70b9",
        "\u5f85\u6a5f",
        "\uff1a ",
    ),
}
STATES = {1: "STOPPED", 2: "START_PENDING", 3: "STOP_PENDING", 4: "RUNNING", 7: "PAUSED"}
NETSTAT = {
    "en": "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n",
    "de": "\nAktive Verbindungen\n\n  Proto  Lokale Adresse         Remoteadresse          Status           PID\n",
    "fr": "\nConnexions actives\n\n  Proto  Adresse locale         Adresse distante       \xc9tat\n",
    "ja": "\n\u30a2\u30af\u30c6\u30a3\u30d6\u306a\u63a5\u7d9a\n\n  \u30d7\u30ed\u30c8\u30b3\u30eb\n",
}

#: A namespace's values, as reg.exe prints their types.
HEADNODE = (
    ("Type", "REG_DWORD", "0x1"),
    ("FriendlyName", "REG_SZ", "HPC images"),
    ("Description", "REG_SZ", ""),
    ("ContentProvider", "REG_SZ", "WDS"),
    ("Configuration", "REG_SZ", r"C:\Program Files\HPC\Images"),
    ("SessionStartType", "REG_DWORD", "0x0"),
    ("SessionFlags", "REG_DWORD", "0x0"),
    ("MinClients", "REG_DWORD", "0x0"),
)
PROVIDER = (
    ("Description", "REG_SZ", "File provider"),
    ("ProviderDll", "REG_EXPAND_SZ", r"%SystemRoot%\system32\wdscpmsg.dll"),
    ("InitRoutine", "REG_SZ", "WdsTransportProviderInitialize"),
)


def printed(keys, default=None):
    """What ``reg.exe query`` prints of keys: pairs of a path and its values (name, type, data)."""
    lines = [""]
    for path, values in keys:
        lines.append(path)
        if default:
            lines.append("    %s    REG_SZ    %s" % default)
        lines += ["    %s    %s    %s" % value for value in values]
        lines.append("")
    return "\n".join(lines)


def service_text(language, name, state, pid=None):
    """What ``sc.exe query`` or, with a process id, ``queryex`` prints."""
    first, *labels, colon = LABELS[language]
    values = ["20  WIN32_SHARE_PROCESS  ", "%d  %s " % (state, STATES[state]), "0  (0x0)", "0  (0x0)", "0x0", "0x0"]
    rows = ["        %s%s%s" % (labels[at].ljust(19), colon, value) for at, value in enumerate(values)]
    rows.insert(2, "                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)")
    if pid is not None:
        rows += ["        PID                : %d" % pid, "        FLAGS              : "]
    return "\n".join(["", first + name, *rows]) + "\n"


def event_text(number, data=(), source="WDSMC", record=1, time="2026-11-20T10:11:12.1234567Z"):
    """What ``wevtutil.exe qe /f:xml`` prints of one event."""
    texts = "".join("<Data>%s</Data>" % text for text in data)
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%s'/>"
        "<EventID Qualifiers='49169'>%d</EventID><Level>2</Level><TimeCreated SystemTime='%s'/>"
        "<EventRecordID>%d</EventRecordID><Channel>Application</Channel></System><EventData>%s</EventData></Event>"
    ) % (source, number, time, record, texts)


def b64(text):
    return base64.b64encode(text.encode("utf-8")).decode("ascii") if text else "-"


def live_namespace(name="HEADNODE-CCP", provider="WDS", configuration=r"C:\Program Files\HPC\Images", **more):
    """A line ``ns`` of the COM look."""
    texts = [name, provider, configuration, more.get("friendly", "HPC images"), more.get("description", "")]
    flags = [
        more.get("type", 1),
        more.get("registered", True),
        more.get("tombstoned", False),
        more.get("started", False),
    ]
    return "ns %s %s" % (" ".join(b64(text) for text in texts), " ".join(str(flag) for flag in flags))


def live_text(namespaces=None, features=2, running=True):
    lines = ["ps 5.1.17763.1", "boot 20261121080000.500000+060", "features %d" % features, "running %s" % running]
    namespaces = [live_namespace()] if namespaces is None else namespaces
    return "\n".join([*lines, "count %d" % len(namespaces), *namespaces])


class HeadNode:
    """The answers of a healthy Server 2019 head node with HPC; a test breaks what it wants to before it asks."""

    def __init__(self, language="en"):
        self.language = language
        self.start = 2
        self.state = 4
        self.parameters = [("UdpPortPolicy", "REG_DWORD", "0x0")]
        self.namespaces = {"HEADNODE-CCP": HEADNODE}
        self.providers = {"WDS": PROVIDER}
        self.own = {r"\Namespaces\HEADNODE-CCP": HEADNODE}
        self.build = "17763"
        self.hpc = True
        self.pending = False
        self.shares = [("SpoolDir", "REG_MULTI_SZ", r"CSCFlags=0\0MaxUses=4294967295\0Path=C:\HPC\SpoolDir\0Type=0")]
        self.udp = []
        self.events = []
        self.live = live_text()
        self.logs = "files 0"
        self.environment = None
        self.changed = {}
        self.rounds = []
        self.powershell = True

    def registry(self, keys):
        if keys is None:
            return Answer(1, NOT_FOUND[self.language])
        return Answer(0, printed(keys, DEFAULT[self.language]))

    def answers(self):
        wds = [
            (SERVICE, [("Start", "REG_DWORD", "0x%x" % self.start), ("Description", "REG_SZ", "@%SystemRoot%")]),
            (SERVICE + r"\Parameters", self.parameters),
            (SERVICE + r"\Providers\WDSMC", []),
            (NAMESPACES, []),
        ]
        wds += [(NAMESPACES + "\\" + name, values) for name, values in self.namespaces.items()]
        wds += [(PROVIDERS + "\\" + name, values) for name, values in self.providers.items()]
        own = [(OWN + path, values) for path, values in self.own.items()]
        version = [
            ("CurrentVersion", "REG_SZ", "6.3"),
            ("CurrentBuildNumber", "REG_SZ", self.build),
            ("ProductName", "REG_SZ", "Windows Server 2019 Standard"),
        ]
        installed = self.state is not None
        language = self.language
        rows = "".join(
            "  UDP    0.0.0.0:%d          *:*                                    %d\n" % row for row in self.udp
        )
        gone = Answer(1060, NO_SERVICE[language])
        answers = {
            "none": self.registry(None),
            "store": self.registry(wds if installed else None),
            "own": self.registry(own or None),
            "version": self.registry([(VERSION, version)]),
            "computer": self.registry([(COMPUTER, [("ComputerName", "REG_SZ", "HEADNODE")])]),
            "hpc": self.registry([(HPC, [])] if self.hpc else None),
            "shares": self.registry([(SHARES, self.shares)]),
            # reg.exe prints nothing of a key without values.
            "pending": Answer(0, "") if self.pending else self.registry(None),
            "wds": Answer(0, service_text(language, "WDSServer", self.state)) if installed else gone,
            "hpcsvc": Answer(0, service_text(language, "HpcManagement", 4)) if self.hpc else gone,
            "dns": Answer(0, service_text(language, "DNS", 4, 1432)),
            "udp": Answer(0, NETSTAT[language] + rows) if self.udp else Answer(1, ""),
            "events": Answer(0, "\n".join(self.events)),
            "live": Answer(0, self.live) if self.powershell else Answer(None, ""),
        }
        answers.update(self.changed)
        return answers

    def run(self, items):
        """As Channel.run."""
        keys = [item.key for item in items]
        self.rounds.append(list(items))
        if keys[0].startswith("deployments."):
            return {key: Answer(0, self.logs) for key in keys}
        if keys == ["environment"]:
            keys = [(ENVIRONMENT, [("CCP_DATA", "REG_SZ", self.environment)])] if self.environment else None
            return {"environment": self.registry(keys)}
        answers = self.answers()
        assert sorted(keys) == sorted(answers)
        return answers

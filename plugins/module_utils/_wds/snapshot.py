# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observe room: one look at a head node, as one immutable snapshot.

State is read from what is the same in every language of Windows: registry, numbers of services, event XML, exit codes.
What could not be read is told in ``unread`` and never taken for absent.
"""

import datetime
import time
from typing import Callable, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import boot, names, scripts
from .batch import NOT_THERE, Answer, Command, Item
from .channel import Channel
from .deployments import Deployment, parse_deployments
from .events import Event, parse_events
from .live import NO_COM, NOT_RUNNING, Live, LiveNamespace, parse_live
from .registry import Tree, parse_registry
from .services import NOT_INSTALLED, RUNNING, Service, parse_status
from .sockets import parse_sockets
from .store import (
    BASELINE,
    NAMESPACES,
    OWN,
    STORE,
    Namespace,
    Place,
    Provider,
    read_namespaces,
    read_parameters,
    read_place,
    read_providers,
)

__all__ = [
    "Deployment",
    "Event",
    "Live",
    "LiveNamespace",
    "Namespace",
    "Place",
    "Provider",
    "Server",
    "Service",
    "Snapshot",
    "observe",
    "unread_parts",
]

#: When the deployment logs are read: where something is wrong, at each look, or not at all.
AUTO, ALWAYS, NEVER = "auto", "always", "never"
#: Days back from now that events and deployment logs are read.
SINCE = 30
#: Characters of deployment logs after which no more of them cross the wire.
LOG_LIMIT = 256 * 1024
#: The share of HPC whose folder holds the deployment logs, and that folder's name (facts/windows.md section 2).
SHARE, LOGS = "SpoolDir", "DeploymentLogs"
#: The environment variable that names the data folder of HPC; the share's folder is in it by default.
DATA = "CCP_DATA"

_VERSION = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
_COMPUTER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ActiveComputerName"
_HPC = "HKLM\\SOFTWARE\\Microsoft\\HPC"
_SHARES = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Shares"
_PENDING = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
_ENVIRONMENT = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
# A key that is on no host. reg.exe ends with 1 for a key that is absent as for one that may not be read; what it prints
# for this one is what it prints for an absent one, in whatever language.
_NOWHERE = OWN + ".none"
_EVENTS = "/q:*[System[Provider[@Name='WDSMC' or @Name='wdscpmsg'] and TimeCreated[timediff(@SystemTime) <= %d]]]"
_MOST_EVENTS = 64
#: No server has that many namespaces; whoever prints more wants something else.
MOST_NAMESPACES = 500
_DAY = 24 * 60 * 60 * 1000  # milliseconds


class Server(NamedTuple):
    """The host. ``build`` 0: not known; ``powershell`` "": none, or not asked; ``boot``: last boot, in CIM's form."""

    name: str
    build: int
    version: str
    service_pack: str
    product: str
    hpc: bool
    powershell: str
    boot: str
    reboot_pending: bool


class Snapshot(NamedTuple):
    """Everything diagnose and plan may know about a head node (design section 1).

    ``unread``: parts that could not be read, a sentence each that begins with the part's key and a colon
    (``store: ...``); such a part is empty here, and that does not mean that there is nothing.
    """

    time: str  # ISO 8601 in UTC, by the controller's clock
    server: Server
    service: Service  # WDSServer
    hpc_management: Service
    dns: Service
    store: Tuple[Namespace, ...]
    providers: Tuple[Provider, ...]
    baseline: Tuple[Namespace, ...]
    live: Live
    parameters: Mapping[str, str]  # WDSServer\Parameters by name; numbers in decimal
    udp: Tuple[Tuple[int, int], ...]  # (port, process id) from 64001 to 65000
    dns_pid: int  # 0: none
    events: Tuple[Event, ...]  # newest first
    deployments: Optional[Tuple[Deployment, ...]]  # None: not looked at
    place: Optional[Place]
    unread: Tuple[str, ...]


def unread_parts(snapshot: Snapshot) -> FrozenSet[str]:
    """The keys of the parts that could not be read, such as ``store`` or ``live``."""
    return frozenset(sentence.partition(":")[0] for sentence in snapshot.unread)


def observe(
    channel: Channel,
    suspicious: Callable[[Snapshot], bool],
    deployment_logs: Sequence[str] = (),
    since: int = SINCE,
    deployments: str = AUTO,
    clock: Callable[[], float] = time.time,
) -> Snapshot:
    """Look at a head node. Never writes. One round trip; one or two more where the deployment logs are read,
    and others where their folders do not fit into one command line.

    :param suspicious: whether a first look shows that something is wrong: then, on ``auto``, the logs are read.
    :param deployment_logs: folders of the logs; without one, the folder of HPC's share, else in HPC's data folder.
    :param since: days back that events and logs are read.
    :param deployments: ``auto``, ``always`` or ``never``.
    :param clock: epoch seconds.
    :raises ChannelError: the host could not be asked.
    :raises names.ValueRefused: an entry of ``deployment_logs`` is no absolute path.
    """
    folders = [names.folder(folder) for folder in deployment_logs]
    answers = channel.run(commands(since))
    first = _Look(answers, _stamp(clock())).snapshot()
    if deployments == NEVER or (deployments == AUTO and not suspicious(first)):
        return first
    return _with_deployments(channel, first, folders, _share(answers), since)


def commands(since: int) -> Tuple[Item, ...]:
    """What the first look asks for."""
    return (
        _query("none", _NOWHERE),
        _query("store", STORE, "/s"),
        _query("own", OWN, "/s"),
        _query("version", _VERSION),
        _query("computer", _COMPUTER),
        _query("hpc", _HPC),
        _query("shares", _SHARES),
        _query("pending", _PENDING),
        Command("wds", "sc.exe", ("query", "WDSServer")),
        Command("hpcsvc", "sc.exe", ("query", "HpcManagement")),
        Command("dns", "sc.exe", ("queryex", "DNS")),
        Command("udp", "cmd.exe", ("/c", "netstat.exe -ano -p UDP|findstr.exe /c::64 /c::65000")),
        Command(
            "events",
            "wevtutil.exe",
            ("qe", "Application", _EVENTS % (since * _DAY), "/f:xml", "/rd:true", "/c:%d" % _MOST_EVENTS),
        ),
        scripts.live(),
    )


def _query(key: str, path: str, *more: str) -> Command:
    return Command(key, "reg.exe", ("query", path, *more))


def _stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Look:
    """The answers of one look, read part by part; what cannot be read is noted."""

    def __init__(self, answers: Mapping[str, Answer], now: str) -> None:
        self.answers = answers
        self.now = now
        self.unread: List[str] = []
        reference = answers["none"]
        # Without a reference, a query that ends with 1 and prints no key says that the key is absent.
        self.absent = _words(reference.output) if reference.code == 1 else None

    def snapshot(self) -> Snapshot:
        wds, _pid = self.service("wds", "WDSServer")
        hpc_management, _pid = self.service("hpcsvc", "HpcManagement")
        dns, dns_pid = self.service("dns", "DNS")
        store = self.store(wds)
        own = self.registry("own") or Tree()
        root = store.key(STORE)
        wds = wds._replace(start=root.number("Start") if root and wds.installed else None)
        live = self.live(wds)
        return Snapshot(
            time=self.now,
            server=self.server(hpc_management),
            service=wds,
            hpc_management=hpc_management,
            dns=dns,
            store=self.namespaces("store", store, NAMESPACES),
            providers=read_providers(store),
            baseline=self.namespaces("own", own, BASELINE),
            live=live,
            parameters=read_parameters(store),
            udp=self.udp(),
            dns_pid=dns_pid,
            events=self.events(),
            deployments=None,
            place=read_place(own),
            unread=tuple(self.unread),
        )

    def note(self, part: str, what: str) -> None:
        self.unread.append("%s: %s" % (part, what))

    def ended(self, part: str, program: str) -> None:
        """Note that a program did not bring the answer."""
        code = self.answers[part].code
        if code == NOT_THERE:
            self.note(part, "%s is not on the host, or could not be started." % program)
        else:
            self.note(part, "%s ended with exit code %s and no answer that can be used." % (program, code))

    def registry(self, part: str) -> Optional[Tree]:
        """The tree of a query, None where the key is absent; where it could not be read, noted, an empty one."""
        answer = self.answers[part]
        tree = parse_registry(answer.output)
        if answer.code == 0:
            return tree
        same = self.absent is None or _words(answer.output) == self.absent
        if answer.code == 1 and not tree.keys and same:
            return None
        self.ended(part, "reg.exe")
        return Tree()

    def store(self, wds: Service) -> Tree:
        tree = self.registry("store")
        if tree is not None and (tree.keys or "store" in self.parts()):
            return tree
        if wds.installed or "wds" in self.parts():
            # The service has a key wherever it is installed: this one was not shown.
            self.ended("store", "reg.exe")
        return Tree()

    def namespaces(self, part: str, tree: Tree, path: str) -> Tuple[Namespace, ...]:
        found = read_namespaces(tree, path)
        if len(found) <= MOST_NAMESPACES:
            return found
        self.note(part, "there are %d namespaces, more than this collection looks at." % len(found))
        return ()

    def parts(self) -> FrozenSet[str]:
        return frozenset(sentence.partition(":")[0] for sentence in self.unread)

    def service(self, part: str, name: str) -> Tuple[Service, int]:
        answer = self.answers[part]
        if answer.code == NOT_INSTALLED:
            return Service(name, False, None), 0
        status = parse_status(answer.output) if answer.code == 0 else None
        if status is None:
            self.ended(part, "sc.exe")
            return Service(name, False, None), 0
        return Service(name, True, status.state), status.pid

    def server(self, hpc_management: Service) -> Server:
        version_tree = self.registry("version") or Tree()
        version = version_tree.key(_VERSION)
        build = version.text("CurrentBuildNumber") if version else ""
        if not build.isdigit() and "version" not in self.parts():
            self.ended("version", "reg.exe")
        computer_tree = self.registry("computer") or Tree()
        computer = computer_tree.key(_COMPUTER)
        name = computer.text("ComputerName") if computer else ""
        if not name and "computer" not in self.parts():
            self.ended("computer", "reg.exe")
        # A key without values prints nothing, so the exit code alone says that it is there.
        hpc = self.registry("hpc") is not None and "hpc" not in self.parts()
        pending = self.registry("pending") is not None and "pending" not in self.parts()
        live = self.answers["live"]
        return Server(
            name=name,
            build=int(build) if build.isdigit() else 0,
            version=version.text("CurrentVersion") if version else "",
            service_pack=version.text("CSDVersion") if version else "",
            product=version.text("ProductName") if version else "",
            hpc=hpc or hpc_management.installed,
            powershell=parse_live(live.output).powershell if live.code is not None else "",
            boot=boot.identity(dict(self.answers)),
            reboot_pending=pending,
        )

    def live(self, wds: Service) -> Live:
        answer = self.answers["live"]
        if answer.code is None:
            return Live(False, "")
        look = parse_live(answer.output)
        live = look.live
        if len(live.namespaces) > MOST_NAMESPACES:
            self.note("live", "the service lists more namespaces than this collection looks at.")
            return Live(False, "The service lists too many namespaces.", live.features, live.running)
        no_com = look.code in NO_COM and live.features is None
        not_running = look.code in NOT_RUNNING and wds.state != RUNNING
        if not live.available and wds.installed and not no_com and not not_running:
            self.note("live", live.error)
        return live

    def udp(self) -> Tuple[Tuple[int, int], ...]:
        answer = self.answers["udp"]
        # findstr.exe ends with 1 where no line matches.
        if answer.code not in (0, 1) or (answer.code == 1 and answer.output.strip()):
            self.ended("udp", "netstat.exe")
            return ()
        return parse_sockets(answer.output)

    def events(self) -> Tuple[Event, ...]:
        answer = self.answers["events"]
        if answer.code != 0:
            self.ended("events", "wevtutil.exe")
            return ()
        found = parse_events(answer.output)
        if found.broken:
            self.note("events", "%d events were not whole XML." % found.broken)
        return found.events


def _words(text: str) -> List[str]:
    return text.split()


def _share(answers: Mapping[str, Answer]) -> List[str]:
    """The folder of the deployment logs by the path of HPC's share."""
    key = parse_registry(answers["shares"].output).key(_SHARES) if answers["shares"].code == 0 else None
    share = key.value(SHARE) if key else None
    for entry in share.strings if share else ():
        field, _equals, path = entry.partition("=")
        if field.lower() == "path" and path:
            return ["%s\\%s" % (path.rstrip("\\"), LOGS)]
    return []


def _with_deployments(
    channel: Channel, first: Snapshot, given: Sequence[str], shared: Sequence[str], since: int
) -> Snapshot:
    if channel.powershell is False:
        return _unread(first, "the deployment logs are read with PowerShell, which is not on the host.")
    folders = given or shared or _data_folder(channel)
    if not folders:
        if not first.server.hpc:
            return first
        why = "where the logs are is not known (no share %s, no %s): give the option deployment_logs." % (SHARE, DATA)
        return _unread(first, why)
    try:
        searches = scripts.deployments(folders, since, LOG_LIMIT)
    except names.ValueRefused as refused:
        return _unread(first, "%s: give the option deployment_logs." % refused)
    answers = channel.run(searches)
    if any(answer.code is None for answer in answers.values()):
        return _unread(first, "the deployment logs are read with PowerShell, which is not on the host.")
    found = parse_deployments([answer.output for answer in answers.values()], folders)
    snapshot = first._replace(deployments=found.deployments)
    if found.failed or not found.ended:
        snapshot = _unread(snapshot, "the logs could not be read to their end.")
    # HPC makes its folder with the first deployment: where it is not there, nothing was deployed.
    if found.absent and given:
        snapshot = _unread(snapshot, "not on the host: %s" % ", ".join(found.absent))
    if found.cut:
        why = "more of the logs matched than the %d characters that are read; the oldest were left out." % LOG_LIMIT
        snapshot = _unread(snapshot, why)
    return snapshot


def _unread(snapshot: Snapshot, why: str) -> Snapshot:
    return snapshot._replace(unread=(*snapshot.unread, "deployments: " + why))


def _data_folder(channel: Channel) -> List[str]:
    """The folder of the deployment logs by HPC's environment variable."""
    answer = channel.run([_query("environment", _ENVIRONMENT, "/v", DATA)])["environment"]
    key = parse_registry(answer.output).key(_ENVIRONMENT) if answer.code == 0 else None
    path = key.text(DATA) if key else ""
    return ["%s\\%s\\%s" % (path.rstrip("\\"), SHARE, LOGS)] if path else []

"""The state machine of one simulated Windows HPC head node (issue 3 section 4, facts/windows.md sections 1 to 8).

A machine holds a registry, services, features, files, UDP sockets and an event log, carries out command lines of the
WinRS shell and scripts of a PowerShell runspace, and reboots. WDSServer deletes from its store what it cannot register
at a start, as the documented events say. What the model does not know is refused: an error for the caller and a line
in ``Machine.refused``. No Windows code is behind it; what is made up stands in ``programs/synthetic.py``.
"""

import contextlib
import datetime
import ntpath
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from extensions.head_nodes.builds import BUILDS, LANGUAGES
from extensions.head_nodes.filesystem import Filesystem, Folder
from extensions.head_nodes.registry import Data, Key, Registry

SERVICES = "HKLM\\SYSTEM\\CurrentControlSet\\Services"
WDS_SERVER = SERVICES + "\\WDSServer"
PARAMETERS = WDS_SERVER + "\\Parameters"
MULTICAST = WDS_SERVER + "\\Providers\\WDSMC"
NAMESPACES = MULTICAST + "\\Namespaces"
PROVIDERS = MULTICAST + "\\Providers"
OWN = "HKLM\\SOFTWARE\\imaging.multicast"
BASELINES = OWN + "\\Namespaces"
WINDOWS_NT = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
COMPUTER_NAME = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ActiveComputerName"
POWERSHELL = "HKLM\\SOFTWARE\\Microsoft\\PowerShell"
HPC = "HKLM\\SOFTWARE\\Microsoft\\HPC"
SHARES = SERVICES + "\\LanmanServer\\Shares"
REBOOT_PENDING = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"

STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
AUTO, DEMAND, DISABLED = 2, 3, 4
AUTOCAST, SCHEDULED_MANUAL, SCHEDULED_AUTO = 1, 2, 3

# HRESULTs of facts/windows.md section 3.
PROVIDER_NOT_REGISTERED = 0xC1100104
NAMESPACE_REGISTERED = 0xC1100107
NAMESPACE_NOT_REGISTERED = 0xC1100108
INVALID_NAME = 0xC110010A
SERVER_UNAVAILABLE = 0xC1100113

FEATURES = ("WDS", "WDS-Deployment", "WDS-Transport")
# The provider that comes with the role (facts/windows.md section 2); DLL and routine are synthetic.
BUILTIN_PROVIDER = "WDS"
BUILTIN_DLL = "%SystemRoot%\\System32\\wdscp.dll"
SYSTEM32 = "C:\\Windows\\System32"
SPOOL = "C:\\Program Files\\Microsoft HPC Pack\\Data\\SpoolDir"
IMAGES = "C:\\Program Files\\Microsoft HPC Pack\\Data\\InstallShare\\Images"

_LOSES = ("before", "middle", "after")


class Execution(NamedTuple):
    """What a command or script left: bytes of both streams, exit code, and where the connection is to be dropped.

    ``lose`` is None, "before" (nothing was carried out), "middle" (what stood before it was) or "after" (all was).
    """

    stdout: bytes
    stderr: bytes
    code: int
    lose: str | None = None


class Dropped(Exception):
    """The connection was lost in the middle of a batch; ``stdout`` is what was written until then."""

    def __init__(self) -> None:
        super().__init__("the connection was lost")
        self.stdout = b""


class NamespaceError(Exception):
    """A namespace operation failed; ``hresult`` is its code as an unsigned number."""

    def __init__(self, hresult: int) -> None:
        super().__init__(f"0x{hresult:X}")
        self.hresult = hresult


class Event(NamedTuple):
    """One event of the Application log; ``level`` 2 error, 3 warning, 4 information."""

    source: str
    id: int
    level: int
    time: datetime.datetime
    record: int
    data: tuple[str, ...]


class Socket(NamedTuple):
    """A bound UDP socket."""

    address: str
    port: int
    pid: int


@dataclass
class Service:
    """What the service manager knows beside the registry, where the start type is."""

    name: str
    display: dict[str, str]
    state: int = STOPPED
    pid: int = 0
    own_process: bool = False


@dataclass
class Live:
    """A namespace as the running transport server has it."""

    name: str
    content_provider: str
    configuration: str
    friendly_name: str = ""
    description: str = ""
    type: int = AUTOCAST
    registered: bool = True
    tombstoned: bool = False
    transmission_started: bool = False
    clients: list[str] = field(default_factory=list)


@dataclass
class Loss:
    """A loss of the connection that is to come: where, at commands or scripts that match, how often."""

    where: str
    match: re.Pattern[str]
    times: int


_DISPLAY = {
    "WDSServer": {
        "en": "Windows Deployment Services Server",
        "de": "Windows-Bereitstellungsdiensteserver",
        "fr": "Serveur des services de déploiement Windows",
        "ja": "Windows 展開サービス サーバー",
    },
    "HpcManagement": {"en": "HPC Management Service"},
    "DNS": {"en": "DNS Server", "de": "DNS-Server", "fr": "Serveur DNS", "ja": "DNS サーバー"},
}


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Machine:
    """One simulated head node.

    Attributes to read: ``refused`` and ``writes`` (a line for each refusal and each mutation), ``commands`` (each
    native program that ran), ``boots`` (how often it went down). Attributes to set, all JSON-able:

    - ``boot_seconds``: how long a reboot refuses connections. ``pace``: seconds of this machine per second that
      ``shutdown /t`` waits. ``latency``: seconds each command takes; run_cmd and run_powershell sleep that long.
    - ``start_delay``: seconds after a boot in which automatic services are still starting.
    - ``recreation``: what HPC puts back when the role was installed again: "namespace" (with its provider), "provider"
      or "nothing"; facts/windows.md section 10 calls it unknown. ``recreation_delay``: seconds after the boot.
    - ``install_start``: WDSServer's start type after an installation of the role.
    - ``wizard``: another wizard holds the feature store. ``progress_noise``: CLIXML progress on PowerShell's stderr.
    - ``limited_users``: users without administrative rights. ``never_returns``: the next reboot does not end.
    - ``fails_once``: content providers that cannot be loaded at WDSServer's next start. ``taken``: namespaces that
      something else registers at each start before the store is read. ``start_error``: system error of ``net start``
      (1053), 0 for none.
    """

    def __init__(
        self,
        name: str,
        build: int = 17763,
        language: str = "en",
        powershell: str | None = "",
        *,
        now: Callable[[], datetime.datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if build not in BUILDS:
            raise ValueError(f"build {build} is not modelled; modelled are {', '.join(map(str, BUILDS))}")
        if language not in LANGUAGES:
            raise ValueError(f"language {language!r} is not modelled; modelled are {', '.join(LANGUAGES)}")
        self.name = name
        self.number = build
        self.build = BUILDS[build]
        self.language = language
        self.locale = LANGUAGES[language]
        self.powershell = self.build.powershell if powershell == "" else powershell
        self.registry = Registry()
        self.files = Filesystem()
        self.services: dict[str, Service] = {}
        self.features: set[str] = set()
        self.pending: dict[str, str] = {}
        self.live: dict[str, Live] = {}
        self.events: list[Event] = []
        self.sockets: list[Socket] = []
        # Beside 53; DNS binds them at each of its starts.
        self.dns_ports: Sequence[int] = ()
        self.environment = {
            "COMPUTERNAME": name,
            "SystemRoot": "C:\\Windows",
            "windir": "C:\\Windows",
            "SystemDrive": "C:",
            "ComSpec": SYSTEM32 + "\\cmd.exe",
            "ProgramFiles": "C:\\Program Files",
            "TEMP": "C:\\Windows\\Temp",
            "Path": SYSTEM32,
        }
        self.refused: list[str] = []
        self.writes: list[str] = []
        self.commands: list[str] = []
        self.boots = 0
        self.boot_seconds = 0.3
        self.pace = 0.05
        self.latency = 0.0
        self.start_delay = 0.0
        self.recreation = "namespace"
        self.recreation_delay = 0.0
        self.install_start = AUTO
        self.wizard = False
        self.progress_noise = False
        self.limited_users: set[str] = set()
        self.never_returns = False
        self.fails_once: set[str] = set()
        self.taken: set[str] = set()
        self.start_error = 0
        # What HPC registers when it finds the role new: name, provider, configuration.
        self.hpc_namespace: Live | None = None
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.RLock()
        self._losses: list[Loss] = []
        self._down_at: float | None = None
        self._up_at: float | None = None
        self._starting_until: float | None = None
        self._recreate_at: float | None = None
        self._fresh_role = False
        self._pids = iter(range(1204, 64000, 4))
        self._record = 4711
        self.booted = now() - datetime.timedelta(days=3, hours=2)
        self._describe()

    # --- the surface that the WS-Man and psrp servers use ------------------------------------------------------------

    def accepts(self) -> bool:
        """False while the machine boots: connections are refused then."""
        with self._lock:
            self._tick()
            return self._up_at is None

    def run_cmd(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Execution:
        """Run a command line as a WinRS shell does: command and arguments joined by spaces, given to cmd.exe.

        Args:
            codepage: the shell's codepage; 0 means the OEM codepage of the machine's language.
        """
        from extensions.head_nodes import cmd
        from extensions.head_nodes.programs import Console

        line = " ".join([command, *arguments])
        console = Console(codepage or self.locale.codepage, present=True)
        return self._run(self._readable(line), lambda: cmd.run(self, line, console, user))

    def run_program(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Execution:
        """Start a program as a WinRS shell does with WINRS_SKIP_CMD_SHELL: no cmd.exe reads the line first."""
        from extensions.head_nodes.programs import Console, launch

        line = " ".join([command, *arguments])
        console = Console(codepage or self.locale.codepage, present=True)
        return self._run(self._readable(line), lambda: launch(self, line, console, user))

    def run_powershell(self, script: str, user: str) -> Execution:
        """Run a script as a pipeline of a remote runspace does: no powershell.exe, no console. Answers in UTF-8."""
        from extensions.head_nodes import powershell
        from extensions.head_nodes.programs import Console

        console = Console(self.locale.codepage, present=False)
        return self._run(script, lambda: powershell.run(self, script, console, user))

    def _run(self, text: str, work: Callable[[], tuple[bytes, bytes, int]]) -> Execution:
        if self.latency:
            self._sleep(self.latency)
        with self._lock:
            self._tick()
            if self._up_at is not None:
                return Execution(b"", b"", 1, "before")
            if self._lose("before", text):
                return Execution(b"", b"", 1, "before")
            try:
                stdout, stderr, code = work()
            except Dropped as drop:
                return Execution(drop.stdout, b"", 1, "middle")
            return Execution(stdout, stderr, code, "after" if self._lose("after", text) else None)

    @staticmethod
    def _readable(line: str) -> str:
        """The line, or the script that it carries encoded: what ``lose`` is matched against."""
        import base64

        found = re.search(r"-EncodedCommand\s+(\S+)", line, re.IGNORECASE)
        try:
            return base64.b64decode(found[1]).decode("utf-16-le") if found else line
        except ValueError:
            return line

    def lose(self, where: str, match: str = "", times: int = 1) -> None:
        """Drop the connection at the next ``times`` commands that match the regular expression ``match``.

        ``where`` "before" and "after" are matched with the whole script or command line; "middle" with each native
        program's command line: the batch ends after that program.
        """
        if where not in _LOSES:
            raise ValueError(f"lose {where!r}: one of {', '.join(_LOSES)}")
        self._losses.append(Loss(where, re.compile(match, re.IGNORECASE), times))

    def _lose(self, where: str, text: str) -> bool:
        for loss in self._losses:
            if loss.where == where and loss.times and loss.match.search(text):
                loss.times -= 1
                return True
        return False

    def ran(self, line: str) -> None:
        """Called by the shells after each native program.

        Raises:
            Dropped: the connection is to be lost here.
        """
        self.commands.append(line)
        if self._lose("middle", line):
            raise Dropped

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """No command runs during a ``with``: for changes from outside."""
        with self._lock:
            self._tick()
            yield

    def refuse(self, what: str) -> None:
        """Record something that the model does not know; the caller still has to give an error."""
        self.refused.append(what)

    def wrote(self, what: str) -> None:
        self.writes.append(what)

    # --- time and boots ----------------------------------------------------------------------------------------------

    def now(self) -> datetime.datetime:
        return self._now()

    @property
    def boot_identity(self) -> str:
        """LastBootUpTime as WMI writes it (CIM_DATETIME in local time)."""
        local = self.booted + datetime.timedelta(minutes=self.locale.offset)
        return f"{local:%Y%m%d%H%M%S}.{local.microsecond:06d}+{self.locale.offset:03d}"

    def shutdown(self, seconds: float) -> None:
        """Reboot after ``seconds`` (scaled by ``pace``)."""
        self.wrote(f"reboot in {seconds:g} s")
        self._down_at = self._monotonic() + seconds * self.pace

    def switch_on(self) -> None:
        """End a boot, also one that would not end by itself."""
        with self._lock:
            if self._up_at is not None:
                self._up_at = self._monotonic()

    @property
    def shutdown_scheduled(self) -> bool:
        return self._down_at is not None

    def _tick(self) -> None:
        clock = self._monotonic()
        if self._down_at is not None and clock >= self._down_at:
            self._go_down()
            self._up_at = float("inf") if self.never_returns else self._down_at + self.boot_seconds
            self._down_at = None
        if self._up_at is not None and clock >= self._up_at:
            up, self._up_at = self._up_at, None
            self._come_up(up)
        if self._starting_until is not None and clock >= self._starting_until:
            self._starting_until = None
            self._start_automatic()
        if self._recreate_at is not None and clock >= self._recreate_at:
            self._recreate_at = None
            self._hpc_recreates()

    def _go_down(self) -> None:
        self.boots += 1
        for service in self.services.values():
            service.state, service.pid = STOPPED, 0
        self.live.clear()
        self.sockets = []
        self.wizard = False

    def _come_up(self, when: float) -> None:
        # No machine boots within seconds: two boots look like two also when they are played faster.
        self.booted = max(self._now(), self.booted + datetime.timedelta(minutes=1))
        pending, self.pending = self.pending, {}
        if "remove" in pending.values():
            self._take_role_away([name for name, what in pending.items() if what == "remove"])
        for name, what in pending.items():
            if what == "install":
                self._put_role(name)
        self.registry.remove(REBOOT_PENDING)
        if self.start_delay:
            for service in self._automatic():
                service.state = START_PENDING
            self._starting_until = when + self.start_delay
        else:
            self._start_automatic()
        if self._fresh_role:
            self._fresh_role = False
            self._recreate_at = when + self.start_delay + self.recreation_delay
            self._tick()

    def _automatic(self) -> list[Service]:
        stuck = "WDSServer" if self.start_error else ""
        return [s for s in self.services.values() if self.start_type(s.name) == AUTO and s.name != stuck]

    def _start_automatic(self) -> None:
        for service in self._automatic():
            self.start(service.name)

    def _hpc_recreates(self) -> None:
        if self.hpc_namespace is None or not self.running("HpcManagement") or self.recreation == "nothing":
            return
        made = self.hpc_namespace
        self.register_provider(made.content_provider)
        if self.recreation == "namespace" and self.running("WDSServer") and made.name.lower() not in self.live:
            self.new_namespace(replace(made, clients=[]))
            self.wrote(f"HpcManagement: namespace {made.name} created")

    # --- registry with a record of writes ----------------------------------------------------------------------------

    def reg_set(self, path: str, name: str, type_: str, data: Data) -> None:
        self.registry.set(path, name, type_, data)
        self.wrote(f"registry set {path} {name} {type_} {data!r}")

    def reg_make(self, path: str) -> Key:
        if self.registry.key(path) is None:
            self.wrote(f"registry make {path}")
        return self.registry.make(path)

    def reg_remove(self, path: str) -> bool:
        self.wrote(f"registry delete {path}")
        return self.registry.remove(path)

    def elevated(self, user: str) -> bool:
        return user not in self.limited_users

    # --- services ----------------------------------------------------------------------------------------------------

    def add_service(self, name: str, start: int, *, own_process: bool = False) -> Service:
        """Install a service; it is not started."""
        service = Service(name, _DISPLAY.get(name, {"en": name}), own_process=own_process)
        self.services[name.lower()] = service
        path = f"{SERVICES}\\{name}"
        self.registry.set(path, "DisplayName", "REG_SZ", service.display.get(self.language, service.display["en"]))
        self.registry.set(path, "ErrorControl", "REG_DWORD", 1)
        self.registry.set(path, "ObjectName", "REG_SZ", "LocalSystem")
        self.registry.set(path, "Start", "REG_DWORD", start)
        self.registry.set(path, "Type", "REG_DWORD", 0x10 if own_process else 0x20)
        return service

    def service(self, name: str) -> Service | None:
        return self.services.get(name.lower())

    def display(self, service: Service) -> str:
        return service.display.get(self.language, service.display["en"])

    def start_type(self, name: str) -> int | None:
        value = self.registry.value(f"{SERVICES}\\{name}", "Start")
        return value if isinstance(value, int) else None

    def running(self, name: str) -> bool:
        service = self.service(name)
        return service is not None and service.state == RUNNING

    def start(self, name: str) -> None:
        """Start an installed service that does not run."""
        service = self.services[name.lower()]
        service.state, service.pid = RUNNING, next(self._pids)
        if service.name == "WDSServer":
            self._wds_starts(service)
        elif service.name == "DNS":
            self.bind(service.pid, [53, *self.dns_ports])

    def stop(self, name: str) -> None:
        service = self.services[name.lower()]
        self.sockets = [socket for socket in self.sockets if socket.pid != service.pid]
        service.state, service.pid = STOPPED, 0
        if service.name == "WDSServer":
            self.live.clear()

    def bind(self, pid: int, ports: Iterable[int]) -> None:
        for port in ports:
            self.sockets.append(Socket("0.0.0.0", port, pid))

    # --- WDSServer and its multicast provider ------------------------------------------------------------------------

    def log(self, source: str, id_: int, level: int, data: Sequence[str], age: float = 0) -> None:
        """Write an event; ``age`` is in seconds."""
        self._record += 1
        when = self._now() - datetime.timedelta(seconds=age)
        self.events.append(Event(source, id_, level, when, self._record, tuple(data)))

    def _wds_starts(self, service: Service) -> None:
        """Register each namespace of the store; what fails is logged and deleted (facts/windows.md section 1)."""
        self.bind(service.pid, [64001])
        self.log("WDSMC", 512, 4, [])
        store = self.registry.key(NAMESPACES)
        for key in store.keys if store else ():
            live = self._read_namespace(key)
            if live is None:
                self.log("WDSMC", 771, 2, [key.name, "0x80070057"])
            elif self._late(key):
                self.log("WDSMC", 768, 2, [key.name])
            elif key.name.lower() in {name.lower() for name in self.taken}:
                self.log("WDSMC", 770, 2, [key.name])
                self.live[key.name.lower()] = live
            elif self._opens(live):
                self.live[key.name.lower()] = live
                continue
            self.registry.remove(f"{NAMESPACES}\\{key.name}")
            self.wrote(f"WDSServer: namespace {key.name} deleted from the store")
        self.fails_once.clear()

    def _late(self, key: Key) -> bool:
        """A scheduled start in the past (event 768). StartTime is a FILETIME."""
        value = key.get("StartTime")
        if value is None or not isinstance(value.data, int) or not value.data:
            return False
        return value.data / 10_000_000 - 11_644_473_600 < self._now().timestamp()

    @staticmethod
    def _read_namespace(key: Key) -> Live | None:
        """The namespace a key of the store defines; None where a value is absent or of the wrong type."""

        def text(name: str) -> str | None:
            value = key.get(name)
            return value.data if value and value.type == "REG_SZ" and isinstance(value.data, str) else None

        type_ = key.get("Type")
        provider, configuration = text("ContentProvider"), text("Configuration")
        if type_ is None or type_.data not in (AUTOCAST, SCHEDULED_MANUAL, SCHEDULED_AUTO):
            return None
        if provider is None or configuration is None or not isinstance(type_.data, int):
            return None
        friendly, description = text("FriendlyName") or "", text("Description") or ""
        return Live(key.name, provider, configuration, friendly, description, type_.data)

    def _opens(self, live: Live) -> bool:
        """Whether the namespace's content provider takes it; logs why not."""
        provider = self.registry.key(f"{PROVIDERS}\\{live.content_provider}")
        if provider is None:
            self.log("WDSMC", 769, 2, [live.name, live.content_provider])
            return False
        dll = self.expand(str(self.registry.value(f"{PROVIDERS}\\{live.content_provider}", "ProviderDll") or ""))
        if self.files.get(dll) is None or live.content_provider in self.fails_once:
            self.log("WDSMC", 592, 2, [live.content_provider, dll, "0x8007007E"])
            self.log("WDSMC", 771, 2, [live.name, "0x8007007E"])
            return False
        if provider.name == BUILTIN_PROVIDER:
            problem = self._directory_problem(live.configuration)
            if problem:
                self.log("wdscpmsg", problem, 2, [live.configuration] if live.configuration else [])
                self.log("WDSMC", 771, 2, [live.name, "0x8007010B"])
                return False
        return True

    def _directory_problem(self, configuration: str) -> int:
        """The event of the built-in provider about a configuration string, 0 when it is good."""
        if not configuration:
            return 258
        if not ntpath.isabs(configuration):
            return 256
        return 0 if isinstance(self.files.get(configuration), Folder) else 257

    def new_namespace(self, live: Live) -> None:
        """Register a namespace with the running server and write it to the store.

        Raises:
            NamespaceError: with the HRESULT of the refusal.
        """
        if not self.running("WDSServer"):
            raise NamespaceError(SERVER_UNAVAILABLE)
        if not 1 <= len(live.name) <= 255 or "\\" in live.name:
            raise NamespaceError(INVALID_NAME)
        if live.name.lower() in self.live:
            raise NamespaceError(NAMESPACE_REGISTERED)
        if self.registry.key(f"{PROVIDERS}\\{live.content_provider}") is None:
            raise NamespaceError(PROVIDER_NOT_REGISTERED)
        if not self._opens(live):
            raise NamespaceError(0x8007010B)
        self.live[live.name.lower()] = live
        self.store_namespace(live)
        self.wrote(f"namespace {live.name} created")

    def store_namespace(self, live: Live) -> None:
        """Write the definition of a namespace to the store (values: facts/windows.md section 2)."""
        write_definition(self.registry, f"{NAMESPACES}\\{live.name}", live)

    def remove_namespace(self, name: str, force: bool) -> None:
        """Deregister a namespace; with clients and without ``force`` it becomes delete-pending.

        Raises:
            NamespaceError: with the HRESULT of the refusal.
        """
        if not self.running("WDSServer"):
            raise NamespaceError(SERVER_UNAVAILABLE)
        live = self.live.get(name.lower())
        if live is None or live.tombstoned:
            raise NamespaceError(NAMESPACE_NOT_REGISTERED)
        self.registry.remove(f"{NAMESPACES}\\{name}")
        if live.clients and not force:
            live.tombstoned, live.registered = True, False
        else:
            del self.live[name.lower()]
        self.wrote(f"namespace {live.name} removed" + (" by force" if force else ""))

    def register_provider(self, name: str) -> None:
        """Register a content provider with a DLL of its own, as an installer does; nothing when it is there."""
        path = f"{PROVIDERS}\\{name}"
        if self.registry.key(path):
            return
        dll = BUILTIN_DLL if name == BUILTIN_PROVIDER else f"%SystemRoot%\\System32\\{name.lower()}cp.dll"
        self.registry.set(path, "Description", "REG_SZ", f"{name} content provider")
        self.registry.set(path, "ProviderDll", "REG_EXPAND_SZ", dll)
        self.registry.set(path, "InitRoutine", "REG_SZ", "WdsContentProviderInitialize")
        self.files.put(self.expand(dll), self._now(), b"MZ")

    def expand(self, text: str) -> str:
        """``%NAME%`` replaced by the environment; an unknown name stays as it is."""
        values = {name.lower(): value for name, value in self.environment.items()}
        return re.sub(r"%([^%]+)%", lambda found: values.get(found[1].lower(), found[0]), text)

    # --- features ----------------------------------------------------------------------------------------------------

    def put_role(self, features: Iterable[str]) -> None:
        """The role as it is right after its installation; for builders."""
        for name in features:
            self._put_role(name)
        self._fresh_role = False

    def _put_role(self, name: str) -> None:
        new = not self.features
        self.features |= {"WDS", name}
        if not new:
            return
        self.add_service("WDSServer", self.install_start)
        self.registry.set(WDS_SERVER, "ImagePath", "REG_EXPAND_SZ", "%SystemRoot%\\system32\\svchost.exe -k WDSServer")
        self.registry.set(PARAMETERS, "McStartAddr", "REG_SZ", "239.192.0.1")
        self.registry.set(PARAMETERS, "McEndAddr", "REG_SZ", "239.192.0.254")
        if self.number >= 7600:
            self.registry.set(PARAMETERS, "UdpPortPolicy", "REG_DWORD", 0)
            self.registry.set(MULTICAST + "\\Protocol", "ApBlockSize", "REG_DWORD", 1385)
        else:
            self.registry.set(MULTICAST + "\\Profiles\\Custom", "ApBlockSize", "REG_DWORD", 1385)
        self.registry.make(NAMESPACES)
        self.register_provider(BUILTIN_PROVIDER)
        self.files.put(SYSTEM32 + "\\wdsutil.exe", self._now(), b"MZ")
        self._fresh_role = True

    def _take_role_away(self, names: Sequence[str]) -> None:
        self.features -= set(names)
        if not self.features & {"WDS-Deployment", "WDS-Transport"}:
            self.features.clear()
            self.services.pop("wdsserver", None)
            self.registry.remove(WDS_SERVER)
            self.files.remove(SYSTEM32 + "\\wdsutil.exe")
            self.live.clear()

    def take_role_away(self) -> None:
        """The role as it is after its removal and the reboot; for builders."""
        if self.running("WDSServer"):
            self.stop("WDSServer")
        self._take_role_away(FEATURES)

    def remove_feature(self, name: str) -> int:
        """Remove a feature and those below it; the code of facts/windows.md section 6."""
        names = [n for n in FEATURES if n in self.features and (n == name or name == "WDS")]
        if self.wizard:
            return 1004
        if not names or self.pending:
            return 1003
        if self.running("WDSServer"):
            self.stop("WDSServer")
        self._await_reboot(names, "remove")
        return 3010

    def install_feature(self, name: str) -> int:
        """Install a feature; the code of facts/windows.md section 6, 1000 while a reboot is pending (synthetic)."""
        if self.wizard:
            return 1004
        if self.pending:
            return 1000
        if name in self.features:
            return 1003
        if self.number < 9200:
            self._await_reboot([name], "install")
            return 3010
        self.wrote(f"feature {name} installed")
        self._put_role(name)
        return 0

    def _await_reboot(self, names: Sequence[str], what: str) -> None:
        self.pending.update(dict.fromkeys(names, what))
        self.registry.make(REBOOT_PENDING)
        self.wrote(f"feature {' '.join(names)} {what}, waits for a reboot")

    @property
    def tools(self) -> bool:
        """wdsutil.exe and the COM classes come with the role."""
        return bool(self.features)

    # --- what is always there ----------------------------------------------------------------------------------------

    def _describe(self) -> None:
        for name, data in (
            ("ProductName", self.build.product),
            ("CurrentVersion", self.build.version),
            ("CurrentBuild", str(self.number)),
            ("CurrentBuildNumber", str(self.number)),
            ("SystemRoot", "C:\\Windows"),
            ("CSDVersion", self.build.service_pack),
        ):
            if data:
                self.registry.set(WINDOWS_NT, name, "REG_SZ", data)
        self.registry.set(WINDOWS_NT, "InstallDate", "REG_DWORD", 0x4AB0F3D5)
        self.registry.set(WINDOWS_NT, "DigitalProductId", "REG_BINARY", bytes(range(16)))
        if self.number >= 14393:
            self.registry.set(WINDOWS_NT, "CurrentMajorVersionNumber", "REG_DWORD", 10)
            self.registry.set(WINDOWS_NT, "InstallTime", "REG_QWORD", 0x1D53A2B7C6F4E10)
        major = int((self.powershell or "0").split(".")[0])
        if major:
            # Since 3.0 there are two keys; the older one stays and says 2.0.
            old = "2.0" if major > 1 else "1.0"
            self.registry.set(POWERSHELL + "\\1\\PowerShellEngine", "PowerShellVersion", "REG_SZ", old)
        if self.powershell and major >= 3:
            self.registry.set(POWERSHELL + "\\3\\PowerShellEngine", "PowerShellVersion", "REG_SZ", self.powershell)
        self.registry.set(COMPUTER_NAME, "ComputerName", "REG_SZ", self.name)
        self.registry.make(SHARES)
        self.files.folder(SYSTEM32)

    def dump(self) -> dict[str, Any]:
        """The full state as JSON-able data; contents of files are left out."""
        with self._lock:
            self._tick()
            return {
                "name": self.name,
                "build": self.number,
                "language": self.language,
                "powershell": self.powershell,
                "accepts": self._up_at is None,
                "boot": self.boot_identity,
                "boots": self.boots,
                "features": sorted(self.features),
                "pending": dict(self.pending),
                "services": {
                    service.name: {
                        "state": service.state,
                        "start": self.start_type(service.name),
                        "pid": service.pid,
                    }
                    for service in self.services.values()
                },
                "registry": self.registry.dump(),
                "live": [asdict(live) for live in self.live.values()],
                "events": [[e.source, e.id, e.time.isoformat(), e.record, list(e.data)] for e in self.events],
                "sockets": [list(socket) for socket in self.sockets],
                "files": self.files.dump(),
                "commands": list(self.commands),
                "refused": list(self.refused),
                "writes": list(self.writes),
            }


def write_definition(registry: Registry, path: str, live: Live) -> None:
    """Write the values of a namespace's definition to the key ``path`` (facts/windows.md section 2)."""
    registry.make(path)
    registry.set(path, "Type", "REG_DWORD", live.type)
    registry.set(path, "FriendlyName", "REG_SZ", live.friendly_name)
    registry.set(path, "Description", "REG_SZ", live.description)
    registry.set(path, "ContentProvider", "REG_SZ", live.content_provider)
    registry.set(path, "Configuration", "REG_SZ", live.configuration)
    registry.set(path, "SessionStartType", "REG_DWORD", 0 if live.type == AUTOCAST else 1)
    registry.set(path, "SessionFlags", "REG_DWORD", 0)
    registry.set(path, "MinClients", "REG_DWORD", 0)

"""Builders of simulated head nodes, healthy ones and broken ones, from JSON-able arguments.

``build("head-1", "head_node", {"build": 6002, "language": "de", "faults": ["missing-namespace"]})`` makes a machine;
``break_(machine, "service-stopped")`` breaks a running one. A fault's first docstring line says what it breaks and,
after the colon, the findings it must produce (design section 3).
"""

import datetime
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from extensions.head_nodes.machine import (
    AUTO,
    BASELINES,
    COMPUTER_NAME,
    DEMAND,
    DISABLED,
    HPC,
    IMAGES,
    MULTICAST,
    NAMESPACES,
    PARAMETERS,
    PROVIDERS,
    REBOOT_PENDING,
    SCHEDULED_MANUAL,
    SERVICES,
    SHARES,
    SPOOL,
    Live,
    Machine,
    write_definition,
)

CONTENT_PROVIDER = "WDS"
DNS_POOL = 2500
COMPUTE_NODES = ("NODE001", "NODE002", "NODE003")
BIG_LOG = 1_000_000
# Those of facts/windows.md section 5 that mean trouble.
EVENTS = (256, 257, 258, 513, 514, 515, *range(592, 604), 768, 769, 770, 771)
_LOGS = SPOOL + "\\DeploymentLogs"
_HOUR = 3600.0

Fault = Callable[..., None]


class NodeError(ValueError):
    """A node cannot be built or broken like that; the message says why and what there is."""


# --- healthy nodes --------------------------------------------------------------------------------------------------


def head_node(
    name: str,
    *,
    build: int = 17763,
    language: str = "en",
    powershell: str | None = "",
    content_provider: str = CONTENT_PROVIDER,
    configuration: str = IMAGES,
    friendly_name: str = "",
    description: str = "Used by HPC node deployment",
    baseline: bool = False,
    logs: bool = True,
    faults: Sequence[Any] = (),
    settings: Mapping[str, Any] | None = None,
    computer_name: str = "",
) -> Machine:
    """A healthy HPC head node, broken by ``faults`` in turn.

    Args:
        name: the node's name; its computer name is the same in capitals, cut to 15 characters.
        powershell: a version, None for a host without PowerShell, "" for the one that the build came with.
        baseline: the collection has kept the namespace's definition.
        logs: each compute node has a deployment log that shows multicast.
        faults: names, or pairs of a name and its arguments.
        settings: attributes of the machine to set (Machine's docstring).

    Raises:
        NodeError: an unknown fault or setting.
    """
    machine = Machine(computer_name or name.upper()[:15], build, language, powershell)
    machine.registry.set(HPC, "", "REG_SZ", "")
    machine.registry.set(HPC, "ClusterName", "REG_SZ", machine.name)
    machine.registry.set(HPC, "InstallDir", "REG_SZ", "C:\\Program Files\\Microsoft HPC Pack\\")
    machine.environment["CCP_DATA"] = "C:\\Program Files\\Microsoft HPC Pack\\Data\\"
    share = ["CATimeout=0", "CSCFlags=0", "MaxUses=4294967295", f"Path={SPOOL}", "Permissions=0", "Type=0"]
    machine.registry.set(SHARES, "REMINST", "REG_MULTI_SZ", ("CATimeout=0", "Path=C:\\RemoteInstall", "Type=0"))
    machine.registry.set(SHARES, "SpoolDir", "REG_MULTI_SZ", tuple(share))
    machine.files.folder(_LOGS)
    machine.files.folder(IMAGES)
    machine.add_service("HpcManagement", AUTO, own_process=True)
    machine.add_service("DNS", AUTO, own_process=True)
    machine.put_role(["WDS-Transport"])
    machine.register_provider(content_provider)
    if content_provider == CONTENT_PROVIDER and configuration:
        machine.files.folder(configuration)
    for service in ("HpcManagement", "DNS", "WDSServer"):
        machine.start(service)
    namespace = expected_name(machine)
    machine.hpc_namespace = Live(namespace, content_provider, configuration, namespace)
    machine.new_namespace(Live(namespace, content_provider, configuration, friendly_name or namespace, description))
    machine.bind(machine.services["hpcmanagement"].pid, [5800])
    if baseline:
        save_baseline(machine)
    if logs:
        for number, node in enumerate(COMPUTE_NODES):
            write_log(machine, node, healthy_log(namespace), (number + 1) * _HOUR)
    for key, value in (settings or {}).items():
        if key.startswith("_") or key not in vars(machine):
            raise NodeError(f"a machine has no setting {key}")
        setattr(machine, key, set(value) if isinstance(getattr(machine, key), set) else value)
    for fault in faults:
        if isinstance(fault, str):
            break_(machine, fault)
        else:
            break_(machine, fault[0], **(fault[1] if len(fault) > 1 else {}))
    machine.writes.clear()
    return machine


BUILDERS: Mapping[str, Callable[..., Machine]] = {"head_node": head_node}


def build(name: str, builder: str = "head_node", arguments: Mapping[str, Any] | None = None) -> Machine:
    """A machine by the name of its builder and JSON-able arguments.

    Raises:
        NodeError: no such builder, argument, fault or setting.
    """
    if builder not in BUILDERS:
        raise NodeError(f"no builder {builder!r}; there are {', '.join(BUILDERS)}")
    arguments = dict(arguments or {})
    known = set(inspect.signature(BUILDERS[builder]).parameters) - {"name"}
    if set(arguments) - known:
        strange = ", ".join(sorted(set(arguments) - known))
        raise NodeError(f"{builder} does not know {strange}; it knows {', '.join(sorted(known))}")
    return BUILDERS[builder](name, **arguments)


def break_(machine: Machine, fault: str, **arguments: Any) -> None:
    """Break a machine. What breaks it is no write of a user: ``machine.writes`` stays as it was.

    Raises:
        NodeError: no such fault or argument.
    """
    if fault not in FAULTS:
        raise NodeError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    known = set(inspect.signature(FAULTS[fault]).parameters) - {"machine"}
    if set(arguments) - known:
        strange = ", ".join(sorted(set(arguments) - known))
        raise NodeError(f"{fault} does not know {strange}; it knows {', '.join(sorted(known))}")
    FAULTS[fault](machine, **arguments)


def expected_name(machine: Machine) -> str:
    """The namespace that HPC uses (facts/windows.md section 2)."""
    return f"{machine.name}-CCP"


def save_baseline(machine: Machine, name: str = "") -> None:
    """What the collection keeps of a healthy namespace, by default HPC's: a copy of its key."""
    name = name or expected_name(machine)
    source = machine.registry.key(f"{NAMESPACES}\\{name}")
    if source is None:
        raise NodeError(f"{name} is not in the store: nothing to keep")
    machine.registry.make(f"{BASELINES}\\{name}").merge(source)


# --- deployment logs (facts/windows.md section 0) -------------------------------------------------------------------


def _stamp(when: datetime.datetime) -> str:
    return when.strftime("%m/%d/%y %H:%M:%S")


def healthy_log(namespace: str, image: str = "baseoobe.wim") -> list[str]:
    """The telling lines of a deployment over multicast."""
    return [
        "COMMAND: diskpart.exe /s diskpart.txt",
        f'COMMAND: CcpImg.exe -ipaddress:192.168.0.1 -namespace:"{namespace}" -user:"CLUSTER\\deploy"'
        f' -filesrc:"Images\\{image}" -filedst:"%INSTALLDRIVE%\\{image}" -password:"Geheim-4711"',
        "Multicast transfer finished.",
    ]


def blank_log(image: str = "baseoobe.wim", fallback: bool = True) -> list[str]:
    """The telling lines of the incident: a blank namespace, the usage text, then robocopy."""
    lines = [*healthy_log("", image)[:2], "usage: CcpImg.exe -ipaddress:<address> -namespace:<namespace> ..."]
    if fallback:
        lines.append(f'COMMAND: robocopy "Z:\\\\Images" "C:\\\\\\\\" "{image}" /R:5 /W:5')
    return lines


@functools.lru_cache(maxsize=8)
def _filler(length: int) -> bytes:
    line = b"09/16/09 15:21:33: PROGRESS: applying image block 00000000 of 00000000, please stand by\r\n"
    return (line * (length // len(line) + 1))[: length - 2] + b"\r\n"


def write_log(machine: Machine, node: str, lines: Sequence[str], age: float = _HOUR, size: int = 0) -> None:
    """Write a deployment log of a compute node.

    Args:
        age: seconds since it was written.
        size: bytes to fill it up to, made only when the log is read.
    """
    written = machine.now() - datetime.timedelta(seconds=age)
    stamp = _stamp(written)
    text = "".join(f"{stamp}: {line}\r\n" for line in lines).encode(machine.locale.ansi, "replace")
    path = f"{_LOGS}\\{node}\\{node}-{written:%Y%m%d-%H%M%S}.log"
    if size <= len(text):
        machine.files.put(path, written, text)
        return
    length = size - len(text)

    def content() -> bytes:
        return _filler(length) + text

    machine.files.put(path, written, content, size)


# --- faults ---------------------------------------------------------------------------------------------------------


def missing_namespace(machine: Machine, baseline: bool = False) -> None:
    """The namespace is gone from store and live view, as after a failed start: wds.namespace.missing."""
    name = expected_name(machine)
    if baseline:
        save_baseline(machine)
    machine.log("WDSMC", 771, 2, [name, "0x8007007E"], age=2 * _HOUR)
    machine.registry.remove(f"{NAMESPACES}\\{name}")
    machine.live.pop(name.lower(), None)


def missing_provider(machine: Machine, baseline: bool = True) -> None:
    """The content provider is not registered, so the last start lost the namespace: wds.provider.missing."""
    name = expected_name(machine)
    if baseline:
        save_baseline(machine)
    key = machine.registry.key(f"{NAMESPACES}\\{name}")
    provider = str(machine.registry.value(f"{NAMESPACES}\\{name}", "ContentProvider") or CONTENT_PROVIDER)
    machine.registry.remove(f"{PROVIDERS}\\{provider}")
    if key is not None:
        machine.log("WDSMC", 769, 2, [name, provider], age=_HOUR)
    machine.registry.remove(f"{NAMESPACES}\\{name}")
    machine.live.pop(name.lower(), None)


def service_stopped(machine: Machine) -> None:
    """WDSServer does not run: wds.service.stopped."""
    machine.stop("WDSServer")


def service_disabled(machine: Machine) -> None:
    """WDSServer is disabled and does not run: wds.service.disabled, wds.service.stopped."""
    machine.stop("WDSServer")
    machine.registry.set(f"{SERVICES}\\WDSServer", "Start", "REG_DWORD", DISABLED)


def service_cannot_start(machine: Machine, error: int = 1053) -> None:
    """WDSServer does not run, and a start fails: wds.service.stopped."""
    machine.stop("WDSServer")
    machine.start_error = error


def service_manual(machine: Machine) -> None:
    """WDSServer runs, but will not start by itself at the next boot."""
    machine.registry.set(f"{SERVICES}\\WDSServer", "Start", "REG_DWORD", DEMAND)


def role_absent(machine: Machine) -> None:
    """WDS was removed from a head node that had used multicast: wds.role.missing."""
    save = machine.registry.key(f"{NAMESPACES}\\{expected_name(machine)}")
    if save is not None:
        save_baseline(machine)
    machine.take_role_away()


def role_absent_on_purpose(machine: Machine) -> None:
    """HPC was set up without WDS; no trace of multicast anywhere: wds.role.missing as a warning."""
    machine.take_role_away()
    machine.registry.remove("HKLM\\SOFTWARE\\imaging.multicast")
    machine.files.remove(_LOGS)
    machine.events.clear()
    machine.hpc_namespace = None


def hpc_absent(machine: Machine) -> None:
    """HPC Pack is not on the host, which serves another namespace instead, IMG1: nothing to find."""
    machine.registry.remove(HPC)
    machine.services.pop("hpcmanagement", None)
    machine.hpc_namespace = None
    name = expected_name(machine)
    live, stored = machine.live.pop(name.lower()), f"{NAMESPACES}\\{name}"
    machine.registry.make(f"{NAMESPACES}\\IMG1").merge(machine.registry.make(stored))
    machine.registry.remove(stored)
    live.name = "IMG1"
    machine.live["img1"] = live


def scheduled(machine: Machine, name: str = "SCHEDULED") -> None:
    """A scheduled namespace beside the others, which waits for its start: nothing to find."""
    live = Live(name, CONTENT_PROVIDER, IMAGES, name, type=SCHEDULED_MANUAL)
    machine.files.folder(IMAGES)
    machine.store_namespace(live)
    machine.live[name.lower()] = live


def inconsistent(machine: Machine, only: str = "store") -> None:
    """Store and live view disagree; ``only`` says where the namespace still is: wds.namespace.inconsistent."""
    name = expected_name(machine)
    if only == "store":
        machine.live.pop(name.lower(), None)
    elif only == "live":
        machine.registry.remove(f"{NAMESPACES}\\{name}")
    else:
        raise NodeError("only: store or live")


def differs(machine: Machine, configuration: str = "D:\\OtherImages") -> None:
    """The configuration is another than in the baseline: wds.namespace.differs, for who asks for the old one."""
    name = expected_name(machine)
    save_baseline(machine)
    machine.files.folder(configuration)
    machine.registry.set(f"{NAMESPACES}\\{name}", "Configuration", "REG_SZ", configuration)
    machine.live[name.lower()].configuration = configuration


def contradictory(machine: Machine) -> None:
    """The namespace's key lacks its content provider: not usable as a definition."""
    key = machine.registry.key(f"{NAMESPACES}\\{expected_name(machine)}")
    if key is not None:
        key.unset("ContentProvider")


def _event(id_: int) -> Fault:
    def fault(machine: Machine, age: float = _HOUR, data: Sequence[str] = ()) -> None:
        event(machine, id_, age, data)

    fault.__doc__ = f"One event {id_} in the Application log, an hour old: wds.event.{id_}."
    return fault


def event(machine: Machine, id_: int = 514, age: float = _HOUR, data: Sequence[str] = ()) -> None:
    """One event of WDSMC (256 to 258: of wdscpmsg) in the Application log: wds.event.<id>."""
    source = "wdscpmsg" if 256 <= id_ <= 258 else "WDSMC"
    named = [expected_name(machine)] if id_ in (768, 769, 770, 771) else []
    machine.log(source, id_, 3 if id_ in (514, 515) else 2, list(data) or named, age)


def dns_port_clash(machine: Machine) -> None:
    """DNS holds UDP ports of WDSServer's range: wds.port.clash."""
    dns = machine.service("DNS")
    if dns is None or not machine.running("DNS"):
        raise NodeError("DNS does not run")
    if machine.number >= 7600:
        machine.registry.set(PARAMETERS, "UdpPortPolicy", "REG_DWORD", 1)
    machine.dns_ports = range(62600, 62600 + DNS_POOL)
    machine.bind(dns.pid, machine.dns_ports)


def dns_ports_elsewhere(machine: Machine) -> None:
    """DNS holds ports of the range where WDSServer takes dynamic ones: nothing to find on 2008 R2 and newer."""
    dns_port_clash(machine)
    if machine.number >= 7600:
        machine.registry.set(PARAMETERS, "UdpPortPolicy", "REG_DWORD", 0)


def pending_reboot(machine: Machine) -> None:
    """Windows waits for a reboot: wds.reboot.pending."""
    machine.registry.make(REBOOT_PENDING)


def blank_namespace_logs(machine: Machine, nodes: Sequence[str] = COMPUTE_NODES) -> None:
    """The newest logs show a blank namespace and robocopy: hpc.deployment.blank_namespace, .unicast_fallback."""
    for number, node in enumerate(nodes):
        write_log(machine, node, blank_log(), 60.0 * (number + 1))


def unicast_fallback(machine: Machine) -> None:
    """One compute node fell back to robocopy although a namespace was given: hpc.deployment.unicast_fallback."""
    lines = [*healthy_log(expected_name(machine))[:2], blank_log()[-1]]
    write_log(machine, COMPUTE_NODES[0], lines, 60.0)


def exit_code_1(machine: Machine) -> None:
    """The provisioning log says that multicast failed: hpc.deployment.unicast_fallback."""
    lines = [*healthy_log(expected_name(machine))[:2], "Multicast Failed with Exit Code 1"]
    write_log(machine, COMPUTE_NODES[0], lines, 60.0)


def deployment_role(machine: Machine) -> None:
    """WDS-Deployment is installed too: a reinstallation must be refused unless forced."""
    machine.put_role(["WDS-Deployment"])


def clients_connected(machine: Machine, clients: Sequence[str] = ("192.168.0.31", "192.168.0.32")) -> None:
    """Clients are served by the namespace now: a reinstallation must be refused unless forced."""
    live = machine.live[expected_name(machine).lower()]
    live.clients, live.transmission_started = list(clients), True


def tombstoned(machine: Machine) -> None:
    """The namespace was removed while clients were served: it is delete-pending."""
    clients_connected(machine)
    machine.remove_namespace(expected_name(machine), force=False)


def vanishes_at_start(machine: Machine, restart: bool = False) -> None:
    """The folder of the configuration is gone, so WDSServer's next start deletes the namespace: wds.event.257 then."""
    configuration = machine.registry.value(f"{NAMESPACES}\\{expected_name(machine)}", "Configuration")
    machine.files.remove(str(configuration))
    machine.stop("WDSServer")
    if restart:
        machine.start("WDSServer")


def wizard_running(machine: Machine) -> None:
    """Another wizard holds the feature store (exit code 1004); a reboot ends it."""
    machine.wizard = True


def many_logs(machine: Machine, count: int = 2000, size: int = BIG_LOG, broken: int = 1) -> None:
    """Thousands of large logs, of which ``broken`` compute nodes show a blank namespace."""
    name = expected_name(machine)
    for number in range(count):
        lines = blank_log() if number < broken else healthy_log(name)
        write_log(machine, f"NODE{number + 1:04d}", lines, 120.0 + number, size)


def hostile_values(machine: Machine) -> None:
    """Foreign namespaces whose names and texts look like frames, commands and registry keys: no id of their own.

    reg.exe prints line breaks as they are, so what these keys hold cannot be known from its text.
    """
    frame = "#" + "0123456789abcdef" * 2
    for name in (
        'quote"namespace',
        "single'quote",
        "and & pipe | percent %PATH%",
        f"{frame} store " + "}" + " 0",
        "Übersicht-漢字-😀",
        "n" * 255,
    ):
        forged = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Forged\r\n    Type    REG_DWORD    0x9"
        text = f"first\r\n{frame} store " + "} 0\r\n" + forged
        live = Live(name, CONTENT_PROVIDER, IMAGES, text, text)
        machine.files.folder(IMAGES)
        write_definition(machine.registry, f"{NAMESPACES}\\{name}", live)
        machine.live[name.lower()] = live


def broken_computer_name(machine: Machine) -> None:
    """ActiveComputerName cannot be read: wds.view.unread."""
    machine.registry.remove(COMPUTER_NAME)


def fragmentation(machine: Machine, block: int = 8192) -> None:
    """A block size that makes packets fragment (KB2582106)."""
    key = "Protocol" if machine.number >= 7600 else "Profiles\\Custom"
    machine.registry.set(f"{MULTICAST}\\{key}", "ApBlockSize", "REG_DWORD", block)


_FAULTS: Mapping[str, Fault] = {
    "missing-namespace": missing_namespace,
    "missing-provider": missing_provider,
    "service-stopped": service_stopped,
    "service-disabled": service_disabled,
    "service-manual": service_manual,
    "service-cannot-start": service_cannot_start,
    "role-absent": role_absent,
    "role-absent-on-purpose": role_absent_on_purpose,
    "hpc-absent": hpc_absent,
    "scheduled": scheduled,
    "inconsistent": inconsistent,
    "differs": differs,
    "contradictory": contradictory,
    "event": event,
    **{f"event-{number}": _event(number) for number in EVENTS},
    "dns-port-clash": dns_port_clash,
    "dns-ports-elsewhere": dns_ports_elsewhere,
    "pending-reboot": pending_reboot,
    "blank-namespace-logs": blank_namespace_logs,
    "unicast-fallback": unicast_fallback,
    "exit-code-1": exit_code_1,
    "deployment-role": deployment_role,
    "clients-connected": clients_connected,
    "tombstoned": tombstoned,
    "vanishes-at-start": vanishes_at_start,
    "wizard-running": wizard_running,
    "2000-logs": many_logs,
    "hostile-values": hostile_values,
    "broken-computer-name": broken_computer_name,
    "fragmentation": fragmentation,
}


def _held(fault: Fault) -> Fault:
    """The fault as something from outside: no command runs meanwhile, and it is no write of a user."""

    @functools.wraps(fault)
    def wrapped(machine: Machine, **arguments: Any) -> None:
        with machine.held():
            writes = list(machine.writes)
            fault(machine, **arguments)
            machine.writes[:] = writes

    return wrapped


FAULTS: Mapping[str, Fault] = {name: _held(fault) for name, fault in _FAULTS.items()}

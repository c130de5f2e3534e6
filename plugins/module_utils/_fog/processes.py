# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's daemon and udp-sender processes, from /proc."""

import os
import re
import shlex
import stat
import time
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

DAEMON = "FOGMulticastManager"
UDP_SENDER = "udp-sender"
#: What multicast_probe calls its own udp-sender: it has its port, and is nobody's leftover.
PROBE = "multicast_probe/udp-sender"

# Linux keeps one argument below 128 KiB; the udp-sender commands of a session are one argument of sh -c.
_LIMIT = 512 * 1024
_INTERPRETER = re.compile(r"(?:php|python|perl|ruby|sh|bash|dash)[-0-9.]*(?:cli)?\Z")
_SHELL = re.compile(r"-?(?:sh|bash|dash|ash|ksh|zsh)\Z")
# php's options that take the next word as their value.
_VALUED = ("-c", "-d", "-z")
# CLOCK_BOOTTIME, which Python names since 3.7: start times count from boot, and /proc/uptime may be a container's.
_BOOTTIME = 7


class Process(NamedTuple):
    """One process. ``start`` is its start time in clock ticks since boot: with the pid it names one process."""

    pid: int
    parent: int
    start: int
    state: str  # one letter of /proc/PID/stat, e.g. S, T, Z
    age: float  # seconds
    argv: Tuple[str, ...]


class Sender(NamedTuple):
    """One udp-sender tree: the ``sh -c`` that runs the commands one after another, and its current udp-sender.

    ``shell`` is None where a udp-sender runs without such a parent. (facts/fog.md section 2)
    """

    port: int  # --portbase
    shell: Optional[Process]
    process: Optional[Process]  # the running udp-sender; None for a moment between two files
    interface: str  # --interface, "" when absent
    files: Tuple[str, ...]  # every --file of the whole command
    output: str  # where its stdout/stderr goes (readlink of fd 1), "" unknown
    output_age: Optional[float]  # seconds since that file was written, None unknown

    @property
    def is_probe(self) -> bool:
        """Whether multicast_probe started it."""
        return self.process is not None and self.process.argv[:1] == (PROBE,)

    @property
    def age(self) -> float:
        """Seconds since the tree was started."""
        return max((own.age for own in (self.shell, self.process) if own is not None), default=0.0)


class Processes(NamedTuple):
    """FOGMulticastManager's processes and every udp-sender tree of this host (and of this PID namespace only)."""

    daemon: Tuple[Process, ...]  # parents: FOGMulticastManager processes whose parent is none of them
    children: Tuple[Process, ...]  # FOGMulticastManager processes whose parent is one of `daemon`, zombies left out
    senders: Tuple[Sender, ...]
    error: str = ""  # why not every process could be seen, or empty


def read_processes(proc: str = "/proc", uptime: Optional[float] = None) -> Processes:
    """Look at every process once. One that ends meanwhile is left out; nothing is raised.

    :param proc: where the proc file system is mounted.
    :param uptime: seconds since boot; None asks the kernel.
    """
    if uptime is None:
        uptime = time.clock_gettime(_BOOTTIME)
    try:
        pids = sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError as error:
        return Processes((), (), (), f"{proc} cannot be read ({error.strerror or error}).")
    here = _namespace(proc, "self")
    daemons: List[Process] = []
    shells: List[Process] = []
    senders: List[Process] = []
    elsewhere: List[int] = []
    for pid in pids:
        data = _bytes(os.path.join(proc, str(pid), "cmdline"))
        if DAEMON.encode() not in data and UDP_SENDER.encode() not in data:
            continue
        argv = parse_cmdline(data)
        for matches, found in ((is_daemon, daemons), (is_shell, shells), (is_sender, senders)):
            if matches(argv):
                process = _process(proc, pid, argv, uptime)
                if process is not None and _namespace(proc, str(pid)) not in (here, ""):
                    elsewhere.append(pid)
                elif process is not None:
                    found.append(process)
                break
    own = {process.pid for process in daemons}
    parents = tuple(process for process in daemons if process.parent not in own)
    first = {process.pid for process in parents}
    # Between fork and exec a sender-to-be still looks like the daemon; it is a child of a child, and left out.
    children = tuple(process for process in daemons if process.parent in first)
    return Processes(parents, children, _trees(proc, shells, senders), _hidden(proc) or _contained(elsewhere))


def _contained(pids: Sequence[int]) -> str:
    """Why the processes of other PID namespaces keep this host from knowing what is sent, or ""."""
    if not pids:
        return ""
    return (
        "FOG's daemon or a udp-sender runs in a container (process %s), and is not looked into: whether it belongs to "
        "this FOG is not known. Run this in the container." % ", ".join(str(pid) for pid in pids[:5])
    )


def _hidden(proc: str) -> str:
    """Why other users' processes are hidden (the mount option hidepid), judged by process 1, or ""."""
    try:
        with open(os.path.join(proc, "1", "cmdline"), "rb") as file:
            file.read(1)
    except OSError:
        return f"{proc} hides the processes of other users (hidepid); run as root (become: true)."
    return ""


def parse_cmdline(data: bytes) -> Tuple[str, ...]:
    """The arguments in /proc/PID/cmdline."""
    if not data:
        return ()
    return tuple(data[: -1 if data.endswith(b"\0") else None].decode("utf-8", "replace").split("\0"))


def parse_stat(text: str) -> Optional[Tuple[str, int, int]]:
    """State, parent and start time in ticks out of /proc/PID/stat; None when it is none. (proc(5))"""
    # The command's name is in parentheses and may itself hold blanks and parentheses.
    fields = text[text.rfind(")") + 1 :].split()
    if ")" not in text or len(fields) < 20 or not re.match(r"-?[0-9]+\Z", fields[1]) or not fields[19].isdigit():
        return None
    return fields[0], int(fields[1]), int(fields[19])


def is_daemon(argv: Sequence[str]) -> bool:
    """Whether this is FOG's daemon: run by itself or by an interpreter; an editor or a sysv script is not it."""
    if not argv:
        return False
    script = argv[0]
    if _INTERPRETER.match(os.path.basename(argv[0])):
        words = iter(argv[1:])
        script = ""
        for word in words:
            if word in _VALUED:
                next(words, None)
            elif not word.startswith("-"):
                script = word
                break
    return os.path.basename(script) == DAEMON and not script.startswith("/etc/")


def is_sender(argv: Sequence[str]) -> bool:
    """Whether this is udp-sender itself."""
    return bool(argv) and os.path.basename(argv[0]) == UDP_SENDER


def is_shell(argv: Sequence[str]) -> bool:
    """Whether this is a shell that was given udp-sender commands as text."""
    commands = parse_commands(_text(argv))
    return bool(commands) and is_sender(commands[0])


def parse_commands(text: str) -> Tuple[Tuple[str, ...], ...]:
    """The commands of a shell text that are joined by ``;``, each as its words."""
    commands = []
    for part in re.findall(r"""(?:[^;'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|['"\\])+""", text, flags=re.DOTALL):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        if words and words[0] == "exec":
            words = words[1:]
        if words:
            commands.append(tuple(words))
    return tuple(commands)


def port_of(argv: Sequence[str]) -> Optional[int]:
    """The number after ``--portbase``; None without one: FOG always gives one (facts/fog.md section 2)."""
    value = _option(argv, "--portbase")
    return int(value) if re.match(r"[0-9]{1,5}\Z", value) else None


def _option(argv: Sequence[str], name: str) -> str:
    """The value of an option, the last one given, as getopt takes it; "" without one."""
    value = ""
    for number, word in enumerate(argv):
        if word == name and number + 1 < len(argv):
            value = argv[number + 1]
        elif word.startswith(name + "="):
            value = word[len(name) + 1 :]
    return value


def _text(argv: Sequence[str]) -> str:
    if len(argv) < 3 or not _SHELL.match(os.path.basename(argv[0])) or argv[1] != "-c":
        return ""
    return argv[3] if argv[2] == "--" and len(argv) > 3 else argv[2]


def _process(proc: str, pid: int, argv: Tuple[str, ...], uptime: float) -> Optional[Process]:
    found = parse_stat(_bytes(os.path.join(proc, str(pid), "stat")).decode("utf-8", "replace"))
    if found is None or found[0] in "ZXx":
        return None
    state, parent, start = found
    return Process(pid, parent, start, state, max(0.0, uptime - start / os.sysconf("SC_CLK_TCK")), argv)


def _namespace(proc: str, pid: str) -> str:
    """The PID namespace of a process: a container's own FOG is not this host's. "" where it cannot be told."""
    try:
        return os.readlink(os.path.join(proc, pid, "ns", "pid"))
    except OSError:
        return ""


def _trees(proc: str, shells: Sequence[Process], senders: Sequence[Process]) -> Tuple[Sender, ...]:
    texts = {shell.pid: _text(shell.argv) for shell in shells}
    running: Dict[int, Process] = {}
    alone: List[Process] = []
    for process in senders:
        if process.parent in texts and process.parent not in running:
            running[process.parent] = process
        else:
            alone.append(process)
    trees = []
    for shell in shells:
        if texts.get(shell.parent) == texts[shell.pid]:
            continue  # the shell's own fork on its way to the next udp-sender
        trees.append(_tree(proc, shell, running.get(shell.pid), parse_commands(texts[shell.pid])))
    trees.extend(_tree(proc, None, process, (process.argv,)) for process in alone)
    return tuple(tree for tree in trees if tree is not None)


def _tree(
    proc: str, shell: Optional[Process], process: Optional[Process], commands: Sequence[Tuple[str, ...]]
) -> Optional[Sender]:
    port = next((port for port in (port_of(command) for command in commands) if port is not None), None)
    if port is None:
        return None
    output, output_age = _output(proc, [own.pid for own in (process, shell) if own is not None])
    return Sender(
        port=port,
        shell=shell,
        process=process,
        interface=_option(process.argv if process is not None else commands[0], "--interface"),
        files=tuple(name for name in (_option(command, "--file") for command in commands) if name),
        output=output,
        output_age=output_age,
    )


def _output(proc: str, pids: Sequence[int]) -> Tuple[str, Optional[float]]:
    """Where the first of these processes that tells it writes to, and how long ago that file was written."""
    for pid in pids:
        path = os.path.join(proc, str(pid), "fd", "1")
        try:
            target = os.readlink(path)
            found = os.stat(path)
        except OSError:
            continue
        age = max(0.0, time.time() - found.st_mtime) if stat.S_ISREG(found.st_mode) else None
        return os.fsencode(target).decode("utf-8", "replace"), age
    return "", None


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LIMIT)
    except OSError:
        return b""

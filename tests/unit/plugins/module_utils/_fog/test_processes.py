# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FOG's daemon and udp-sender trees out of a proc file system."""

import os
import re
import time
from pathlib import Path

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import processes
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = Path(__file__).resolve().parents[5].parent / "shared" / "facts" / "fog-samples"
TICKS = os.sysconf("SC_CLK_TCK")
PHP = ("/usr/bin/php", "/opt/fog/service/FOGMulticastManager/FOGMulticastManager")


def command(port, file, interface="eth1"):
    chosen = " --interface " + interface if interface else ""
    return (
        f"/usr/local/sbin/udp-sender{chosen} --min-receivers 2 --max-wait 600 --portbase {port} --full-duplex --ttl 32 "
        f"--nokbd --nopointopoint --file {file}"
    )


def text(port, *files, **more):
    return "".join(command(port, file, **more) + ";" for file in files)


class Proc:
    """A proc file system in a folder, whose host has been up for 1000 seconds."""

    UPTIME = 1000.0

    def __init__(self, folder):
        self.folder = folder
        self.put(1, 0, ("/sbin/init",))

    def put(self, pid, parent, argv, state="S", started=100.0, name="comm"):
        own = self.folder / str(pid)
        (own / "fd").mkdir(parents=True)
        (own / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in argv))
        fields = [state, parent, pid, pid, 0, -1, 0, 0, 0, 0, 0, 1, 2, 0, 0, 20, 0, 1, 0, int(started * TICKS), 4096]
        (own / "stat").write_text("{} ({}) {}\n".format(pid, name, " ".join(map(str, fields))))
        return own

    def read(self):
        return processes.read_processes(str(self.folder), self.UPTIME)


@pytest.fixture
def proc(tmp_path):
    return Proc(tmp_path)


def test_a_healthy_host(proc):
    proc.put(10, 1, PHP)
    proc.put(11, 10, PHP, started=200.0)
    shell = proc.put(12, 11, ("sh", "-c", text(52598, "/images/a/d1p1.img", "/images/a/d1p2.img")), started=400.0)
    sender = proc.put(13, 12, tuple(command(52598, "/images/a/d1p2.img").split()), started=700.0)
    proc.put(14, 1, ("/usr/sbin/sshd", "-D"))
    proc.put(15, 1, ("vim", PHP[1]))
    found = proc.read()
    assert [(own.pid, own.parent, own.age) for own in found.daemon] == [(10, 1, 900.0)]
    assert [(own.pid, own.start, own.state) for own in found.children] == [(11, 200 * TICKS, "S")]
    (tree,) = found.senders
    assert (tree.port, tree.interface, tree.age) == (52598, "eth1", 600.0)
    assert (tree.shell.pid, tree.process.pid, tree.process.parent) == (12, 13, 12)
    assert tree.files == ("/images/a/d1p1.img", "/images/a/d1p2.img")
    assert (tree.output, tree.output_age) == ("", None)
    assert found.error == ""
    assert shell != sender


def test_between_two_files_the_shell_is_alone(proc):
    proc.put(12, 1, ("sh", "-c", text(50000, "a", "b", interface="ens18")), started=400.0)
    # The shell's fork has not become the next udp-sender yet.
    proc.put(13, 12, ("sh", "-c", text(50000, "a", "b", interface="ens18")), started=500.0)
    (tree,) = proc.read().senders
    assert (tree.shell.pid, tree.process, tree.port, tree.interface, tree.age) == (12, None, 50000, "ens18", 600.0)


def test_a_sender_that_outlived_its_shell(proc):
    proc.put(13, 1, tuple(command(50000, "/images/a", interface="").split()))
    (tree,) = proc.read().senders
    assert (tree.shell, tree.process.pid, tree.port, tree.interface) == (None, 13, 50000, "")
    assert tree.files == ("/images/a",)


def test_a_probe_has_its_port_and_is_known_as_one(proc):
    proc.put(13, 1, ("multicast_probe/udp-sender", "--portbase", "50020"))
    proc.put(14, 1, ("/usr/sbin/udp-sender", "--portbase", "50022"))
    assert [(tree.port, tree.is_probe) for tree in proc.read().senders] == [(50020, True), (50022, False)]


def test_a_port_is_compared_whole(proc):
    proc.put(20, 1, ("sh", "-c", text(6310, "/images/portbase 63100")))
    proc.put(21, 20, tuple(command(6310, "--portbase").split()))
    proc.put(22, 1, ("sh", "-c", text(63100, "/images/x")))
    proc.put(23, 22, tuple(command(63100, "/images/x").split()))
    assert [(tree.port, tree.shell.pid, tree.process.pid) for tree in proc.read().senders] == [
        (6310, 20, 21),
        (63100, 22, 23),
    ]


def test_two_senders_below_one_shell_are_both_told(proc):
    proc.put(20, 1, ("sh", "-c", text(50000, "/a")))
    proc.put(21, 20, tuple(command(50000, "/a").split()))
    proc.put(22, 20, tuple(command(50000, "/b").split()))
    found = [(tree.shell and tree.shell.pid, tree.process.pid) for tree in proc.read().senders]
    assert found == [(20, 21), (None, 22)]


@pytest.mark.parametrize("state", ["Z", "X", "x"])
def test_the_dead_are_left_out(proc, state):
    proc.put(10, 1, PHP)
    proc.put(11, 10, PHP, state=state)
    proc.put(13, 1, tuple(command(50000, "/a").split()), state=state)
    found = proc.read()
    assert (len(found.daemon), found.children, found.senders) == (1, (), ())


def test_a_stopped_process_is_alive(proc):
    proc.put(12, 1, ("sh", "-c", text(50000, "/a")), state="T")
    assert proc.read().senders[0].shell.state == "T"


def test_a_childs_fork_is_no_child(proc):
    proc.put(10, 1, PHP)
    proc.put(11, 10, PHP)
    proc.put(12, 11, PHP)
    found = proc.read()
    assert ([own.pid for own in found.daemon], [own.pid for own in found.children]) == ([10], [11])


def test_a_sender_without_a_port_is_not_fogs(proc):
    proc.put(13, 1, ("udp-sender", "--file", "/a"))
    proc.put(14, 1, ("udp-sender", "--portbase", "many"))
    proc.put(15, 1, ("sh", "-c", "udp-sender --file /a"))
    assert proc.read().senders == ()


def test_output_and_its_age(proc, tmp_path):
    log = tmp_path / "multicast.log.udpcast.7"
    log.write_text("Starting transfer\n")
    os.utime(str(log), (0, time.time() - 100))
    own = proc.put(13, 1, tuple(command(50000, "/a").split()))
    (own / "fd" / "1").symlink_to(log)
    (tree,) = proc.read().senders
    assert tree.output == str(log)
    assert 99 < tree.output_age < 200
    log.unlink()
    log.mkdir()
    assert proc.read().senders[0][-2:] == (str(log), None)
    os.utime(str(log), (0, time.time() + 100))
    log.rmdir()
    log.write_text("")
    os.utime(str(log), (0, time.time() + 100))
    assert proc.read().senders[0].output_age == 0.0


def enter(proc, pid, namespace):
    (proc.folder / str(pid) / "ns").mkdir()
    (proc.folder / str(pid) / "ns" / "pid").symlink_to(namespace)


def test_another_namespaces_processes_are_left_out_and_told(proc):
    proc.put(10, 1, PHP)
    proc.put(30, 1, ("bash", "-c", "sleep 9"))
    for pid, namespace in ((1, "pid:[1]"), (10, "pid:[1]"), (30, "pid:[2]")):
        enter(proc, pid, namespace)
    (proc.folder / "self").symlink_to("1")
    found = proc.read()
    assert ([own.pid for own in found.daemon], found.error) == ([10], "")
    proc.put(20, 1, PHP)
    proc.put(21, 1, tuple(command(50000, "/a").split()))
    proc.put(22, 1, PHP, state="Z")
    for pid in (20, 21, 22):
        enter(proc, pid, "pid:[2]")
    found = proc.read()
    assert ([own.pid for own in found.daemon], found.senders) == ([10], ())
    assert "in a container (process 20, 21)" in found.error


def test_a_process_that_ends_meanwhile_is_left_out(proc):
    own = proc.put(10, 1, PHP)
    (own / "stat").unlink()
    (proc.folder / "11").mkdir()
    assert proc.read() == processes.Processes((), (), ())


def test_hidden_processes_are_told(proc, tmp_path):
    (proc.folder / "1" / "cmdline").unlink()
    assert "hidepid" in proc.read().error
    missing = processes.read_processes(str(tmp_path / "none"), 1.0)
    assert missing.error == "{} cannot be read (No such file or directory).".format(tmp_path / "none")


def test_a_start_after_now_has_no_negative_age(proc):
    proc.put(10, 1, PHP, started=2000.0)
    assert proc.read().daemon[0].age == 0.0


def test_an_empty_tree_has_no_age():
    assert processes.Sender(1, None, None, "", (), "", None).age == 0.0


def test_this_hosts_own_processes():
    found = processes.read_processes()
    assert found._replace(error="") == processes.Processes(found.daemon, found.children, found.senders)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (PHP, True),
        (PHP[1:], True),
        (("php8.2", "-q", "-d", "memory_limit=1G", PHP[1]), True),
        (("/usr/bin/php-cli", "-c", "/etc/php.ini", PHP[1]), True),
        (("python3.11", "-u", "FOGMulticastManager", "--x"), True),
        (("/bin/sh", "/opt/fog/service/FOGMulticastManager/FOGMulticastManager"), True),
        (("php", "-d"), False),
        (("php", "-v"), False),
        (("php", "/opt/fog/service/FOGImageReplicator/FOGImageReplicator"), False),
        (("php", "/tmp/x.php", PHP[1]), False),
        (("/bin/sh", "/etc/init.d/FOGMulticastManager", "start"), False),
        (("/etc/init.d/FOGMulticastManager", "stop"), False),
        (("vim", PHP[1]), False),
        (("tail", "-f", PHP[1]), False),
        (("systemctl", "restart", "FOGMulticastManager"), False),
        (("phpstorm", PHP[1]), False),
        (("/opt/fog/service/FOGMulticastManager/", "x"), False),
        (("",), False),
        ((), False),
    ],
)
def test_what_is_the_daemon(argv, expected):
    assert processes.is_daemon(argv) is expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("sh", "-c", text(1, "a")), True),
        (("/bin/dash", "-c", "--", text(1, "a")), True),
        (("bash", "-c", " exec udp-sender --portbase 2"), True),
        (("sh", "-c", "'/opt/my tools/udp-sender' --portbase 2"), True),
        (("sh", "-c", "sleep 1; udp-sender --portbase 2"), False),
        (("sh", "-c", "echo udp-sender"), False),
        (("sh", "-c", "'udp-sender"), False),
        (("sh", "-c", ""), False),
        (("sh", "-c", "--"), False),
        (("sh", "-c"), False),
        (("sh", "udp-sender", "x"), False),
        (("grep", "-c", "udp-sender x"), False),
        ((), False),
    ],
)
def test_what_is_a_senders_shell(argv, expected):
    assert processes.is_shell(argv) is expected


@pytest.mark.parametrize(
    ("given_text", "commands"),
    [
        ("a b;c;", (("a", "b"), ("c",))),
        ('a \'b;c\' "d;e\\"f" g\\;h', (("a", "b;c", 'd;e"f', "g;h"),)),
        (";; ;", ()),
        ("a 'b c;d", (("a", "'b", "c"), ("d",))),
        ("exec; x", (("x",),)),
    ],
)
def test_commands_of_a_shell_text(given_text, commands):
    assert processes.parse_commands(given_text) == commands


@pytest.mark.parametrize(
    ("argv", "port"),
    [
        (("x", "--portbase", "63100"), 63100),
        (("x", "--portbase=63100"), 63100),
        (("x", "--portbase", "1", "--portbase", "2"), 2),
        (("x", "--portbase"), None),
        (("x", "--portbase", "6310x"), None),
        (("x", "--portbase", "\u0661"), None),
        (("x", "--portbase2", "1"), None),
        (("x",), None),
    ],
)
def test_the_port_of_a_command(argv, port):
    assert processes.port_of(argv) == port


@pytest.mark.parametrize("stat", ["", "1", "1 (a) S 1", "1 a S 1 " + "0 " * 20, "1 (a) S x " + "0 " * 20])
def test_a_broken_stat_is_none(stat):
    assert processes.parse_stat(stat) is None


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=15), st.integers(0, 2**22), st.integers(0, 2**63))
def test_any_command_name_leaves_stat_readable(name, parent, start):
    fields = ["S", parent] + [0] * 17 + [start, 0, 0]
    line = "7 ({}) {}\n".format(name, " ".join(map(str, fields)))
    assert processes.parse_stat(line) == ("S", parent, start)


@given(st.text())
def test_any_stat_is_read_or_none(line):
    found = processes.parse_stat(line)
    assert found is None or found[2] >= 0


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")), min_size=1))
def test_arguments_survive(argv):
    data = b"".join(word.encode("utf-8") + b"\0" for word in argv)
    assert processes.parse_cmdline(data) == tuple(argv)


@given(st.binary())
def test_any_arguments_are_read(data):
    argv = processes.parse_cmdline(data)
    assert isinstance(processes.is_daemon(argv), bool)
    assert isinstance(processes.is_sender(argv), bool)
    assert isinstance(processes.is_shell(argv), bool)
    port = processes.port_of(argv)
    assert port is None or port >= 0


@given(st.text("ab;'\" \\\n-x"))
def test_any_shell_text_is_cut_into_commands(given_text):
    for words in processes.parse_commands(given_text):
        assert words


@given(st.integers(0, 65535), st.lists(st.text("abc/._-09", min_size=1), min_size=1, max_size=5))
def test_a_session_survives(port, files):
    commands = processes.parse_commands(text(port, *files))
    assert [processes.port_of(words) for words in commands] == [port] * len(files)


def replay(proc, listing):
    """Put a recorded process list (ps -o pid,ppid,stat,args) into a proc file system."""
    for line in listing.splitlines():
        pid, parent, state, args = line.split(None, 3)
        argv = ("sh", "-c", args[6:]) if args.startswith("sh -c ") else tuple(args.split())
        if int(pid) > 1:
            proc.put(int(pid), int(parent), argv, state=state[0])
    return proc.read()


LISTING = """\
 2310     1 Ss   /usr/bin/php /opt/fog/service/FOGMulticastManager/FOGMulticastManager
 2312  2310 S    /usr/bin/php /opt/fog/service/FOGMulticastManager/FOGMulticastManager
 4400  2312 S    sh -c {}
 4401  4400 S    {}
""".format(text(59854, "/images/w11/d1p1.img", "/images/w11/d1p2.img"), command(59854, "/images/w11/d1p1.img"))


def test_a_process_list_is_replayed(proc):
    found = replay(proc, LISTING)
    assert ([own.pid for own in found.daemon], [own.pid for own in found.children]) == ([2310], [2312])
    assert [(tree.port, tree.shell.pid, tree.process.pid) for tree in found.senders] == [(59854, 4400, 4401)]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recorded cases (../shared/facts/fog-samples) are not here")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.ps.txt")), ids=lambda path: path.name[:2])
def test_the_recorded_process_lists(proc, path):
    listing = path.read_text()
    found = replay(proc, listing)
    assert (len(found.daemon), len(found.children)) == (1, 1)
    shells = re.findall(r"(?m)^ *([0-9]+) +[0-9]+ \S+ +sh -c .*?--portbase ([0-9]+)", listing)
    assert [(str(tree.shell.pid), str(tree.port)) for tree in found.senders] == shells
    for tree in found.senders:
        assert tree.process.parent == tree.shell.pid
        assert tree.interface in ("fogsrv0", "ens18")
        assert tree.files == ("/images/mcimg/d1p1.img", "/images/mcimg/d1p2.img")

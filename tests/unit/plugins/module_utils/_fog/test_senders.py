# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ending senders: real processes, started by a script that is named udp-sender."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import senders
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import read_processes

# Becomes a process whose first argument is named udp-sender, as the real one. "stubborn" ignores SIGTERM.
SCRIPT = """#!{python} -S
import os, sys
code = "import signal, sys, time\\n"
code += "'stubborn' in sys.argv and signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
code += "print('up', flush=True)\\ntime.sleep(60)"
os.execv("{python}", [sys.argv[0], "-S", "-c", code] + sys.argv[1:])
"""


def ignore_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@pytest.fixture(name="program")
def fixture_program(tmp_path):
    path = tmp_path / "udp-sender"
    path.write_text(SCRIPT.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


@pytest.fixture(name="start")
def fixture_start(program):
    """Starts a shell with its senders as FOG does; ends what is left."""
    started = []

    def start(port, files=2, more="", shell=True, deaf=False):
        command = f"{program} {more} --portbase {port} --file /images/d1p%d.img"
        text = "".join(command % number + ";" for number in range(1, files + 1))
        words = ["sh", "-c", text] if shell else (command % 1).split()
        # A session of its own: whatever is left over can be ended with it.
        child = subprocess.Popen(
            words, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=ignore_sigterm if deaf else None
        )
        started.append(child)
        assert child.stdout.readline() == b"up\n"
        return child

    yield start
    for child in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.stdout.close()
        child.wait(10)


def seen(port):
    return [sender for sender in read_processes().senders if sender.port == port]


def begun(port):
    """Start time of the tree's first process."""
    (tree,) = seen(port)
    return (tree.shell or tree.process).start


@pytest.fixture(name="port")
def fixture_port():
    # Test runs at the same time on one machine must not meet, nor a real session.
    return 1024 + os.getpid() % 5000


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def test_the_whole_tree_is_ended_and_the_next_file_never_starts(start, port):
    shell = start(port, files=3)
    (tree,) = seen(port)
    assert tree.shell.pid == shell.pid
    assert tree.process is not None
    assert senders.end_sender(port, shell.pid, tree.shell.start) == ""
    assert seen(port) == []
    assert shell.wait(10) == -signal.SIGTERM
    # The pipe is closed by the last sender: "up" was said once, by the first.
    assert shell.stdout.read() == b""


def test_the_shell_stands_still_while_its_sender_is_looked_up(start, port, monkeypatch):
    """Otherwise it could start the next file between the look and its end."""
    shell = start(port)
    real, sent, states = senders._signal, [], []

    def record(number_port, identity, number):
        if identity[0] == shell.pid and number == signal.SIGTERM:
            states.extend(tree.shell.state for tree in seen(port))
        sent.append((identity[0] == shell.pid, number))
        return real(number_port, identity, number)

    monkeypatch.setattr(senders, "_signal", record)
    senders.end_sender(port, shell.pid, begun(port))
    assert states == ["T"]
    assert sent == [
        (True, signal.SIGSTOP),
        (True, signal.SIGTERM),
        (True, signal.SIGCONT),
        (False, signal.SIGTERM),
    ]


def test_a_sender_of_another_port_survives(start, port):
    other = start(port + 2)
    longer = start(int(str(port) + "0"))
    shell = start(port)
    senders.end_sender(port, shell.pid, begun(port))
    assert other.poll() is None
    assert longer.poll() is None
    assert len(seen(port + 2)) == 1


def test_a_sender_without_a_shell_is_ended(start, port):
    child = start(port, shell=False)
    assert senders.end_sender(port, child.pid, begun(port)) == ""
    assert child.wait(10) == -signal.SIGTERM


def test_one_that_ignores_sigterm_is_killed(start, port):
    child = start(port, shell=False, more="stubborn")
    assert senders.end_sender(port, child.pid, begun(port), grace=0.3) == ""
    assert child.wait(10) == -signal.SIGKILL


def test_a_shell_that_ignores_sigterm_is_killed_with_its_current_sender(start, port):
    # An ignored signal is inherited, so both need SIGKILL.
    shell = start(port, deaf=True, files=2)
    wait_for(lambda: seen(port) and seen(port)[0].process is not None)
    assert senders.end_sender(port, shell.pid, begun(port), grace=0.3) == ""
    assert shell.wait(10) == -signal.SIGKILL
    assert seen(port) == []


@pytest.mark.parametrize("change", ["pid", "start", "port"])
def test_another_process_is_never_signalled(start, port, change):
    shell = start(port)
    target = {"port": port, "pid": shell.pid, "start": begun(port)}
    # Not a process id near by: that may be the shell's child, begun within the same tick of the clock.
    target[change] = os.getpid() if change == "pid" else target[change] + 2
    assert "runs any more" in senders.end_sender(**target)
    assert shell.poll() is None
    assert len(seen(port)) == 1


def test_a_process_that_changed_between_look_and_signal_is_left_alone(start, port, monkeypatch):
    child = start(port, shell=False)
    beginning = begun(port)
    real, looks = senders.read_processes, []

    def reused():
        # From the second look on the process id belongs to a process that was started later.
        found = real()
        looks.append(1)
        if len(looks) == 1:
            return found
        later = tuple(
            one._replace(process=one.process._replace(start=one.process.start + 1))
            for one in found.senders
            if one.process
        )
        return found._replace(senders=later)

    monkeypatch.setattr(senders, "read_processes", reused)
    senders.end_sender(port, child.pid, beginning)
    assert len(looks) >= 2
    assert child.poll() is None


def test_a_shell_that_ends_by_itself_meanwhile_is_no_error(start, port, monkeypatch):
    shell = start(port)
    beginning = begun(port)
    real = senders._signal

    def gone(number_port, identity, number):
        if number == signal.SIGSTOP:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait(10)
        return real(number_port, identity, number)

    monkeypatch.setattr(senders, "_signal", gone)
    assert senders.end_sender(port, shell.pid, beginning) == ""


@pytest.mark.parametrize("descriptors", ["real", "absent", "refused"])
def test_with_and_without_process_descriptors(start, port, monkeypatch, descriptors):
    if descriptors == "absent":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif descriptors == "refused":

        def refuse(_pid):
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    shell = start(port)
    assert senders.end_sender(port, shell.pid, begun(port)) == ""
    assert seen(port) == []


@pytest.mark.parametrize("where", ["pidfd_open", "kill"])
def test_a_process_that_is_gone_is_not_signalled(start, port, monkeypatch, where):
    child = start(port, shell=False)

    def gone(*_arguments):
        raise ProcessLookupError(3, "No such process")

    if where == "kill":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(os, where, gone, raising=False)
    assert senders.end_sender(port, child.pid, begun(port)) == ""


def test_missing_rights_are_told(start, port, monkeypatch):
    child = start(port, shell=False)
    monkeypatch.delattr(os, "pidfd_open", raising=False)

    def refuse(_pid, _number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(senders.SenderError, match=f"port {port} .*become: true"):
        senders.end_sender(port, child.pid, begun(port))


@pytest.mark.parametrize("shell", [True, False])
def test_one_that_survives_sigkill_is_told(start, port, monkeypatch, shell):
    child = start(port, shell=shell)
    monkeypatch.setattr(senders, "_signal", lambda _port, _identity, _number: True)
    with pytest.raises(senders.SenderError, match="still runs after SIGTERM and SIGKILL"):
        senders.end_sender(port, child.pid, begun(port), grace=0.1)

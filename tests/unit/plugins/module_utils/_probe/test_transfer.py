# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a program to its end, to the deadline, or to the death of its parent."""

import hashlib
import os
import signal
import subprocess
import sys
import time

from ansible_collections.imaging.multicast.plugins.module_utils._fog import processes
from ansible_collections.imaging.multicast.plugins.module_utils._probe import transfer
from ansible_collections.imaging.multicast.plugins.module_utils._probe.transfer import run

PYTHON = sys.executable
# Reads all, says what udp-sender says, and ends.
SINK = (
    "import sys; sys.stderr.write('Starting transfer: 9\\n'); sys.stdin.buffer.read(); "
    "sys.stderr.write('Transfer complete.')"
)
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
)


def test_what_is_sent_is_counted_and_hashed():
    done = run([PYTHON, "-c", SINK], 30, iter([b"a" * 100000, b"b" * 200000]))
    assert (done.code, done.timed_out, done.bytes) == (0, False, 300000)
    assert done.sha256 == hashlib.sha256(b"a" * 100000 + b"b" * 200000).hexdigest()
    assert "Transfer complete." in done.output
    assert done.seconds >= 0


def test_what_is_received_is_counted_and_hashed():
    looks = []
    script = "import sys; sys.stdout.write('x' * 700000); sys.stderr.write('bytes')"
    done = run([PYTHON, "-c", script], 30, watch=lambda seconds, count, said: looks.append((seconds, count, said)))
    assert (done.code, done.bytes) == (0, 700000)
    assert done.sha256 == hashlib.sha256(b"x" * 700000).hexdigest()
    assert looks[-1][1:] == (700000, b"bytes")


def test_a_receiver_that_takes_no_notice_of_sigterm_ends_at_the_deadline():
    done = run([PYTHON, "-c", STUBBORN], 1.5)
    assert done.timed_out
    assert done.code == -signal.SIGKILL
    assert done.bytes == 2


def test_a_program_is_ended_when_nobody_waits_for_it_any_more():
    told = []

    def heard(seconds, said):
        told.append(said)
        return b"enough" in said

    # Without flush it keeps its word for itself, unless PYTHONUNBUFFERED happens to be set.
    script = "import sys, time; print('enough', end='', file=sys.stderr, flush=True); time.sleep(60)"
    done = run([PYTHON, "-c", script], 60, abandon=heard)
    assert (done.timed_out, done.code) == (True, -signal.SIGKILL)
    assert told[-1] == b"enough"


def test_a_sender_that_ends_before_it_has_everything():
    done = run([PYTHON, "-c", "import sys; sys.exit(3)"], 30, iter([b"a" * 65536] * 100))
    assert (done.code, done.timed_out) == (3, False)


def test_the_program_is_known_as_a_probes(tmp_path):
    program = tmp_path / "udp-sender"
    program.symlink_to("/bin/cat")
    done = run([str(program), "/proc/self/cmdline"], 30)
    assert done.sha256 == hashlib.sha256(processes.PROBE.encode() + b"\0/proc/self/cmdline\0").hexdigest()


def test_a_program_that_is_not_there():
    for program in ("/nowhere/udp-sender", "udp-sender-that-is-nowhere"):
        done = run([program], 5)
        assert done.code is None
        assert program in done.error


def test_the_first_and_the_last_words_are_kept():
    script = "import sys; sys.stderr.write('first' + 'x' * 3000000 + 'last')"
    said = run([PYTHON, "-c", script], 30).output
    assert said.startswith("first")
    assert said.endswith("last")
    assert len(said) < 400000


def test_the_program_dies_with_a_parent_that_is_killed(tmp_path):
    own = os.path.dirname(transfer.__file__)
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    script = (
        f"import sys; sys.path.insert(0, {own!r}); import transfer; transfer.run([sys.executable, '-c', {child!r}], 60)"
    )
    parent = subprocess.Popen([PYTHON, "-c", script])
    try:
        wait(lambda: note.exists() and note.read_text())
        pid = int(note.read_text())
        assert running(pid)
        parent.kill()
        parent.wait()
        wait(lambda: not running(pid))
    finally:
        parent.kill()
        parent.wait()


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait(until, seconds=20.0):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)

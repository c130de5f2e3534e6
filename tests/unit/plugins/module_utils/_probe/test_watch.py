# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stream falls silent."""

from ansible_collections.imaging.multicast.plugins.module_utils._probe.watch import Silence, Watcher
from hypothesis import given
from hypothesis import strategies as st

SAID = b"Listening to multicast on 234.99.1.1\n"


class Ear:
    def __init__(self):
        self.reminded = []
        self.closed = False
        self.now = 0.0

    def listen(self, seconds):
        self.now = seconds

    def remind(self, group):
        self.reminded.append((self.now, group))
        return True

    def close(self):
        self.closed = True


def watch(looks, output=SAID, counters=None):
    """Give a watcher these (seconds, bytes, datagrams) to see; returns it and its ear."""
    ear = Ear()
    arrived = [0]
    watcher = Watcher(ear, lambda: ("224.0.0.1", "234.99.1.1"), lambda: {"Udp.InDatagrams": arrived[0]})
    for seconds, count, datagrams in looks:
        arrived[0] = datagrams
        watcher.look(seconds, count, output)
    watcher.close()
    return watcher, ear


def test_a_stream_that_comes_back_after_a_report_was_cut_off():
    watcher, ear = watch([(1, 100, 5), (2, 200, 9), (4.2, 200, 9), (4.6, 300, 12), (5, 400, 15)])
    assert watcher.silences == [Silence(2, 200, 0, 1, 4.6, True)]
    assert watcher.silences[0].pruned
    assert ear.reminded == [(4.2, "234.99.1.1")]
    assert ear.closed
    assert watcher.groups == ("224.0.0.1", "234.99.1.1")


def test_a_stream_that_waits_for_another_receiver_was_not():
    watcher, _ear = watch([(1, 100, 5), (3.5, 100, 60), (4, 200, 90)])
    assert not watcher.silences[0].pruned


def test_a_stream_that_comes_back_late_was_not():
    watcher, _ear = watch([(1, 100, 5), (3.1, 100, 5), (4.9, 200, 90)])
    assert not watcher.silences[0].pruned


def test_a_stream_that_never_comes_back():
    watcher, ear = watch([(1, 100, 5)] + [(1 + step / 4, 100, 5) for step in range(1, 40)])
    assert watcher.silences == [Silence(1, 100, 0, 4, None, False)]
    assert len(ear.reminded) == 4


def test_before_the_stream_and_after_it_silence_is_nothing():
    assert watch([(1, 0, 0), (9, 0, 0)])[0].silences == []
    assert watch([(1, 100, 1), (9, 100, 1)], SAID + b"Transfer complete.")[0].silences == []


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3)), max_size=30))
def test_silences_follow_each_other(steps):
    seconds, count, looks = 0.0, 0, []
    for wait, more in steps:
        seconds, count = seconds + wait, count + more
        looks.append((seconds, count, count))
    silences = watch(looks)[0].silences
    assert all(one.ended is not None and one.ended >= one.began for one in silences[:-1])
    assert [one.bytes for one in silences] == sorted(one.bytes for one in silences)

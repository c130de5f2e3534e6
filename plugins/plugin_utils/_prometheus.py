# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``multicast.prom``: what the last run found, for node_exporter's textfile collector. Pure.

The format is Prometheus' text exposition format 0.0.4. No value carries a time of its own: the collector refuses a file
with timestamps.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from ansible_collections.imaging.multicast.plugins.plugin_utils import _report
from ansible_collections.imaging.multicast.plugins.plugin_utils._history import DAYS, Recurrence

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def metrics(
    hosts: Sequence[_report.Host], seconds: float, check_mode: bool, recurring: Sequence[Recurrence] = ()
) -> str:
    """The text of the file.

    :param seconds: when the run ended, since 1970.
    :param recurring: what :func:`_history.recurrences` found.
    """
    summary = _report.summary(hosts)
    left = Counter((each["id"], each["severity"]) for host in hosts for each in _report.serious(host.after))
    by_host = [(host.name, host.platform, name) for host in hosts for name, _words in _report.OUTCOMES]
    outcome_of = {host.name: host.outcome for host in hosts}
    return "".join(
        (
            _family("run_timestamp_seconds", "When the last run ended.", [({}, seconds)]),
            _family("run_check_mode", "1 when the last run was one with --check.", [({}, int(check_mode))]),
            _family(
                "hosts",
                "Hosts of the last run by outcome.",
                [({"outcome": name}, count) for name, count in summary.items()],
            ),
            _family(
                "host_outcome",
                "1 for the outcome the host has, 0 for the others.",
                [
                    ({"host": host, "platform": platform, "outcome": name}, int(outcome_of[host] == name))
                    for host, platform, name in by_host
                ],
            ),
            _family(
                "findings",
                "Findings of severity error or warning left after the last run.",
                [({"finding": name, "severity": severity}, count) for (name, severity), count in sorted(left.items())],
            ),
            _family(
                "recurrences",
                f"How often a finding came within {DAYS} days, where more than once.",
                [({"host": each.host, "finding": each.finding}, len(each.days)) for each in recurring],
            ),
        )
    )


def _family(name: str, meaning: str, values: Iterable[tuple[dict[str, str], float]]) -> str:
    lines = [f"# HELP multicast_{name} {meaning}", f"# TYPE multicast_{name} gauge"]
    for labels, value in values:
        inner = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())
        lines.append(f"multicast_{name}{{{inner}}} {value}" if inner else f"multicast_{name} {value}")
    return "\n".join(lines) + "\n"

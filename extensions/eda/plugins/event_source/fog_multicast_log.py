# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event source: what FOG's multicast daemon has to tell, as findings."""

import asyncio
import importlib
import logging
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
short_description: Findings from the multicast.log of FOG servers
description:
  - Follows the log that FOGMulticastManager writes, over its deletion at each start of the daemon, rotation and
    cutting, and gives an event for each finding that the log tells of. A finding that lasts is one event, not one for
    each line.
  - An event has the keys of a finding of this collection (C(id), C(severity), C(subject), C(summary), C(evidence),
    C(cause), C(repair), C(repairable), C(gate)) and C(meta).
  - C(meta.host) and C(meta.hosts) are the host's name in the inventory; ansible-rulebook limits a playbook to
    C(meta.hosts). C(meta.when) is when the daemon wrote it, in UTC, C(meta.path) the log, C(meta.uuid) an id that stays
    the same should the event be handed over a second time.
  - C(meta.run) says whether a playbook is to be run for it. Otherwise C(meta.held) says why not, V(cool-down), V(cap)
    or V(severity) (the finding is no error). What was held back by the first two comes again when a run is allowed and
    the daemon still complains.
  - The next event is taken from the log when the one before was accepted, and nothing is left out.
    It counts as accepted when the queue of ansible-rulebook has it, and with C(feedback) when the rule engine has it.
options:
  feedback:
    description:
      - An option of ansible-rulebook itself, which takes it with C(--persistence-id) only and does not start otherwise.
    type: bool
    default: false
  path:
    description:
      - The log, as this machine sees it. With a list or a pattern (C(*), C(?), C([...]), C(**)) there are several, and
        O(host_pattern) is needed.
    type: list
    elements: str
    default: [/opt/fog/log/multicast.log]
  host:
    description: The name that the log's host has in the inventory. The default is this machine's name.
    type: str
  host_pattern:
    description: A regular expression with a group C((?P<host>...)) that finds the host's name in the path of its log.
    type: str
  state:
    description:
      - A file that keeps how far the logs were read and what was told. It and its folder are made for the user alone.
        Every rulebook needs a file of its own.
      - Without the file, logs are read from their ends.
    type: str
    default: /var/lib/imaging-multicast/fog_multicast_log.json
  poll:
    description: Seconds between two looks at the logs.
    type: float
    default: 1
  stale_after:
    description: Seconds without a sign of life after which a session that is not sent counts as stale.
    type: float
    default: 1800
  silent_after:
    description:
      - Seconds without a new line after which the log counts as silent; at least three of the daemon's intervals.
    type: float
    default: 120
  repeat_after:
    description: Seconds after which a finding that still lasts is told again.
    type: float
    default: 3600
  cool_down:
    description: Seconds between two runs for one host.
    type: float
    default: 600
  max_per_hour:
    description: How many runs there are within any hour, for all hosts together.
    type: int
    default: 6
  ignore:
    description:
      - Ids of findings that are not told. A storage node that is no master says so for ever; give
        V(fog.node.master_not_local) there.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
# On the FOG server itself.
- name: multicast
  imaging.multicast.fog_multicast_log:
    host: fog.example.org

# Several servers, whose logs rsyslog brings to one machine.
- name: multicast
  imaging.multicast.fog_multicast_log:
    path: /var/log/fog/*/multicast.log
    host_pattern: ^/var/log/fog/(?P<host>[^/]+)/
    cool_down: 900
    max_per_hour: 10

# With ansible-rulebook --persistence-id.
- name: multicast
  imaging.multicast.fog_multicast_log:
    host: fog.example.org
    feedback: true
"""

_PLUGINS = "imaging_multicast_plugins"
_PATIENCE = 600.0

logger = logging.getLogger(__name__)


def _watch() -> Any:
    """The collection's ``_watch``. ansible-rulebook runs this file by its path and cannot import collections."""
    if _PLUGINS not in sys.modules:
        spec = ModuleSpec(_PLUGINS, None, is_package=True)
        spec.submodule_search_locations = [str(Path(__file__).resolve().parents[4] / "plugins")]
        sys.modules[_PLUGINS] = module_from_spec(spec)
    return importlib.import_module(f"{_PLUGINS}.plugin_utils._watch")


async def main(queue: "asyncio.Queue[Any]", args: dict[str, Any]) -> None:
    """Put events into ``queue`` until cancelled.

    With ``feedback: true`` an event counts as accepted when the rule engine has it, else when the queue has it. Only
    then is it kept that it was told.
    """
    module = _watch()
    try:
        given = module.options(args)
        watch = module.Watch(given)
    except (OSError, ValueError) as error:
        raise ValueError(f"fog_multicast_log: {error}") from error
    try:
        watch.commit()
        while True:
            for event in watch.poll():
                if event:
                    await queue.put(event)
                    if "eda_feedback_queue" in args:
                        await _accepted(args["eda_feedback_queue"], event["meta"]["uuid"])
                else:
                    await asyncio.sleep(0)
                watch.commit()
            watch.commit()
            await asyncio.sleep(given.poll)
    finally:
        watch.close()


async def _accepted(feedback: "asyncio.Queue[Any]", wanted: str) -> None:
    """Wait until the rule engine has the event. It may be busy with playbooks for long."""
    while True:
        try:
            answer = await asyncio.wait_for(feedback.get(), _PATIENCE)
        except TimeoutError:
            logger.warning("the rule engine has not taken event %s for %.0f s; waiting on", wanted, _PATIENCE)
            continue
        if answer.get("meta", {}).get("uuid") == wanted:
            return

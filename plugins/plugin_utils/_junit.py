# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``junit.xml``: the run as a suite of tests, for pipelines. Pure."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from ansible_collections.imaging.multicast.plugins.module_utils._steps import FAILED
from ansible_collections.imaging.multicast.plugins.plugin_utils import _report

# What XML 1.0 cannot hold at all, escaped or not.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def suite(hosts: Sequence[_report.Host], generated: str) -> str:
    """One test a host: ``failure`` where a person is needed, ``error`` where it failed or did not answer.

    :param generated: when the report was made, in ISO 8601.
    """
    summary = _report.summary(hosts)
    counts = {
        "tests": str(len(hosts)),
        "failures": str(summary[_report.NEEDS_PERSON]),
        "errors": str(summary[_report.BROKEN_RUN] + summary[_report.UNREACHABLE]),
        "skipped": "0",
        "time": "0",
    }
    root = ElementTree.Element("testsuites", {"name": "multicast", **counts})
    # ISO 8601 without an offset is what JUnit's schema asks for; the time is UTC.
    inner = ElementTree.SubElement(root, "testsuite", {"name": "multicast", "timestamp": generated[:19], **counts})
    for host in hosts:
        names = {"classname": f"multicast.{host.platform}", "name": _text(host.name), "time": "0"}
        case = ElementTree.SubElement(inner, "testcase", names)
        if host.outcome in _report.BAD:
            kind = "failure" if host.outcome == _report.NEEDS_PERSON else "error"
            message = _text(_report.verdict(host))
            told = ElementTree.SubElement(case, kind, {"message": message, "type": host.outcome})
            told.text = _text("\n".join(_report.details(host)))
        steps = [f"{each['outcome']}: {each['what']}" for each in host.steps if each["outcome"] != FAILED]
        if steps:
            ElementTree.SubElement(case, "system-out").text = _text("\n".join(steps))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _text(text: str) -> str:
    return _NO_XML.sub("?", text)

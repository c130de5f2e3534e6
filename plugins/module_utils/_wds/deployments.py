# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what the deployment logs of HPC say, filtered on the host (facts/windows.md section 0).

The script prints ``files 12`` (logs it looks at), for a log ``file <base64 of the path> <time in UTC>`` and then its
matching lines as findstr.exe numbers them (``12:text``), ``absent <base64>`` for a folder that is not there, and
``cut`` where it stopped at the limit. A line of CcpImg may hold a user and a password: of it, only the namespace and
the name of the image are kept.
"""

import base64
import binascii
import re
from typing import Dict, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from .registry import fold

_FILE = re.compile(r"file ([A-Za-z0-9+/=]+) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z\Z", re.ASCII)
_LINE = re.compile(r"[0-9]{1,10}:")
_CUT = "cut"
_OPTION = r"""(?:\A|\s)-%s:(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"-][^\s"]*)?)"""
_NAMESPACE = re.compile(_OPTION % "namespace", re.IGNORECASE)
_IMAGE = re.compile(_OPTION % "filesrc", re.IGNORECASE)
# A value with another option in it is no value: quotes are missing somewhere, and a password may be in it.
_MIXED = re.compile(r"-(?:ipaddress|namespace|user|filesrc|filedst|password):", re.IGNORECASE)
_USAGE = re.compile(r"(?:\A|\s)usage:", re.IGNORECASE)
_EXIT = re.compile(r"Multicast Failed with Exit Code (-?[0-9]{1,10})", re.IGNORECASE)
_IMAGE_FILE = ".wim"


class Deployment(NamedTuple):
    """The newest deployment of a compute node.

    ``time`` is the log file's, ISO 8601 in UTC. ``namespace``: what CcpImg was told, "" blank, None when no CcpImg line
    is there. ``usage``: CcpImg answered with its usage text; ``fallback``: robocopy copied the image instead.
    ``exit_code``: of "Multicast Failed with Exit Code". User and password of the line are never kept.
    """

    node: str
    time: str
    file: str
    image: str
    namespace: Optional[str]
    usage: bool
    fallback: bool
    exit_code: Optional[int]


class Deployments(NamedTuple):
    """The newest deployment of each compute node, newest first.

    ``cut``: the limit cut the rest off; ``absent``: folders that are not on the host; ``ended``: each script said how
    many logs it looked at; ``failed``: one ended with an error.
    """

    deployments: Tuple[Deployment, ...]
    cut: bool = False
    absent: Tuple[str, ...] = ()
    ended: bool = True
    failed: bool = False


def parse_deployments(texts: Sequence[str], folders: Sequence[str] = ()) -> Deployments:
    """Read what the scripts printed, a text for each. Never raises.

    :param folders: the folders that were searched. The compute node is the folder directly below one of them, or the
        folder of the file when none of them holds it.
    """
    newest: Dict[str, Deployment] = {}
    absent: List[str] = []
    cut = failed = False
    ended = bool(texts)
    for text in texts:
        current: Optional[Deployment] = None
        counted = False
        for raw in text.split("\n"):
            line = raw[:-1] if raw.endswith("\r") else raw
            if line.startswith("file "):
                _keep(newest, current)
                current = _begin(line, folders)
            elif line == _CUT:
                cut = True
            elif line.startswith("absent "):
                absent.append(_decoded(line.partition(" ")[2]) or "")
            elif line.startswith("files "):
                counted = True
            elif line.startswith("error "):
                failed = True
            elif current is not None:
                number = _LINE.match(line)
                if number:
                    current = _read(current, line[number.end() :])
        _keep(newest, current)
        ended = ended and counted
    return Deployments(
        tuple(sorted(newest.values(), key=lambda each: each.time, reverse=True)), cut, tuple(absent), ended, failed
    )


def _begin(line: str, folders: Sequence[str]) -> Optional[Deployment]:
    found = _FILE.match(line)
    if not found:
        return None
    path = _decoded(found.group(1))
    if path is None:
        return None
    return Deployment(_node(path, folders), found.group(2) + "Z", path, "", None, False, False, None)


def _decoded(text: str) -> Optional[str]:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _node(path: str, folders: Sequence[str]) -> str:
    parts = path.split("\\")
    for folder in folders:
        start = [fold(part) for part in folder.rstrip("\\").split("\\")]
        if [fold(part) for part in parts[: len(start)]] == start and len(parts) > len(start) + 1:
            return parts[len(start)]
    return parts[-2] if len(parts) > 1 else path


def _read(deployment: Deployment, line: str) -> Deployment:
    lower = line.lower()
    command = "command:" in lower
    if command and "ccpimg" in lower:
        namespace = _option(_NAMESPACE, line)
        # A log may hold more than one attempt: the last counts, with what followed it.
        return deployment._replace(
            namespace=namespace, image=_option(_IMAGE, line) or "", usage=False, fallback=False, exit_code=None
        )
    if command and "robocopy" in lower:
        image = deployment.image.replace("/", "\\").rsplit("\\", 1)[-1].lower() or _IMAGE_FILE
        return deployment._replace(
            fallback=deployment.fallback or (deployment.namespace is not None and image in lower)
        )
    code = _EXIT.search(line)
    if code:
        return deployment._replace(exit_code=int(code.group(1)))
    if deployment.namespace is not None and _USAGE.search(line):
        return deployment._replace(usage=True)
    return deployment


def _option(pattern: Pattern[str], line: str) -> Optional[str]:
    found = pattern.search(line)
    if not found:
        return None
    value: str = found.group("quoted") or found.group("plain") or ""
    return None if _MIXED.search(value) else value


def _keep(newest: Dict[str, Deployment], current: Optional[Deployment]) -> None:
    if current is None or (current.namespace is None and current.exit_code is None):
        return
    before = newest.get(fold(current.node))
    if before is None or before.time < current.time:
        newest[fold(current.node)] = current

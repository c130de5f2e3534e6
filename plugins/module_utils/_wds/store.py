# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry says about WDS: namespaces, content providers, and this collection's own keys.

The layout is facts/windows.md section 2. The store is ``...\\Services\\WDSServer``, printed by ``reg.exe query /s``.
"""

from typing import Dict, NamedTuple, Optional, Tuple

from .registry import Key, Tree, Value

STORE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\WDSServer"
MULTICAST = STORE + "\\Providers\\WDSMC"
NAMESPACES = MULTICAST + "\\Namespaces"
PROVIDERS = MULTICAST + "\\Providers"
PARAMETERS = STORE + "\\Parameters"
OWN = "HKLM\\SOFTWARE\\imaging.multicast"
#: Where the block size is (facts/windows.md section 2): since Server 2008 R2, and on Server 2008.
PROTOCOL, PROFILE = MULTICAST + "\\Protocol", MULTICAST + "\\Profiles\\Custom"
#: Settings of WDS as a person changes them, by their keys (facts/windows.md sections 2 and 7).
SETTINGS = (
    (PARAMETERS, ("McStartAddr", "McEndAddr", "UdpPortPolicy", "UdpStartPort", "UdpEndPort")),
    (PROTOCOL, ("ApBlockSize", "TpCacheSize")),
    (PROFILE, ("ApBlockSize", "TpCacheSize")),
)
BASELINE = OWN + "\\Namespaces"
REINSTALL = OWN + "\\Reinstall"


class Namespace(NamedTuple):
    """A namespace as the registry holds it; numbers that are not there are None, texts "".

    ``complete``: its type, content provider and configuration are there, each once, of the right kind and as they are.
    Where it is False, a value is missing, what was printed contradicts itself, or letters were lost on the way: it is
    never used as a definition.
    """

    name: str
    type: Optional[int]
    friendly_name: str
    description: str
    content_provider: str
    configuration: str
    session_start_type: Optional[int]
    session_flags: Optional[int]
    min_clients: Optional[int]
    start_time: Optional[int]
    complete: bool


class Provider(NamedTuple):
    """A content provider that is registered with WDSMC."""

    name: str
    description: str
    dll: str
    routine: str


class Place(NamedTuple):
    """Where an interrupted reinstall stands: its stage, the boot it began in and when that was."""

    stage: str
    boot: str
    started: str


def lossy(text: str) -> bool:
    """Whether letters of a text may have been lost: a program prints ``?`` for what the server's code page lacks."""
    return "?" in text or "\ufffd" in text


def read_namespaces(tree: Tree, path: str = NAMESPACES) -> Tuple[Namespace, ...]:
    """The namespaces below a key, in the order of the output."""
    return tuple(_namespace(key) for key in tree.children(path))


def _namespace(key: Key) -> Namespace:
    provider, configuration = key.value("ContentProvider"), key.value("Configuration")
    return Namespace(
        name=key.name,
        type=key.number("Type"),
        friendly_name=key.text("FriendlyName"),
        description=key.text("Description"),
        content_provider=key.text("ContentProvider"),
        configuration=key.text("Configuration"),
        session_start_type=key.number("SessionStartType"),
        session_flags=key.number("SessionFlags"),
        min_clients=key.number("MinClients"),
        start_time=key.number("StartTime"),
        complete=not key.doubtful
        and bool(key.name)
        and key.number("Type") is not None
        and bool(provider and provider.text)
        and bool(configuration and configuration.text is not None)
        and not lossy(key.text("ContentProvider") + key.text("Configuration")),
    )


def read_providers(tree: Tree) -> Tuple[Provider, ...]:
    """The content providers that are registered, in the order of the output."""
    return tuple(
        Provider(key.name, key.text("Description"), key.text("ProviderDll"), key.text("InitRoutine"))
        for key in tree.children(PROVIDERS)
    )


def read_parameters(tree: Tree, path: str = PARAMETERS) -> Dict[str, str]:
    """The values of ``WDSServer\\Parameters``, or of a copy, by name: numbers in decimal, all else as printed."""
    key = tree.key(path)
    return {value.name: _shown(value) for value in key.values} if key else {}


def read_settings(tree: Tree, root: str = STORE) -> Dict[str, str]:
    r"""The :data:`SETTINGS` that are set, by their place below WDSServer, such as ``Parameters\McStartAddr``.

    :param root: the key that is read as WDSServer's: that, or a copy of it.
    """
    settings = {}
    for path, names in SETTINGS:
        below = path[len(STORE) :]
        key = tree.key(root + below)
        for value in filter(None, (key.value(name) for name in names) if key else ()):
            settings["%s\\%s" % (below[1:], value.name)] = _shown(value)
    return settings


def _shown(value: Value) -> str:
    return value.data if value.number is None else str(value.number)


def read_place(tree: Tree) -> Optional[Place]:
    """Where a reinstall stands; None when none is under way."""
    key = tree.key(REINSTALL)
    if key is None:
        return None
    return Place(key.text("Stage"), key.text("Boot"), key.text("Started"))

"""Which simulated head nodes there are: the nodes file, and the machines it names."""

import importlib
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extensions.head_nodes import nodes
from extensions.head_nodes.service import own_addresses
from extensions.head_nodes.wsman import Machine, Node, Settings


class SpecError(Exception):
    """A nodes file or a builder is not as it must be; the text says what and where."""


class Spec(NamedTuple):
    """One node: ``builder`` is a name of nodes.BUILDERS or ``module:function``, called with the name and ``arguments``.

    ``address`` is a loopback address, or empty: ``with_addresses`` chooses one. ``settings`` are those of
    wsman.Settings that differ from the defaults.
    """

    name: str
    address: str = ""
    builder: str = "head_node"
    arguments: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}


def load(path: Path) -> list[Spec]:
    """The nodes of a file: a JSON list of objects with the fields of Spec. Raises SpecError."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise SpecError(
            f"{path}: must be a JSON list of nodes, each with name, and as needed address, builder, arguments"
        )
    specs = []
    for number, entry in enumerate(entries, 1):
        unknown = sorted(set(entry) - set(Spec._fields)) if isinstance(entry, dict) else [repr(entry)]
        if unknown:
            raise SpecError(f"{path}: node {number}: unknown {', '.join(unknown)}; known: {', '.join(Spec._fields)}")
        try:
            spec = Spec(**entry)
            if spec.address and not ipaddress.ip_address(spec.address).is_loopback:
                raise ValueError(f"{spec.address} is not a 127.x.y.z address")
            Settings().changed(spec.settings)
        except (TypeError, ValueError) as error:
            raise SpecError(f"{path}: node {number}: {error}") from error
        specs.append(spec)
    return specs


def with_addresses(specs: Sequence[Spec]) -> list[Spec]:
    """``specs`` with an address of this process's own for each that has none. Raises ValueError for more than 254."""
    free = iter(own_addresses(len(specs)))
    return [spec if spec.address else spec._replace(address=next(free)) for spec in specs]


def build(spec: Spec) -> Node:
    """The node with its machine. Raises SpecError."""
    try:
        machine = _machine(spec)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise SpecError(f"{spec.name}: {spec.builder} with {dict(spec.arguments)}: {error}") from error
    return Node(spec.name, machine, Settings().changed(spec.settings))


def _machine(spec: Spec) -> Machine:
    module, _colon, function = spec.builder.partition(":")
    if not function:
        return nodes.build(spec.name, spec.builder, spec.arguments)
    builder: Callable[..., Machine] = getattr(importlib.import_module(module), function)
    return builder(spec.name, **spec.arguments)

"""Simulated head nodes from the command line: python -m extensions.head_nodes --help."""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from extensions.head_nodes import inventory, nodes, spec
from extensions.head_nodes.builds import BUILDS, LANGUAGES
from extensions.head_nodes.console import colour
from extensions.head_nodes.control import FAULTS, Control, ControlError, Controller
from extensions.head_nodes.service import HTTP_PORT, HTTPS_PORT, Service, ServiceError
from extensions.head_nodes.spec import Spec, SpecError

DEFAULT_SOCKET = Path("head-nodes.sock")
_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
_EXPECTED = (ControlError, OSError, ServiceError, SpecError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extensions.head_nodes",
        description="Simulated Windows HPC head nodes behind WinRM, to break. What they do not model they refuse, and"
        " the run that was refused something ends with 1.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, text: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text)
        verb.add_argument(
            "--socket", type=Path, default=DEFAULT_SOCKET, metavar="PATH", help=f"control socket ({DEFAULT_SOCKET})"
        )
        verb.set_defaults(do=do)
        return verb

    for name, text, do in (
        ("start", "run nodes in the background; returns when they answer", _start),
        ("serve", "run nodes until TERM, Ctrl-C or the verb stop", _serve),
    ):
        verb = add(name, text, do)
        verb.add_argument("names", nargs="*", metavar="NODE[=FAULT,...]", help="healthy nodes, or broken like that")
        builds, languages = ", ".join(map(str, BUILDS)), ", ".join(LANGUAGES)
        verb.add_argument("--build", type=int, default=17763, metavar="NUMBER", help=f"of each NODE, one of {builds}")
        verb.add_argument("--language", default="en", metavar="NAME", help=f"of each NODE, one of {languages}")
        verb.add_argument(
            "--baseline", action="store_true", help="the collection has kept each NODE's namespace before it broke"
        )
        verb.add_argument("--nodes", type=Path, metavar="FILE", help="JSON list of {name, address, builder, arguments}")
        verb.add_argument("--inventory", type=Path, metavar="FILE", help="gets an inventory, removed at the end")
        verb.add_argument(
            "--ready-file", type=Path, metavar="PATH", help="written when the nodes answer, removed at the end"
        )
        verb.add_argument("--ca-file", type=Path, metavar="PATH", help="gets the CA's certificate, removed at the end")

    verb = add("status", "show the nodes", _status)
    verb.add_argument("node", nargs="?", metavar="NODE", help="everything about this one, as JSON")
    verb = add("state", "the machine behind a node as JSON: registry, services, namespaces, events", _state)
    verb.add_argument("node", metavar="NODE")
    verb = add("break", "put a fault into a node", _break)
    verb.add_argument("node", metavar="NODE")
    verb.add_argument("fault", metavar="FAULT")
    verb.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="what the fault takes; VALUE is JSON or a text")
    add("faults", "list the faults", _faults)
    add("stop", "end the nodes; 1 when they refused something", _stop)
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _specs(options: argparse.Namespace) -> list[Spec]:
    found = spec.load(options.nodes) if options.nodes else []
    kind = {"build": options.build, "language": options.language}
    for each in options.names:
        name, _sign, faults = each.partition("=")
        arguments = {**kind, "baseline": options.baseline, "faults": [fault for fault in faults.split(",") if fault]}
        found.append(Spec(name, "", "head_node", arguments))
    if not found:
        raise SpecError("name a node, or give a file with --nodes")
    return spec.with_addresses(found)


def _start(options: argparse.Namespace) -> int:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    ready = options.ready_file or options.socket.with_name(f"{options.socket.name}.ready")
    serve = [sys.executable, "-m", "extensions.head_nodes", "serve", *options.given, "--ready-file", str(ready)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            serve, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not (answers := _ready(ready, process.pid)) and process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.05)
        said.seek(0)
        _say(said.read().rstrip())
    if answers:
        # It goes on without this process.
        process.returncode = 0
    return 0 if answers else 1


def _ready(path: Path, pid: int) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["pid"] == pid)
    except FileNotFoundError:
        return False


def _serve(options: argparse.Namespace) -> int:
    ended = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [(number, signal.signal(number, lambda *_: ended.set())) for number in numbers]
    try:
        specs = _specs(options)
        # Otherwise the first command would wait for them.
        for name in ("cmd", "powershell"):
            importlib.import_module(f"extensions.head_nodes.{name}")
        service = Service((spec.build(each), each.address) for each in specs)
        controller = Controller(service, options.socket, ended.set)
        files = [path for path in (options.ca_file, options.inventory, options.ready_file) if path is not None]
        controller.start()
        try:
            for path in files:
                # Left by a process that was killed, it would tell of readiness too soon.
                path.unlink(missing_ok=True)
            service.start()
            if options.ca_file is not None:
                options.ca_file.write_text(service.authority.pem, encoding="ascii")
            if options.inventory is not None:
                inventory.write(options.inventory, service.nodes.values(), service.addresses)
            if options.ready_file is not None:
                _write_ready(options.ready_file, service, options)
            for name, address in service.addresses.items():
                account = service.node(name).account()
                _say(f"{name}: {address} ports {HTTP_PORT} and {HTTPS_PORT}, {account.user} {account.password}")
            _say(f"ready; control socket {options.socket}")
            ended.wait()
        finally:
            service.stop()
            for path in files:
                path.unlink(missing_ok=True)
            controller.stop()
        code = _tell_refused({node.name: node.refused for node in service.nodes.values()})
        _say("ended")
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return code


def _tell_refused(refused: Mapping[str, Sequence[str]]) -> int:
    """Tell what nodes refused; the exit code."""
    lines = [f"{name} refused, because it is not modelled: {what}" for name, each in refused.items() for what in each]
    for line in lines:
        _say(colour(line, "red", sys.stderr))
    return 1 if lines else 0


def _write_ready(path: Path, service: Service, options: argparse.Namespace) -> None:
    ready = {
        "pid": os.getpid(),
        "socket": str(options.socket),
        "ca_file": options.ca_file and str(options.ca_file),
        "nodes": service.addresses,
    }
    # Renamed, so that who waits for it never reads half of it.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(ready) + "\n", encoding="utf-8")
    unfinished.rename(path)


def _status(options: argparse.Namespace) -> int:
    control = Control(options.socket)
    if options.node:
        print(json.dumps(control.status(options.node), indent=2))
        return 0
    titles = ("NODE", "ADDRESS", "STATE", "MESSAGES", "OPEN SHELLS", "FAILED LOGINS", "WRITES", "REFUSED")
    rows = [
        (
            name,
            each["address"],
            "up" if each["accepts"] else "down",
            str(each["counts"]["total"]),
            str(len(each["open_shells"])),
            str(each["counts"]["failed_logins"]),
            str(len(each["writes"])),
            str(len(each["refused"])),
        )
        for name, each in control.status().items()
    ]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if row is not titles:
            cells[2] = colour(cells[2], "green" if row[2] == "up" else "red", sys.stdout)
        print("  ".join(cells).rstrip())
    return 0


def _state(options: argparse.Namespace) -> int:
    control = Control(options.socket)
    state = control.dump(options.node)
    state["registry"] = {path: values for name, key in state["registry"].items() for path, values in _keys(name, key)}
    print(json.dumps({**state, "refused": control.status(options.node)["refused"]}, indent=2))
    return 0


def _keys(path: str, key: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths of a registry key and of those below it, each with its values by name."""
    yield path, {name: data for name, (_kind, data) in key["values"].items()}
    for name, below in key["keys"].items():
        yield from _keys(f"{path}\\{name}", below)


def _break(options: argparse.Namespace) -> int:
    arguments = {}
    for each in options.arguments:
        key, equals, value = each.partition("=")
        if not equals:
            raise ControlError(f"{each}: give an argument as KEY=VALUE")
        try:
            arguments[key] = json.loads(value)
        except ValueError:
            arguments[key] = value
    Control(options.socket).break_(options.node, options.fault, **arguments)
    print(f"{options.node}: {options.fault}")
    return 0


def _faults(options: argparse.Namespace) -> int:
    lines = {name: text for name, (text, _break) in FAULTS.items()}
    for name, fault in nodes.FAULTS.items():
        lines[name] = (fault.__doc__ or "").strip().partition("\n")[0]
    width = max(map(len, lines))
    for name, text in lines.items():
        print(f"{name.ljust(width)}  {text}".rstrip())
    return 0


def _stop(options: argparse.Namespace) -> int:
    control = Control(options.socket)
    refused = {name: each["refused"] for name, each in control.status().items()}
    control.stop()
    return _tell_refused(refused)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the result is the process's exit code: 0 done, 1 it failed and said why."""
    given = sys.argv[1:] if argv is None else list(argv)
    options = _parser().parse_args(given)
    options.given = given[1:]
    try:
        do: Callable[[argparse.Namespace], int] = options.do
        return do(options)
    except _EXPECTED as error:
        print(f"{colour('error:', 'red', sys.stderr)} {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""Simulated head nodes from the command line: python -m tests.lab.windows --help."""

import argparse
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lab.console import Progress, colour
from tests.lab.windows import nodes, spec
from tests.lab.windows.control import FAULTS, Control, ControlError, Controller
from tests.lab.windows.service import HTTP_PORT, HTTPS_PORT, Service, ServiceError
from tests.lab.windows.spec import SpecError

DEFAULT_SOCKET = Path(__file__).resolve().parents[3] / ".lab" / "windows.sock"
_EXPECTED = (ControlError, OSError, ServiceError, SpecError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.windows", description="Simulated Windows HPC head nodes behind WinRM, to break."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, text: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text)
        verb.add_argument(
            "--socket", type=Path, default=DEFAULT_SOCKET, metavar="PATH", help="control socket (.lab/windows.sock)"
        )
        verb.set_defaults(do=do)
        return verb

    verb = add("serve", "run nodes until TERM, Ctrl-C or the verb stop", _serve)
    verb.add_argument(
        "--nodes", type=Path, required=True, metavar="FILE", help="JSON list of {name, address, builder, arguments}"
    )
    verb.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="written when the nodes answer, removed at the end"
    )
    verb.add_argument("--ca-file", type=Path, metavar="PATH", help="gets the CA's certificate, removed at the end")

    verb = add("status", "show the nodes", _status)
    verb.add_argument("node", nargs="?", metavar="NODE", help="everything about this one, as JSON")
    verb = add("break", "put a fault into a node", _break)
    verb.add_argument("node", metavar="NODE")
    verb.add_argument("fault", metavar="FAULT")
    verb.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="what the fault takes; VALUE is JSON or a text")
    add("faults", "list the faults", _faults)
    add("stop", "end the nodes", _stop)
    return parser


def _serve(options: argparse.Namespace) -> int:
    progress = Progress()
    ended = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [(number, signal.signal(number, lambda *_: ended.set())) for number in numbers]
    try:
        specs = spec.load(options.nodes)
        with progress.step(f"{len(specs)} simulated head nodes"):
            # Otherwise the first command would wait for them.
            for name in ("cmd", "powershell"):
                importlib.import_module(f"tests.lab.windows.{name}")
            service = Service((spec.build(each), each.address) for each in specs)
        controller = Controller(service, options.socket, ended.set)
        files = [path for path in (options.ca_file, options.ready_file) if path is not None]
        controller.start()
        try:
            for path in files:
                # Left by a process that was killed, it would tell of readiness too soon.
                path.unlink(missing_ok=True)
            service.start()
            if options.ca_file is not None:
                options.ca_file.write_text(service.authority.pem, encoding="ascii")
            if options.ready_file is not None:
                _write_ready(options.ready_file, service, options)
            for name, address in service.addresses.items():
                progress.say(f"{name}: {address} ports {HTTP_PORT} and {HTTPS_PORT}")
            progress.say(f"ready; control socket {options.socket}")
            ended.wait()
        finally:
            service.stop()
            for path in files:
                path.unlink(missing_ok=True)
            controller.stop()
        progress.say("ended")
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return 0


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
    lines = {name: text for name, (text, _) in FAULTS.items()}
    for name, fault in nodes.FAULTS.items():
        lines[name] = (fault.__doc__ or "").strip().partition("\n")[0]
    width = max(map(len, lines))
    for name, text in lines.items():
        print(f"{name.ljust(width)}  {text}".rstrip())
    return 0


def _stop(options: argparse.Namespace) -> int:
    Control(options.socket).stop()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the result is the process's exit code: 0 done, 1 it failed and said why."""
    options = _parser().parse_args(argv)
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

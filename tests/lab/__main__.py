"""The lab's command line: python -m tests.lab --help."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from extensions.head_nodes.control import ControlError
from tests.lab import fleet, headnodes, inventory
from tests.lab.console import Progress, colour
from tests.lab.fleet import DEFAULT_FLEET, SUITES, Fleet, FleetError
from tests.lab.host import Host, HostError
from tests.lab.image import ImageError
from tests.lab.lab import Lab, LabError, how
from tests.lab.requirements import MissingRequirements, require

DEFAULT_STATE = Path(__file__).resolve().parents[2] / ".lab"
_EXPECTED = (ControlError, FleetError, HostError, ImageError, LabError, MissingRequirements)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="A fleet of real systemd hosts to break.")
    parser.add_argument("--lab", default="default", metavar="NAME", help="which lab (default: default)")
    parser.add_argument(
        "--state", type=Path, default=DEFAULT_STATE, metavar="DIR", help="folder of images and labs (default: .lab)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    verb = verbs.add_parser("image", help="build the images that are missing")
    verb.add_argument("suites", nargs="*", metavar="SUITE", help=f"default: {' '.join(SUITES)}")
    verb.set_defaults(do=_image)

    verb = verbs.add_parser("up", help="boot the hosts that do not run yet")
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--hosts", metavar="A,B,...", help=f"only these; there are: {', '.join(DEFAULT_FLEET)}")
    which.add_argument("--count", type=int, metavar="N", help="instead of the fleet N healthy FOG servers")
    verb.set_defaults(do=_up)

    verb = verbs.add_parser("down", help="take the lab away, completely")
    verb.set_defaults(do=_down)

    verb = verbs.add_parser("status", help="show the hosts")
    verb.set_defaults(do=_status)

    verb = verbs.add_parser("ssh", help="log in to a host, or run a command there over ssh")
    verb.add_argument("host", metavar="HOST")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="...")
    verb.set_defaults(do=_ssh)

    verb = verbs.add_parser("exec", help="run a program inside a host without ssh")
    verb.add_argument("host", metavar="HOST")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="...")
    verb.set_defaults(do=_exec)

    verb = verbs.add_parser("run", help="run a program of this machine inside the lab's network")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="-- ...")
    verb.set_defaults(do=_run)

    verb = verbs.add_parser("inventory", help="print an inventory that reaches the hosts without the verb run")
    verb.set_defaults(do=_inventory)

    verb = verbs.add_parser("faults", help="list the faults")
    verb.set_defaults(do=_faults)

    verb = verbs.add_parser("break", help="put a fault into a host")
    verb.add_argument("fault", metavar="FAULT")
    verb.add_argument("host", metavar="HOST")
    verb.set_defaults(do=_break)
    return parser


def _image(lab: Lab, options: argparse.Namespace) -> int:
    suites = options.suites or SUITES
    unknown = [suite for suite in suites if suite not in SUITES]
    if unknown:
        raise LabError(f"no such suite: {', '.join(unknown)}; there are: {', '.join(SUITES)}")
    lab.state.mkdir(parents=True, exist_ok=True)
    require(lab.state, 0)
    lab.images.clean()
    lab.images.prune(suites)
    lab.images.ensure(suites)
    for suite in suites:
        print(f"{suite}: {lab.images.base(suite)}")
    return 0


def _up(lab: Lab, options: argparse.Namespace) -> int:
    wanted: Fleet = DEFAULT_FLEET
    if options.count is not None:
        wanted = fleet.uniform(options.count)
    elif options.hosts:
        wanted = fleet.subset(name.strip() for name in options.hosts.split(",") if name.strip())
    lab.up(wanted)
    if wanted is DEFAULT_FLEET:
        headnodes.start(lab)
    return 0


def _down(lab: Lab, options: argparse.Namespace) -> int:
    lab.down()
    return 0


def _status(lab: Lab, options: argparse.Namespace) -> int:
    hosts = list(lab.hosts.values())
    if not hosts:
        print(f"lab {lab.name} is not up; bring it up with: {how('up', lab.name)}")
        return 0
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda host: _row(lab, host), hosts))
    rows += headnodes.rows(lab)
    titles = ("HOST", "KIND", "SUITE", "ADDRESS", "STATE", "LOGIN")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        for at, good in ((4, ("running",)), (5, ("ssh", "winrm"))):
            if row is not titles:
                cells[at] = colour(cells[at], "green" if row[at] in good else "red", sys.stdout)
        print("  ".join(cells).rstrip())
    return 0


def _row(lab: Lab, host: Host) -> tuple[str, ...]:
    state = "running" if lab.is_ready(host) else "incomplete" if host.running else "stopped"
    answers = host.running and lab.ssh_answers(host)
    return (host.name, host.spec.kind, host.spec.suite, host.address, state, "ssh" if answers else "no")


def _without_dashes(command: list[str]) -> list[str]:
    return command[1:] if command[:1] == ["--"] else command


def _become(argv: Sequence[str]) -> int:
    sys.stdout.flush()
    os.execvp(argv[0], list(argv))


def _ssh(lab: Lab, options: argparse.Namespace) -> int:
    host = lab.host(options.host)
    return _become(lab.command(["ssh", "-F", str(lab.ssh.config), host.name, *_without_dashes(options.command)]))


def _exec(lab: Lab, options: argparse.Namespace) -> int:
    return _become(lab.host(options.host).command(_without_dashes(options.command) or ["/bin/bash", "-l"]))


def _run(lab: Lab, options: argparse.Namespace) -> int:
    command = _without_dashes(options.command)
    if not command:
        raise LabError("run: give the command after --, for example: run -- ansible -i INVENTORY all -m ping")
    return _become(lab.command(command))


def _inventory(lab: Lab, options: argparse.Namespace) -> int:
    print(inventory.render(lab.fleet, lab.ssh, executable=lab.write_ssh()), end="")
    return 0


def _known_faults() -> Mapping[str, Callable[[Lab, Host], Any]]:
    # Imported late: the FOG part imports this package's Host, and only these two verbs need it.
    from tests.lab.fog.faults import FAULTS

    return FAULTS


def _faults(lab: Lab, options: argparse.Namespace) -> int:
    known = {name: (fault.__doc__ or "").strip().partition("\n")[0] for name, fault in _known_faults().items()}
    on_head_nodes = headnodes.faults()
    width = max(map(len, [*known, *on_head_nodes]))
    for title, faults in (("FOG hosts:", known), (f"Head nodes ({', '.join(headnodes.names())}):", on_head_nodes)):
        print(title)
        for name, text in faults.items():
            print(f"  {name.ljust(width)}  {text}".rstrip())
    return 0


def _break(lab: Lab, options: argparse.Namespace) -> int:
    if options.host in headnodes.names():
        with lab.progress.step(f"{options.host}: {options.fault}"):
            headnodes.control(lab).break_(options.host, options.fault)
        return 0
    known = _known_faults()
    if options.fault not in known:
        raise LabError(f"no such fault: {options.fault}; there are: {', '.join(known)}")
    host = lab.host(options.host)
    with lab.progress.step(f"{host.name}: {options.fault}"):
        known[options.fault](lab, host)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the result is the process's exit code: 0 done, 1 it failed and said why, 130 interrupted."""
    options = _parser().parse_args(argv)
    progress = Progress()
    try:
        if options.verb != "faults" and os.geteuid() != 0:
            require(options.state, 0)
        lab = Lab(options.state, options.lab, progress)
        do: Callable[[Lab, argparse.Namespace], int] = options.do
        return do(lab, options)
    except _EXPECTED as error:
        print(f"{colour('error:', 'red', sys.stderr)} {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip()
        error_word = colour("error:", "red", sys.stderr)
        print(f"{error_word} {error.cmd} ended with {error.returncode} {said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        up, down = how("up", options.lab), how("down", options.lab)
        print(f"\ninterrupted; '{up}' continues, '{down}' takes everything away", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

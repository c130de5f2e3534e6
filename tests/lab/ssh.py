"""Keys and configuration so that ssh reaches every host of the lab without a question or a warning."""

from collections.abc import Iterable
from pathlib import Path

from tests.lab.host import Host
from tests.lab.locks import run_helper

_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


class SshFiles:
    """The ssh files of one lab. Sockets of shared connections go to ``control``, which must have a short path."""

    def __init__(self, folder: Path, control: Path) -> None:
        self.key = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "ssh_config"
        self.control = control

    @property
    def control_path(self) -> str:
        """ssh's ControlPath."""
        return f"{self.control}/%C"

    def make_key(self) -> None:
        """Make the key pair of the lab unless it is there (mode 0600)."""
        if not self.key.exists():
            _keygen(self.key, "lab")

    def authorize(self, host: Host) -> None:
        """Before boot: give ``host`` a key of its own and let the lab's key in."""
        own = host.directory / "host_key"
        if not own.exists():
            _keygen(own, host.name)
        host.write(_HOST_KEY, own.read_text(encoding="ascii"), 0o600)
        host.write(f"{_HOST_KEY}.pub", own.with_suffix(".pub").read_text(encoding="ascii"))
        host.write("/root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_text(encoding="ascii"), 0o600)

    def write(self, hosts: Iterable[Host]) -> None:
        """Write known_hosts and the client configuration for ``hosts``."""
        known = []
        blocks = []
        for host in hosts:
            kind, key, *_ = (host.directory / "host_key.pub").read_text(encoding="ascii").split()
            known.append(f"{host.name},{host.address} {kind} {key}\n")
            blocks.append(f"Host {host.name}\n  HostName {host.address}\n")
        self.known_hosts.write_text("".join(known), encoding="ascii")
        blocks.append(
            "Host *\n"
            "  User root\n"
            f'  IdentityFile "{self.key}"\n'
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            f'  UserKnownHostsFile "{self.known_hosts}"\n'
            "  GlobalKnownHostsFile none\n"
            "  StrictHostKeyChecking yes\n"
            "  UpdateHostKeys no\n"
            "  ControlMaster auto\n"
            "  ControlPersist 60s\n"
            f'  ControlPath "{self.control_path}"\n'
            "  ConnectTimeout 10\n"
        )
        self.config.write_text("\n".join(blocks), encoding="utf-8")


def _keygen(path: Path, comment: str) -> None:
    run_helper(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])

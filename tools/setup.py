"""Sets the checkout up: Debian packages, .venv, the collection's path. What is there already is left alone.

Usage: python3 tools/setup.py runtime|lab|dev|all
  runtime  what `make repair INVENTORY=...` needs: ansible-core, pywinrm and ssh
  lab      runtime and what the lab needs
  dev      lab and what `make test` needs
  all      dev and what `make test-all` needs
Nothing but Debian packages is put outside the checkout.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
COLLECTION = CACHE / "collections" / "ansible_collections" / "imaging" / "multicast"
LEVELS = ("runtime", "lab", "dev", "all")
PYTHONS = ((3, 11), (3, 12), (3, 13))  # of the pinned ansible-core
ROOM_FOR_SOCKET = 70  # a Unix socket's path has 107 bytes: ssh puts .cache/ansible/cp/ and 27 more behind this one


def fail(message):
    sys.exit("set-up: " + message)


def use_suitable_python():
    """Go on under a Python the pinned ansible-core supports."""
    if sys.version_info[:2] in PYTHONS:
        return
    for version in PYTHONS:
        found = shutil.which("python{}.{}".format(*version))
        if found and subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, *sys.argv])
    fail(
        "Python {}.{} runs here, but 3.11, 3.12 or 3.13 is needed. Install one (Debian 12: apt-get install python3)"
        " and put it on the PATH.".format(*sys.version_info[:2])
    )


def lab_packages():
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    from tests.lab.requirements import APT_PACKAGES

    return list(APT_PACKAGES)


def require_lab():
    """End here, before anything is set up, where this machine cannot carry the lab."""
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    from tests.lab.requirements import MissingRequirements, require

    try:
        require(ROOT / ".lab", 1)
    except MissingRequirements as error:
        fail(str(error))


def installed(packages):
    """Names of the Debian packages among `packages` that are installed."""
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}


def missing_packages(level):
    missing = []
    if not find_spec("ensurepip"):
        missing.append("python3-venv")
    if not shutil.which("ssh"):
        missing.append("openssh-client")
    if level in ("dev", "all"):
        programs = {"git": "git", "shellcheck": "shellcheck", "chromium": "chromium", "chromedriver": "chromium-driver"}
        missing += [package for program, package in programs.items() if not shutil.which(program)]
    if level == "all" and not shutil.which("java"):
        missing.append("default-jre-headless")
    if level != "runtime":
        wanted = lab_packages()
        if not shutil.which("dpkg-query"):
            fail("the lab needs Debian or a relative of it: no dpkg-query here. It would install: " + " ".join(wanted))
        there = installed(wanted)
        missing += [name for name in wanted if name not in there and name not in missing]
    return missing


def install_packages(missing):
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(
            "these packages are missing: {}\nAs root: apt-get update && {}\nThen run make again.".format(
                " ".join(missing), " ".join(command)
            )
        )
    print("set-up: installing {}".format(" ".join(missing)), flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["apt-get", "update"], command):
        if subprocess.call(step, env=environment, stdin=subprocess.DEVNULL):
            fail("`{}` failed, see above. Put it right and run make again.".format(" ".join(step)))


def link_collection():
    """Ansible finds a collection only under ansible_collections/NAMESPACE/NAME."""
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    if not COLLECTION.is_symlink():
        COLLECTION.symlink_to(os.path.relpath(str(ROOT), str(COLLECTION.parent)), target_is_directory=True)


def install_python_packages(level):
    level = "dev" if level == "all" else level  # each tool of test-all has a virtual environment of its own
    digest = hashlib.sha256(sys.version.encode())
    nodes = "extensions/head_nodes/requirements.txt"
    for name in ("requirements.txt", "requirements-lab.txt", nodes, "requirements-dev.txt"):
        digest.update((ROOT / name).read_bytes())
    stamp = VENV / "stamp"
    done = stamp.read_text().split() if stamp.exists() else ["", LEVELS[0]]
    current = done[0] == digest.hexdigest()
    if current and LEVELS.index(done[1]) >= LEVELS.index(level):
        return
    # What was there is made anew, not less of it: `make repair` takes nobody's test tools away.
    level = max(level, done[1], key=LEVELS.index)
    files = {
        "runtime": ["-r", "requirements.txt", "-c", "requirements-dev.txt"],
        "lab": ["-r", "requirements.txt", "-r", "requirements-lab.txt", "-c", "requirements-dev.txt"],
        "dev": ["-r", "requirements-dev.txt"],
    }[level]
    if level == "lab":
        require_lab()
    print(f"set-up: Python packages ({level}) into .venv", flush=True)
    if not current:
        subprocess.check_call([sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    environment = dict(os.environ, PIP_CACHE_DIR=str(CACHE / "pip"))
    if subprocess.call([*pip, *files], cwd=str(ROOT), env=environment, stdin=subprocess.DEVNULL):
        fail(f"pip could not install {files[1]}, see above. Is the package index reachable?")
    stamp.write_text(f"{digest.hexdigest()} {level}\n")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in LEVELS:
        sys.exit(__doc__)
    level = sys.argv[1]
    use_suitable_python()
    if level == "lab" and os.geteuid() != 0:
        fail("the lab needs root: namespaces, mounts and control groups do. Run the same command as root.")
    if len(str(ROOT).encode()) > ROOM_FOR_SOCKET:
        fail(f"the checkout's path is longer than {ROOM_FOR_SOCKET} bytes, too long for ssh's sockets: {ROOT}")
    missing = missing_packages(level)
    if missing:
        install_packages(missing)
    install_python_packages(level)
    link_collection()


if __name__ == "__main__":
    main()

"""The images on disk: built once, shared by all labs, whole or not there at all.

Two stages: the base image of a suite, and on top of it an overlay layer with the FOG part's files and database, so that
a change under tests/lab/fog/ costs seconds and not a new Debian.
"""

import hashlib
import importlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab import image
from tests.lab.console import Progress, Step
from tests.lab.locks import locked, run_helper
from tests.lab.mounts import mounts

_FOG = Path(__file__).parent / "fog"
_TEMPORARY = ".new"
_PARALLEL = 2
_KEEP_SECONDS = 86400


def _fog_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_FOG.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(_FOG)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class ImageStore:
    """The folder of images. ``lowers`` of a suite are what its hosts' overlay mounts are stacked on."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self.progress = progress
        # Once, so that an edit while an image is built gives the next run a new image and not this one a wrong name.
        self._fog = _fog_hash()

    def base(self, suite: str) -> Path:
        """The folder of the suite's base image."""
        return self.folder / f"{suite}-{image.recipe(suite)}"

    def layer(self, suite: str) -> Path:
        """The folder of the FOG layer on top of it."""
        base = self.base(suite).name
        return self.folder / f"{base}-fog-{self._fog}"

    def lowers(self, suite: str) -> list[Path]:
        """The overlay's lower folders, topmost first."""
        return [self.layer(suite), self.base(suite)]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep ``prune`` away until what was built is mounted."""
        with locked(self.folder / "in-use.lock", shared=True):
            yield

    def ensure(self, suites: Iterable[str]) -> None:
        """Build what is not there yet, two suites at a time. Raises image.ImageError."""
        wanted = list(dict.fromkeys(suites))
        todo = [suite for suite in wanted if not all(path.is_dir() for path in self.lowers(suite))]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for done in [pool.submit(self._build, suite) for suite in todo]:
                done.result()
        for path in (path for suite in wanted for path in self.lowers(suite)):
            # The time of last use, for prune.
            os.utime(path)

    def _build(self, suite: str) -> None:
        self._once(self.base(suite), f"image {suite}", lambda new, step: image.build(new, suite, step))
        self._once(self.layer(suite), f"image {suite}, FOG layer", lambda new, step: self._build_layer(new, suite))

    def _once(self, path: Path, what: str, make: Callable[[Path, Step], None]) -> None:
        """Make ``path`` in a temporary folder and rename it, unless it is there; another builder is waited for."""
        if path.is_dir():
            return
        with self.progress.step(what) as step, locked(path.with_name(f"{path.name}.lock"), wait=False) as free:
            if free:
                self._make(path, make, step)
        if not free:
            with self.progress.step(f"{what} (another lab builds it)") as step:
                step.note("waiting for it")
                with locked(path.with_name(f"{path.name}.lock")):
                    self._make(path, make, step)

    def _make(self, path: Path, make: Callable[[Path, Step], None], step: Step) -> None:
        if path.is_dir():
            return
        new = path.with_name(path.name + _TEMPORARY)
        self._discard(new)
        try:
            make(new, step)
            os.rename(new, path)
        finally:
            self._discard(new)

    def _build_layer(self, new: Path, suite: str) -> None:
        work, root = self._beside(new)
        for folder in (new, work, root):
            folder.mkdir()
        new.chmod(0o755)
        mount_overlay([self.base(suite)], new, work, root)
        try:
            importlib.import_module("tests.lab.fog").setup_image(root, suite, image.runner(root))
        finally:
            self._unmount_below(root)

    @staticmethod
    def _beside(new: Path) -> tuple[Path, Path]:
        return new.with_name(f"{new.name}-work"), new.with_name(f"{new.name}-root")

    def _discard(self, new: Path) -> None:
        # With what stands beside it: "-root" and "-work" of an overlay, "-ingredients" of a base image.
        for folder in new.parent.glob(f"{new.name}*"):
            self._unmount_below(folder)
        for folder in new.parent.glob(f"{new.name}*"):
            image.delete_tree(folder)

    @staticmethod
    def _unmount_below(folder: Path) -> None:
        for mount in reversed(mounts()):
            if mount.path == folder or folder in mount.path.parents:
                run_helper(["umount", str(mount.path)])

    def clean(self) -> None:
        """Take away what builders left behind that were killed."""
        for lock in sorted(self.folder.glob("*.lock")):
            with locked(lock, wait=False) as free:
                if free:
                    self._discard(lock.with_name(lock.name.removesuffix(".lock") + _TEMPORARY))

    def prune(self, suites: Sequence[str]) -> None:
        """Remove images of former recipes that no lab has mounted or used for a day."""
        current = {path.name for suite in suites for path in self.lowers(suite)}
        with locked(self.folder / "in-use.lock", wait=False) as free:
            if not free:
                return
            used = [option for mount in mounts() for option in mount.options if option.startswith("lowerdir=")]
            for path in sorted(self.folder.glob("*")):
                suite = path.name.partition("-")[0]
                if suite not in suites or path.name in current or not path.is_dir() or _TEMPORARY in path.name:
                    continue
                idle = time.time() - path.stat().st_mtime
                if idle > _KEEP_SECONDS and not any(str(path) in use for use in used):
                    with self.progress.step(f"removing the outdated image {path.name}"):
                        image.delete_tree(path)


def mount_overlay(lowers: Sequence[Path], upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay. Raises subprocess.CalledProcessError."""
    stacked = ":".join(map(str, lowers))
    options = f"lowerdir={stacked},upperdir={upper},workdir={work}"
    run_helper(["mount", "-t", "overlay", "-o", options, "overlay", str(target)])

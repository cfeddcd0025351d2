"""The peers' own environment: made once, of exactly the versions in `peers.txt`, and never the product's."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

WANTED = Path(__file__).with_name("peers.txt")
FOLDER = "BOT_BENCH_ENV"


class NoPeers(Exception):
    """The peers could not be installed, and why."""


def python(wanted: Path | None = None) -> Path:
    """The interpreter of the peers' environment, which is made where it is not there yet.

    wanted: the file of a peer that gets an environment of its own, as it does not go with the others.
    """
    wanted = wanted or WANTED
    folder = _cache() / wanted.stem  # a folder of its own: what is in the way there is removed
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != _fingerprint(wanted):
        _install(wanted, folder, found)
        stamp.write_text(_fingerprint(wanted))
    return found


def _cache() -> Path:
    """`BOT_BENCH_ENV`, or a folder for temporary files that nobody else can have made ready for us."""
    if chosen := os.environ.get(FOLDER):
        return Path(chosen).absolute()
    folder = Path(gettempdir()) / f"seedream-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise NoPeers(f"{folder} belongs to somebody else; set {FOLDER} to a folder of your own")
    return folder


def _fingerprint(wanted: Path) -> str:
    return hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()


def _install(wanted: Path, folder: Path, found: Path) -> None:
    print(f"installing the peers into {folder} …", file=sys.stderr, flush=True)
    if uv := shutil.which("uv"):
        _step(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _step(uv, "pip", "install", "--quiet", "--python", str(found), "--requirement", str(wanted))
    else:
        _step(sys.executable, "-m", "venv", "--clear", str(folder))
        _step(str(found), "-m", "pip", "install", "--quiet", "--requirement", str(wanted))


def _step(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPeers(f"the peers cannot be installed: {done.stderr.strip()[-500:]}")

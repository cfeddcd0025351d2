#!/usr/bin/env python3
"""Make .venv once, then run in it: nothing but this file and Python is needed.

    python3 run.py demo [options]     the chat page, with pictures that cost nothing
    python3 run.py test [options]     the tests (pytest's options)
    python3 run.py lint               the checks of style and types
    python3 run.py WORD [options]     seedream-bot, whose words follow; WORD --help tells more

    run            run the bot until it is told to stop
    setup          join a chat platform: setup discord, setup feishu
    doctor         look for what is wrong, and say how to cure it
    send           ask for something and wait for the outcome
    admin          govern: teams, limits, tiers, roles, grants, refunds
    ledger verify  prove the books
    backup         save the database and the pictures into one file
    restore        bring a backup into an empty data folder
    migrate        bring the database to this version
    move           move everything from SQLite to PostgreSQL
    healthcheck    leave with 0 if the bot is alive, for containers

Standard library only, and no syntax newer than Python 3.6: an old Python must be able to read the sentence that
turns it away. The command replaces this process, so signals and the exit code are its own.
"""

import os
import sys
from pathlib import Path
from shlex import quote

TREE = Path(__file__).resolve().parent
VENV = TREE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed"  # what was installed; written last
LOCK = TREE / ".venv.lock"  # held while installing, and not empty as long as that is unfinished
PINNED_BY = ("pyproject.toml", "uv.lock", "requirements-test.txt")
# What may be set for other work and would lead an installer astray or keep it from compiling.
ASTRAY = ("PIP_NO_COMPILE", "PIP_TARGET", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
NO_NETWORK = ("Retrying", "timed out", "onnection", "Failed to fetch", "resolve host")


class CannotInstall(Exception):
    """Its text is the one sentence that the person reads."""


def main(arguments):
    if sys.version_info < (3, 11):
        return "Python 3.11 or newer is needed; this is {}.{}.{}.".format(*sys.version_info)
    if not arguments or arguments[0] in ("-h", "--help"):
        return tell_words(0 if arguments else 2)
    try:
        if not is_installed():
            install()
    except CannotInstall as error:
        return str(error)
    except OSError as error:
        return f"Cannot install into {VENV}: {error}"
    except KeyboardInterrupt:
        say("Interrupted; the next start begins again.")
        return 130

    word, rest = arguments[0], arguments[1:]
    if word == "test":
        os.chdir(TREE)
        # All of them: a file's tests together, in the order of tests/conftest.py, in one process more than there are
        # cores, since most that take long wait for something.
        count = f"--numprocesses={(os.cpu_count() or 1) + 1}"
        return become("-m", "pytest", *(rest or [count, "--dist=loadfile", "--no-loadscope-reorder"]))
    if word == "lint":
        os.chdir(TREE)
        return call("-m", "ruff", "check") or call("-m", "ruff", "format", "--check") or become("-m", "mypy")
    return become(*program(word, *rest))


def tell_words(code):
    """Which words there are. Where the program is installed it says so itself; nothing is installed for that."""
    ours, words = __doc__.split("\n\n")[1:3]
    print(ours, end="\n\n", flush=True)
    if is_installed():
        return call(*program("--help")) or code
    print(words)
    return code


def program(*arguments):
    """The program as it is to be run, which is told by what words it was called."""
    os.environ["SEEDREAM_BOT_CALLED"] = f"python3 {quote(sys.argv[0])}"
    return ("-P", "-m", "bot", *arguments)  # -P: a folder named bot in somebody's own place is not ours


def become(*arguments):
    """Be the Python of .venv from here on. Windows has no such thing: there it is a child, and Ctrl-C is left to it."""
    if os.name != "nt":
        os.execve(PYTHON, [str(PYTHON), *arguments], os.environ)
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return call(*arguments)


def call(*arguments):
    import subprocess

    return subprocess.run([str(PYTHON), *arguments], check=False).returncode


def is_installed():
    try:
        return STAMP.read_text() == fingerprint() and PYTHON.exists()
    except OSError:
        return False


def fingerprint():
    """What .venv was made from. The place belongs to it: a copied .venv still points to where it came from."""
    import hashlib

    digest = hashlib.sha256(os.fsencode(TREE))
    for name in PINNED_BY:
        digest.update((TREE / name).read_bytes())
    return digest.hexdigest()


def install():
    """Bring .venv up to date, or make it again if an earlier start was cut short in the middle."""
    import shutil
    import signal
    import time

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinding ends the installer too
    with LOCK.open("a+") as lock:
        wait_for(lock)
        if is_installed():  # by the start that was waited for
            return
        say("Installing into .venv, about half a minute, once ...")
        begun = time.monotonic()
        afresh = LOCK.stat().st_size > 0 or not PYTHON.exists()
        lock.write("unfinished")
        lock.flush()
        uv = shutil.which("uv")
        if uv:
            install_with_uv(uv, lock, afresh=afresh)
        else:
            install_with_pip(lock, afresh=afresh)
        # Our own modules stay in place, where no installer compiles them; it may fail, the tree may be half edited.
        call("-m", "compileall", "-qq", str(TREE / "bot"), str(TREE / "adapters"))
        STAMP.write_text(fingerprint())
        lock.truncate(0)
        say(f"Installed in {time.monotonic() - begun:.0f} s.")


def wait_for(lock):
    """Hold the lock. The system lets go of it when the last process that has the file open has ended."""
    waiting = "Another start is installing; waiting for it ..."
    if os.name == "nt":
        import msvcrt

        lock.seek(0)
        while True:
            try:
                return msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
            except OSError:  # every ten seconds
                say(waiting)
    import fcntl

    try:
        return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(waiting)
        return fcntl.flock(lock, fcntl.LOCK_EX)


def install_with_uv(uv, lock, afresh):
    if afresh:  # else it may be somebody's own, and is kept
        step(lock, uv, "venv", "--clear", "--python", sys.executable, VENV)
    step(lock, uv, "sync", "--locked", "--all-groups", "--compile-bytecode", "--python", PYTHON)


def install_with_pip(lock, afresh):
    from importlib.util import find_spec

    if find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info)
        raise CannotInstall(f"This Python cannot make a .venv: install {package} (sudo apt install {package}).")
    step(lock, sys.executable, "-m", "venv", *(["--clear"] if afresh else []), VENV)  # brings pip where it is missing
    pip = (PYTHON, "-m", "pip", "--no-input", "--disable-pip-version-check", "--retries", "2", "install")
    step(lock, *pip, "--require-hashes", "--requirement", "requirements-test.txt")
    step(lock, *pip, "--no-deps", "--no-build-isolation", "--editable", ".")


def step(lock, *command):
    """One quiet step of the installation. It inherits the lock, which therefore outlives a start that was killed."""
    import subprocess

    environment = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    environment["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=TREE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **({} if os.name == "nt" else {"pass_fds": [lock.fileno()]}),
    )
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("hint:")]
        last = lines[-1] if lines else f"{command[0]} ended with {done.returncode}"
        if any(word in done.stdout for word in NO_NETWORK):
            raise CannotInstall(f"The package index cannot be reached; is there a network? The last word was: {last}")
        raise CannotInstall(f"The installation failed: {last}")


def say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

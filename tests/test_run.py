"""`run.py` up to the command that it becomes; making a real .venv is what every run of these tests began with."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer.main

from bot import cli

TREE = Path(__file__).resolve().parents[1]
RUN = TREE / "run.py"


def a_tree(folder: Path) -> Path:
    """A small tree with run.py in it, and this Python as its .venv."""
    for name in ("pyproject.toml", "uv.lock", "requirements-test.txt"):
        (folder / name).write_text(name)
    (folder / "run.py").write_text(RUN.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    return folder / "run.py"


def an_installer(tree: Path, script: str) -> dict[str, str]:
    """A `uv` that notes its calls and then does what the script says; the variables that let run.py find it."""
    uv = tree / "tools/uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "$@" >> {tree}/calls\n{script}\n')
    uv.chmod(0o755)
    return {"PATH": f"{uv.parent}:/usr/bin:/bin", "PYTHONPATH": str(tree)}


def calls(tree: Path) -> list[str]:
    return (tree / "calls").read_text().splitlines()


def a_bot(tree: Path, program: str) -> None:
    (tree / "bot").mkdir()
    (tree / "bot/__main__.py").write_text(program)


def run(path: Path, *arguments: str, before: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """What `python3 run.py ARGUMENTS` does after the statements `before` have changed its world."""
    program = f"""
        import runpy, sys
        {before}
        sys.argv = {[str(path), *arguments]!r}
        runpy.run_path({str(path)!r}, run_name="__main__")
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(path.parent), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_can_read_it_and_is_turned_away_in_one_sentence() -> None:
    ast.parse(RUN.read_text(encoding="utf-8"), feature_version=(3, 6))

    done = run(RUN, "demo", before="sys.version_info = (3, 9, 2, 'final', 0)")

    assert done.returncode == 1
    assert done.stderr == "Python 3.11 or newer is needed; this is 3.9.2.\n"


def test_without_a_word_it_says_which_there_are() -> None:
    done = run(RUN)

    assert done.returncode == 2
    assert "python3 run.py demo" in done.stdout
    assert run(RUN, "--help").returncode == 0


def test_without_the_program_it_lists_every_word_itself_and_installs_nothing(tmp_path: Path) -> None:
    done = run(a_tree(tmp_path), "--help", **an_installer(tmp_path, "exit 0"))

    listed = re.findall(r"^    (\w+)(?: verify)?  +\w", done.stdout, re.MULTILINE)
    assert done.returncode == 0
    assert {"demo", *listed} == set(vars(typer.main.get_command(cli.app))["commands"])
    assert not (tmp_path / "calls").exists()


def test_where_it_is_installed_the_program_lists_its_words_and_knows_how_it_is_called(tmp_path: Path) -> None:
    path = a_tree(tmp_path)
    a_bot(tmp_path, "import os, sys; print(*sys.argv[1:], 'of', os.environ['SEEDREAM_BOT_CALLED'])")
    run(path, "demo", **an_installer(tmp_path, "exit 0"))

    for words, code in (((), 2), (("-h",), 0), (("--help",), 0)):
        done = run(path, *words, PYTHONPATH=str(tmp_path))
        assert done.returncode == code
        assert "python3 run.py test" in done.stdout
        assert done.stdout.splitlines()[-1] == f"--help of python3 {path}"


def test_a_python_without_venv_is_told_which_package_has_it(tmp_path: Path) -> None:
    path = a_tree(tmp_path)
    version = "python{}.{}-venv".format(*sys.version_info)

    done = run(path, "demo", before="import importlib.util; importlib.util.find_spec = lambda name: None", PATH="")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"This Python cannot make a .venv: install {version} (sudo apt install {version})."
    )


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "error: Failed to fetch: x\\n  Caused by: dns error\\nhint: y",
            "The package index cannot be reached; is there a network? The last word was: Caused by: dns error",
        ),
        ("error: the lock file is old\\n", "The installation failed: error: the lock file is old"),
    ],
)
def test_an_installation_that_fails_says_why_and_the_next_one_begins_afresh(
    output: str, sentence: str, tmp_path: Path
) -> None:
    path = a_tree(tmp_path)
    variables = an_installer(tmp_path, f"printf '{output}'; exit 1")

    first = run(path, "demo", **variables)
    run(path, "demo", **variables)

    assert first.returncode == 1
    assert first.stderr.splitlines()[-1] == sentence
    assert [call.split()[:2] for call in calls(tmp_path)] == [["sync", "--locked"], ["venv", "--clear"]]


def test_what_is_installed_is_kept_until_a_locked_file_changes(tmp_path: Path) -> None:
    path = a_tree(tmp_path)
    a_bot(tmp_path, "import sys; print(*sys.argv[1:]); sys.exit(7)")
    variables = an_installer(tmp_path, "exit 0")

    first = run(path, "send", "a fox", "--json", **variables)
    again = run(path, "demo", **variables)
    (tmp_path / "uv.lock").write_text("changed")
    changed = run(path, "demo", **variables)

    assert (first.returncode, first.stdout) == (7, "send a fox --json\n")
    assert (again.returncode, again.stdout, again.stderr) == (7, "demo\n", "")
    assert changed.stderr.startswith("Installing")
    assert len(calls(tmp_path)) == 2


def test_two_starts_at_once_install_once(tmp_path: Path) -> None:
    path = a_tree(tmp_path)
    a_bot(tmp_path, "print('here')")
    os.mkfifo(tmp_path / "gate")
    variables = an_installer(tmp_path, f"read line < {tmp_path}/gate")

    starts = [
        subprocess.Popen([sys.executable, path, "demo"], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [start.stderr.readline() for start in starts if start.stderr]
    with (tmp_path / "gate").open("w") as gate:
        gate.write("\n")
    ended = [start.communicate() for start in starts]

    assert sorted(line.split()[0] for line in told) == [b"Another", b"Installing"]
    assert [output for output, _ in ended] == [b"here\n", b"here\n"]
    assert len(calls(tmp_path)) == 1
    assert (tmp_path / ".venv.lock").read_text() == ""


def test_signals_and_the_exit_code_are_the_commands(tmp_path: Path) -> None:
    path = a_tree(tmp_path)
    a_bot(tmp_path, "import os; print(os.getpid(), flush=True); os.kill(os.getpid(), 15)")
    run(path, "demo", **an_installer(tmp_path, "exit 0"))

    with subprocess.Popen(
        [sys.executable, path, "run"], env={"PYTHONPATH": str(tmp_path)}, stdout=subprocess.PIPE
    ) as start:
        output, _ = start.communicate()

    assert int(output) == start.pid
    assert start.returncode == -15

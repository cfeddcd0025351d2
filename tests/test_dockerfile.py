"""The container image, without a container engine: the rules of its file, and its steps run by hand.

The steps that build the program are taken from the Dockerfile itself and run by a user without rights, in a folder
instead of a root; then the program must work from code that nobody can write to, writing below /data only.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TREE = Path(__file__).resolve().parents[1]
VENV = "/opt/seedream-bot"
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    word: str
    rest: str


def stages() -> list[list[Instruction]]:
    text = re.sub(r"^#.*\n", "", (TREE / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    instructions = [
        Instruction(word=line.split(maxsplit=1)[0], rest=line.split(maxsplit=1)[1])
        for line in re.sub(r"\\\n\s*", "", text).splitlines()
        if line.strip()
    ]
    starts = [index for index, instruction in enumerate(instructions) if instruction.word == "FROM"]
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def rests(stage: list[Instruction], word: str) -> list[str]:
    return [instruction.rest for instruction in stage if instruction.word == word]


def variables(stage: list[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in rests(stage, "ENV") for pair in shlex.split(rest))


# --- rules ------------------------------------------------------------------------------------------------------------


def test_there_is_a_stage_that_builds_and_one_that_runs() -> None:
    build, final = stages()

    assert rests(build, "FROM")[0].endswith(" AS build")
    assert f"--from=build {VENV} {VENV}" in rests(final, "COPY")
    assert not [command for command in rests(final, "RUN") if re.search(r"\b(pip|uv|apt-get)\b", command)]


def test_every_base_is_a_slim_python_of_a_named_version() -> None:
    bases = {rest.split()[0] for stage in stages() for rest in rests(stage, "FROM")}

    assert all(re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base) for base in bases)
    assert len(bases) == 1


def test_nothing_is_fetched_but_by_the_locked_installer() -> None:
    commands = [command for stage in stages() for command in rests(stage, "RUN")]

    assert not [stage for stage in stages() if rests(stage, "ADD")]
    assert not [command for command in commands if re.search(r"curl|wget|https?:", command)]
    assert all("--locked" in command for command in commands if command.startswith("uv sync"))
    assert all(re.search(r" uv==[\d.]+$", command) for command in commands if command.startswith("pip"))


def test_it_runs_as_a_user_without_rights_and_stops_on_sigterm() -> None:
    final = stages()[-1]

    assert rests(final, "USER") == ["10001:10001"]
    assert rests(final, "STOPSIGNAL") == ["SIGTERM"]
    assert rests(final, "ENTRYPOINT") == ['["seedream-bot"]']  # no shell in between that would keep the signal
    assert rests(final, "CMD") == ['["run"]']


def test_it_says_whether_it_is_well_in_the_bots_own_words() -> None:
    (healthcheck,) = rests(stages()[-1], "HEALTHCHECK")

    assert healthcheck.endswith('CMD ["seedream-bot", "healthcheck"]')


def test_everything_that_is_written_is_written_below_data() -> None:
    final = stages()[-1]

    assert rests(final, "VOLUME") == rests(final, "WORKDIR") == ["/data"]
    assert variables(final)["BOT_DATA_DIR"] == variables(final)["TMPDIR"] == "/data"
    assert variables(final)["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables(stages()[0])["UV_COMPILE_BYTECODE"] == "1"


def test_no_secret_is_in_the_image() -> None:
    names = [name for stage in stages() for name in variables(stage)] + [
        rest for stage in stages() for rest in rests(stage, "ARG")
    ]
    ignored = (TREE / ".dockerignore").read_text(encoding="utf-8").split("\n")

    assert not [name for name in names if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name)]
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == {
        source for rest in rests(stages()[0], "COPY") for source in rest.split()[:-1]
    }


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that stands for the root of the image; pytest's own are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def python_for_everybody() -> str:
    """A Python that a user without rights can reach, too: some live in a closed home."""
    for folder in os.environ["PATH"].split(os.pathsep):
        path = Path(folder, "python3").resolve()
        open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())
        version = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
        if path.exists() and open_to_all and not subprocess.run([path, "-c", version], check=False).returncode:
            return str(path)
    pytest.skip("there is no Python here that another user can run")


def unprivileged(command: str | list[str], root: Path, cwd: str, environment: Mapping[str, str]) -> str:
    """The output of a command of the image, with its paths moved below `root`, run as nobody where that is possible."""
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    installers = re.compile(r"(https?|no)_proxy|PIP_|SSL_|UV_", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if installers.match(name)}
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=root / cwd,
        env={**kept, **environment, "HOME": str(root / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **user,
    )
    if done.returncode and re.search(r"Retrying|dns error|Failed to fetch", done.stdout):
        pytest.skip("there is no network to build the image from")
    assert done.returncode == 0, done.stdout
    return done.stdout


def moved(values: Mapping[str, str], root: Path, path: str) -> dict[str, str]:
    """The variables of a stage, for an image that begins at `root`."""
    return {
        name: re.sub(r"(?<![\w./])/(?=opt|data)", f"{root}/", value).replace("$PATH", path)
        for name, value in {"PATH": "$PATH", **values}.items()
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_steps_make_a_program_that_runs_from_read_only_code(root: Path) -> None:
    build, final = stages()
    for name in ("build", "data", "home", "opt"):
        (root / name).mkdir()
        (root / name).chmod(0o777)
    python = python_for_everybody()
    unprivileged([python, "-m", "venv", str(root / "opt/tools")], root, "build", {})
    environment = moved(variables(build), root, f"{root}/opt/tools/bin:/usr/bin:/bin")
    for instruction in build:
        match instruction.word:
            case "RUN":
                unprivileged(instruction.rest, root, "build", environment)
            case "COPY":
                *sources, target = instruction.rest.split()
                for source in sources:
                    copy(TREE / source, root / "build" / target / ("" if len(sources) == 1 else source))
    shutil.rmtree(root / "build")
    (root / "build").mkdir()
    for path in (root / "opt").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    before = sorted((root / "opt").rglob("*"))

    command = [f"{root}{VENV}/bin/seedream-bot", "--version"]
    output = unprivileged(command, root, "data", moved(variables(final), root, "/usr/bin:/bin"))

    assert re.search(r"\d+\.\d+", output)
    assert sorted((root / "opt").rglob("*")) == before
    assert next((root / "opt").rglob("bot/__pycache__/*.pyc"))


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)

"""What is installed is what is locked, and a wheel holds all that the program reads.

After a change of the dependencies:

    uv lock
    uv export --format requirements.txt --no-emit-project --no-header --no-annotate --no-default-groups \\
        --output-file requirements.txt
    uv export --format requirements.txt --no-emit-project --no-header --no-annotate --no-default-groups \\
        --group test --output-file requirements-test.txt
"""

import re
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

TREE = Path(__file__).resolve().parents[1]
NAME = "seedream-bot"


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((TREE / name).read_text(encoding="utf-8"))


def locked(*groups: str) -> dict[tuple[str, str], set[str]]:
    """(name, version) -> hashes of everything that the project and these groups pull in, walked through uv.lock."""
    packages = {package["name"]: package for package in toml("uv.lock")["package"]}
    project = packages[NAME]
    open_ones = [*project["dependencies"], *(need for group in groups for need in project["dev-dependencies"][group])]
    found: dict[tuple[str, str], set[str]] = {}
    while open_ones:
        need = open_ones.pop()
        package = packages[need["name"]]
        extras = [package["optional-dependencies"][extra] for extra in need.get("extra", ())]
        key = package["name"], package["version"]
        if key not in found or extras:
            open_ones += [*package.get("dependencies", ()), *(item for extra in extras for item in extra)]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        found[key] = {file["hash"] for file in files}
    return found


def exported(name: str) -> dict[tuple[str, str], set[str]]:
    text = (TREE / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return {
        (match["name"], match["version"]): set(re.findall(r"--hash=(\S+)", match["rest"]))
        for match in re.finditer(r"^(?P<name>[a-z0-9-]+)(\[.*?\])?==(?P<version>\S+)(?P<rest>.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize(("name", "groups"), [("requirements.txt", ()), ("requirements-test.txt", ("test",))])
def test_the_lists_for_pip_are_what_uv_locked(name: str, groups: tuple[str, ...]) -> None:
    assert exported(name) == locked(*groups)
    assert all(exported(name).values())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_the_lists_for_pip_hold_requirements_only(name: str) -> None:
    lines = (TREE / name).read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not re.match(r"[a-z0-9]|    --hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_lock_file_knows_the_project_as_it_is() -> None:
    project = toml("pyproject.toml")["project"]
    package = next(package for package in toml("uv.lock")["package"] if package["name"] == NAME)
    names = {re.split(r"[\[>=]", need)[0] for need in project["dependencies"]}

    assert package["version"] == project["version"]
    assert {need["name"] for need in package["dependencies"]} == names


def test_the_test_extra_is_the_test_group() -> None:
    pyproject = toml("pyproject.toml")

    assert pyproject["project"]["optional-dependencies"]["test"] == pyproject["dependency-groups"]["test"]


def test_a_wheel_holds_every_file_of_both_packages(tmp_path: Path) -> None:
    def files() -> Iterator[str]:
        for package in ("bot", "adapters"):
            for path in (TREE / package).rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path.relative_to(TREE).as_posix()

    (wheel,) = WheelBuilder(str(TREE)).build(directory=str(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert packed == set(files())
    assert {"bot/py.typed", "adapters/py.typed"} <= packed

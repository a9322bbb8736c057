"""The repository root is the package: what keeps that layout honest, checked on the disk and on the built wheel."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import syntagma

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("grammar", "automata", "engine", "integrations")
LEFT_OUT = ("build", "dist", "*.egg-info", "__pycache__", ".*", "*.nbi", "*.nbc")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Read the project file."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def folders_below(folder: Path) -> Iterator[Path]:
    """Every folder that belongs to the project, generated and hidden ones left out."""
    for child in sorted(folder.iterdir()):
        generated = child.name.startswith(".") or child.name in {"build", "dist", "__pycache__"}
        if child.is_dir() and not generated and child.suffix != ".egg-info":
            yield child
            yield from folders_below(child)


def package_folders() -> list[str]:
    """Dotted name of every folder of the project that holds an ``__init__.py``."""
    inner = [f for f in folders_below(ROOT) if (f / "__init__.py").exists()]
    return ["syntagma", *("syntagma." + ".".join(f.relative_to(ROOT).parts) for f in inner)]


def test_the_package_list_is_what_lies_on_the_disk(project: dict[str, Any]) -> None:
    """Every folder with an ``__init__.py`` is shipped, and nothing else: tests and bench are no packages."""
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(package_folders())


def test_no_folder_of_the_package_lacks_its_init() -> None:
    """A folder of modules without an ``__init__.py`` would work in a checkout and be missing in the wheel."""
    for floor in FLOORS:
        for folder in (ROOT / floor, *folders_below(ROOT / floor)):
            if any(folder.glob("*.py")):
                assert (folder / "__init__.py").exists(), folder


def test_the_root_holds_three_modules() -> None:
    """Any other module at the root would be shipped as ``syntagma.<its name>``."""
    assert sorted(p.name for p in ROOT.glob("*.py")) == ["__init__.py", "__main__.py", "cli.py"]


def test_types_are_shipped(project: dict[str, Any]) -> None:
    """PEP 561: without the marker in the wheel, a user's type checker ignores our types."""
    assert (ROOT / "py.typed").exists()
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["syntagma"]


def test_the_licence_is_the_one_that_is_declared(project: dict[str, Any]) -> None:
    """The declared licence's text lies at the root."""
    assert project["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_version_is_one(project: dict[str, Any]) -> None:
    """The package and its metadata name the same version, and the changelog knows it."""
    assert syntagma.__version__ == project["project"]["version"]
    assert f"## {syntagma.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def absolute_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Top name and line of every absolute import in a file."""
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def python_files(*folders: str) -> list[Path]:
    """All modules below the given folders of the root."""
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def test_nobody_imports_a_floor_by_its_folder() -> None:
    """``import grammar`` succeeds in the checkout's root by accident and fails everywhere else."""
    files = [*ROOT.glob("*.py"), *python_files(*FLOORS, "tests", "bench")]
    found = [(str(p.relative_to(ROOT)), *imported) for p in files for imported in absolute_imports(p)]
    wrong = [place for place in found if place[1] in FLOORS]
    assert wrong == []


def test_the_package_imports_itself_relatively() -> None:
    """Inside the package an absolute ``import syntagma`` would hide which floor is meant."""
    files = [*ROOT.glob("*.py"), *python_files(*FLOORS)]
    wrong = [
        (str(p.relative_to(ROOT)), line) for p in files for name, line in absolute_imports(p) if name == "syntagma"
    ]
    assert wrong == []


def canonical(name: str) -> str:
    """Name of a distribution in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> dict[str, str]:
    """Read the lock: normalised name to version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+)", pin) for pin in pins]
    wrong = [pin for pin, pair in zip(pins, pairs, strict=True) if pair is None]
    assert wrong == [], "only exact pins, without local versions"
    found = {canonical(pair[1]): pair[2] for pair in pairs if pair is not None}
    assert len(found) == len(pins), "a name is pinned twice"
    return found


def test_the_lock_pins_everything_that_is_asked_for(project: dict[str, Any]) -> None:
    """Each dependency of the package, of its extras and of the Makefile has an exact version in the lock."""
    meta = project["project"]
    asked = [*meta["dependencies"], *(line for extra in meta["optional-dependencies"].values() for line in extra)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    data_packages = re.search(r"^DATA_PACKAGES := (.+)$", makefile, re.MULTILINE)
    assert data_packages is not None
    names = {canonical(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in (*asked, *data_packages[1].split())}
    assert names - {"syntagma"} - lock().keys() == set()


@pytest.fixture(scope="module")
def source_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project, so that building leaves no ``build`` folder behind in the checkout."""
    copy = tmp_path_factory.mktemp("source") / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return copy


@pytest.fixture(scope="module")
def wheel(source_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a user's pip would, with the locked setuptools instead of a downloaded one."""
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    subprocess.run(command, cwd=source_copy, check=True, stdin=subprocess.DEVNULL)
    (built,) = out.glob("syntagma-*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Each module of the package is in the wheel under ``syntagma/``; no test, benchmark or stray file is."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = {name for name in names if re.match(r"syntagma-[^/]+\.dist-info/", name)}
    modules = {p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.py"), *python_files(*FLOORS)]}
    assert names - info == {f"syntagma/{name}" for name in (modules | shipped_data())}
    assert any(name.endswith("/licenses/LICENSE") for name in info)
    assert any(name.endswith("/entry_points.txt") for name in info)


def shipped_data() -> set[str]:
    """Files of the package that are no modules, as the project file names them."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    found = set()
    for package, patterns in data.items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for pattern in patterns:
            files = list(folder.glob(pattern))
            assert files, f"{package}: nothing matches {pattern}"
            found |= {p.relative_to(ROOT).as_posix() for p in files}
    return found


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, the package imports from there and not from the checkout."""
    shutil.unpack_archive(wheel, tmp_path / "site", format="zip")
    code = "import json, syntagma; print(json.dumps([syntagma.__file__, syntagma.__version__]))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert json.loads(result.stdout) == [str(tmp_path / "site" / "syntagma" / "__init__.py"), syntagma.__version__]


def test_the_source_distribution_can_be_worked_with(source_copy: Path, tmp_path: Path) -> None:
    """The source distribution holds what the wheel leaves out: tests, benchmarks with their data, the lock."""
    code = "import sys, setuptools.build_meta as backend; backend.build_sdist(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, cwd=source_copy, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (built,) = tmp_path.glob("syntagma-*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "Makefile", "constraints.txt", "CHANGELOG.md", "tests/conftest.py"}
    demo = {p.relative_to(ROOT).as_posix() for p in (ROOT / "bench" / "demo").rglob("*") if p.is_file()}
    assert demo
    assert (wanted | {d for d in demo if "__pycache__" not in d}) - names == set()

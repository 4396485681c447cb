"""What the code names and imports is what pyproject.toml declares."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("cache_tools", "student", "pipeline")
FOR_DEVELOPERS = ("benchmarks", "tests")


def plain(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Names of the distributions that an installation with these extras asks for; `dask[distributed]` is two."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {plain(name) for line in lines for name in re.findall(r"[\w.-]+", re.match(r"[\w.-]+(\[\w+\])?", line)[0])}


def imported(*folders: str) -> set[str]:
    """Distributions whose modules are imported by the files in `folders`; those of none are our own or Python's."""
    modules = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    of_module = packages_distributions()
    foreign = modules - set(sys.stdlib_module_names) - {*PACKAGES, *FOR_DEVELOPERS}
    return {plain(of_module[module][0]) for module in foreign if module in of_module}


def test_every_import_is_declared() -> None:
    assert imported(*PACKAGES) <= declared()
    assert imported(*FOR_DEVELOPERS) <= declared("dev")


def test_every_extra_that_is_named_exists() -> None:
    files = [
        path for folder in (*PACKAGES, "docs") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")
    ]
    text = "".join(path.read_text() for path in [*files, ROOT / "README.md"])
    named = set(re.findall(r"kdcache\[(\w+)\]", text))
    assert named
    assert named <= PROJECT["optional-dependencies"].keys()


def test_every_dependency_has_its_version_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {plain(line.partition("==")[0]) for line in lines if "==" in line}
    assert declared("dev", "cloud") <= pinned

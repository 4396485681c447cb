"""What the code names and imports is what pyproject.toml declares, room by room."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from pipeline.extras import EXTRA_OF, EXTRA_OF_COMMAND

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("cache_tools", "student", "pipeline")
FOR_DEVELOPERS = ("benchmarks", "tests")
#: peers of a benchmark that pin an older numpy, and a name that many distributions share
NOT_IN_AN_EXTRA = {"ffcv", "streaming", "nvidia"}
#: Folder -> the extras that its code may need. A folder that is not named has those of the folder above.
EXTRAS = {
    "cache_tools": [],
    "cache_tools/store": ["cloud"],
    "student": ["train"],
    "student/export": ["export"],
    "pipeline": ["train"],
    "pipeline/building": ["cluster"],
    "pipeline/costs": ["export"],
    "pipeline/demo": [],
    "pipeline/fidelity": ["report"],
    "pipeline/hka": ["report"],
    "pipeline/report": ["report"],
    "pipeline/teachers": ["vitpose", "export"],
    "pipeline/web": ["export"],
    "pipeline/workflow": ["workflow"],
}
#: Commands that `pip install kdcache` without extras is enough for.
BASE_COMMANDS = ("info", "verify", "merge", "download", "demo-data", "doctor")


def plain(name: str) -> str:
    """Return a distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Return the distributions that these extras ask for, with those of every installation.

    `dask[distributed]` is two of them; `kdcache[train]` is those of another extra.
    """
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    names: set[str] = set()
    for line in lines:
        name, *parts = re.findall(r"[\w.-]+", re.split(r"[<>=!~; ]", line)[0])
        names |= declared(*parts) if name == PROJECT["name"] else {plain(part) for part in (name, *parts)}
    return names


def imported(path: Path) -> set[str]:
    """Return the modules of other projects that a file imports, anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules - set(sys.stdlib_module_names) - {*PACKAGES, *FOR_DEVELOPERS}


@cache
def installed() -> Mapping[str, list[str]]:
    """Return the distributions of each module that is installed."""
    return packages_distributions()


def distributions(modules: set[str]) -> set[str]:
    """Return the distributions that these modules are in; a module that is in none is a file of a test."""
    of_module = installed()
    return {plain(of_module[module][0]) for module in modules if module in of_module}


def extras_of(path: Path) -> list[str]:
    """Return the extras that a file's code may need."""
    for folder in path.relative_to(ROOT).parents:
        if str(folder) in EXTRAS:
            return EXTRAS[str(folder)]
    raise AssertionError(f"{path} is in no package")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_declared_in_an_extra_of_its_room(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert distributions(imported(path)) <= declared(*extras_of(path)), path


def test_tests_and_benchmarks_need_only_what_developers_install() -> None:
    files = [path for folder in FOR_DEVELOPERS for path in (ROOT / folder).rglob("*.py")]
    peers = [path for path in files if path.parent.name == "peer_formats"]
    others = set().union(*(imported(path) for path in files if path not in peers))
    assert distributions(others) <= declared("dev")
    assert distributions(set().union(*map(imported, peers)) - NOT_IN_AN_EXTRA) <= declared("dev", "bench")


def test_a_missing_module_is_named_with_the_extra_that_declares_it() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    optional = {module for path in files for module in imported(path) if not distributions({module}) <= declared()}
    assert optional <= EXTRA_OF.keys()
    for module, extra in EXTRA_OF.items():
        lines = [line for line in PROJECT["optional-dependencies"][extra] if not line.startswith(PROJECT["name"])]
        named = {plain(name) for line in lines for name in re.findall(r"[\w.-]+", line)}
        assert distributions({module}) <= named, module


def without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where no module of an extra can be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA_OF)!r})); "
    return subprocess.run([sys.executable, "-c", block + code], cwd=ROOT, text=True, capture_output=True, check=False)


def kdcache(*arguments: str) -> str:
    """Return code that runs the command line with these arguments."""
    return f"sys.argv[1:] = {list(arguments)!r}; from pipeline.cli import main; main()"


def test_cache_tools_is_imported_without_extras() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "cache_tools").rglob("*.py")]
    names = [module.removesuffix(".__init__") for module in modules]
    ended = without_extras(f"import importlib; [importlib.import_module(name) for name in {names!r}]")
    assert ended.returncode == 0, ended.stderr


def test_a_store_is_read_without_extras(tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "tests/samples/version_0_1.zip") as archive:
        archive.extractall(tmp_path)
    store = tmp_path / "version_0_1/store.zarr"
    ended = without_extras(
        f"from cache_tools import open_store; store = open_store({str(store)!r}); "
        "print(store.read([1, 8]).shape, len(store.read_crops([1, 8])))"
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "(2, 17, 32, 24) 2\n"
    ended = without_extras(kdcache("verify", str(store)))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"{store} is whole\n")


@pytest.mark.parametrize("command", BASE_COMMANDS)
def test_some_commands_need_no_extra(command: str) -> None:
    ended = without_extras(kdcache(command, "--help"))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["zoo"], "train"),
        (["run", "--configfile", "config/demo.yaml", "--", "--config", "out=x"], "workflow"),
        (["demo", "--small"], "workflow"),
        (["plan", "--configfile", "config/demo.yaml"], "train"),
        (["report", "table", "--rows", "[]", "--out", "x"], "report"),
    ],
)
def test_a_command_without_its_extra_says_what_to_install_in_one_line(arguments: list[str], extra: str) -> None:
    ended = without_extras(kdcache(*arguments))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.endswith(f": pip install 'kdcache[{extra}]'\n")


def test_a_defect_is_not_taken_for_a_missing_extra() -> None:
    code = "import pipeline.commands.info as info; info.command.callback = lambda **_: __import__('no_such_module'); "
    ended = without_extras(code + kdcache("info", "store"))
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


def test_every_extra_that_is_named_exists() -> None:
    files = [
        path for folder in (*PACKAGES, "docs") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")
    ]
    text = "".join(path.read_text() for path in [*files, ROOT / "README.md"])
    named = set(re.findall(r"kdcache\[(\w+)\]", text))
    assert named
    assert named <= PROJECT["optional-dependencies"].keys()


def test_the_documentation_lists_every_extra_with_its_commands() -> None:
    lines = (ROOT / "docs/how-to/install.md").read_text().splitlines()
    rows = {cells[1].strip(" `"): cells[3] for line in lines if len(cells := line.split("|")) == 5}
    assert rows.keys() - {"extra", "---", "none"} == PROJECT["optional-dependencies"].keys() - {"dev", "docs"}
    assert all(f"`{name}`" in rows["none"] or f"kdcache {name}`" in rows["none"] for name in BASE_COMMANDS)
    for command, extra in EXTRA_OF_COMMAND.items():
        assert f"kdcache {command}`" in rows[extra] or f"`{command}`" in rows[extra], command


def test_every_dependency_has_its_version_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {plain(line.partition("==")[0]) for line in lines if "==" in line}
    assert declared("dev", "docs") <= pinned

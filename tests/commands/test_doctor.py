"""`kdcache doctor`: what is installed, what is missing, and the check of a GPU in a process of its own."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline import gpu_check, installation
from pipeline.commands import doctor
from pipeline.extras import EXTRA_OF

ROOT = Path(__file__).parents[2]


def test_it_prints_versions_the_machine_and_the_folder_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy
    import torch

    monkeypatch.setenv("KDCACHE_TEST_DATA", "/no/such/folder")
    result = CliRunner().invoke(doctor.command)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    for module, found in (("numpy", numpy.__version__), ("torch", torch.__version__.partition("+")[0])):
        assert any(line.split()[:1] == [module] and found in line for line in lines), module
    assert any(line.startswith("data of the tests: /no/such/folder, not found; KDCACHE_TEST_DATA") for line in lines)
    assert any("train.compile: auto" in line for line in lines)


def test_as_json_it_names_every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(doctor.command, ["--json"])
    facts = json.loads(result.output)
    modules = {package["module"]: package["extra"] for package in facts["packages"]}
    assert {module: modules[module] for module in EXTRA_OF} == EXTRA_OF
    assert modules["zarr"] == ""
    assert facts["machine"]["cores"] >= 1


def test_a_missing_package_is_named_with_its_extra() -> None:
    found = [
        {"module": "torch", "version": None, "extra": "train"},
        {"module": "timm", "version": None, "extra": "train"},
        {"module": "zarr", "version": "3.1.0", "extra": ""},
    ]
    facts: dict[str, Any] = {
        "kdcache": "1", "Python": "3.12", "machine": {}, "packages": found, "missing for --gpu": ["torch"],
        "test data": {"folder": "x", "found": True},
    }  # fmt: skip
    lines = doctor.text(facts).splitlines()
    assert "missing: torch, timm: pip install 'kdcache[train]'" in lines
    assert "--gpu cannot run: torch missing" in lines
    assert any("torch is not installed" in line for line in lines)


def test_without_torch_it_still_prints() -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'torchvision', 'timm'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "absent = ('torch', 'torchvision', 'timm')\n"
        "util.find_spec = lambda name, *more: None if name in absent else found(name, *more)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "sys.argv = ['kdcache', 'doctor']\n"
        "from pipeline.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "torch is not installed" in ended.stdout
    assert "missing: timm, torch, torchvision: pip install 'kdcache[train]'" in ended.stdout


@pytest.mark.parametrize("arguments", [["--out", "x"], ["--gpu", "--json"]])
def test_options_that_have_no_effect_are_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(doctor.command, arguments).exit_code == 2


def test_missing_packages_are_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu_check, "missing_for_gpu_check", lambda: ["timm", "zarr"])
    monkeypatch.setattr(gpu_check, "_run", lambda *_: pytest.fail("something was run"))
    with pytest.raises(ModuleNotFoundError, match="timm, zarr"):
        gpu_check.check_gpu(tmp_path)


def test_outside_a_checkout_it_says_where_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu_check, "CHECKOUT", tmp_path)
    with pytest.raises(FileNotFoundError, match="make gpu"):
        gpu_check.check_gpu(tmp_path)


def test_files_with_tests_of_a_gpu_are_found() -> None:
    files = gpu_check.gpu_tests()
    assert "tests/student/training/test_loop.py" in files
    assert "tests/student/heatmaps/test_replay.py" in files
    assert "tests/cache_tools/test_geometry.py" not in files


def test_a_warning_of_another_torch_fails_no_test(tmp_path: Path) -> None:
    """Here warnings are errors; the packages of an image are others."""
    warns = tmp_path / "test_warns.py"
    warns.write_text("import warnings\ndef test_it(): warnings.warn('a prototype')\n")
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), str(warns)]
    assert gpu_check._run(command, 60) == 1
    assert gpu_check._run([*command, *gpu_check.WARNINGS], 60) == 0


def test_a_run_that_hangs_is_ended() -> None:
    assert gpu_check._run(["-c", "import time; time.sleep(60)"], 0.5) is None
    assert gpu_check._run(["-c", "raise SystemExit(5)"], 60) == 5


def test_what_the_check_needs_is_what_its_files_import() -> None:
    """Beside modules of this project and of Python, at the head of the tests of a GPU and of the benchmark."""
    files = [*gpu_check.gpu_tests(), "tests/conftest.py", gpu_check.BENCHMARK]
    paths = [*(ROOT / file for file in files), *(ROOT / "benchmarks" / "on_device").glob("*.py")]
    imported = {module for path in paths for module in imports_of(path)}
    others = (
        imported - sys.stdlib_module_names - {"cache_tools", "student", "pipeline", "tests", "on_device", "measured"}
    )
    assert {"torch", "hypothesis", "transformers", "tabulate"} <= others
    assert others <= {*installation.BASE, *installation.GPU_CHECK}
    assert installation.missing_for_gpu_check() == []


def imports_of(path: Path) -> set[str]:
    """Return the names before the first dot of the modules that a file imports at its head."""
    body = ast.parse(path.read_text()).body
    modules = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in body if isinstance(node, ast.ImportFrom) and node.module is not None]
    return {module.partition(".")[0] for module in modules}

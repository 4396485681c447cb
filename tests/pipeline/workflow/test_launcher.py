"""The packaged workflow, run in any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.workflow import find_configuration
from tests.samples.small_build import small_job
from tests.samples.small_workflow import small_config, write

ROOT = Path(__file__).parents[3]


def kdcache(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `kdcache` in a folder. variables: more ones of the environment."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-P", "-m", "pipeline.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path} | variables,
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_file_comes_before_the_configuration_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = find_configuration("demo.yaml")
    assert packaged.samefile(ROOT / "config/demo.yaml")
    (tmp_path / "demo.yaml").write_text("out: here")
    assert find_configuration("demo.yaml") == Path("demo.yaml")


def test_an_unknown_configuration_is_named_with_those_that_exist(tmp_path: Path) -> None:
    ended = kdcache(tmp_path, "run", "--configfile", "paperr.yaml")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "demo-small.yaml, demo.yaml" in ended.stderr
    assert "paper.yaml" in ended.stderr


def test_a_mistake_in_a_configuration_is_named_before_snakemake_starts(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("out: x\nstudnets: []\n")
    ended = kdcache(tmp_path, "run", "--configfile", "mine.yaml")
    assert ended.returncode == 2
    assert "studnets: there is no such key" in ended.stderr
    assert "Snakemake" not in ended.stderr


def test_run_makes_a_target_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").write_text("raise RuntimeError('not the package')")
    (tmp_path / "student.py").write_text("raise RuntimeError('not the package')")
    target = "results/demo-small/settings/resnet10-w16.json"
    ended = kdcache(tmp_path, "run", "--configfile", "demo-small.yaml", "--cores", "1", "--", target)
    assert ended.returncode == 0, ended.stderr
    (student,) = yaml.safe_load((tmp_path / target).read_text())
    assert (student["name"], student["distill"]["mode"]) == ("resnet10-w16", "cached")


def test_jobs_run_the_kdcache_of_this_installation(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    split = {"images": "photos", "annotations": "photos/persons.json"}
    config = small_config(data={"root": str(tmp_path), "train": split, "val": split})
    write(tmp_path / "c.yaml", config)
    receipt = "results of it/receipts/check/train.json"
    ended = kdcache(tmp_path, "run", "--configfile", "c.yaml", "--", receipt, PATH=os.defpath)
    assert ended.returncode == 0, ended.stderr
    assert job.annotations.name in (tmp_path / receipt).read_text()


def test_arguments_after_two_dashes_go_to_snakemake_and_its_exit_code_comes_back(tmp_path: Path) -> None:
    ended = kdcache(tmp_path, "run", "--configfile", "demo-small.yaml", "--", "--dry-run", "--config", "out=elsewhere")
    assert ended.returncode == 0, ended.stderr
    assert "elsewhere/report/table.md" in ended.stdout + ended.stderr
    assert not (tmp_path / "results").exists()
    ended = kdcache(tmp_path, "run", "--configfile", "demo-small.yaml", "--", "no-such-target")
    assert ended.returncode == 1
    assert "no-such-target" in ended.stderr

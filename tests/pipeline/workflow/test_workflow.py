"""The whole workflow in small: planned, run, run again for nothing, run in part after a change, killed and resumed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.building.build import build
from tests.samples.small_build import BENCHMARKS, SHARD_ROWS, content, small_job

ROOT = Path(__file__).parents[3]
STUDENT = {"backbone": "timm:resnet10t", "backbone_options": {"stem_width": 8, "channels": [8, 8, 16, 16]}}
JOBS = {
    "demo_data": 1, "build": 1, "train": 2, "evaluate_student": 2, "evaluate_teacher": 1, "cost_student": 2,
    "cost_teacher": 1, "table": 1, "chart": 1, "heatmaps": 1, "predictions": 1, "hka": 1, "all": 1,
}  # fmt: skip


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake in a process group of its own."""
    command = ["snakemake", "--cores", "2", "--configfile", str(config), "--directory", str(config.parent), *arguments]
    path, modules = (
        f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")],
    )
    environment = os.environ | {"PATH": path, "PYTHONPATH": ":".join(filter(None, modules))}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def snakemake(config: Path, *arguments: str) -> str:
    """What snakemake says, its return code checked."""
    process = start(config, *arguments)
    said, _ = process.communicate(timeout=580)
    assert process.returncode == 0, said
    return said


def planned(output: str) -> dict[str, int]:
    """Jobs a rule, from snakemake's table of job stats."""
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE) if rule != "total"}


def named(output: str) -> set[str]:
    """The jobs of a dry run, each as its rule and its wildcard."""
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)
    wildcards = [re.search(r"wildcards: \w+=(\S+)", text) for _, text in blocks]
    return {f"{rule} {found[1]}" if found else rule for (rule, _), found in zip(blocks, wildcards, strict=True)}


def commands(output: str, command: str) -> list[str]:
    """The shell commands of a dry run that begin with `command`."""
    return re.findall(rf"^Shell command: ({command} .*)$", output, re.MULTILINE)


def small_config(**changes: Any) -> dict[str, Any]:
    """The demo's configuration for two tiny students without controls; the names of its folders hold spaces."""
    text = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    text["out"], text["data"]["root"] = "results of it", "rendered people"
    text["data"]["rendered"] = {"persons": 24, "val_persons": 12, "seed": 3}
    text["defaults"]["train"].update(epochs=1, batch_size=8)
    text["students"] = [{"name": name, "control": False, "model": STUDENT} for name in ("one", "two")]
    text["report"] = {"persons": 2, "benchmark_seconds": 0.1, "benchmark_batch_size": 4, "hka_rendered": 2}
    return text | changes


def write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(("name", "trainings", "evaluations"), [("paper", 14, 18), ("demo", 6, 7)])
def test_students_and_controls_are_trained_and_all_are_evaluated(
    tmp_path: Path, name: str, trainings: int, evaluations: int
) -> None:
    jobs = planned(snakemake(ROOT / f"config/{name}.yaml", "--dry-run", "--directory", str(tmp_path)))
    assert jobs["train"] == trainings
    assert jobs["evaluate_student"] + jobs["evaluate_teacher"] == evaluations


def test_settings_become_options(tmp_path: Path) -> None:
    teachers = [{"name": n, "reference": f"student:{n}"} for n in ("a", "b")]
    teachers[1]["expect_ap"] = 70
    students = [
        {"name": "seen", "control": False, "train": {"evaluate_epochs": 1}, "distill": {"mode": "none"}},
        {"name": "asks", "control": False, "distill": {"mode": "live"}},
    ]
    changes = {"teachers": teachers, "students": students, "store": {"teachers": ["a", "b"], "unlabelled": True}}
    config = write(tmp_path / "c.yaml", small_config(**changes))
    said = snakemake(config, "--dry-run")
    built = sorted(commands(said, "kdcache build"))
    assert [("--expect-ap 70" in line, "--unlabelled" in line) for line in built] == [(False, True), (True, True)]
    trained = {line.partition('"name": "')[2][:4]: line for line in commands(said, "kdcache train")}
    assert all("train 'results of it/stores/a.zarr' 'results of it/stores/b.zarr'" in line for line in trained.values())
    assert ("--val-images" in trained["seen"], "--teacher" in trained["seen"]) == (True, False)
    assert ("--val-images" in trained["asks"], "--teacher student:a" in trained["asks"]) == (False, True)

    config = write(tmp_path / "c.yaml", small_config(**changes, one_stream=True))
    (together,) = commands(snakemake(config, "--dry-run"), "kdcache train")
    assert all(part in together for part in ('"seen"', '"asks"', "--val-images", "--teacher student:a"))


def test_a_panel_waits_for_the_runs_that_it_shows_alone(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", small_config(report={"students": ["one"], "predictions_student": "one"}))
    panels = [f"results of it/report/{name}" for name in ("heatmaps.png", "predictions.png", "hka.md")]
    jobs = named(snakemake(config, "--dry-run", *panels))
    assert {job for job in jobs if job.startswith("train")} == {"train one"}


def test_a_killed_workflow_goes_on_to_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    job = small_job(tmp_path)
    build(replace(job, store=str(tmp_path / "whole.zarr")))
    split = {"images": "photos", "annotations": "photos/persons.json"}
    config = small_config(
        data={"root": str(tmp_path), "train": split, "val": split},
        teachers=[{"name": "oracle", "reference": job.teacher}],
        store={"shard_rows": SHARD_ROWS, "batch_size": job.batch_size},
    )
    path, receipt = write(tmp_path / "c.yaml", config), "results of it/receipts/stores/oracle.json"
    store = tmp_path / "results of it/stores/oracle.zarr"
    monkeypatch.setenv("ORACLE_SECONDS_A_CROP", "0.05")
    process = start(path, receipt)
    while not list(store.glob("ledger/*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (store / "receipt.json").exists()
    monkeypatch.delenv("ORACLE_SECONDS_A_CROP")
    snakemake(path, "--unlock")
    snakemake(path, receipt)
    assert content(str(store)) == content(str(tmp_path / "whole.zarr"))


@pytest.mark.slow
@pytest.mark.timeout(900)  # some twenty processes, which may have to share their cores
def test_the_workflow_from_photos_to_report(tmp_path: Path) -> None:
    config = write(tmp_path / "small.yaml", small_config())
    assert planned(snakemake(config, "--dry-run")) == JOBS
    snakemake(config)
    out = tmp_path / "results of it"
    for name in ("table.md", "table.csv", "table.tex", "bubble.svg", "bubble.png", "bubble.html", "heatmaps.png",
                 "predictions.png", "hka.json", "hka.png", "hka.md"):  # fmt: skip
        assert (out / "report" / name).stat().st_size > 100, name
    teacher = json.loads((out / "metrics/teachers/teacher.json").read_text())
    assert teacher["AP"] > 0.5
    assert "one" in (out / "report/table.md").read_text()
    assert all(name in (out / "report/hka.md").read_text() for name in ("demo", "one", "two"))
    assert "Nothing to be done" in snakemake(config)

    snakemake(config, "--report", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    captions = (
        "was run once|Accuracy and cost|hollow mark|photo, ground truth|Keypoints that two found|one, two with the"
    )
    for caption in captions.split("|"):
        assert caption in page, caption

    text = small_config()
    text["students"].append({"name": "other", "control": False, "model": STUDENT})
    jobs = named(snakemake(write(config, text), "--dry-run"))
    everything = {"table", "chart", "heatmaps", "hka", "all"}
    assert jobs == {"train other", "evaluate_student other", "cost_student other", "predictions", *everything}

    text = small_config()
    text["students"][0]["train"] = {"lr": 1e-3}
    jobs = named(snakemake(write(config, text), "--dry-run"))
    assert jobs == {"train one", "evaluate_student one", "cost_student one", *everything}


def test_the_profile_for_slurm_leaves_to_the_plugin_what_is_its_own() -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["cores"] >= profile["jobs"]  # `threads: workflow.cores` needs a number where no host gives one
    forbidden = re.compile(r"--(gpus|gres|mem|time|ntasks|cpus-per-task|nodes|partition|account|output)\b")
    assert not [line for line in profile["set-resources"] if forbidden.search(line)]
    rules = re.findall(r"^ *rule (\w+):\n(.*?)\n\n\n", (ROOT / "Snakefile").read_text() + "\n\n\n", re.M | re.S)
    threads = {line.partition("=")[0] for line in profile["set-threads"]}
    assert threads <= {rule for rule, _ in rules}
    assert {rule for rule, text in rules if "threads: workflow.cores" in text or "gpu=" in text} <= threads

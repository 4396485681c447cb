"""The whole workflow on few persons: planned, run, run again, changed in part, killed and resumed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cache_tools.store.build_lock import build_lock
from pipeline.building.build import build
from tests.samples.small_build import SHARD_ROWS, content, slow, small_job
from tests.samples.small_workflow import STUDENT, commands, named, planned, small_config, snakemake, start, write

ROOT = Path(__file__).parents[3]
JOBS = {
    "demo_data": 1, "check": 2, "build": 1, "settings": 2, "train": 2, "evaluate": 3, "cost": 3, "rows": 1, "table": 1,
    "chart": 1, "heatmaps": 1, "predictions": 1, "hka": 1, "all": 1,
}  # fmt: skip


def demo(config: Path, out: str, programs: Path) -> str:
    """Return the output of `kdcache demo` with this configuration, run in its folder; the return code is checked.

    programs: folder of the jobs' `kdcache`, in place of that of the installation.
    """
    code = (
        "import sys, sysconfig; from pathlib import Path; from pipeline.commands.demo import run_demo; "
        "sysconfig.get_path = lambda name: sys.argv[3]; "
        "sys.exit(run_demo(Path(sys.argv[1]), '2', Path(sys.argv[2]), seeds=1))"
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", code, str(config), out, str(programs)], cwd=config.parent,
        env=os.environ | {"PYTHONPATH": path}, text=True, stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    assert ended.returncode == 0
    return ended.stdout


def wait_for_lock(store: Path) -> None:
    """Wait until the process that was killed has ended: its locks are its own until then."""
    for _ in range(600):
        with suppress(BlockingIOError), build_lock(str(store)):
            return
        time.sleep(0.1)
    pytest.fail(f"the lock of {store} is still taken")


@pytest.mark.parametrize(("name", "trainings", "evaluations"), [("paper", 14, 18), ("demo", 6, 7)])
def test_students_and_controls_are_trained_and_all_are_evaluated(
    tmp_path: Path, programs: Path, name: str, trainings: int, evaluations: int
) -> None:
    jobs = planned(
        snakemake(ROOT / f"config/{name}.yaml", "--directory", str(tmp_path), "--dry-run", programs=programs)
    )
    assert jobs["train"] == trainings
    assert jobs["evaluate"] == evaluations


def test_one_job_trains_all_runs_of_one_stream(tmp_path: Path, programs: Path) -> None:
    config = write(tmp_path / "c.yaml", small_config(one_stream=True))
    output = snakemake(config, "--dry-run", programs=programs)
    assert {job for job in named(output) if job.startswith(("settings", "train"))} == {"settings one_stream", "train"}
    (together,) = commands(output, "kdcache train")
    assert "--students 'results of it/settings/one_stream.json'" in together


def test_a_panel_waits_only_for_the_runs_that_it_shows(tmp_path: Path, programs: Path) -> None:
    config = write(tmp_path / "c.yaml", small_config(report={"students": ["one"], "predictions_student": "one"}))
    panels = [f"results of it/report/{name}" for name in ("heatmaps.png", "predictions.png", "hka.md")]
    jobs = named(snakemake(config, *panels, "--dry-run", programs=programs))
    assert {job for job in jobs if job.startswith("train")} == {"train one"}


def test_a_mistake_in_validation_data_stops_the_workflow_before_anything_is_built(
    tmp_path: Path, programs: Path
) -> None:
    job = small_job(tmp_path)
    document = json.loads(job.annotations.read_text())
    document["images"][1]["id"] = document["images"][0]["id"]
    (tmp_path / "val.json").write_text(json.dumps(document))
    train, val = ({"images": "photos", "annotations": file} for file in ("photos/persons.json", "val.json"))
    teachers = [{"name": "oracle", "reference": job.teacher}]
    data = {"root": str(tmp_path), "train": train, "val": val}
    config = write(tmp_path / "c.yaml", small_config(data=data, teachers=teachers))
    process = start(config, programs=programs)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 1
    assert f"error: {tmp_path}/val.json: two photos have the id 1000" in output
    results = tmp_path / "results of it"
    assert not (results / "stores").exists()
    assert not (results / "runs").exists()
    assert {path.name for path in (results / "receipts").rglob("*.json")} <= {"train.json"}

    shutil.copy(job.annotations, tmp_path / "val.json")
    store = "results of it/receipts/stores/oracle.json"
    snakemake(config, store, programs=programs)
    (tmp_path / "val.json").write_text(json.dumps(document | {"images": document["images"][:1]}))
    # other labels of validation are no reason to make a store again
    assert named(snakemake(config, store, "--dry-run", programs=programs)) <= {"check val"}
    job.annotations.write_text(job.annotations.read_text() + "\n")
    assert {"check train", "build oracle"} <= named(snakemake(config, store, "--dry-run", programs=programs))


def test_data_without_legs_are_planned_without_angles(tmp_path: Path, programs: Path) -> None:
    text = small_config()
    text["data"]["skeleton"] = "hand21"
    output = snakemake(write(tmp_path / "c.yaml", text), "--dry-run", programs=programs)
    assert "hka" not in planned(output)
    for command, count in (("build", 1), ("train", 2), ("evaluate", 3), ("report heatmaps", 1)):
        stated = [line for line in commands(output, f"kdcache {command}") if "--skeleton hand21" in line]
        assert len(stated) == count, command


def test_every_job_that_is_given_a_skeleton_s_file_depends_on_it_but_for_checks_and_stores(
    tmp_path: Path, programs: Path
) -> None:
    legs = tmp_path / "legs.yaml"
    legs.write_text("keypoints: [left_hip, left_knee, left_ankle, right_hip, right_knee, right_ankle]")
    text = small_config()
    text["data"]["skeleton"] = str(legs)
    output = snakemake(write(tmp_path / "c.yaml", text), "--dry-run", programs=programs)
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)
    waiting = {rule for rule, block in jobs if str(legs) in block.partition("output:")[0]}
    assert waiting == {"demo_data", "train", "evaluate", "heatmaps", "predictions", "hka"}


def test_a_killed_workflow_goes_on_to_the_same_store(tmp_path: Path, programs: Path) -> None:
    job = small_job(tmp_path)
    build(replace(job, store=str(tmp_path / "whole.zarr")))
    split = {"images": "photos", "annotations": "photos/persons.json"}
    config = small_config(
        data={"root": str(tmp_path), "train": split, "val": split},
        teachers=[{"name": "oracle", "reference": slow(job, 0.05).teacher}],
        store={"shard_rows": SHARD_ROWS, "batch_size": job.batch_size},
    )
    path, receipt = write(tmp_path / "c.yaml", config), "results of it/receipts/stores/oracle.json"
    store = tmp_path / "results of it/stores/oracle.zarr"
    process = start(path, receipt)
    while not list(store.glob("ledger/*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for_lock(store)
    assert not (store / "receipt.json").exists()
    config["teachers"][0]["reference"] = job.teacher
    write(path, config)
    snakemake(path, "--unlock", programs=programs)
    snakemake(path, receipt, programs=programs)
    assert content(str(store)) == content(str(tmp_path / "whole.zarr"))


@pytest.mark.slow
@pytest.mark.timeout(900)  # some twenty processes, which may have to share their cores
def test_the_workflow_from_photos_to_report(tmp_path: Path, programs: Path) -> None:
    config = write(tmp_path / "small.yaml", small_config())
    assert planned(snakemake(config, "--dry-run", programs=programs)) == JOBS
    elsewhere = write(tmp_path / "demo.yaml", small_config(out="elsewhere"))
    output = demo(elsewhere, "results of it", programs)
    out = tmp_path / "results of it"
    assert output.rstrip().endswith("angles  results of it/report/hka.png, hka.md")
    assert (out / "report/table.md").read_text() in output
    assert (out / "report.html").exists()
    assert not (tmp_path / "elsewhere").exists()
    for name in ("table.md", "table.csv", "table.tex", "bubble.svg", "bubble.png", "bubble.html", "heatmaps.png",
                 "predictions.png", "hka.json", "hka.png", "hka.md"):  # fmt: skip
        assert (out / "report" / name).stat().st_size > 100, name
    teacher = json.loads((out / "metrics/teachers/teacher.json").read_text())
    assert teacher["AP"] > 0.5
    assert "one" in (out / "report/table.md").read_text()
    assert all(name in (out / "report/hka.md").read_text() for name in ("demo", "one", "two"))
    assert "Nothing to be done" in snakemake(config, programs=programs)

    snakemake(config, "--report", str(tmp_path / "report.html"), programs=programs)
    page = (tmp_path / "report.html").read_text()
    captions = (
        "was run once|Accuracy and cost|hollow mark|photo, ground truth|student two found|one, two with two references"
    )
    for caption in captions.split("|"):
        assert caption in page, caption

    text = small_config()
    text["students"].append({"name": "other", "control": False, "model": STUDENT})
    jobs = named(snakemake(write(config, text), "--dry-run", programs=programs))
    everything = {"table", "chart", "heatmaps", "hka", "all"}
    changed = {"settings other", "train other", "evaluate students/other", "cost students/other"}
    assert jobs == {*changed, "rows", "predictions", *everything}

    text = small_config()
    text["students"][0]["train"] = {"lr": 1e-3}
    jobs = named(snakemake(write(config, text), "--dry-run", programs=programs))
    assert jobs == {"settings one", "train one", "evaluate students/one", "cost students/one", *everything}


def test_the_profile_for_slurm_sets_what_the_plugin_does_not() -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["cores"] >= profile["jobs"]  # `threads: workflow.cores` needs a number where no host gives one
    forbidden = re.compile(r"--(gpus|gres|mem|time|ntasks|cpus-per-task|nodes|partition|account|output)\b")
    assert not [line for line in profile["set-resources"] if forbidden.search(line)]
    text = "".join(path.read_text() for path in sorted((ROOT / "pipeline/workflow/rules").glob("*.smk")))
    parts = re.split(r"^ *rule (\w+):$", text, flags=re.M)
    rules = dict(zip(parts[1::2], parts[2::2], strict=True))
    threads = {line.partition("=")[0] for line in profile["set-threads"]}
    assert threads <= rules.keys()
    assert {rule for rule, text in rules.items() if "threads: workflow.cores" in text or "gpu=" in text} <= threads

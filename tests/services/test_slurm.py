"""The profile for SLURM on a real queue: jobs are submitted, ended in every way that a queue ends them, and go on."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pipeline.building.build import build
from tests.samples.command_line import run
from tests.samples.slurm_cluster import Slurm, slurm_cluster
from tests.samples.small_build import ROWS, content, small_job

ROOT = Path(__file__).parents[2]
SHARD_ROWS = 4
#: shards that a build makes before its teacher waits
SHARDS = 2
TEACHER = """
import os
import time
from pathlib import Path

from pipeline.teachers.oracle import OracleTeacher

PARENT = os.getppid()


class Waiting(OracleTeacher):
    calls = 0

    def __call__(self, crops):
        self.calls += 1  # the first one is the probe
        while self.calls > 1 + {shards} and not Path("go").exists():
            time.sleep(0.05)
            # proctrack/linuxproc does not find a process whose parent has ended; proctrack/cgroup would end it
            if os.getppid() != PARENT:
                os._exit(1)
        return super().__call__(crops)


def make(device):
    return Waiting("oracle")
"""
#: seconds: Snakemake asks the queue ever more seldom, SLURM looks at time limits every 30
PATIENCE = 280.0


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Run a cluster for the tests of this file."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the package snakemake-executor-plugin-slurm")
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


class Workflow:
    """Snakemake with the shipped profile, in a process whose output a test can read while it runs."""

    def __init__(self, slurm: Slurm, config: Path, *arguments: str) -> None:
        """Start it in the folder of its configuration."""
        self.output, self.folder = config.with_suffix(".log"), config.parent
        command = [
            "snakemake", *arguments, "--configfile", str(config), "--directory", str(config.parent),
            "--workflow-profile", str(ROOT / "profiles/slurm"),
        ]  # fmt: skip
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=slurm.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait; fail where the workflow ends before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end, self.text()
            time.sleep(0.1)

    def text(self) -> str:
        """Return the output of the workflow and of its jobs."""
        logs = sorted(self.folder.glob(".snakemake/slurm_logs/**/*.log"))
        return "\n".join(path.read_text(errors="replace") for path in (self.output, *logs))


@pytest.mark.timeout(900)
def test_stores_are_finished_by_jobs_that_are_requeued_cancelled_and_run_out_of_time(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One build is requeued, then cancelled; beside it, another one reaches its time limit."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waiting_teacher.py").write_text(TEACHER.format(shards=SHARDS))
    (tmp_path / "go").touch()
    job = replace(small_job(tmp_path), shard_rows=SHARD_ROWS, teacher="waiting_teacher:make")
    build(replace(job, store="whole.zarr"))
    (tmp_path / "go").unlink()

    split = {"images": "photos", "annotations": "photos/persons.json"}
    names = ("cancelled", "late")
    config = {
        "out": "results",
        "data": {"root": str(tmp_path), "train": split, "val": split},
        "teachers": [{"name": name, "reference": job.teacher} for name in names],
        "store": {"teachers": list(names), "shard_rows": SHARD_ROWS, "batch_size": SHARD_ROWS},
        "students": [{"name": "student", "control": False}],
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config))
    for name in ("train", "val"):
        receipt = f"results/receipts/check/{name}.json"
        run("check", job.annotations, "--images", job.images, "--receipt", receipt)
    stores = {name: tmp_path / f"results/stores/{name}.zarr" for name in names}
    receipts = [f"results/receipts/stores/{name}.json" for name in names]
    workflow = Workflow(slurm, path, *receipts, "--slurm-init-seconds-before-status-checks", "2")

    def job_that_waits(name: str, shards: int) -> str:
        """Wait until a build has made so many shards; return the id of the job."""
        workflow.wait_until(lambda: len(list(stores[name].glob("ledger/*.json"))) == shards)
        (running,) = slurm.jobs(f"rule_build_wildcards_{name}", "running")
        return running

    try:
        late = job_that_waits("late", SHARDS)
        slurm.run("scontrol", "update", f"JobId={late}", "EndTime=now")
        requeued = job_that_waits("cancelled", SHARDS)
        shown = slurm.run("scontrol", "show", "job", requeued)
        assert "gres:gpu:1" in shown
        assert "NumCPUs=16" in shown
        slurm.run("scontrol", "requeue", requeued)
        # SLURM would start it after two minutes
        workflow.wait_until(lambda: slurm.jobs("rule_build_wildcards_cancelled", "pending"))
        slurm.run("scontrol", "update", f"JobId={requeued}", "StartTime=now")
        assert job_that_waits("cancelled", 2 * SHARDS) == requeued
        assert "Restarts=1" in slurm.run("scontrol", "show", "job", requeued)
        slurm.run("scancel", requeued)
        job_that_waits("late", 2 * SHARDS)
        (tmp_path / "go").touch()
        assert workflow.process.wait(timeout=PATIENCE) == 0, workflow.text()
    finally:
        workflow.process.kill()
        workflow.process.wait()
    text = workflow.text()
    assert f"'{requeued}' failed, SLURM status is: 'CANCELLED'" in text
    assert f"'{late}' failed, SLURM status is: 'TIMEOUT'" in text
    for store in stores.values():
        assert content(str(store)) == content("whole.zarr")
    assert len(list(stores["late"].glob("ledger/*.json"))) == ROWS // SHARD_ROWS

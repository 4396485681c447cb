"""What makes a finished job run again: settings and files of its result, and nothing that only changes its speed."""

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.samples.constant_onnx import constant_network, peaks
from tests.samples.small_build import small_job
from tests.samples.small_workflow import STUDENT, named, small_config, snakemake, write

#: in place of `kdcache`: makes the files that Snakemake expects of a command, empty
PROGRAM = f"""#!{sys.executable} -IS
import sys
from pathlib import Path

words = sys.argv[1:]
option = "--receipt" if "--receipt" in words else "--out"
made = Path(words[words.index(option) + 1])
if words[0] == "train":
    made = made / Path(words[words.index("--students") + 1]).name
names = {{"table": ("md", "csv", "tex"), "bubble": ("svg", "png", "html"), "hka": ("json", "md", "png", "svg")}}
stem = {{"report table": "table", "report chart": "bubble"}}.get(" ".join(words[:2]))
files = [made / f"{{stem}}.{{end}}" for end in names[stem]] if stem else [made]
if words[0] == "hka":
    files = [made.with_suffix("." + end) for end in names["hka"]]
for file in files:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
"""
#: Snakemake is started a dozen times
pytestmark = pytest.mark.timeout(900)
EVERYTHING = {"table", "chart", "heatmaps", "predictions", "hka", "all"}


class Finished(NamedTuple):
    """A workflow whose outputs are all there."""

    folder: Path
    config: dict[str, Any]
    #: folder of a `snakemake` that starts at once
    programs: Path

    def planned(self, **changes: Any) -> set[str]:
        """Return the jobs that Snakemake would run with changes of the configuration."""
        changed = write(self.folder / "changed.yaml", self.config | changes)
        return named(snakemake(changed, "--dry-run", programs=self.programs))

    def planned_after(self, file: str) -> set[str]:
        """Return the jobs that Snakemake would run if a file had other bytes."""
        path = self.folder / file
        content, times = path.read_bytes(), path.stat()
        path.write_bytes(content + b" ")
        later = time.time() + 2
        os.utime(path, (later, later))
        try:
            return self.planned()
        finally:
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Finished:
    """Run a workflow by a program that only makes files: an ONNX teacher with its weights beside it, and another."""
    folder = tmp_path_factory.mktemp("finished")
    small_job(folder)
    constant_network(folder / "net.onnx", {"heatmaps": peaks()}, external="net.data")
    (folder / "mine.py").touch()
    (folder / "start.safetensors").touch()
    (folder / "photos/boxes.json").write_text("[]")
    split = {"images": "photos", "annotations": "photos/persons.json"}
    config = small_config(
        data={"root": str(folder), "train": split, "val": split},
        teachers=[
            {"name": "net", "reference": f"onnx:{folder}/net.onnx?frame=udp"},
            {"name": "mine", "reference": "mine:make"},
        ],
        evaluate={"boxes": "photos/boxes.json"},
    )
    config["students"][1]["model"] = {**STUDENT, "weights": str(folder / "start.safetensors")}
    (folder / "bin").mkdir()
    (folder / "bin/kdcache").write_text(PROGRAM)
    (folder / "bin/kdcache").chmod(0o755)
    snakemake(write(folder / "c.yaml", config), programs=folder / "bin")
    return Finished(folder, config, programs)


def test_what_changes_only_the_speed_runs_nothing_again(finished: Finished) -> None:
    assert finished.planned() == set()
    train = finished.config["defaults"]["train"] | {
        "workers": 3, "log_steps": 7, "checkpoint_minutes": 1, "compile": False,
    }  # fmt: skip
    changes = {
        "store": finished.config.get("store", {}) | {"batch_size": 7, "workers": 3},
        "evaluate": finished.config["evaluate"] | {"batch_size": 9},
        "defaults": finished.config["defaults"] | {"train": train},
    }
    assert finished.planned(**changes) == set()
    costs = {f"cost {network}" for network in ("teachers/net", "teachers/mine", "students/one", "students/two")}
    # a speed is that of a device
    assert finished.planned(device="auto", **changes) == {*costs, "table", "chart", "all"}


def test_what_changes_a_result_runs_it_again(finished: Finished) -> None:
    store = finished.planned(store=finished.config.get("store", {}) | {"codec": "exact8"})
    assert {"build net", "train one", "train two", "evaluate students/one"} | EVERYTHING <= store
    train = finished.config["defaults"]["train"] | {"lr": 1e-3}
    rate = finished.planned(defaults=finished.config["defaults"] | {"train": train})
    assert {"settings one", "settings two", "train one", "train two"} | EVERYTHING <= rate
    assert not [job for job in rate if job.startswith(("check", "build", "evaluate teachers"))]


def test_files_that_a_reference_names_run_what_reads_them_again(finished: Finished) -> None:
    """An ONNX file, the weights beside it, a Python teacher, initial weights and a detector's boxes."""
    for file in ("net.onnx", "net.data"):
        jobs = finished.planned_after(file)
        assert {"build net", "evaluate teachers/net", "cost teachers/net", "train one"} | EVERYTHING <= jobs
        assert not [job for job in jobs if job.startswith("check") or "mine" in job]
    assert finished.planned_after("mine.py") == {
        "evaluate teachers/mine", "cost teachers/mine", "table", "chart", "all",
    }  # fmt: skip
    jobs = finished.planned_after("start.safetensors")
    assert {"train two", "evaluate students/two", "predictions"} <= jobs
    assert not [job for job in jobs if job.startswith(("check", "build")) or "one" in job]
    jobs = finished.planned_after("photos/boxes.json")
    assert {"check val", "evaluate teachers/net", "evaluate students/one", "table"} <= jobs
    assert not [job for job in jobs if job.startswith(("build", "train", "cost"))]

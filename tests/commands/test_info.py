"""`kdcache info`: what it prints of finished and unfinished stores, and what it does without."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.annotations import read_annotation_file
from cache_tools.skeletons import COCO
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.commands.info import command
from tests.samples.coco_document import coco_document, write_document
from tests.samples.small_build import ROWS, small_job

HEAVY = {"torch", "onnxruntime", "pycocotools", "dask", "distributed", "matplotlib", "transformers", "timm"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the url of a finished store."""
    job = replace(small_job(tmp_path_factory.mktemp("info")), flip=True)
    build(job)
    return job.store


def info(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_finished_store(store: str) -> None:
    facts = {line[:15].strip(): line[16:] for line in info(store).splitlines()}
    document = json.loads(info(store, "--json"))
    assert (document["finished"], document["pending"], document["rows"]) == (True, [], ROWS)
    assert facts["state"] == "finished"
    assert facts["rows"] == f"{ROWS} persons in 3 shards of 16"
    assert facts["teacher"] == "gaussian-oracle, flip averaged; licence: CC0-1.0"
    assert facts["teacher AP"] == "not measured"
    assert facts["frame"].startswith("udp, crops 256x192, heatmaps 64x48, sigma 2 cells")
    assert facts["codec"] == "compact"
    assert facts["codec error"].startswith(f"RMSE at peaks {document['error']['rmse_at_peaks']:.4f}, max ")
    assert facts["total"] == f"{sum(document['bytes'].values()) / 1e6:,.1f} MB"
    assert facts["digest"] == document["digest"]
    assert facts["keypoints"].startswith("17 of coco: nose, left_eye, ")
    assert facts["teacher knows"] == "all of them"
    assert (document["skeleton"], document["keypoints"]) == ("coco", list(COCO.names))
    assert document["unknown_keypoints"] == []


def test_an_unfinished_store(store: str) -> None:
    HeatmapStore.open(store, mode="r+").forget(1)
    assert "2 of 3 shards; `kdcache build` again resumes" in info(store)
    document = json.loads(info(store, "--json"))
    assert not document["finished"]
    assert document["pending"] == [1]


def test_keypoints_that_a_teacher_does_not_know_or_calls_otherwise(tmp_path: Path) -> None:
    document = coco_document(names=["ankle_l", "knee_l", "pelvis"], category=7)
    file = read_annotation_file(write_document(tmp_path, document))
    teacher = TeacherSpec("tiny", "0", joints=("left_ankle", "knee_l", None))
    spec = make_spec(
        file.instances(), teacher, skeleton=file.skeleton, source="legs.json, sha256 0", categories=(7,),
        frame=FrameSpec("udp"), codec="compact",
    )  # fmt: skip
    url = str(tmp_path / "legs.zarr")
    HeatmapStore.create(url, spec, file.instances())
    text = info(url)
    assert "keypoints       3 of person: ankle_l, knee_l, pelvis" in text
    assert "teacher knows   2 of 3 keypoints, not pelvis; ankle_l=left_ankle" in text
    assert "annotations     legs.json, sha256 0, category 7" in text
    facts = json.loads(info(url, "--json"))
    assert (facts["skeleton"], facts["unknown_keypoints"]) == ("person", ["pelvis"])


def test_it_imports_no_framework_and_takes_less_than_a_second(store: str) -> None:
    code = (
        "import sys, time; from pipeline.cli import kdcache; "
        f"kdcache(['info', {store!r}], standalone_mode=False); "
        "print('seconds', time.process_time()); print('loaded', *sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    text, _, after = output.partition("\nseconds ")
    seconds, _, loaded = after.partition("\nloaded ")
    assert "gaussian-oracle" in text
    assert not HEAVY & set(loaded.split())
    assert float(seconds) < 1

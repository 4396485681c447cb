"""Whatever reads a store reads it on S3 as on a disk: trainings, evaluations, and other readers of Zarr."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from tests.samples.command_line import run_command
from tests.samples.drawn_store import quick_settings
from tests.samples.seaweed import BUCKET, Seaweed
from tests.samples.short_run import equal
from tests.samples.small_build import content, small_job


def test_a_training_from_s3_is_one_from_a_disk(
    store: HeatmapStore, s3: Seaweed, s3_url: str, tmp_path: Path, one_thread: None
) -> None:
    s3.put(s3_url, content(store.url))
    settings = tmp_path / "settings.json"
    settings.write_text(quick_settings().model_dump_json())
    runs = {store.url: tmp_path / "disk", s3_url: tmp_path / "s3"}
    for url, run in runs.items():
        done = run_command("train", url, "--out", run, "--settings", settings, "--device", "cpu")
        assert done.code == 0, done.stderr
    assert equal(*runs.values())


def test_an_evaluation_on_s3_is_one_on_a_disk(s3: Seaweed, s3_url: str, tmp_path: Path) -> None:
    job = small_job(tmp_path)
    build(job)
    s3.put(s3_url, content(job.store))
    found = []
    for url in (job.store, s3_url):
        numbers, poses = tmp_path / "metrics.json", tmp_path / "results.json"
        done = run_command(
            "evaluate", "--store", url, "--annotations", job.annotations, "--out", numbers, "--results", poses
        )
        assert done.code == 0, done.stderr
        found.append((json.loads(numbers.read_text()), json.loads(poses.read_text())))
    assert found[0] == found[1]
    assert found[0][1]


@pytest.fixture(scope="module")
def drawn(store: HeatmapStore, s3: Seaweed) -> str:
    """Put the drawn store on the server and return its url."""
    url = f"s3://{BUCKET}/drawn/store.zarr"
    s3.put(url, content(store.url))
    return url


def test_plain_zarr_reads_it(store: HeatmapStore, drawn: str, s3_url: str) -> None:
    def read(url: str, name: str) -> NDArray[Any]:
        return np.asarray(zarr.open_array(f"{url}/{name}", mode="r")[:])

    assert np.array_equal(read(drawn, "heatmaps"), store.read_codes(range(len(store.instances))))
    assert np.array_equal(read(drawn, "instances/annotation_id"), store.instances.annotation_id)
    assert np.array_equal(read(drawn, "crops/index"), read(store.url, "crops/index"))


def test_tensorstore_reads_it(store: HeatmapStore, s3: Seaweed, drawn: str, s3_url: str) -> None:
    tensorstore = pytest.importorskip("tensorstore", reason="needs tensorstore: pip install 'kdcache[dev]'")

    def read(name: str) -> Any:
        kvstore = {
            "driver": "s3",
            "bucket": BUCKET,
            "endpoint": s3.endpoint,
            "aws_region": "us-east-1",
            "aws_credentials": {"type": "environment"},
            "path": f"drawn/store.zarr/{name}/",
        }
        return tensorstore.open({"driver": "zarr3", "kvstore": kvstore}, read=True, open=True).result().read().result()

    rows = range(len(store.instances))
    assert np.array_equal(read("heatmaps"), store.read_codes(rows))
    assert np.array_equal(read("instances/keypoints"), store.instances.keypoints)
    assert np.array_equal(read("instances/crop_to_image"), store.crop_to_image)

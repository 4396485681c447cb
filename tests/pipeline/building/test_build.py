"""`kdcache build` on generated photos with a teacher that draws Gaussians: what is stored, and what survives a kill."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.crops import decode_crop
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, read_image
from cache_tools.store.build_lock import build_lock
from cache_tools.store.reader import StoreReader
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.teachers.load import load_network
from pipeline.teachers.oracle import OracleTeacher
from tests.samples.small_build import ROWS, arguments, content, run_build, slow, small_job, wait_for_shard


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build of three shards."""
    return small_job(tmp_path)


def test_a_store_holds_the_teachers_heatmaps_of_each_crop(job: BuildJob) -> None:
    receipt = build(job)
    store = HeatmapStore.open(job.store)
    assert receipt == store.read_receipt()
    assert receipt["rows"] == ROWS
    teacher = load_network("oracle")
    persons = store.instances
    crops = np.stack(
        [
            cut(read_image(job.images / name), matrix, (256, 192))
            for name, matrix in zip(persons.file_name, crop_to_image(persons.box), strict=True)
        ]
    )
    expected = store.codec.decode(store.codec.encode(teacher(crops)))
    np.testing.assert_array_equal(store.read(range(ROWS)), expected)
    # the stored crop of a row shows the row's own photo, at the place that its matrix says
    for row, data in enumerate(store.read_crops(range(ROWS))):
        photo = read_image(job.images / persons.file_name[row])
        from_photo = cut(photo, store.read_crop_matrices([row])[0], store.read_crop_sizes([row])[0])
        assert np.abs(from_photo.astype(int) - decode_crop(data)).mean() < 4


def test_a_finished_store_is_left_alone(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(job)
    before = {p: p.stat().st_mtime_ns for p in Path(job.store).rglob("*")}
    # a finished store needs neither photos nor teacher
    for photo in job.images.glob("*.jpg"):
        photo.unlink()
    monkeypatch.setattr("pipeline.teachers.oracle.OracleTeacher.__call__", None)
    start = time.process_time()
    assert build(job) == first
    assert time.process_time() - start < 2
    assert {p: p.stat().st_mtime_ns for p in Path(job.store).rglob("*")} == before


def test_exactly_the_missing_shards_are_made(job: BuildJob) -> None:
    build(job)
    whole = content(job.store)
    # killed after the last shard, before the receipt
    (Path(job.store) / "receipt.json").unlink()
    build(job)
    assert content(job.store) == whole
    HeatmapStore.open(job.store, mode="r+").forget(1)
    before = {p: p.stat().st_mtime_ns for p in Path(job.store).rglob("*") if p.is_file()}
    build(job)
    assert content(job.store) == whole
    changed = {p.name for p in before if p.stat().st_mtime_ns != before[p]}
    made_again = [p for p in before if p.stat().st_mtime_ns != before[p] and "heatmaps" in p.parts]
    assert changed
    assert [p.relative_to(job.store).parts[2] for p in made_again] == ["1"]


def test_a_resumed_build_opens_its_store_once(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    build(job)
    HeatmapStore.open(job.store, mode="r+").forget(1)
    opened: list[str] = []
    original = StoreReader.__init__

    def counted(self: StoreReader, *arguments: Any) -> None:
        original(self, *arguments)
        opened.append(self.url)

    monkeypatch.setattr(StoreReader, "__init__", counted)
    build(job)
    assert opened == [job.store]


def test_an_interrupted_creation_is_no_obstacle(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    whole = content(job.store + ".whole")
    for key in [k for k in whole if k.startswith("instances")][:5]:
        path = Path(job.store) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[key][:10])
    build(job)
    assert content(job.store) == whole


def test_another_spec_is_a_mismatch_that_names_each_field(job: BuildJob) -> None:
    build(job)
    whole = content(job.store)
    with pytest.raises(CacheMismatch, match=r"(?s)codec: found .compact., expected .exact8.*teacher.flip"):
        build(replace(job, codec="exact8", flip=True))
    data = json.loads(job.annotations.read_text())
    data["annotations"][5]["keypoints"][0] += 1
    other = job.annotations.with_name("other.json")
    other.write_text(json.dumps(data))
    with pytest.raises(CacheMismatch, match=r"annotations\.digest"):
        build(replace(job, annotations=other))
    assert content(job.store) == whole


def test_missing_and_truncated_photos_are_named(job: BuildJob) -> None:
    missing = job.images / "015.jpg"
    data = missing.read_bytes()
    missing.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 15 photos are not in .*015\.jpg"):
        build(job)
    assert not Path(job.store).exists()
    missing.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"015\.jpg is a damaged JPEG file"):
        build(job)
    assert not HeatmapStore.open(job.store).is_finished()
    missing.write_bytes(data)
    assert build(job)["rows"] == ROWS


def test_a_wrong_heatmap_names_the_annotation(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    persons, victim = read_coco(job.annotations), 21
    crop = cut(read_image(job.images / persons.file_name[victim]), crop_to_image(persons.box)[victim], (256, 192))
    healthy = OracleTeacher.__call__

    def sometimes(self: OracleTeacher, crops: np.ndarray) -> np.ndarray:
        maps = healthy(self, crops)
        maps[(crops == crop).all(axis=(1, 2, 3)), 4, 30, 20] = np.nan
        return maps

    monkeypatch.setattr(OracleTeacher, "__call__", sometimes)
    with pytest.raises(ValueError, match=f"NaN or infinity for annotation {persons.annotation_id[victim]}:"):
        build(job)
    assert 1 in HeatmapStore.open(job.store).pending()


def test_a_codec_that_is_too_coarse_is_refused(job: BuildJob) -> None:
    with pytest.raises(ValueError, match="build elsewhere with --codec exact8"):
        build(job, max_rmse=1e-4)
    assert not HeatmapStore.open(job.store).is_finished()
    build(replace(job, store=job.store + "2", codec="exact8"), max_rmse=0.01)


def test_damage_gets_no_receipt(job: BuildJob) -> None:
    build(job)
    HeatmapStore.open(job.store, mode="r+").forget(2)
    shard = Path(job.store) / "heatmaps/c/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[100] ^= 4
    shard.write_bytes(data)
    with pytest.raises(ValueError, match=r"damaged in 1 places:\n.*shard 0 .*heatmaps/c/0"):
        build(job)
    assert not HeatmapStore.open(job.store).is_finished()


def test_views_are_the_teachers_heatmaps_of_their_crops(job: BuildJob) -> None:
    build(replace(job, views=2, crops=False))
    store = HeatmapStore.open(job.store)
    views = store.read_views(range(ROWS))
    teacher = load_network("oracle")
    assert views.crop_to_image.shape == (ROWS, 2, 2, 3)
    assert 10 < views.flipped.sum() < 2 * ROWS - 10
    np.testing.assert_array_equal(np.linalg.det(views.crop_to_image[..., :2]) < 0, views.flipped)
    for row in (0, 17, ROWS - 1):
        image = read_image(job.images / store.instances.file_name[row])
        crops = np.stack([cut(image, matrix, (256, 192)) for matrix in views.crop_to_image[row]])
        expected = store.codec.decode(store.codec.encode(teacher(crops)))
        np.testing.assert_array_equal(np.asarray(views.maps)[row], expected)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_build_says_how_to_go_on(job: BuildJob, number: signal.Signals, code: int) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(slow(job, 0.05))
    wait_for_shard(job, process)
    process.send_signal(number)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == code, messages
    assert "of 3 shards are done and kept; run the same command again to go on" in messages
    assert not HeatmapStore.open(job.store).is_finished()
    receipt = Path(job.store).with_suffix(".json")
    again = run_build(job, "--receipt", str(receipt))
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert output.startswith(f"{job.store}: {ROWS} persons by gaussian-oracle")
    assert json.loads(receipt.read_text())["rows"] == ROWS
    assert content(job.store) == content(job.store + ".whole")


def test_a_killed_build_resumes_to_the_same_bytes(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(slow(job, 0.02))
    wait_for_shard(job, process)
    # anywhere in the rest of the build
    time.sleep(random.uniform(0, 0.5))
    process.kill()
    process.communicate()
    build(job)
    assert content(job.store) == content(job.store + ".whole")


@pytest.mark.parametrize("at", ["creation", "crops"])
def test_a_full_disk_leaves_a_store_that_resumes(job: BuildJob, at: str) -> None:
    build(replace(job, store=job.store + ".whole"))
    largest = max(len(data) for key, data in content(job.store + ".whole").items() if "packed" in key)
    room = {"creation": 300, "crops": largest - 1000}[at]
    script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room},) * 2)\n"
    script += "from pipeline.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script, *arguments(job)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "make room and run the same command again" in done.stderr
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_the_receipt_does_not_depend_on_the_process_that_measured(job: BuildJob) -> None:
    whole, halves = build(job), replace(job, store=job.store + ".halves")
    build(halves)
    # the next build adds up what the ledger holds
    (Path(halves.store) / "receipt.json").unlink()
    assert build(halves) == whole


def test_of_two_builds_of_one_store_the_second_is_refused(job: BuildJob) -> None:
    with build_lock(job.store):
        second = run_build(job)
        _, messages = second.communicate(timeout=60)
    assert second.returncode == 2, messages
    assert f"is being built by another process ({socket.gethostname()!r}, process {os.getpid()})" in messages
    assert "Traceback" not in messages
    assert build(job)["rows"] == ROWS


def test_a_second_signal_during_the_clean_up_hangs_nothing(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    generator = random.Random(5)
    for attempt in range(4):
        process = run_build(slow(job, 0.05))
        if attempt == 0:
            wait_for_shard(job, process)
        else:
            time.sleep(generator.uniform(1, 5))
        process.send_signal(signal.SIGTERM)
        time.sleep(generator.uniform(0, 0.3))
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=60)
        # before the first shard and after the clean-up there is nothing to clean up
        assert process.returncode in (143, -signal.SIGTERM, 0), messages
        assert "Traceback" not in messages
    build(job)
    assert content(job.store) == content(job.store + ".whole")

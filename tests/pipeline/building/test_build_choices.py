"""Which persons a build takes, in how many parts, and of which teacher it takes them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.store.merge import merge_stores
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob, Expectation
from pipeline.cli import kdcache
from pipeline.commands.info import command as info_command
from pipeline.evaluation.evaluation import evaluate_store
from tests.samples.small_build import ROWS, arguments, small_job


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build of three shards."""
    return small_job(tmp_path)


def test_a_teacher_that_falls_short_is_not_cached(job: BuildJob) -> None:
    with pytest.raises(ValueError, match=r"gaussian-oracle reaches AP \d.*expected 50"):
        build(job, expectation=Expectation(50, 0.2, job.images, job.annotations))
    assert not Path(job.store).exists()
    receipt = build(job, expectation=Expectation(0, 0.2, job.images, job.annotations))
    assert receipt["spec"]["teacher"]["ap"] < 50
    # the measured AP is not compared
    assert build(job) == receipt


def test_a_finished_store_is_held_to_what_is_expected(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    high, low = (Expectation(ap, 0.2, job.images, job.annotations) for ap in (50, 0))
    # it records no AP: the teacher is measured
    receipt = build(job)
    with pytest.raises(ValueError, match=r"reaches AP \d.* on persons.json, expected 50"):
        build(job, expectation=high)
    assert build(job, expectation=low) == receipt
    recorded = replace(job, store=job.store + ".recorded")
    receipt = build(recorded, expectation=low)
    # from here on the teacher must not run
    monkeypatch.setattr("pipeline.teachers.oracle.OracleTeacher.__call__", None)
    assert build(recorded, expectation=low) == receipt
    with pytest.raises(ValueError, match=r"reaches AP \d.* on the labels that it was built with, expected 50"):
        build(recorded, expectation=high)


def unlabel_every_second(job: BuildJob) -> None:
    """Take the labels from half of the persons."""
    data = json.loads(job.annotations.read_text())
    for annotation in data["annotations"][::2]:
        annotation |= {"keypoints": [0] * 51, "num_keypoints": 0}
    job.annotations.write_text(json.dumps(data))


def test_persons_without_labels_on_request(job: BuildJob) -> None:
    unlabel_every_second(job)
    everybody = replace(job, labelled=False)
    receipt = build(everybody)
    assert receipt["rows"] == ROWS
    assert build(everybody) == receipt
    assert verify_store(job.store, job.annotations) == []
    assert evaluate_store(HeatmapStore.open(job.store), job.annotations, device="cpu").metrics.AP is not None
    assert "persons without labels too" in CliRunner().invoke(info_command, [job.store]).output
    with pytest.raises(CacheMismatch, match=f"rows: found {ROWS}, expected {ROWS // 2}"):
        build(job)


@pytest.mark.parametrize("labelled", [True, False])
def test_parts_of_a_build_merge_to_the_whole(job: BuildJob, labelled: bool) -> None:
    unlabel_every_second(job)
    whole = replace(job, store=job.store + ".whole", labelled=labelled)
    receipt = build(whole)
    stores = [f"{job.store}.{i}" for i in (1, 2, 3)]
    for i, store in enumerate(stores, 1):
        options = ["--part", f"{i}/3", *([] if labelled else ["--unlabelled"])]
        done = CliRunner().invoke(kdcache, arguments(replace(job, store=store), *options), catch_exceptions=False)
        assert done.exit_code == 0
        assert verify_store(store, job.annotations) == []
        assert f"part {i} of 3" in CliRunner().invoke(info_command, [store]).output
    assert merge_stores(stores, job.store)["rows"] == receipt["rows"]
    assert verify_store(job.store, job.annotations) == []
    joined, undivided = HeatmapStore.open(job.store), HeatmapStore.open(whole.store)
    rows = np.arange(receipt["rows"])
    assert joined.instances.digest() == undivided.instances.digest()
    assert joined.read_receipt() == undivided.read_receipt()
    assert np.array_equal(joined.read_codes(rows), undivided.read_codes(rows))
    assert joined.read_crops(rows) == undivided.read_crops(rows)
    with pytest.raises(CacheMismatch, match=r"annotations\.digest: found"):
        build(replace(job, store=stores[0], labelled=labelled, part=(2, 3)))


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b", "1/"])
def test_a_part_that_is_none_is_refused(job: BuildJob, part: str) -> None:
    done = CliRunner().invoke(kdcache, arguments(job, "--part", part))
    assert done.exit_code == 2
    assert "expected I/N with I from 1 to N" in done.output

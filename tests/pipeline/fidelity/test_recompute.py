"""`kdcache verify --recompute`: the teacher again on stored rows and views, each where its matrix says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner

from cache_tools.geometry import compose
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.commands.verify import command
from pipeline.fidelity.recompute import recompute_rows
from pipeline.teachers.load import load_network
from tests.samples.small_build import small_job

#: by nine pixels
RIGHT = [[1.0, 0.0, 9.0], [0.0, 1.0, 0.0]]


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build with two views a person; the oracle's maps depend on the pixels of a crop."""
    return replace(small_job(tmp_path), crops=False, views=2)


def test_the_teacher_draws_the_same_again(job: BuildJob) -> None:
    build(job)
    found = recompute_rows(HeatmapStore.open(job.store), load_network(job.teacher), job.images, 5)
    assert (found["rows"], found["views"]["rows"]) == (5, 10)
    for error in (found, found["views"]):
        assert error["rmse_at_peaks"] < 1.5 * found["recorded_rmse_at_peaks"]
    arguments = [job.store, "--recompute", "5", "--teacher", job.teacher, "--images", str(job.images)]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0
    assert "  crops: RMSE at peaks" in done.output
    assert "  views: RMSE at peaks" in done.output
    assert json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)["recomputed"] == found


def test_views_that_are_elsewhere_than_their_matrices_say_are_found(
    job: BuildJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay of them would be wrong in every epoch, and no checksum can tell."""
    add_views = ShardContent.add_views

    def add_elsewhere(content: ShardContent, rows: Any, maps: Any, crop_to_image: Any, flipped: Any) -> None:
        add_views(content, rows, maps, compose(crop_to_image, RIGHT), flipped)

    monkeypatch.setattr(ShardContent, "add_views", add_elsewhere)
    build(job)
    with pytest.raises(ValueError, match="the teacher disagrees with the stored views"):
        recompute_rows(HeatmapStore.open(job.store), load_network(job.teacher), job.images, 5)


def test_another_teacher_and_other_photos_are_found(job: BuildJob) -> None:
    build(job)
    with pytest.raises(CacheMismatch, match=r"found gaussian-oracle, given none"):
        recompute_rows(HeatmapStore.open(job.store), load_network("none"), job.images, 2)
    for path in job.images.glob("*.jpg"):
        photo = cv2.imread(str(path))
        assert photo is not None
        cv2.imwrite(str(path), cv2.bitwise_not(photo))
    with pytest.raises(ValueError, match="the teacher disagrees with the plain crops"):
        recompute_rows(HeatmapStore.open(job.store), load_network(job.teacher), job.images, 2)

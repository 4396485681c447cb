"""Builds from photos that are not read as stored: the same heatmaps and crops, and the store says how."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.images import read_image
from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from cache_tools.photos.orientation import turned_back
from cache_tools.store.spec import CacheMismatch, StoreSpec
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.cli import kdcache
from student.batches.cached_maps import check_same_rows
from student.batches.pixel_source import PixelSource
from tests.samples.photo_files import content
from tests.samples.small_build import arguments, small_job
from tests.samples.small_build import content as files_of


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    return small_job(tmp_path)


def rewritten(job: BuildJob, folder: Path, orientation: int, bits: int) -> Path:
    """Write the job's photos without loss: turned, with the orientation that turns them back, or in 16-bit files."""
    folder.mkdir()
    for photo in job.images.glob("*.jpg"):
        stored = turned_back(read_image(photo), orientation)
        if bits == 8:
            data = content(stored, "PNG", orientation)
        else:
            done, encoded = cv2.imencode(".png", np.round(stored[..., ::-1] * ((2**bits - 1) / 255)).astype(np.uint16))
            assert done
            data = encoded.tobytes()
        # files are known by their content
        (folder / photo.name).write_bytes(data)
    return folder


@pytest.mark.parametrize(("options", "orientation", "bits"), [
    (UPRIGHT, 6, 8), (UPRIGHT, 3, 8), (UPRIGHT, 5, 8), (PhotoOptions(depth=12), 1, 12),
])  # fmt: skip
def test_the_store_is_that_of_the_same_pixels(
    job: BuildJob, tmp_path: Path, options: PhotoOptions, orientation: int, bits: int
) -> None:
    build(job)
    photos = rewritten(job, tmp_path / "other", orientation, bits)
    other = replace(job, store=str(tmp_path / "other.zarr"), images=photos, photo_options=options)
    build(other)
    plain, found = files_of(job.store), files_of(other.store)
    shared = [name for name in plain if name.startswith(("heatmaps", "crops", "instances"))]
    assert len(shared) > 10
    assert [name for name in shared if plain[name] != found[name]] == []
    spec = HeatmapStore.open(other.store).spec
    assert (spec.photos, spec.format_version) == (options.stated(), 2)
    assert StoreSpec.from_json(spec.to_json()) == spec
    with pytest.raises(CacheMismatch, match=r"photos\.\w+: found (true|12), expected (false|null)"):
        build(replace(other, photo_options=NOT_STATED))
    with pytest.raises(CacheMismatch, match=r"photos\.depth: None and"):
        check_same_rows([HeatmapStore.open(job.store), HeatmapStore.open(other.store)])
    # as `kdcache train --images` reads them
    pixels, _ = PixelSource(HeatmapStore.open(other.store), photos).photo(0, 1)
    np.testing.assert_array_equal(pixels, read_image(job.images / HeatmapStore.open(job.store).instances.file_name[0]))


def test_photos_as_stored_leave_no_trace(job: BuildJob) -> None:
    build(job)
    document = HeatmapStore.open(job.store).spec.to_json()
    assert ("photos" in document, document["format_version"]) == (False, 1)
    before = files_of(job.store)
    build(replace(job, photo_options=AS_STORED))
    assert files_of(job.store) == before


def test_a_photo_with_another_checksum_is_refused_before_there_is_a_store(job: BuildJob, tmp_path: Path) -> None:
    sums = tmp_path / "sums.txt"
    sums.write_text("".join(f"{'0' * 32}  {photo.name}\n" for photo in job.images.glob("*.jpg")))
    result = CliRunner().invoke(kdcache, arguments(job, "--checksums", str(sums)))
    assert result.exit_code != 0
    assert "000.jpg has the md5" in str(result.exception) + result.output
    assert not Path(job.store).exists()

"""Pixels from stored crops and from photos: shrunk where they are much denser than the view, refused where missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.geometry import apply, cell_to_crop, crop_to_image
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches.loader import TrainLoader
from student.batches.pixel_source import PixelSource
from student.normalise import IMAGENET_MEAN, IMAGENET_STD
from tests.samples.drawn_store import COLOURS, INPUT, STREAM, draw_photos, write_store

ROWS = 12


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    return write_store(tmp_path_factory.mktemp("stores") / "a.zarr", photos, draw_photos(photos, ROWS))


@pytest.fixture(scope="module")
def bare(store: HeatmapStore, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Write a store without crops."""
    return write_store(tmp_path_factory.mktemp("stores") / "bare.zarr", photos, store.instances, crops=False)


@pytest.mark.parametrize("source", ["threads", "device", "photos"])
def test_pixels_much_denser_than_the_view_are_shrunk_and_stay_in_place(
    store: HeatmapStore, bare: HeatmapStore, photos: Path, source: str
) -> None:
    """At a quarter of the input size photos are decoded at half their size."""
    small = replace(STREAM, input_size=(64, 32), heatmap_size=(16, 8), augment=recipe("none"))
    with TrainLoader(
        [bare if source == "photos" else store],
        small,
        photos=photos if source == "photos" else None,
        cut_on_device=source == "device",
    ) as loader:
        (batch, *_) = loader.batches(0, 1)
    xy = apply(cell_to_crop("udp", (64, 32), (16, 8)), batch.plan.xy_cells)
    pixels = (batch.images.permute(0, 2, 3, 1).numpy() * IMAGENET_STD + IMAGENET_MEAN) * 255
    compared = 0
    for person in range(len(xy)):
        for joint, (x, y) in enumerate(xy[person]):
            if 2 < x < 29 and 2 < y < 61:
                assert np.abs(pixels[person, round(y), round(x)] - COLOURS[joint]).max() < 80
                compared += 1
    assert compared > 50


def test_canvases_are_shrunk_by_the_density(store: HeatmapStore, bare: HeatmapStore, photos: Path) -> None:
    stored, folder = PixelSource(store), PixelSource(bare, photos)
    size = float(np.sqrt(np.linalg.det(store.read_crop_matrices([0])[0][:, :2])))
    crop_size = store.read_crop_sizes([0])[0]
    assert stored.canvas(0, size)[0].shape[:2] == tuple(crop_size)
    for density, shrink in ((1.9, 1), (2.1, 2), (3.9, 2), (4.1, 4), (50.0, 8)):
        for canvas, sides in (
            (stored.canvas(0, size * density)[0], crop_size),
            (folder.canvas(0, density)[0], (300, 240)),
        ):
            assert canvas.shape[:2] == tuple(-(-int(side) // shrink) for side in sides)


def test_several_views_are_cut_as_each_would_be(store: HeatmapStore) -> None:
    rows = np.arange(3)
    plain = crop_to_image(store.instances.box[rows], "udp", INPUT)
    narrow = crop_to_image(store.instances.box[rows], "udp", (64, 48))
    large, small, single = (np.zeros((3, *size, 3), np.uint8) for size in (INPUT, (64, 48), INPUT))
    source = PixelSource(store)
    source.cut(rows, [(plain, large), (narrow, small)])
    source.cut(rows, [(plain, single)])
    np.testing.assert_array_equal(large, single)
    assert small.any()


def test_missing_crops_and_folders_are_refused(bare: HeatmapStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no crops: give the folder of photos"):
        PixelSource(bare)
    with pytest.raises(FileNotFoundError, match="there is no folder of photos at"):
        PixelSource(bare, tmp_path / "missing")

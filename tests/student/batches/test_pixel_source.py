"""Pixels from stored crops and from photos: shrunk where they are much denser than the view, refused where missing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.crops import ENCODING, FIRST_ENCODING, decode_crop
from cache_tools.geometry import apply, cell_to_crop, crop_to_image
from cache_tools.images import cut
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches.kept_pixels import KeptPixels
from student.batches.loader import TrainLoader
from student.batches.pixel_source import PixelSource, pixel_size, seen_regions
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
    rows = np.arange(2)
    size = np.sqrt(np.linalg.det(store.read_crop_matrices(rows)[:, :, :2]))
    for density, shrink in ((1.0, 1), (1.9, 1), (2.1, 2), (3.9, 2), (4.1, 4), (50.0, 8)):
        shrinks = stored.shrinks(rows, size * density)
        assert shrinks.tolist() == folder.shrinks(rows, np.full(2, density)).tolist() == [shrink, shrink]
        sizes = stored.canvas_sizes(rows, shrinks)
        assert np.array_equal(sizes, -(-store.read_crop_sizes(rows) // shrink))
        canvas = np.zeros((*sizes[0], 3), np.uint8)
        stored.decode(0, shrink, canvas)
        whole = np.asarray(decode_crop(store.read_crops([0])[0]), np.float64)
        # the decoder's small picture is the large one's mean
        small = cv2.resize(whole, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_AREA)
        assert np.abs(small - canvas).mean() < 4
        assert folder.photo(0, shrink)[0].shape[:2] == (-(-300 // shrink), -(-240 // shrink))
        # its corners lie where the crop's do
        corner = np.array([[-0.5, -0.5], [canvas.shape[1] - 0.5, canvas.shape[0] - 0.5]])
        far = np.array([[-0.5, -0.5], [whole.shape[1] - 0.5, whole.shape[0] - 0.5]])
        found = apply(stored.canvas_to_image(rows, shrinks)[0], corner)
        assert np.abs(found - apply(store.read_crop_matrices([0])[0], far)).max() < shrink * size[0]


def test_crops_are_decoded_once_where_they_are_kept(store: HeatmapStore) -> None:
    rows = np.arange(3)
    matrices = crop_to_image(store.instances.box[rows], "udp", INPUT)
    kept = KeptPixels(store.read_crop_sizes(rows), 2**30)
    plain, keeping = PixelSource(store), PixelSource(store, kept=kept)
    first, second, expected = (np.zeros((3, *INPUT, 3), np.uint8) for _ in range(3))
    plain.cut(rows, [(matrices, expected)])
    keeping.cut(rows, [(matrices, first)])
    assert kept.kept_bytes == 3 * store.read_crop_sizes(rows).prod(1).sum()
    # from now on the store's files are not read
    keeping.store = HeatmapStore.open(store.url)
    keeping.store.read_crops = None  # type: ignore[assignment]
    keeping.cut(rows, [(matrices, second)])
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, expected)


@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    step=st.floats(0.3, 6),
    degrees=st.floats(-180, 180),
    centre=st.tuples(st.floats(-30, 180), st.floats(-30, 180)),
)
@settings(max_examples=100, deadline=None)
def test_a_view_of_what_it_sees_is_the_view_of_the_whole(
    size: tuple[int, int], step: float, degrees: float, centre: tuple[float, float]
) -> None:
    """Whole canvases are OpenCV's to warp: only its rounding of places differs."""
    canvas = np.random.default_rng(0).integers(0, 256, (*size, 4)).astype(np.uint8)
    canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 2), np.uint8)
    cos, sin = step * np.cos(np.radians(degrees)), step * np.sin(np.radians(degrees))
    matrix = np.array([[cos, -sin, centre[0]], [sin, cos, centre[1]]])
    matrix[:, 2] -= matrix[:, :2] @ (15, 20)
    left, top, right, bottom = seen_regions(matrix[None], (40, 30), np.array([size]))[0].tolist()
    moved = matrix - [[0, 0, left], [0, 0, top]]
    found, expected = cut(canvas[top:bottom, left:right], moved, (40, 30)), cut(canvas, matrix, (40, 30))
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("encoding", [FIRST_ENCODING, ENCODING])
@pytest.mark.parametrize("step", [1.0, 4.5, 9.0])
def test_views_from_parts_of_jpeg_files_are_those_of_kept_pixels(
    photos: Path, tmp_path: Path, encoding: int, step: float
) -> None:
    """Whole crops are kept, and of files with restart markers only parts are decoded: the bits are the same."""
    store = write_store(tmp_path / "a.zarr", photos, draw_photos(photos, ROWS), encoding=encoding)
    rows = np.arange(ROWS)
    matrices = crop_to_image(store.instances.box[rows] * [1, 1, 0.5, 0.5], "udp", INPUT)
    matrices[:, :, :2] *= step
    source = PixelSource(store, kept=KeptPixels(store.read_crop_sizes(rows), 2**30))
    assert step == 1.0 or (source.shrinks(rows, pixel_size(matrices)) > 1).any()
    kept, decoded = (np.zeros((ROWS, *INPUT, 3), np.uint8) for _ in range(2))
    source.cut(rows, [(matrices, kept)])
    PixelSource(store).cut(rows, [(matrices, decoded)])
    np.testing.assert_array_equal(kept, decoded)


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

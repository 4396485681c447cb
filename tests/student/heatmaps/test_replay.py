"""A joint followed from the image through store, augmentation, replay and decoding, back to the image."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import polar

from cache_tools.codec.profiles import get_codec
from cache_tools.geometry import Matrix, apply, cell_to_crop, compose, crop_to_image, invert, padded_box
from cache_tools.skeletons import COCO
from student.batches.augment import view_matrix
from student.heatmaps.decode import dark_decode
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.replay import ReplayMode, replay_maps
from student.heatmaps.targets import render_targets
from student.heatmaps.windows import nearest_rotation
from tests.samples.coco_joints import MIRROR

COCO_MIRROR: tuple[int, ...] = COCO.mirror or ()

SIZE = (64, 48)
# linear interpolation half-way between cells lowers a peak of sigma 1.5; codec's error included
BILINEAR_LOSS = 0.08
# cells; DARK's blur mirrors the map there, and the official decoder itself errs nearer to the border
BLUR_RADIUS = 5.5


class View(NamedTuple):
    """A person's box, the teacher's frame, the student's view, and one joint of each kind in the teacher's map."""

    box: NDArray[np.float64]
    frame: str
    to_image: Matrix
    flipped: bool
    joints: NDArray[np.float64]


class Replayed(NamedTuple):
    """Replayed maps (17, h, w), the joints' true cells in them (17, 2), and the matrices cell -> image."""

    maps: torch.Tensor
    cells: NDArray[np.float64]
    student_to_image: Matrix
    teacher_to_image: Matrix


@st.composite
def views(draw: st.DrawFn) -> View:
    """Draw a view with ViTPose's ranges of zoom, rotation and shift."""
    box = np.array([[draw(st.floats(*limits)) for limits in ((-50, 500), (-50, 500), (20, 600), (20, 600))]])
    centre, size = padded_box(box, (256, 192))
    shift = np.array([[draw(st.floats(-0.15, 0.15)), draw(st.floats(-0.15, 0.15))]])
    zoom, degrees, flipped = draw(st.floats(0.5, 1.5)), draw(st.floats(-80, 80)), draw(st.booleans())
    to_image = view_matrix(centre + shift * size, size * zoom, np.array([degrees]), np.array([flipped]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    joints = rng.uniform(BLUR_RADIUS, [47 - BLUR_RADIUS, 63 - BLUR_RADIUS], (17, 2))
    return View(box, draw(st.sampled_from(["udp", "stride"])), to_image[0], flipped, joints)


def replayed(view: View, mode: ReplayMode, profile: str = "compact") -> Replayed:
    """Store the teacher's map of a view's joints and replay it in the view."""
    teacher_to_image = compose(cell_to_crop(view.frame), crop_to_image(view.box, view.frame)[0])
    student_to_image = compose(cell_to_crop("udp"), view.to_image)
    codec = get_codec(profile)
    exact = render_targets(torch.from_numpy(view.joints[None]), SIZE, 2.0)
    stored = decode_codes(torch.from_numpy(codec.encode(exact.numpy())), DeviceCodec.of(codec))
    student_to_teacher = compose(student_to_image, invert(teacher_to_image))
    matrix, flipped = torch.from_numpy(student_to_teacher)[None], torch.tensor([view.flipped])
    joints = view.joints[MIRROR] if view.flipped else view.joints
    cells = apply(invert(student_to_teacher), joints)
    return Replayed(
        replay_maps(stored, matrix, flipped, SIZE, mode, mirror=COCO_MIRROR)[0],
        cells,
        student_to_image,
        teacher_to_image,
    )


def inside(cells: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """Return whether points (17, 2) lie at least `margin` cells from the border."""
    return np.asarray(((cells >= margin) & (cells <= np.array(SIZE[::-1]) - 1 - margin)).all(-1))


@pytest.mark.parametrize("mode", ["peaks", "warp"])
@settings(max_examples=50)
@given(view=views())
def test_a_joint_comes_back_within_half_a_pixel(mode: ReplayMode, view: View) -> None:
    """Pixels of the image for a person as large as the crop; for others, of the coarser of both crops."""
    maps, cells, student_to_image, teacher_to_image = replayed(view, mode)
    in_view = inside(cells, BLUR_RADIUS)
    assume(in_view.any())
    found, _ = dark_decode(maps[None])
    error = np.linalg.norm(apply(student_to_image, found[0].numpy()) - apply(student_to_image, cells), axis=-1)
    pixel = max(np.sqrt(abs(np.linalg.det(m[:, :2]))) / 4 for m in (student_to_image, teacher_to_image))
    assert error[in_view].max() <= 0.5 * pixel


@settings(max_examples=30)
@given(view=views())
def test_peaks_keep_their_width_and_are_where_a_live_teacher_would_draw_them(view: View) -> None:
    """Up to the edge of the view, because maps are compared, not decoded keypoints."""
    maps, cells, *_ = replayed(view, "peaks")
    live = render_targets(torch.from_numpy(cells[None]), SIZE, 2.0)[0]
    difference = (maps - live).abs().amax((1, 2)).numpy()
    assert difference[inside(cells, 0)].max(initial=0) < BILINEAR_LOSS


@pytest.mark.parametrize("zoom", [0.5, 1.0, 1.5])
def test_warped_peaks_are_as_wide_as_the_zoom_makes_them(zoom: float) -> None:
    box = np.array([[100.0, 100, 150, 200]])
    centre, size = padded_box(box, (256, 192))
    to_image = view_matrix(centre, size * zoom, np.zeros(1), np.zeros(1, bool))[0]
    view = View(box, "udp", to_image, False, np.full((17, 2), [23.5, 31.5]))
    widths: dict[ReplayMode, float] = {"warp": 2.0 / zoom, "peaks": 2.0}
    for mode, sigma in widths.items():
        maps, cells, *_ = replayed(view, mode, "float16")
        expected = render_targets(torch.from_numpy(cells[None]), SIZE, sigma)[0]
        assert (maps - expected).abs().max() < BILINEAR_LOSS


def test_peaks_take_the_students_sigma() -> None:
    joints = torch.from_numpy(np.random.default_rng(0).uniform(8, [39, 55], (2, 17, 2)))
    # a map of 32x24 cells from one of 64x48
    plain = torch.tensor([[2.0, 0, 0.5], [0, 2.0, 0.5]]).expand(2, 2, 3)
    maps = replay_maps(
        render_targets(joints, SIZE, 2.0),
        plain,
        torch.zeros(2, dtype=torch.bool),
        (32, 24),
        mirror=COCO_MIRROR,
        teacher_sigma=2.0,
        student_sigma=1.5,
    )
    assert (maps - render_targets((joints - 0.5) / 2, (32, 24), 1.5)).abs().max() < BILINEAR_LOSS


def test_cells_outside_the_teachers_map_are_zero() -> None:
    maps = torch.ones(1, 17, *SIZE)
    # the right half of the view lies outside the teacher's map
    away = torch.tensor([[[1.0, 0, 24], [0, 1, 0]]])
    moved = replay_maps(maps, away, torch.tensor([False]), SIZE, "warp", mirror=COCO_MIRROR)
    assert (moved[..., :23] == 1).all()
    assert (moved[..., 25:] == 0).all()
    # the peak, which the view shows in column 16
    maps[..., 20, 40] = 2
    moved = replay_maps(maps, away, torch.tensor([False]), SIZE, "peaks", mirror=COCO_MIRROR)
    assert (moved[..., 12:29, 8:23] >= 0.99).all()
    assert (moved[..., 25:] == 0).all()


def test_an_unmoved_view_replays_the_map_itself() -> None:
    maps = torch.rand(2, 17, *SIZE)
    maps[..., 29:32, 19:22] = 1
    maps[..., 30, 20] = 2
    identity, unflipped = torch.eye(2, 3).expand(2, 2, 3), torch.tensor([False, False])
    torch.testing.assert_close(
        replay_maps(maps, identity, unflipped, SIZE, "warp", mirror=COCO_MIRROR), maps, atol=1e-4, rtol=0
    )
    # four sigmas around the peak
    window = torch.zeros(SIZE)
    window[30 - 8 : 30 + 9, 20 - 8 : 20 + 9] = 1
    moved = replay_maps(maps, identity, unflipped, SIZE, "peaks", mirror=COCO_MIRROR)
    torch.testing.assert_close(moved, maps * window, atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", ["peaks", "warp"])
def test_a_mirrored_view_shows_the_other_side_of_the_body(mode: ReplayMode) -> None:
    maps = render_targets(torch.from_numpy(np.random.default_rng(3).uniform(10, [37, 53], (2, 17, 2))), SIZE, 2.0)
    mirrored = torch.tensor([[-1.0, 0, 47], [0, 1, 0]])
    both = replay_maps(
        maps, torch.stack([mirrored, torch.eye(2, 3)]), torch.tensor([True, False]), SIZE, mode, mirror=COCO_MIRROR
    )
    torch.testing.assert_close(both[0], maps[0, MIRROR].flip(-1), atol=2e-3, rtol=0)
    torch.testing.assert_close(both[1], maps[1], atol=2e-3, rtol=0)


def test_the_rotation_of_a_matrix_is_its_polar_factor() -> None:
    linear = np.random.default_rng(1).normal(size=(200, 2, 2))
    expected = np.stack([polar(matrix)[0] for matrix in linear])
    np.testing.assert_allclose(nearest_rotation(torch.from_numpy(linear)).numpy(), expected, atol=1e-9)


def test_an_unknown_replay_is_refused() -> None:
    unknown: ReplayMode = "zoom"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="unknown replay 'zoom': expected one of peaks, warp"):
        replay_maps(
            torch.zeros(1, 17, *SIZE), torch.eye(2, 3)[None], torch.tensor([False]), SIZE, unknown, mirror=COCO_MIRROR
        )


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["peaks", "warp"])
def test_replay_is_the_same_on_cuda(mode: ReplayMode) -> None:
    rng = np.random.default_rng(2)
    maps = render_targets(torch.from_numpy(rng.uniform(0, [47, 63], (8, 17, 2))), SIZE, 2.0)
    matrix = torch.from_numpy(rng.normal(size=(8, 2, 3)))
    flipped = torch.from_numpy(rng.random(8) < 0.5)
    on_cpu = replay_maps(maps, matrix, flipped, SIZE, mode, mirror=COCO_MIRROR)
    on_gpu = replay_maps(maps.cuda(), matrix.cuda(), flipped.cuda(), SIZE, mode, mirror=COCO_MIRROR)
    torch.testing.assert_close(on_cpu, on_gpu.cpu(), atol=1e-3, rtol=0)

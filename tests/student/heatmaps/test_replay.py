"""A joint followed from the image through store, augmentation, replay and decoding, back to the image."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import polar

from cache_tools.coco import MIRROR
from cache_tools.codec.profiles import get_codec
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert, padded_box
from student.batches.augment import view_matrix
from student.heatmaps.decode import dark_decode
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.replay import nearest_rotation, replay_maps
from student.heatmaps.targets import render_targets

SIZE = (64, 48)
BILINEAR = 0.08  # what linear interpolation half-way between cells takes off a peak of sigma 1.5, and the codec's error
BLUR_REACH = 5.5  # cells; DARK's blur mirrors the map there, so the official decoder itself errs nearer to the border


@st.composite
def views(draw):
    """Box, teacher frame, view of the student, and where one joint of each kind lies in the teacher's map."""
    number = st.floats
    box = np.array([[draw(number(-50, 500)), draw(number(-50, 500)), draw(number(20, 600)), draw(number(20, 600))]])
    centre, size = padded_box(box, (256, 192))
    shift = np.array([[draw(number(-0.15, 0.15)), draw(number(-0.15, 0.15))]])
    zoom, degrees, flipped = draw(number(0.5, 1.5)), draw(number(-80, 80)), draw(st.booleans())
    to_image = view_matrix(centre + shift * size, size * zoom, np.array([degrees]), np.array([flipped]))
    joints = np.random.default_rng(draw(st.integers(0, 2**32))).uniform(
        BLUR_REACH, [47 - BLUR_REACH, 63 - BLUR_REACH], (17, 2)
    )
    return box, draw(st.sampled_from(["udp", "stride"])), to_image[0], flipped, joints


def follow(view, mode, profile="compact"):
    """Replayed maps (17, h, w), the joints' true cells in them (17, 2), student and teacher cell -> image."""
    box, frame, to_image, flipped, joints = view
    teacher_cell_to_image = compose(cell_to_crop(frame), crop_to_image(box, frame)[0])
    student_cell_to_image = compose(cell_to_crop("udp"), to_image)
    codec = get_codec(profile)
    drawn = render_targets(torch.from_numpy(joints[None]), SIZE, 2.0)
    stored = decode_codes(torch.from_numpy(codec.encode(drawn.numpy())), DeviceCodec.of(codec))
    student_to_teacher = compose(student_cell_to_image, invert(teacher_cell_to_image))
    maps = replay_maps(stored, torch.from_numpy(student_to_teacher)[None], torch.tensor([flipped]), SIZE, mode)[0]
    of_view = joints[MIRROR] if flipped else joints
    return maps, apply(invert(student_to_teacher), of_view), student_cell_to_image, teacher_cell_to_image


def inside(cells, margin):
    return ((cells >= margin) & (cells <= np.array(SIZE[::-1]) - 1 - margin)).all(-1)


@pytest.mark.parametrize("mode", ["peaks", "warp"])
@settings(max_examples=50)
@given(view=views())
def test_a_joint_comes_back_within_half_a_pixel(mode, view):
    """Pixels of the image for a person as large as the crop; for others, of the coarser of both crops."""
    maps, cells, student_cell_to_image, teacher_cell_to_image = follow(view, mode)
    seen = inside(cells, BLUR_REACH)
    assume(seen.any())
    found, _ = dark_decode(maps[None])
    error = np.linalg.norm(
        apply(student_cell_to_image, found[0].numpy()) - apply(student_cell_to_image, cells), axis=-1
    )
    pixel = max(np.sqrt(abs(np.linalg.det(m[:, :2]))) / 4 for m in (student_cell_to_image, teacher_cell_to_image))
    assert error[seen].max() <= 0.5 * pixel


@settings(max_examples=30)
@given(view=views())
def test_peaks_keep_their_width_and_lie_where_a_live_teacher_would_draw_them(view):
    """Beyond the blur's reach too: compared with the map itself, up to the edge of the view."""
    maps, cells, *_ = follow(view, "peaks")
    live = render_targets(torch.from_numpy(cells[None]), SIZE, 2.0)[0]
    difference = (maps - live).abs().amax((1, 2)).numpy()
    assert difference[inside(cells, 0)].max(initial=0) < BILINEAR


def test_warped_peaks_are_as_wide_as_the_zoom_makes_them():
    box = np.array([[100.0, 100, 150, 200]])
    centre, size = padded_box(box, (256, 192))
    joints = np.full((17, 2), [23.5, 31.5])
    for zoom in (0.5, 1.0, 1.5):
        view = (box, "udp", view_matrix(centre, size * zoom, np.zeros(1), np.zeros(1, bool))[0], False, joints)
        for mode, sigma in (("warp", 2.0 / zoom), ("peaks", 2.0)):
            maps, cells, *_ = follow(view, mode, "float16")
            expected = render_targets(torch.from_numpy(cells[None]), SIZE, sigma)[0]
            assert (maps - expected).abs().max() < BILINEAR


def test_peaks_take_the_students_sigma():
    joints = torch.from_numpy(np.random.default_rng(0).uniform(8, [39, 55], (2, 17, 2)))
    plain = torch.tensor([[2.0, 0, 0.5], [0, 2.0, 0.5]]).expand(2, 2, 3)  # a map of 32x24 cells from one of 64x48
    maps = replay_maps(
        render_targets(joints, SIZE, 2.0),
        plain,
        torch.zeros(2, dtype=torch.bool),
        (32, 24),
        teacher_sigma=2.0,
        student_sigma=1.5,
    )
    assert (maps - render_targets((joints - 0.5) / 2, (32, 24), 1.5)).abs().max() < BILINEAR


def test_what_the_teacher_did_not_see_is_zero():
    maps = torch.ones(1, 17, *SIZE)
    away = torch.tensor([[[1.0, 0, 24], [0, 1, 0]]])  # the right half of the view lies outside the teacher's map
    moved = replay_maps(maps, away, torch.tensor([False]), SIZE, "warp")
    assert (moved[..., :23] == 1).all()
    assert (moved[..., 25:] == 0).all()
    maps[..., 20, 40] = 2  # the peak, which the view shows in column 16
    moved = replay_maps(maps, away, torch.tensor([False]), SIZE, "peaks")
    assert (moved[..., 12:29, 8:23] >= 0.99).all()
    assert (moved[..., 25:] == 0).all()


def test_an_unmoved_view_replays_the_map_itself():
    maps = torch.rand(2, 17, *SIZE)
    maps[..., 29:32, 19:22] = 1
    maps[..., 30, 20] = 2
    still, straight = torch.eye(2, 3).expand(2, 2, 3), torch.tensor([False, False])
    torch.testing.assert_close(replay_maps(maps, still, straight, SIZE, "warp"), maps, atol=1e-4, rtol=0)
    window = torch.zeros(SIZE)
    window[30 - 8 : 30 + 9, 20 - 8 : 20 + 9] = 1  # four sigmas around the peak
    torch.testing.assert_close(replay_maps(maps, still, straight, SIZE, "peaks"), maps * window, atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", ["peaks", "warp"])
def test_a_mirrored_view_shows_the_other_side_of_the_body(mode):
    maps = render_targets(torch.from_numpy(np.random.default_rng(3).uniform(10, [37, 53], (2, 17, 2))), SIZE, 2.0)
    mirrored = torch.tensor([[-1.0, 0, 47], [0, 1, 0]])
    both = replay_maps(maps, torch.stack([mirrored, torch.eye(2, 3)]), torch.tensor([True, False]), SIZE, mode)
    torch.testing.assert_close(both[0], maps[0, MIRROR].flip(-1), atol=2e-3, rtol=0)
    torch.testing.assert_close(both[1], maps[1], atol=2e-3, rtol=0)


def test_the_rotation_of_a_matrix_is_its_polar_factor():
    linear = np.random.default_rng(1).normal(size=(200, 2, 2))
    expected = np.stack([polar(m)[0] for m in linear])
    np.testing.assert_allclose(nearest_rotation(torch.from_numpy(linear)).numpy(), expected, atol=1e-9)


def test_an_unknown_replay_is_refused():
    with pytest.raises(ValueError, match="unknown replay 'zoom': expected one of peaks, warp"):
        replay_maps(torch.zeros(1, 17, *SIZE), torch.eye(2, 3)[None], torch.tensor([False]), SIZE, "zoom")


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["peaks", "warp"])
def test_replay_is_the_same_on_cuda(mode):
    rng = np.random.default_rng(2)
    maps = render_targets(torch.from_numpy(rng.uniform(0, [47, 63], (8, 17, 2))), SIZE, 2.0)
    linear = torch.from_numpy(rng.normal(size=(8, 2, 3)))
    flipped = torch.from_numpy(rng.random(8) < 0.5)
    here = replay_maps(maps, linear, flipped, SIZE, mode)
    there = replay_maps(maps.cuda(), linear.cuda(), flipped.cuda(), SIZE, mode)
    torch.testing.assert_close(here, there.cpu(), atol=1e-3, rtol=0)

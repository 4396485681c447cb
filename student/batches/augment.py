"""Random views of persons: one matrix holds zoom, rotation, shift and mirror, for image, keypoints and heatmap alike.

A view is a function of (seed, epoch, row): see `random_draws`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.geometry import PADDING, Matrix, compose, crop_to_image, mirror_matrix, padded_box
from cache_tools.skeletons import Skeleton
from student.batches.random_draws import normal_draws, uniform_draws
from student.settings import AugmentSettings

# MMPose's; a box around joints is tighter than one around a body
HALF_BODY_PADDING = 1.5


@dataclass(frozen=True, kw_only=True)
class AugmentedViews:
    """One view of each of B persons: where its pixels come from, and how their colours change."""

    #: (B, 2, 3) pixel of the view -> image pixel, mirror included
    crop_to_image: Matrix
    #: (B,) left and right joints have changed places
    flipped: NDArray[np.bool_]
    #: (B,) image pixels per view pixel, divided by those of the plain crop: above 1 the view shows more
    zoom: NDArray[np.float64]
    #: (B,) rotation
    degrees: NDArray[np.float64]
    #: (B, 3) colour = gain * colour + bias, in 0..255
    gain: NDArray[np.float32]
    #: (B, 3)
    bias: NDArray[np.float32]


def sample_views(
    box: NDArray[np.float64],
    keypoints: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    rows: NDArray[np.integer],
    settings: AugmentSettings,
    *,
    skeleton: Skeleton,
    seed: int = 0,
    epoch: ArrayLike = 0,
    input_size: tuple[int, int] = (256, 192),
    frame: str = "udp",
    padding: float = PADDING,
) -> AugmentedViews:
    """Draw a random view of each person; the same for the same (seed, epoch, row).

    skeleton: of the keypoints. Without its mirror order no view is mirrored, without its halves none shows a half.
    box (B, 4) x, y, width, height and keypoints (B, K, 2) in image pixels; visibility (B, K); rows (B,) of the
    instance table; epoch: one for all rows, or (B,); input_size: (height, width).
    """
    # one column a decision, always drawn: settings of one decision do not change another
    uniform = uniform_draws(seed, epoch, rows, 18)
    normal = normal_draws(uniform[:, :4], uniform[:, 4:8])  # zoom, rotation, shift x, shift y
    chance = uniform[:, 8:12]  # flip, half body, rotation, shift
    half = chance[:, 1] < settings.half_body
    half &= (visibility > 0).sum(1) > settings.half_body_joints
    half &= bool(skeleton.upper and skeleton.lower)
    centre, size = padded_box(box, input_size, padding)
    plain_width = size[:, 0].copy()
    if half.any():
        boxes = half_body_boxes(keypoints[half], visibility[half], skeleton, upper=uniform[half, 12] < 0.5)
        centre[half], size[half] = padded_box(boxes, input_size, HALF_BODY_PADDING)
    zoom = np.clip(1 + settings.scale_sd * normal[:, 0], *settings.scale_range)
    degrees = np.clip(settings.rotate_sd * normal[:, 1], -settings.rotate_limit, settings.rotate_limit)
    degrees *= chance[:, 2] < settings.rotate
    shift = settings.shift_sd * normal[:, 2:4] * (chance[:, 3] < settings.shift)[:, None]
    flipped = chance[:, 0] < settings.flip
    flipped &= skeleton.mirror is not None
    gain, bias = _colour_jitter(uniform[:, 13:18], settings.colour)
    return AugmentedViews(
        crop_to_image=view_matrix(centre + shift * size, size * zoom[:, None], degrees, flipped, input_size, frame),
        flipped=flipped,
        zoom=zoom * (size[:, 0] / plain_width),
        degrees=degrees,
        gain=gain,
        bias=bias,
    )


def view_matrix(
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
    degrees: NDArray[np.float64],
    flipped: NDArray[np.bool_],
    input_size: tuple[int, int] = (256, 192),
    frame: str = "udp",
) -> Matrix:
    """Return the matrices (B, 2, 3) from the pixels of views to the image.

    centre and size (B, 2), (x, y) in image pixels; the size has the aspect of the input. A view is turned about its
    centre by `degrees` (B,), from x towards y, and mirrored where `flipped` (B,).
    """
    plain = crop_to_image(np.concatenate([centre - size / 2, size], axis=1), frame, input_size, padding=1.0)
    plain = np.where(flipped[:, None, None], compose(mirror_matrix(input_size[1]), plain), plain)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return compose(plain, np.concatenate([turn, centre[..., None] - turn @ centre[..., None]], axis=2))


def half_body_boxes(
    keypoints: NDArray[np.float64], visibility: NDArray[np.uint8], skeleton: Skeleton, upper: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return boxes (B, 4) around the labelled joints of the upper or the lower body, centred on their mean (as MMPose).

    upper (B,): whether the upper half is requested. Where the requested half has fewer than three labelled joints, the
    box is around the other one.
    """
    labelled = visibility > 0
    joints = np.arange(labelled.shape[1])
    is_upper, is_lower = np.isin(joints, skeleton.upper), np.isin(joints, skeleton.lower)
    requested = labelled & np.where(upper[:, None], is_upper, is_lower)
    other = labelled & np.where(upper[:, None], is_lower, is_upper)
    enough = requested.sum(1) > 2
    chosen = np.where(enough[:, None], requested, other)[..., None]  # (B, K, 1)
    centre = np.where(chosen, keypoints, 0).sum(1) / chosen.sum(1)
    size = np.where(chosen, keypoints, -np.inf).max(1) - np.where(chosen, keypoints, np.inf).min(1)
    return np.concatenate([centre - size / 2, size], axis=1)


def _colour_jitter(uniform: NDArray[np.float64], strength: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return gain and bias, (B, 3) each, from uniform draws (B, 5).

    Contrast about mid-grey and the gain of each channel lie within 1 +- strength, brightness within 64 of 255 times the
    strength.
    """
    signed = strength * (2 * uniform - 1)  # (B, 5)
    contrast, brightness, tint = 1 + signed[:, :1], 64 * signed[:, 1:2], 1 + signed[:, 2:]
    bias = 127.5 * (1 - contrast) + brightness
    return (contrast * tint).astype(np.float32), np.repeat(bias, 3, axis=1).astype(np.float32)

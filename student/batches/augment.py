"""Random views of persons: one matrix holds zoom, rotation, shift and mirror, for image, keypoints and heatmap alike.

Chance is a function of (seed, epoch, row, draw) and of nothing else: a row's view does not depend on the batch it falls
into, on the number of workers or on what was drawn before, and a resumed run repeats it exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import LOWER_BODY, UPPER_BODY
from cache_tools.geometry import PADDING, Matrix, compose, crop_to_image, mirror, padded_box
from student.settings import AugmentSettings

HALF_BODY_PADDING = 1.5  # MMPose's; a box around joints is tighter than one around a body


@dataclass(frozen=True)
class Views:
    """One view a person: where its pixels come from, and how their colours change."""

    crop_to_image: Matrix  # (B, 2, 3) pixel of the view -> image pixel, mirror included
    flipped: NDArray[np.bool_]  # (B,) left and right joints have changed places
    zoom: NDArray[np.float64]  # (B,) image pixels per view pixel over those of the plain crop: above 1 shows more
    degrees: NDArray[np.float64]  # (B,)
    gain: NDArray[np.float32]  # (B, 3) colour = gain * colour + bias, in 0..255
    bias: NDArray[np.float32]  # (B, 3)


def sample_views(
    box: NDArray[np.float64],
    keypoints: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    rows: NDArray[np.integer],
    settings: AugmentSettings,
    *,
    seed: int = 0,
    epoch: ArrayLike = 0,  # of all rows, or one a row
    input_size: tuple[int, int] = (256, 192),
    frame: str = "udp",
    padding: float = PADDING,
) -> Views:
    """A random view of each person; the same for the same (seed, epoch, row).

    box (B, 4) x, y, width, height and keypoints (B, 17, 2) in image pixels; visibility (B, 17); rows (B,) of the table;
    epoch: one for all, or (B,).
    """
    uniform = uniforms(seed, epoch, rows, 18)  # one column a decision, always drawn, so that none moves another
    normal = _normals(uniform[:, :4], uniform[:, 4:8])  # zoom, rotation, shift x, shift y
    chance = uniform[:, 8:12]  # flip, half body, rotation, shift
    half = chance[:, 1] < settings.half_body
    half &= (visibility > 0).sum(1) > settings.half_body_joints
    centre, size = padded_box(box, input_size, padding)
    whole = size[:, 0].copy()
    if half.any():
        boxes = half_body_boxes(keypoints[half], visibility[half], upper=uniform[half, 12] < 0.5)
        centre[half], size[half] = padded_box(boxes, input_size, HALF_BODY_PADDING)
    zoom = np.clip(1 + settings.scale_sd * normal[:, 0], *settings.scale_range)
    degrees = np.clip(settings.rotate_sd * normal[:, 1], -settings.rotate_limit, settings.rotate_limit)
    degrees *= chance[:, 2] < settings.rotate
    shift = settings.shift_sd * normal[:, 2:4] * (chance[:, 3] < settings.shift)[:, None]
    flipped = chance[:, 0] < settings.flip
    gain, bias = _colours(uniform[:, 13:18], settings.colour)
    return Views(
        crop_to_image=view_matrix(centre + shift * size, size * zoom[:, None], degrees, flipped, input_size, frame),
        flipped=flipped,
        zoom=zoom * (size[:, 0] / whole),
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
    """Matrix (B, 2, 3) from the pixels of a view to the image.

    centre and size (B, 2) in image pixels, the size of the input's aspect; turned about the centre by `degrees` (B,),
    from x towards y; mirrored where `flipped` (B,).
    """
    plain = crop_to_image(np.concatenate([centre - size / 2, size], axis=1), frame, input_size, padding=1.0)
    plain = np.where(flipped[:, None, None], compose(mirror(input_size[1]), plain), plain)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return compose(plain, np.concatenate([turn, centre[..., None] - turn @ centre[..., None]], axis=2))


def half_body_boxes(
    keypoints: NDArray[np.float64], visibility: NDArray[np.uint8], upper: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Boxes (B, 4) around the labelled joints of the upper or the lower body, centred on their mean (as MMPose).

    upper (B,): which half is wanted; where it has no more than two labelled joints, the other is taken.
    """
    seen = visibility > 0
    is_upper, is_lower = (np.isin(np.arange(seen.shape[1]), body) for body in (UPPER_BODY, LOWER_BODY))
    wanted = seen & np.where(upper[:, None], is_upper, is_lower)
    other = seen & np.where(upper[:, None], is_lower, is_upper)
    taken = np.where((wanted.sum(1) > 2)[:, None], wanted, other)[..., None]  # (B, 17, 1)
    centre = np.where(taken, keypoints, 0).sum(1) / taken.sum(1)
    size = np.where(taken, keypoints, -np.inf).max(1) - np.where(taken, keypoints, np.inf).min(1)
    return np.concatenate([centre - size / 2, size], axis=1)


def uniforms(seed: int, epoch: ArrayLike, rows: ArrayLike, draws: int) -> NDArray[np.float64]:
    """Numbers (B, draws) in (0, 1), each a hash of (seed, epoch, row, draw) by SplitMix64's finaliser."""
    key = _mixed(_mixed(np.array([seed % 2**64], np.uint64)) + np.asarray(epoch).astype(np.uint64))
    row_key = _mixed(key + np.asarray(rows, np.uint64))[:, None]
    bits = _mixed(row_key + np.arange(draws).astype(np.uint64))
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _normals(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal numbers from two uniform ones each (Box and Muller)."""
    return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)


def _colours(uniform: NDArray[np.float64], strength: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Gain and bias (B, 3) each: contrast about mid-grey and every channel within 1 +- strength, brightness within 64
    of 255 times the strength."""
    signed = strength * (2 * uniform - 1)  # (B, 5)
    contrast, brightness, tint = 1 + signed[:, :1], 64 * signed[:, 1:2], 1 + signed[:, 2:]
    bias = 127.5 * (1 - contrast) + brightness
    return (contrast * tint).astype(np.float32), np.repeat(bias, 3, axis=1).astype(np.float32)

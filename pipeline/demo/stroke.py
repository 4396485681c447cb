"""Thick lines of polygons and discs, because OpenCV's own thick lines differ between its versions 4 and 5."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

SUBPIXEL_BITS = 4  # of OpenCV's polygon filling


def draw_stroke(picture: Any, points: Sequence[tuple[int, int]], colour: Any, thickness: int) -> None:
    """Draw a line with round ends through points (x, y) in pixels, in an array (H, W) or (H, W, 3)."""
    radius = (thickness + 1) // 2 if thickness > 1 else 0  # the same widths as OpenCV's
    for start, end in pairwise(points):
        across, down = end[0] - start[0], end[1] - start[1]
        length = math.sqrt(across * across + down * down)
        if length:
            beside = np.array([-down, across]) * (radius / length)
            corners = np.array([start + beside, end + beside, end - beside, start - beside])
            fixed_point = np.rint(corners * (1 << SUBPIXEL_BITS)).astype(np.int32)
            cv2.fillConvexPoly(picture, fixed_point, colour, cv2.LINE_8, SUBPIXEL_BITS)
    for point in points:
        cv2.circle(picture, point, radius, colour, -1)

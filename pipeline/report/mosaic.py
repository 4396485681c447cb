"""Photos with the poses found in them, as one picture (paper, figure 4)."""

from collections.abc import Sequence

import cv2
import numpy as np

from cache_tools.images import Image, read_image
from cache_tools.skeletons import COCO
from pipeline.persons.subjects import Subjects
from pipeline.report.overlay import draw_pose
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import predict

# pixels
PHOTO_HEIGHT, MOSAIC_WIDTH, GAP = 360, 1600, 8


def draw_predictions(network: PoseNetwork, subjects: Subjects, inference: Inference) -> Image:
    """Return the photos of the subjects with the poses found in their boxes, as one picture."""
    poses = predict(
        network,
        subjects.photo,
        subjects.box,
        inference,
        photo_sizes=subjects.photo_size,
        photo_options=subjects.photo_options,
    )
    pictures = []
    for photo in dict.fromkeys(subjects.photo):
        image = read_image(photo, options=subjects.photo_options)
        scale = PHOTO_HEIGHT / image.shape[0]
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = max(round(image.shape[1] * scale), 1), PHOTO_HEIGHT
        image = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
        for row in np.flatnonzero([p == photo for p in subjects.photo]):
            draw_pose(image, poses[row] * (scale, scale, 1), network.skeleton or COCO)
        pictures.append(image)
    return mosaic(pictures)


def mosaic(pictures: Sequence[Image]) -> Image:
    """Return pictures of one height in lines of about equal width, near MOSAIC_WIDTH pixels, white between them."""
    widths = np.array([picture.shape[1] + GAP for picture in pictures])
    count = max(1, round(widths.sum() / MOSAIC_WIDTH))
    line_of = ((widths.cumsum() - widths / 2) / widths.sum() * count).astype(int)
    lines = [[p for p, at in zip(pictures, line_of, strict=True) if at == line] for line in np.unique(line_of)]
    width = max(sum(p.shape[1] for p in line) + GAP * (len(line) - 1) for line in lines)
    height = len(lines) * (PHOTO_HEIGHT + GAP) - GAP
    canvas = np.full((height, width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        top, left = number * (PHOTO_HEIGHT + GAP), 0
        for picture in line:
            canvas[top : top + PHOTO_HEIGHT, left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
    return canvas

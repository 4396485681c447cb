"""Rendered people who stand: exact keypoints and joint centres in the picture, and the true mechanical axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import Image
from cache_tools.progress import progress_bar
from pipeline.hka.angles import LEG_JOINTS, Array
from pipeline.leg_boxes import leg_boxes

#: pixels of the rendered images
HEIGHTS = (120, 240, 480)
#: stream of the seed that the angles are drawn from, other than those of the demo's people
ANGLES_STREAM = 4


@dataclass(frozen=True, kw_only=True)
class StandingPeople:
    """Rendered people at several image sizes: the same persons and angles at each. N is sizes times persons."""

    heights: tuple[int, ...]
    #: (N,) size by size
    image: tuple[Image, ...]
    #: (N,) of the image, in pixels
    height: NDArray[np.int64]
    #: (N,) number of the person
    person: NDArray[np.int64]
    #: (N, 4)
    box: Array
    #: (N, 17, 2) COCO's, exact, in image pixels
    keypoints: Array
    #: (N, 17, 2) the same with true joint centres in place of hips, knees and ankles
    centres: Array
    #: (N, 2) varus of the mechanical axis in degrees: left, right
    axis: Array

    def leg_boxes(self) -> Array:
        """Return boxes (N, 4) around the true centres of the leg joints only."""
        joints = self.centres[:, LEG_JOINTS].reshape(len(self.box), -1, 2)
        shapes = [image.shape[:2] for image in self.image]
        return np.concatenate([leg_boxes(one[None], *shape) for one, shape in zip(joints, shapes, strict=True)])

    def exact(self, *, centres: bool) -> Array:
        """Return the exact joints (N, 17, 2): true joint centres, or COCO's keypoints."""
        return self.centres if centres else self.keypoints


def render_people(persons: int, heights: Sequence[int] = HEIGHTS, seed: int = 0) -> StandingPeople:
    """Render people who stand and face the camera, with leg angles drawn evenly from -15 to 15 degrees of varus.

    The same arguments give the same people on every processor.
    """
    from pipeline.demo.random_stream import RandomStream
    from pipeline.demo.standing import LARGEST_DEVIATION, make_standing

    drawn = RandomStream(seed, ANGLES_STREAM).uniforms(persons, 2).astype(np.float64)
    medial = 180 + LARGEST_DEVIATION * (2 * drawn - 1)
    made = []
    with progress_bar(len(heights) * persons, "render people", "image") as bar:
        for height in heights:
            for person, (left, right) in enumerate(medial.tolist()):
                made.append(make_standing(seed * 100_000 + person, (left, right), (height, height)))
                bar.update(1)
    keypoints = np.array([one.label.keypoints[:, :2] for one in made])
    centres = keypoints.copy()
    centres[:, LEG_JOINTS] = np.array([one.centres for one in made])
    return StandingPeople(
        heights=tuple(heights),
        image=tuple(one.image for one in made),
        height=np.repeat(heights, persons),
        person=np.tile(np.arange(persons), len(heights)),
        box=np.array([one.label.box for one in made], np.float64),
        keypoints=keypoints,
        centres=centres,
        axis=180 - np.array([one.hka3d for one in made]),
    )

"""Standing people: the requested hip-knee-ankle angle is that of their joints."""

import numpy as np
import pytest

from pipeline.demo.coco_annotation import as_annotation
from pipeline.demo.standing import make_standing


@pytest.mark.parametrize("target", [(180, 180), (170, 185), (196, 164)])
def test_standing_people_have_the_requested_angles(target: tuple[float, float]) -> None:
    for seed, size in enumerate([(240, 320), (480, 360), (128, 96)]):
        standing = make_standing(seed, target, size)
        assert standing.image.shape == (*size, 3)
        assert standing.hka3d == pytest.approx(target, abs=0.3)
        hips = standing.joints[:, 0]
        across = (hips[0] - hips[1]) * [1, 1, 0]
        for side, outward in ((0, across), (1, -across)):
            flat = np.stack([standing.joints[side] @ outward / np.linalg.norm(across), standing.joints[side][:, 2]], 1)
            thigh, shank = np.diff(flat, axis=0)
            cosine = thigh @ shank / np.linalg.norm(thigh) / np.linalg.norm(shank)
            bend = np.degrees(np.arccos(min(cosine, 1)))
            knee_out = flat[1, 0] > np.interp(flat[1, 1], flat[[2, 0], 1], flat[[2, 0], 0])
            assert 180 - bend * (1 if knee_out else -1) == pytest.approx(target[side], abs=0.3)
        legs = standing.label.keypoints[11:]
        assert (legs[:, 2] > 0).all()
        x, y, w, h = standing.label.box
        assert min(x, y, size[1] - x - w, size[0] - y - h) >= 1  # whole in the picture
        left_hip, right_hip = legs[0], legs[1]
        assert left_hip[0] > right_hip[0]  # faces the camera


def test_standing_people_are_the_same_for_a_seed_and_are_labelled_as_coco() -> None:
    first, again, bowed = make_standing(3), make_standing(3), make_standing(3, (170, 170))
    assert (first.image == again.image).all()
    assert (first.image != bowed.image).any()
    annotation = as_annotation(first.label)
    assert annotation["num_keypoints"] >= 12
    with pytest.raises(ValueError, match="expected 150 to 210"):
        make_standing(0, (20, 180))

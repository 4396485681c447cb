"""Standing people: the hip-knee-ankle angle asked for is the one their joints have."""

import numpy as np
import pytest

from pipeline.demo.coco_files import as_annotation
from pipeline.demo.standing import frontal_hka, make_standing


@pytest.mark.parametrize("target", [(180, 180), (170, 185), (196, 164)])
def test_standing_people_have_the_angles_asked_for(target):
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


def test_standing_people_are_the_same_for_a_seed_and_are_coco():
    first, again, bowed = make_standing(3), make_standing(3), make_standing(3, (170, 170))
    assert (first.image == again.image).all()
    assert (first.image != bowed.image).any()
    annotation = as_annotation(first.label)
    assert annotation["num_keypoints"] >= 12
    with pytest.raises(ValueError, match="expected 150 to 210"):
        make_standing(0, (20, 180))


def test_frontal_angle_of_given_joints():
    hip, other_hip, ankle = np.array([0.1, 0, 0.9]), np.array([-0.1, 0, 0.9]), np.array([0.1, 0, 0.1])
    knee_out = np.array([0.1 + 0.4 * np.tan(np.radians(3)), 0, 0.5])
    assert frontal_hka(hip, np.array([0.1, 0.2, 0.5]), ankle, other_hip) == pytest.approx(180)  # bent, not bowed
    assert frontal_hka(hip, knee_out, ankle, other_hip) == pytest.approx(174)
    mirror = np.array([-1, 1, 1])
    assert frontal_hka(hip * mirror, knee_out * mirror, ankle * mirror, other_hip * mirror) == pytest.approx(174)
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    joints = [turn @ joint for joint in (hip, knee_out, ankle, other_hip)]
    assert frontal_hka(*joints) == pytest.approx(174)

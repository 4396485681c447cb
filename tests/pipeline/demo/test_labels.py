"""Scenes and their labels: all that COCO's annotations hold, and keypoints that lie on their person."""

import cv2
import numpy as np
import pytest

from cache_tools.skeletons import COCO
from pipeline.demo.labels import label
from pipeline.demo.levels import LEVELS, sample_scene
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import Scene


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    hard = [sample_scene(RandomStream(11, i), LEVELS["hard"]) for i in range(40)]
    return hard + [sample_scene(RandomStream(12, i), LEVELS["easy"]) for i in range(40)]


def test_scenes_hold_what_coco_holds(scenes: list[Scene]) -> None:
    labels = [label(scene, COCO) for scene in scenes]
    persons = [found for labels_of in labels for found in labels_of.values() if not found.crowd]
    visibility = np.concatenate([found.keypoints[:, 2] for found in persons])
    boxes = np.array([found.box for found in persons])
    assert max(len(labels_of) for labels_of in labels) >= 3
    assert any(-1 in labels_of for labels_of in labels)
    assert any((scene.layer % 2 == 1).any() for scene in scenes)
    assert (boxes[:, 1] + boxes[:, 3] == 240).mean() > 0.05  # cut by the picture's edge
    assert ((np.bincount(visibility.astype(int), minlength=3) / len(visibility)) > [0.05, 0.1, 0.5]).all()


def test_seen_keypoints_lie_on_their_person(scenes: list[Scene]) -> None:
    distances = []
    for scene in scenes:
        for found in label(scene, COCO).values():
            away = cv2.distanceTransform((~found.mask).astype(np.uint8), cv2.DIST_L2, 5)
            seen = found.keypoints[found.keypoints[:, 2] == 2, :2].round().astype(int)
            column, row = np.clip(seen, 0, [319, 239]).T
            distances.extend(away[row, column])
            assert not found.keypoints[found.keypoints[:, 2] == 0].any()
    assert np.max(distances) <= 1

"""What a real teacher found on the photos of COCO, kept for the tests of all files that evaluate it there."""

import pytest

from student.pose_network import Maps


@pytest.fixture(scope="session")
def tinypose_maps() -> dict[bytes, Maps]:
    """Return PP-TinyPose's heatmaps of each crop that it has seen, for RememberingNetwork; the tests fill it."""
    return {}

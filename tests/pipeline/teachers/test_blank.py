"""No teacher: blank heatmaps."""

import numpy as np

from pipeline.teachers.load import load_network


def test_no_teacher_draws_blank_maps() -> None:
    maps = load_network("none")(np.zeros((2, 256, 192, 3), np.uint8))
    assert maps.shape == (2, 17, 64, 48)
    assert not maps.any()

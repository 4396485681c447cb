"""A box holds the leg joints with margins, and ends at the image."""

import numpy as np

from pipeline.leg_boxes import leg_boxes


def test_a_box_holds_the_joints_with_its_margins() -> None:
    joints = np.array([[[40.0, 100.0], [60.0, 100.0], [41.0, 200.0], [58.0, 199.0]]])
    # a tenth of 100 pixels above, 6 beside and below
    assert leg_boxes(joints, 400, 300).tolist() == [[34, 90, 32, 116]]
    assert leg_boxes(joints, 203, 62).tolist() == [[34, 90, 28, 113]]

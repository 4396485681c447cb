"""Labels as COCO annotations: pycocotools decodes them to the masks that they were made from."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from cache_tools.skeletons import COCO
from pipeline.demo.coco_annotation import as_annotation
from pipeline.demo.coco_files import draw_photo
from pipeline.demo.labels import Label


def test_crowds_are_uncompressed_run_lengths() -> None:
    for number in range(1, 200):
        _, people = draw_photo(number, "train", seed=1, noise=True, level="hard", size=(120, 160), skeleton=COCO)
        crowds = [person for person in people if person["iscrowd"]]
        if crowds:
            break
    (crowd,) = crowds
    encoded = coco_mask.frPyObjects(crowd["segmentation"], 120, 160)
    assert coco_mask.area(encoded) == crowd["area"]
    assert coco_mask.toBbox(encoded).tolist() == crowd["bbox"]
    assert crowd["num_keypoints"] == 0
    assert crowd["keypoints"] == [0] * 51


@settings(max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_run_lengths_and_polygons_decode_to_the_mask(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    mask[0, 0] = True  # a label is of something that is seen
    crowd, person = (as_annotation(Label(mask, np.zeros((17, 3)), crowd)) for crowd in (True, False))
    assert (coco_mask.decode(coco_mask.frPyObjects(crowd["segmentation"], height, width)) == mask).all()
    filled = np.zeros(mask.shape, bool)
    for polygon in person["segmentation"]:
        filled |= coco_mask.decode(coco_mask.frPyObjects([polygon], height, width))[..., 0] > 0
    assert (filled >= mask).all()

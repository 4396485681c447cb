"""A COCO keypoint annotation file that is parsed once for all that an evaluation takes from it."""

import contextlib
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache_tools.coco import JOINTS
from cache_tools.instances import Instances, from_document, read_annotations

if TYPE_CHECKING:
    from pycocotools.coco import COCO


class CocoLabels:
    """The persons, the images and pycocotools' index of one annotation file; each is made when first used."""

    def __init__(self, path: str | Path) -> None:
        """Read the file; ValueError where it is not a COCO keypoint file."""
        self.path = Path(path)
        self.document = read_annotations(path)

    @cached_property
    def persons(self) -> Instances:
        """Return the labelled persons, which an evaluation counts."""
        return self.instances()

    def instances(self, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
        """Return the persons that `cache_tools.instances.read_coco` selects from the file."""
        return from_document(self.document, self.path, labelled=labelled, part=part)

    @cached_property
    def images(self) -> dict[int, dict[str, Any]]:
        """Return the entry of each image by its id."""
        return {image["id"]: image for image in self.document["images"]}

    @cached_property
    def coco(self) -> "COCO":
        """Return pycocotools' index of the completed document."""
        from pycocotools.coco import COCO

        coco = COCO()
        coco.dataset = completed(self.document)
        # createIndex prints its progress
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        return coco


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with the keys that pycocotools needs and small files leave out: iscrowd, area, categories, ..."""
    annotations = []
    for annotation in document["annotations"]:
        keypoints = annotation.get("keypoints", [0] * 3 * JOINTS)
        box = annotation.get("bbox", [0, 0, 0, 0])
        defaults = {
            "bbox": box,
            "iscrowd": 0,
            "category_id": 1,
            "keypoints": keypoints,
            "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
            "area": box[2] * box[3],
        }
        annotations.append(defaults | annotation)
    return {"categories": [{"id": 1, "name": "person"}]} | document | {"annotations": annotations}

"""The labels of an evaluation: an annotation file, read once, as pycocotools takes it."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import AnnotationFile, read_annotation_file
from cache_tools.annotations.persons import AREA_OF_BOX
from cache_tools.annotations.photos import Photos
from cache_tools.instances import Instances
from cache_tools.skeletons import Skeleton

if TYPE_CHECKING:
    from pycocotools.coco import COCO


class CocoLabels:
    """The persons, the photos and pycocotools' index of one annotation file; each is made when first used."""

    def __init__(
        self,
        source: str | Path | AnnotationFile,
        *,
        skeleton: Skeleton | None = None,
        category: Sequence[str] = (),
        category_ids: Sequence[int] = (),
        expected: Skeleton | None = None,
    ) -> None:
        """Read and check the file; ValueError where it is not a COCO keypoint file.

        source: its path, or one that is read already. skeleton, category, category_ids, expected: as
        `read_annotation_file` has them.
        """
        if not isinstance(source, AnnotationFile):
            source = read_annotation_file(
                source, skeleton=skeleton, category=category, category_ids=category_ids, expected=expected
            )
        self.file = source

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return self.file.path

    def of_joints(self, counted: NDArray[np.bool_]) -> "CocoLabels":
        """Return the labels of only the joints that are `counted` (K,), with what OKS needs of their skeleton."""
        persons, whole = self.file.persons, self.skeleton
        joints = np.flatnonzero(counted).tolist()
        skeleton = Skeleton(
            names=tuple(whole.names[joint] for joint in joints),
            sigmas=None if whole.sigmas is None else tuple(whole.sigmas[joint] for joint in joints),
            name=whole.name,
        )
        part = replace(persons, keypoints=persons.keypoints[:, joints], visibility=persons.visibility[:, joints])
        return CocoLabels(replace(self.file, persons=part, skeleton=skeleton))

    @property
    def skeleton(self) -> Skeleton:
        """Return the skeleton of the labels."""
        return self.file.skeleton

    @property
    def photos(self) -> Photos:
        """Return the photos that the file lists."""
        return self.file.photos

    @cached_property
    def persons(self) -> Instances:
        """Return the labelled persons, which an evaluation counts."""
        return self.instances()

    @property
    def area_rule(self) -> str | None:
        """Return how the area is known that OKS divides by; None where every labelled person states one."""
        persons = self.file.persons
        assumed = int((np.isnan(persons.area) & (persons.visibility > 0).any(axis=1)).sum())
        return f"{AREA_OF_BOX} of the box's area for {assumed} labelled persons that state none" if assumed else None

    @cached_property
    def category_of(self) -> dict[int, int]:
        """Return the category id of each annotation, by its id."""
        return self.file.categories_by_annotation()

    def instances(self, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
        """Return the persons that `AnnotationFile.instances` selects from the file."""
        return self.file.instances(labelled=labelled, part=part)

    def document(self) -> dict[str, Any]:
        """Return the labels as a COCO document with every key that evaluators need.

        Annotations are numbered from 1, because pycocotools takes the id 0 for "no match".
        """
        persons = self.file.persons
        triples = np.concatenate([persons.keypoints, persons.visibility[..., None]], axis=-1)
        columns = zip(
            persons.image_id.tolist(),
            persons.category_id.tolist(),
            persons.crowd.tolist(),
            np.nan_to_num(persons.box).tolist(),
            self.file.area.tolist(),
            triples.reshape(len(triples), -1).tolist(),
            (persons.visibility > 0).sum(axis=1).tolist(),
            strict=True,
        )
        annotations = [
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "iscrowd": int(crowd),
                "bbox": box,
                "area": area,
                "keypoints": keypoints,
                "num_keypoints": labelled,
            }
            for number, (image, category, crowd, box, area, keypoints, labelled) in enumerate(columns, 1)
        ]
        return {
            "images": [{"id": number} for number in self.photos.ids()],
            "categories": [{"id": number, "name": str(number)} for number in self.file.categories],
            "annotations": annotations,
        }

    @cached_property
    def coco(self) -> "COCO":
        """Return pycocotools' index of the document."""
        from pycocotools.coco import COCO

        coco = COCO()
        coco.dataset = self.document()
        # createIndex prints its progress
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        return coco

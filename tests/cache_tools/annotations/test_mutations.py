"""Any change to a valid annotation file gives what the file then says, or a ValueError that names entry and field."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_tools.annotations import read_annotation_file
from cache_tools.instances import Instances
from tests.samples.coco_document import coco_document
from tests.samples.mutations import Mutation, mutated, mutations, some

DOCUMENT = coco_document(persons=2, persons_a_photo=1)
MUTATIONS = [*mutations(DOCUMENT)]
# what a message says in place of a field's own name
ALSO = {"images": ("photo",), "annotations": ("annotation", "person", "keypoint"), "keypoints": ("keypoint",)}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "persons.json"


def persons_or_message(path: Path, document: Any) -> Instances | str:
    path.write_text(json.dumps(document))
    try:
        return read_annotation_file(path).instances()
    except ValueError as refused:
        return str(refused)


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def check_persons(persons: Instances, document: Any) -> None:
    """Assert that persons are what a document says, entry by entry."""
    (category,) = document.get("categories") or [{}]
    chosen = int(category.get("id", 1))
    # what annotations of other categories say is not looked at
    of_category = [entry for entry in document["annotations"] if int(entry.get("category_id", chosen)) == chosen]
    by_id = {int(entry["id"]): entry for entry in of_category}
    photos = {int(entry["id"]): entry for entry in document["images"]}
    assert len(by_id) == len(of_category)
    left_out = set(by_id) - set(persons.annotation_id.tolist())
    for row, number in enumerate(persons.annotation_id.tolist()):
        entry = by_id[number]
        photo = photos[int(entry["image_id"])]
        triples = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        assert all(map(is_number, np.ravel(np.array(entry["keypoints"], object))))
        labelled = triples[:, 2] > 0
        np.testing.assert_array_equal(persons.visibility[row], triples[:, 2])
        np.testing.assert_array_equal(persons.keypoints[row][labelled], triples[labelled, :2])
        assert (persons.file_name[row], persons.image_size[row].tolist()) == (
            photo["file_name"].replace("\\", "/"), [int(photo["height"]), int(photo["width"])],
        )  # fmt: skip
        x, y, width, height = entry["bbox"]
        assert all(map(is_number, entry["bbox"]))
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, int(photo["width"])), min(y + height, int(photo["height"]))
        np.testing.assert_allclose(persons.box[row], [left, top, right - left, bottom - top])
        area = entry.get("area") or 0
        expected = area if area > 0 else 0.53 * persons.box[row, 2] * persons.box[row, 3]
        assert persons.area[row] == pytest.approx(expected)
        assert entry.get("iscrowd") in (0, None)
    for number in left_out:
        entry = by_id[number]
        box, photo = entry.get("bbox") or [0, 0, 0, 0], photos[int(entry["image_id"])]
        outside = box[0] >= int(photo["width"]) or box[1] >= int(photo["height"]) or min(box[2:]) <= 0
        outside |= box[0] + box[2] <= 0 or box[1] + box[3] <= 0
        assert entry.get("iscrowd") or not entry.get("keypoints") or outside


def is_named(mutation: Mutation, message: str) -> bool:
    """Return whether a message says where the change is: the entry, and its field."""
    kind = mutation.path[0]
    entry = "entry" in message or any(word in message for word in (kind, *ALSO.get(kind, ()), "category", "image"))
    field = mutation.field
    # an object that is not there leaves an id that nobody has, or an annotation without one
    whole = len(mutation.path) <= 2 or field in message or any(word in message for word in ALSO.get(field, ()))
    return "persons.json" in message and entry and whole


def test_a_single_change_is_read_right_or_refused_by_name(path: Path) -> None:
    refused = 0
    chosen = some(MUTATIONS, 3)
    for mutation in chosen:
        document = mutated(DOCUMENT, mutation)
        found = persons_or_message(path, document)
        if isinstance(found, str):
            assert is_named(mutation, found), (mutation, found)
            refused += 1
        else:
            check_persons(found, document)
    assert 0.5 * len(chosen) < refused < 0.9 * len(chosen)


@given(st.lists(st.sampled_from(MUTATIONS), min_size=2, max_size=4))
def test_several_changes_are_read_right_or_refused(path: Path, changes: list[Mutation]) -> None:
    document = mutated(DOCUMENT, *changes)
    found = persons_or_message(path, document)
    if isinstance(found, Instances):
        check_persons(found, document)

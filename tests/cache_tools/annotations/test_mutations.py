"""Any change to a valid annotation file gives the right result or a ValueError; never another number in silence."""

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.annotations import read_annotation_file
from tests.samples.coco_document import coco_document, write_document

VALUES = [
    None, True, False, 0, 1, 2, -1, 3, 17, 0.5, float("nan"), float("inf"), 1e308, 2**63, 10**400, "", "a", "1", [],
    [1], {}, {"a": 1},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a document, a few of each long list."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for key, inner in value.items() for place in places(inner, (*path, key))]
    elif isinstance(value, list):
        found += [place for key, inner in enumerate(value[:6]) for place in places(inner, (*path, key))]
    return found


PLACES = places(coco_document())


def changed(path: tuple[Any, ...], how: str, value: Any) -> Any:
    """Return the document with one value replaced, removed or doubled."""
    document = copy.deepcopy(coco_document())
    holder: Any = document
    for key in path[:-1]:
        holder = holder[key]
    if how == "remove":
        del holder[path[-1]]
    elif how == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[path[-1]]))
    else:
        holder[path[-1]] = value
    return document


@settings(max_examples=400)
@given(st.sampled_from(PLACES), st.sampled_from(["replace", "replace", "remove", "double"]), st.sampled_from(VALUES))
def test_a_changed_document_is_read_right_or_refused(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], how: str, value: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    document = changed(path, how, value)
    try:
        persons = read_annotation_file(write_document(folder, document)).instances()
    except ValueError:
        return
    # what was read is what the document says, entry by entry
    by_id = {int(entry["id"]): entry for entry in document["annotations"]}
    photos = {int(entry["id"]): entry for entry in document["images"]}
    for row, number in enumerate(persons.annotation_id.tolist()):
        entry = by_id[number]
        triples = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        labelled = triples[:, 2] > 0
        np.testing.assert_array_equal(persons.visibility[row], triples[:, 2])
        np.testing.assert_array_equal(persons.keypoints[row][labelled], triples[labelled, :2])
        assert persons.file_name[row] == photos[int(entry["image_id"])]["file_name"]
        assert persons.image_size[row].tolist() == [photos[int(entry["image_id"])][k] for k in ("height", "width")]
        assert np.isfinite(persons.box[row]).all()
        assert (persons.box[row, 2:] > 0).all()
        assert persons.area[row] > 0
    assert len(json.dumps(persons.image_id.tolist()))

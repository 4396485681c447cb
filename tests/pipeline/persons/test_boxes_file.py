"""A file of boxes, one field after the other wrong: the right boxes, or an error that names the entry and the field."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.persons.boxes_file import BoxesFile, read_boxes_file
from tests.samples.coco_document import coco_document, write_document

ROWS: list[dict[str, Any]] = [
    {"image_id": 7, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0], "score": 0.5},
    {
        "file_name": "a/0001.jpg",
        "image_id": 8,
        "category_id": 1,
        "bbox": [5, 6, 7, 8],
        "score": 1,
        "height": 24,
        "width": 32,
    },
]
#: what JSON may hold in place of a field, and what people really have
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.integers(-3, 100),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["7", "0007", " 7 ", "7.0", "", "a/0001.jpg", "NaN", 1e308, 7.0]),
    st.lists(st.one_of(st.floats(), st.integers(-5, 50), st.none(), st.text(max_size=2)), max_size=5),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
FIELDS = ("image_id", "category_id", "bbox", "score", "file_name", "height", "width")
MISSING = object()


def read(folder: Path, document: Any) -> BoxesFile:
    path = folder / "boxes.json"
    path.write_text(json.dumps(document))
    return read_boxes_file(path)


def read_or_message(folder: Path, document: Any) -> BoxesFile | str:
    try:
        return read(folder, document)
    except ValueError as refused:
        return str(refused)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@given(st.integers(0, 1), st.sampled_from(FIELDS), st.one_of(st.just(MISSING), VALUES))
def test_a_changed_field_is_understood_or_refused(folder: Path, place: int, field: str, value: Any) -> None:
    """Every field that is read is the one that the entry states; everything else of the file stays."""
    rows = copy.deepcopy(ROWS)
    if value is MISSING:
        rows[place].pop(field, None)
    else:
        rows[place][field] = value
    file = read_or_message(folder, rows)
    if isinstance(file, str):
        assert f"boxes.json, entry {place}: " in file
        # a height without a width is no size
        named = ("height", "width") if field in ("height", "width") else (field,)
        assert any(name in file for name in named)
        return
    row, entry, other = rows[place], file.entries[place], file.entries[1 - place]
    assert other == read(folder, ROWS).entries[1 - place]
    assert list(entry.box) == row["bbox"]
    assert all(is_number(number) for number in row["bbox"])
    assert min(entry.box[2:]) >= 0
    assert entry.score is None or is_number(row["score"])
    # a number of JSON, in double precision
    assert entry.score == (None if row.get("score") is None else float(row["score"]))
    assert entry.category_id == (None if row.get("category_id") is None else int(row["category_id"]))
    assert (entry.image_id, entry.name) != (None, None)
    if entry.image_id is not None:
        assert entry.image_id == int(row["image_id"])
        assert entry.name == row.get("file_name")
    elif entry.name != row.get("file_name"):
        assert entry.name == row["image_id"]
    if entry.size is None:
        assert (row.get("height"), row.get("width")) == (None, None)
    else:
        assert entry.size == (int(row["height"]), int(row["width"]))


@given(st.one_of(VALUES, st.sampled_from([[[]], [None], [7]])))
def test_another_document_is_refused(folder: Path, document: Any) -> None:
    if document == []:
        assert read(folder, document).entries == ()
        return
    with pytest.raises(ValueError, match=r"boxes\.json"):
        read(folder, document)


def test_byte_order_marks_and_utf_16_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "boxes.json").write_bytes(json.dumps(ROWS).encode(encoding))
        assert len(read_boxes_file(tmp_path / "boxes.json").entries) == 2


def test_boxes_are_chosen_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [{}, {"category_id": 2}, {"bbox": [1, 2, 0, 4]}, {"score": 0.1}, {"score": None}]
    file = read(tmp_path, [{**ROWS[0], **change} for change in changes])
    kept, left_out = file.chosen(0.2)
    assert [entry.label for entry in kept] == ["entry 0", "entry 4"]
    assert left_out == {"another category": 1, "empty box": 1, "score below 0.2": 1}


def test_a_box_without_category_is_refused_where_there_are_several(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": 1, "bbox": [1, 2, 3, 4]}]))
    assert read_boxes_file(path).category_of(read_boxes_file(path).entries[0]) == 1
    file = read_boxes_file(path, default_categories=(1, 2))
    with pytest.raises(ValueError, match="entry 0: it has no category_id: expected one of 1, 2"):
        file.category_of(file.entries[0])


def test_an_annotation_file_is_read_by_its_own_reader(tmp_path: Path) -> None:
    document = coco_document(category=3)
    document["annotations"][0]["iscrowd"] = 1
    file = read_boxes_file(write_document(tmp_path, document))
    assert (len(file.entries), file.detected, file.categories) == (3, False, (3,))
    assert file.left_out == {"crowd": 1}
    first = file.entries[0]
    assert (first.label, first.name, first.size) == ("annotation 101", "000.jpg", (120, 160))
    document["annotations"][1]["bbox"] = [0, 0, float("nan"), 4]
    with pytest.raises(ValueError, match="annotation 101: its bbox"):
        read_boxes_file(write_document(tmp_path, document))

"""A COCO keypoint file is read for what it says, or refused with the entry, what was found and what was expected."""

import json
from pathlib import Path
from typing import Any

import pytest

from cache_tools.annotations import AnnotationFile, read_annotation_file
from cache_tools.skeletons import COCO
from tests.samples.coco_document import coco_document, write_document


def read(folder: Path, document: Any, **options: Any) -> AnnotationFile:
    return read_annotation_file(write_document(folder, document), **options)


def test_a_plain_file(tmp_path: Path) -> None:
    file = read(tmp_path, coco_document())
    persons = file.instances()
    assert (file.skeleton, file.categories, file.category_names) == (COCO, (1,), ("person",))
    assert persons.annotation_id.tolist() == [100, 101, 102, 103]
    assert persons.file_name == ("000.jpg", "000.jpg", "001.jpg", "001.jpg")
    assert persons.keypoints[2, 5].tolist() == [25, 32]
    assert (file.left_out(), file.persons.remarks) == ({}, ())


def test_what_is_left_out_is_counted_by_its_first_reason(tmp_path: Path) -> None:
    document = coco_document(persons=8)
    document["annotations"][0]["iscrowd"] = 1
    document["annotations"][1]["bbox"] = None
    document["annotations"][2]["bbox"] = [500, 500, 10, 10]
    document["annotations"][3]["keypoints"] = [0] * 51
    document["annotations"][4]["keypoints"] = None
    document["annotations"][5]["category_id"] = 9
    file = read(tmp_path, document)
    assert len(file.instances()) == 2
    assert file.left_out() == {
        "another category": 1, "crowd": 1, "no box": 1, "empty box, or outside its photo": 1, "no labelled keypoint": 2
    }  # fmt: skip
    assert len(file.instances(labelled=False)) == 4


def test_nobody_is_an_error_that_says_why(tmp_path: Path) -> None:
    document = coco_document()
    for annotation in document["annotations"]:
        annotation["iscrowd"] = 1
    with pytest.raises(ValueError, match="holds no person with labelled keypoints inside its photo; left out: 4 crowd"):
        read(tmp_path, document).instances()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "persons.json"
    path.write_bytes(json.dumps(coco_document(), indent=1, ensure_ascii=False).replace("\n", "\r\n").encode(encoding))
    assert len(read_annotation_file(path).instances()) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "it is a list, as boxes and results are"),
        (b'{"images": [], "annotations": {}}', "no list 'annotations'"),
        (b'{"images": [], "annotations": [1]}', "entry 0 of 'annotations' is 1"),
        (b'{"images": [1], "annotations": []}', "entry 0 of 'images' is 1"),
        (b'{"images": [], "annotations": [], "categories": {}}', "'categories' are a dict"),
        (b'{"images": [], "annotations": [], "categories": [{"name": "a"}]}', "its id is None"),
        (b'{"images": [], "annotations": []}', "no person"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "persons.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_annotation_file(path).instances()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("file_name", value) for value in (None, "", 7)),
        *((side, value) for side in ("height", "width") for value in (0, -3, "wide", None, 1.5, 2**40)),
    ],
)
def test_a_photo_without_a_path_or_a_size_is_refused_where_a_person_is_in_it(
    tmp_path: Path, field: str, value: Any
) -> None:
    document = coco_document()
    document["images"][1][field] = value
    with pytest.raises(ValueError, match=rf"annotation 102: its image 11 has .*{field}"):
        read(tmp_path, document).instances()


def test_photos_that_nobody_is_in_need_no_size(tmp_path: Path) -> None:
    document = coco_document()
    document["images"].append({"id": 99})
    assert len(read(tmp_path, document).instances()) == 4


def test_a_path_with_backslashes_is_one_with_slashes(tmp_path: Path) -> None:
    document = coco_document()
    document["images"][0]["file_name"] = "video1\\0001.jpg"
    assert read(tmp_path, document).instances().file_name[0] == "video1/0001.jpg"


def test_an_annotation_of_a_photo_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][1]["image_id"] = 77
    with pytest.raises(ValueError, match="annotation 101: its image_id is 77, which is not the id of any"):
        read(tmp_path, document)


@pytest.mark.parametrize("name", [None, 7, "", " ", "a\n.jpg", "a\0.jpg", "\ud800.jpg", "a" * 300, "a/" * 3000])
def test_a_file_name_that_no_file_can_have_is_refused(tmp_path: Path, name: Any) -> None:
    document = coco_document()
    document["images"][0]["file_name"] = name
    with pytest.raises(ValueError, match=r"its image 10 has the file_name .*: expected a path"):
        read_annotation_file(write_document(tmp_path, document)).instances()


def test_edges_that_are_no_list_are_refused(tmp_path: Path) -> None:
    document = coco_document(names=["a", "b"])
    document["categories"][0]["skeleton"] = 1
    with pytest.raises(ValueError, match="category 1 person: its skeleton is 1: expected a list of pairs"):
        read_annotation_file(write_document(tmp_path, document))

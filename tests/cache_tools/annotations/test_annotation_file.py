"""A COCO keypoint file is read for what it says, or refused with the entry, what was found and what was expected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.annotations import AnnotationFile, read_annotation_file
from cache_tools.annotations.persons import AREA_OF_BOX
from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from tests.samples.coco_document import LEGS, coco_document, write_document


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


# --- keypoints by name ---


def test_the_same_names_in_another_order_are_permuted(tmp_path: Path) -> None:
    document = coco_document()
    order = [16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, 0, 2, 1, 4, 3]
    document["categories"][0]["keypoints"] = [COCO.names[joint] for joint in order]
    for annotation in document["annotations"]:
        triples = np.reshape(annotation["keypoints"], (17, 3))[order]
        annotation["keypoints"] = triples.ravel().tolist()
    expected = read(tmp_path, coco_document()).instances()
    for options in ({}, {"expected": COCO}, {"skeleton": COCO}):
        found = read(tmp_path, document, **options)
        assert found.skeleton == COCO
        np.testing.assert_array_equal(found.instances().keypoints, expected.keypoints)


def test_other_names_are_a_skeleton_of_their_own_and_refused_where_coco_is_expected(tmp_path: Path) -> None:
    document = coco_document()
    names = document["categories"][0]["keypoints"]
    names[1:3] = ["head_bottom", "head_top"]
    file = read(tmp_path, document)
    assert (file.skeleton.name, file.skeleton.names[1]) == ("person", "head_bottom")
    with pytest.raises(ValueError, match="than coco: not left_eye, right_eye; but head_bottom, head_top"):
        read(tmp_path, document, expected=COCO)


def test_a_stated_skeleton_names_the_keypoints_in_the_order_of_the_file(tmp_path: Path) -> None:
    document = coco_document(names=LEGS)
    document["categories"][0]["keypoints"] = []
    stated = Skeleton(names=tuple(LEGS), name="legs")
    assert read(tmp_path, document, skeleton=stated).skeleton is stated
    with pytest.raises(ValueError, match=r"does not name the 6 keypoints .* --skeleton"):
        read(tmp_path, document)


def test_seventeen_keypoints_that_nobody_names_are_cocos(tmp_path: Path) -> None:
    document = coco_document()
    del document["categories"]
    for annotation in document["annotations"]:
        del annotation["category_id"]
    assert read(tmp_path, document).skeleton == COCO


def test_names_without_data_are_refused(tmp_path: Path) -> None:
    # HumanArt names 21 and holds 17
    document = coco_document()
    document["categories"][0]["keypoints"] = [*COCO.names, "a", "b", "c", "d"]
    with pytest.raises(ValueError, match="category person names 21 keypoints, its annotations hold 17"):
        read(tmp_path, document)
    assert read(tmp_path, document, skeleton=COCO).skeleton == COCO


def test_five_fields_of_whole_bodies(tmp_path: Path) -> None:
    wholebody = load_skeleton("coco_wholebody")
    document = coco_document()
    sizes = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    for annotation in document["annotations"]:
        for place, (field, count) in enumerate(sizes.items()):
            annotation[field] = [place, place, 1] * count
    file = read(tmp_path, document, skeleton=wholebody)
    assert file.instances().keypoints.shape == (4, 133, 2)
    assert file.instances().keypoints[0, [17, 23, 91, 132], 0].tolist() == [0, 1, 2, 3]


def test_nested_triples_are_flattened(tmp_path: Path) -> None:
    document = coco_document()
    flat = read(tmp_path, document).instances()
    for annotation in document["annotations"]:
        annotation["keypoints"] = np.reshape(annotation["keypoints"], (17, 3)).tolist()
    np.testing.assert_array_equal(read(tmp_path, document).instances().keypoints, flat.keypoints)


# --- categories ---


@pytest.mark.parametrize("number", [0, 2, 7, 2**40])
def test_a_category_is_found_by_its_keypoints_and_not_by_its_number(tmp_path: Path, number: int) -> None:
    document = coco_document(category=number)
    document["categories"].insert(0, {"id": 1, "name": "ball", "keypoints": []})
    document["annotations"].append({"id": 1, "image_id": 10, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81})
    file = read(tmp_path, document)
    assert file.categories == (number,)
    assert len(file.instances(labelled=False)) == 4
    assert file.left_out() == {"another category": 1}


def test_several_categories_with_the_same_keypoints_are_all_read(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"].append(document["categories"][0] | {"id": 2, "name": "child"})
    document["annotations"][3]["category_id"] = 2
    file = read(tmp_path, document)
    assert (file.categories, len(file.instances())) == ((1, 2), 4)
    assert file.categories_by_annotation()[103] == 2
    assert len(read(tmp_path, document, category="child").instances()) == 1
    assert len(read(tmp_path, document, category="1").instances()) == 3


def test_categories_with_different_keypoints_are_a_choice(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"].append({"id": 2, "name": "legs", "keypoints": LEGS})
    with pytest.raises(ValueError, match=r"different keypoints \(1 person \(17 keypoints\), 2 legs \(6 keypoints\)\)"):
        read(tmp_path, document)
    assert len(read(tmp_path, document, category="person").instances()) == 4
    with pytest.raises(ValueError, match="no category 'persons': expected one of 1 person"):
        read(tmp_path, document, category="persons")


def test_annotations_of_a_category_that_the_list_does_not_have_are_told(tmp_path: Path) -> None:
    document = coco_document()
    for annotation in document["annotations"]:
        annotation["category_id"] = 4
    with pytest.raises(ValueError, match="annotations of category 4, none of 1"):
        read(tmp_path, document)


def test_boxes_of_several_categories_without_keypoints_are_no_persons(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"] = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    for annotation in document["annotations"]:
        del annotation["keypoints"]
        annotation["category_id"] = 1 + annotation["id"] % 2
    with pytest.raises(ValueError, match=r"categories 1, 2: expected person_keypoints_\*\.json"):
        read(tmp_path, document)


# --- ids ---


def test_two_photos_of_one_id_are_refused_with_both_files(tmp_path: Path) -> None:
    document = coco_document()
    document["images"][1]["id"] = 10
    with pytest.raises(ValueError, match=r"two photos have the id 10: '000\.jpg' and '001\.jpg'"):
        read(tmp_path, document)


def test_two_annotations_of_one_id_are_refused(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][1]["id"] = 100
    with pytest.raises(ValueError, match="2 annotations have the id 100"):
        read(tmp_path, document)


@pytest.mark.parametrize("write", [str, float, lambda number: f" {number}", int])
def test_whole_numbers_may_be_written_as_text_or_with_a_point(tmp_path: Path, write: Any) -> None:
    document = coco_document()
    for image in document["images"]:
        image["id"] = write(image["id"])
    for annotation in document["annotations"]:
        annotation["image_id"], annotation["id"] = write(annotation["image_id"]), write(annotation["id"])
    found = read(tmp_path, document).instances()
    assert found.image_id.tolist() == [10, 10, 11, 11]
    assert found.annotation_id.tolist() == [100, 101, 102, 103]


@pytest.mark.parametrize("value", [None, 1.5, "a", True, 2**63, -(2**63) - 1, [1], {}, float("nan"), "1e3", ""])
@pytest.mark.parametrize("field", ["id", "image_id", "category_id"])
def test_an_id_that_is_no_whole_number_is_refused_with_its_field(tmp_path: Path, field: str, value: Any) -> None:
    document = coco_document()
    document["annotations"][2][field] = value
    with pytest.raises(ValueError, match=field):
        read(tmp_path, document)


def test_ids_may_be_zero_negative_and_as_large_as_64_bits(tmp_path: Path) -> None:
    document = coco_document()
    for annotation, number in zip(document["annotations"], (0, -5, 2**63 - 1, -(2**63)), strict=True):
        annotation["id"] = number
    assert read(tmp_path, document).instances().annotation_id.tolist() == [-5, 0, -(2**63), 2**63 - 1]


# --- labels ---


@pytest.mark.parametrize("value", [3, 0.5, -1, float("nan"), 255])
def test_visibility_is_zero_one_or_two(tmp_path: Path, value: float) -> None:
    document = coco_document()
    document["annotations"][1]["keypoints"][3 * 7 + 2] = value
    with pytest.raises(ValueError, match=r"annotation 101: its left_elbow is .* 0 \(not labelled\), 1 \(hidden\) or 2"):
        read(tmp_path, document)


def test_coordinates_of_joints_without_a_label_mean_nothing(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][0]["keypoints"][:3] = [float("nan"), 1e9, 0]
    assert read(tmp_path, document).instances().keypoints[0, 0].tolist() == [0, 0]
    document["annotations"][0]["keypoints"][:3] = [float("nan"), 5, 1]
    with pytest.raises(ValueError, match="annotation 100: its nose"):
        read(tmp_path, document)


def test_num_keypoints_is_counted_again_and_said(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][0]["num_keypoints"] = 0
    document["annotations"][1]["keypoints"] = [0] * 51
    file = read(tmp_path, document)
    assert file.instances().annotation_id.tolist() == [100, 102, 103]
    assert file.persons.remarks == (
        "2 annotations state another num_keypoints than the keypoints that they label: counted again",
    )


@pytest.mark.parametrize(
    "value", [[1, 2], list(range(50)), ["1"] * 51, [[1, 2, 2], 3], "abc", {"nose": 1}, [None] * 51, [10**400] * 51]
)
def test_keypoints_that_are_no_triples_are_refused(tmp_path: Path, value: Any) -> None:
    document = coco_document()
    document["annotations"][1]["keypoints"] = value
    with pytest.raises(ValueError, match=r"annotation 101: .* expected"):
        read(tmp_path, document)


# --- boxes and areas ---


@pytest.mark.parametrize("value", [None, [], "missing"])
def test_an_annotation_without_a_box_is_counted(tmp_path: Path, value: Any) -> None:
    document = coco_document()
    document["annotations"][0]["bbox"] = value
    if value == "missing":
        del document["annotations"][0]["bbox"]
    file = read(tmp_path, document)
    assert (len(file.instances()), file.left_out()) == (3, {"no box": 1})


@pytest.mark.parametrize(
    "value", [[1, 2, 3], [1, 2, -3, 4], [float("nan"), 0, 3, 4], ["1", 2, 3, 4], "box", [1, 2, 3, 1e999], [True] * 4]
)
def test_a_box_that_is_none_is_refused(tmp_path: Path, value: Any) -> None:
    document = coco_document()
    document["annotations"][1]["bbox"] = value
    with pytest.raises(ValueError, match=r"annotation 101: its bbox is .* expected x, y, width, height"):
        read(tmp_path, document)


@pytest.mark.parametrize("value", [None, 0, float("nan"), "missing"])
def test_an_area_that_is_not_stated_is_a_part_of_the_box(tmp_path: Path, value: Any) -> None:
    document = coco_document()
    document["annotations"][0]["area"] = value
    if value == "missing":
        del document["annotations"][0]["area"]
    file = read(tmp_path, document)
    assert file.instances().area.tolist() == [AREA_OF_BOX * 60 * 80, 2000, 2000, 2000]
    assert file.persons.remarks == ("1 labelled annotations state no area: 0.53 of their box's is taken",)


@pytest.mark.parametrize("value", [-1, "1", float("inf"), [1]])
def test_an_area_that_is_none_is_refused(tmp_path: Path, value: Any) -> None:
    document = coco_document()
    document["annotations"][1]["area"] = value
    with pytest.raises(ValueError, match="annotation 101: its area"):
        read(tmp_path, document)


# --- what is left out, and what the file is ---


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
        (b"[]", "no list 'images' and no list 'annotations'"),
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
    with pytest.raises(ValueError, match="annotation 101: it names image 77, which is not listed"):
        read(tmp_path, document)

"""Ids, labels, boxes and areas of annotations: understood, counted, or refused with annotation and field."""

from pathlib import Path
from typing import Any

import pytest

from cache_tools.annotations import AnnotationFile, read_annotation_file
from cache_tools.annotations.persons import AREA_OF_BOX
from tests.samples.coco_document import coco_document, write_document


def read(folder: Path, document: Any, **options: Any) -> AnnotationFile:
    return read_annotation_file(write_document(folder, document), **options)


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


@pytest.mark.parametrize("value", [3, 0.5, -1, float("nan"), 255])
def test_visibility_is_zero_one_or_two(tmp_path: Path, value: float) -> None:
    document = coco_document()
    document["annotations"][1]["keypoints"][3 * 7 + 2] = value
    with pytest.raises(
        ValueError, match=r"annotation 101: its keypoint left_elbow is .* 0 \(not labelled\), 1 \(hidden\) or 2"
    ):
        read(tmp_path, document)


def test_coordinates_of_joints_without_a_label_mean_nothing(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][0]["keypoints"][:3] = [float("nan"), 1e9, 0]
    assert read(tmp_path, document).instances().keypoints[0, 0].tolist() == [0, 0]
    document["annotations"][0]["keypoints"][:3] = [float("nan"), 5, 1]
    with pytest.raises(ValueError, match="annotation 100: its keypoint nose"):
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


def test_keypoints_in_fields_that_are_not_read_are_said(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][1] |= {"foot_kpts": [1, 1, 2] * 6, "face_kpts": []}
    (remark,) = read(tmp_path, document).persons.remarks
    assert remark == (
        "annotations also have foot_kpts, face_kpts, which are not read: --skeleton coco_wholebody reads them"
    )
    document["annotations"][1] = document["annotations"][0] | {"id": 5, "tail_kpts": [1, 1, 2]}
    (remark,) = read(tmp_path, document).persons.remarks
    assert remark == "annotations also have tail_kpts, which are not read"


def test_a_file_name_of_several_photos_is_said(tmp_path: Path) -> None:
    document = coco_document()
    document["images"][1]["file_name"] = document["images"][0]["file_name"]
    file = read(tmp_path, document)
    (remark,) = file.persons.remarks
    assert remark.startswith("1 file names are those of several photos, 000.jpg first: each is taken for an image")
    assert len(set(file.instances().image_id.tolist())) == 2


def test_lean_annotations_without_iscrowd_area_and_num_keypoints(tmp_path: Path) -> None:
    """CrowdPose, AIC, JHMDB and ExLPose leave out some of them."""
    document = coco_document()
    whole = read(tmp_path, document).instances()
    for annotation in document["annotations"]:
        for field in ("iscrowd", "area", "num_keypoints"):
            del annotation[field]
    found = read(tmp_path, document)
    persons = found.instances()
    assert persons.keypoints.tolist() == whole.keypoints.tolist()
    assert persons.area.tolist() == [AREA_OF_BOX * 60 * 80] * 4
    assert not found.persons.crowd.any()
    assert found.persons.remarks == ("4 labelled annotations state no area: 0.53 of their box's is taken",)


def test_a_file_without_boxes_is_refused_with_their_number(tmp_path: Path) -> None:
    document = coco_document()
    for annotation in document["annotations"]:
        del annotation["bbox"]
    with pytest.raises(ValueError, match="no person with labelled keypoints inside its photo; left out: 4 no box"):
        read(tmp_path, document).instances()

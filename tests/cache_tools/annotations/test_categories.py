"""Categories and keypoints are found by the names in the file, never by a number or a count."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.annotations import AnnotationFile, read_annotation_file
from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from tests.samples.coco_document import LEGS, coco_document, write_document


def read(folder: Path, document: Any, **options: Any) -> AnnotationFile:
    return read_annotation_file(write_document(folder, document), **options)


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
    assert len(read(tmp_path, document, category=["child"]).instances()) == 1
    assert len(read(tmp_path, document, category=["1"]).instances()) == 3
    assert len(read(tmp_path, document, category=["1", "child"]).instances()) == 4


def test_categories_with_different_keypoints_are_a_choice(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"].append({"id": 2, "name": "legs", "keypoints": LEGS})
    with pytest.raises(ValueError, match=r"different keypoints \(1 person \(17 keypoints\), 2 legs \(6 keypoints\)\)"):
        read(tmp_path, document)
    assert len(read(tmp_path, document, category=["person"]).instances()) == 4
    with pytest.raises(ValueError, match="no category 'persons': expected one of 1 person"):
        read(tmp_path, document, category=["persons"])


def test_annotations_of_a_category_that_the_list_does_not_have_are_told(tmp_path: Path) -> None:
    document = coco_document()
    for annotation in document["annotations"]:
        annotation["category_id"] = 4
    with pytest.raises(ValueError, match="annotations have the category_id 4, none has 1"):
        read(tmp_path, document)


def test_boxes_of_several_categories_without_keypoints_are_no_persons(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"] = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    for annotation in document["annotations"]:
        del annotation["keypoints"]
        annotation["category_id"] = 1 + annotation["id"] % 2
    with pytest.raises(ValueError, match=r"categories 1, 2: expected person_keypoints_\*\.json"):
        read(tmp_path, document)

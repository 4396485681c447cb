"""OKS sigmas from two annotations: against noise of known size, against the definition in plain loops."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cache_tools.skeletons import load_skeleton
from pipeline.evaluation.annotator_sigmas import measure_sigmas, sigmas_text
from tests.samples.coco_document import LEGS, coco_document, write_document

TRUE_SIGMAS = np.array([0.05, 0.08, 0.1, 0.03, 0.06, 0.12])


def annotated_again(document: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Return the document with keypoints moved by a distance of which E[d^2] is TRUE_SIGMAS^2 x area."""
    rng = np.random.default_rng(seed)
    again = copy.deepcopy(document)
    for annotation in again["annotations"]:
        keypoints = np.array(annotation["keypoints"], float).reshape(-1, 3)
        deviation = TRUE_SIGMAS * np.sqrt(annotation["area"] / 2)
        keypoints[:, :2] += rng.normal(size=(6, 2)) * deviation[:, None]
        annotation["keypoints"] = keypoints.ravel().tolist()
    return again


def measured(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> Any:
    return measure_sigmas(write_document(folder, one, "a.json"), write_document(folder, other, "b.json"))


def test_known_sigmas_are_found(tmp_path: Path) -> None:
    document = coco_document(persons=2000, names=LEGS, persons_a_photo=1)
    found = measured(tmp_path, document, annotated_again(document))
    # the deviation of a mean of n squared distances is 1/sqrt(n) of it, so that of sigma is half of that
    np.testing.assert_allclose(found.sigmas, TRUE_SIGMAS, rtol=4 * 0.5 / np.sqrt(2000))
    assert (found.by_id, found.by_box, found.unmatched) == (2000, 0, (0, 0))
    assert found.counts.tolist() == [2000] * 6


def test_the_number_is_that_of_the_definition(tmp_path: Path) -> None:
    document = coco_document(persons=3, names=LEGS)
    other = annotated_again(document)
    other["annotations"][1]["keypoints"][2] = 0  # the first joint is not labelled
    other["annotations"][2]["area"] = 4000.0  # the mean of 2000 and 4000 counts
    expected = []
    for joint in range(6):
        terms = []
        for one, two in zip(document["annotations"], other["annotations"], strict=True):
            a, b = (np.array(each["keypoints"]).reshape(-1, 3)[joint] for each in (one, two))
            if a[2] and b[2]:
                terms.append(((a - b)[:2] ** 2).sum() / ((one["area"] + two["area"]) / 2))
        expected.append(np.sqrt(np.mean(terms)))
    found = measured(tmp_path, document, other)
    np.testing.assert_allclose(found.sigmas, expected, rtol=1e-12)
    assert found.counts.tolist() == [2, 3, 3, 3, 3, 3]


def test_persons_are_matched_by_photo_and_box_where_ids_differ(tmp_path: Path) -> None:
    document = coco_document(persons=4, names=LEGS)
    for number, annotation in enumerate(document["annotations"]):
        annotation["bbox"] = [10.0 + 70 * (number % 2), 20.0, 60.0, 80.0]
    by_id = annotated_again(document)
    by_box = copy.deepcopy(by_id)
    # ids of 100 to 103 that are other persons, and one person who is in this file only
    for annotation in by_box["annotations"]:
        annotation["id"] = 203 - annotation["id"]
        annotation["bbox"][0] += 3
    by_box["annotations"].append({**by_box["annotations"][0], "id": 999, "bbox": [0.0, 0.0, 8.0, 8.0]})
    first, second = measured(tmp_path, document, by_id), measured(tmp_path, document, by_box)
    assert (second.by_id, second.by_box, second.unmatched) == (0, 4, (0, 1))
    np.testing.assert_array_equal(first.sigmas, second.sigmas)


def test_the_other_file_may_list_the_joints_in_another_order(tmp_path: Path) -> None:
    document = coco_document(persons=3, names=LEGS)
    again = annotated_again(document)
    order = [5, 3, 1, 0, 2, 4]
    permuted = copy.deepcopy(again)
    permuted["categories"][0]["keypoints"] = [LEGS[joint] for joint in order]
    for annotation in permuted["annotations"]:
        annotation["keypoints"] = np.array(annotation["keypoints"]).reshape(-1, 3)[order].ravel().tolist()
    np.testing.assert_array_equal(
        measured(tmp_path, document, again).sigmas, measured(tmp_path, document, permuted).sigmas
    )


def test_the_text_is_a_part_of_a_skeleton_file(tmp_path: Path) -> None:
    document = coco_document(persons=3, names=LEGS)
    found = measured(tmp_path, document, annotated_again(document))
    text = sigmas_text(found)
    assert "3 persons" in text
    path = tmp_path / "legs.yaml"
    path.write_text(yaml.safe_dump({"keypoints": LEGS}) + text + "\n")
    np.testing.assert_allclose(load_skeleton(str(path)).oks_sigmas()[0], found.sigmas, atol=5e-5)


def test_a_joint_that_nobody_has_labelled_is_a_comment(tmp_path: Path) -> None:
    document = coco_document(persons=3, names=["yes", "1", *LEGS[2:]])
    other = annotated_again(document)
    for annotation in other["annotations"]:
        annotation["keypoints"][2] = 0
        annotation["keypoints"][3:5] = document["annotations"][0]["keypoints"][3:5]
        annotation["keypoints"][4] = annotation["id"] - 70
    text = sigmas_text(measured(tmp_path, document, other))
    assert "# 'yes': labelled in both files for nobody: state a sigma yourself" in text
    assert "# '1': 0 in 3 persons" in text
    assert [*yaml.safe_load(text)["sigmas"]] == LEGS[2:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "have the same keypoints, to the last digit"),
        ({"bbox": [100.0, 20.0, 20.0, 80.0], "id": 7}, "2 photos are in both, and no boxes in them overlap"),
    ],
)
def test_files_that_measure_nothing_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    document = coco_document(names=LEGS)
    other = copy.deepcopy(document)
    for number, annotation in enumerate(other["annotations"]):
        annotation |= {key: value + number if key == "id" else value for key, value in change.items()}
    with pytest.raises(ValueError, match=message):
        measured(tmp_path, document, other)


def test_files_of_other_photos_or_joints_are_refused(tmp_path: Path) -> None:
    document = coco_document(names=LEGS)
    other = copy.deepcopy(document)
    for image in other["images"]:
        image["file_name"] = f"other/{image['file_name']}"
    with pytest.raises(ValueError, match=r"no photo is in both: 000\.jpg and other/000\.jpg"):
        measured(tmp_path, document, other)
    with pytest.raises(ValueError, match="has other keypoints than person"):
        measured(tmp_path, document, coco_document())

"""The same labels, written as people write them, have the same AP; what is not the same is refused.

The inputs are ten photos of COCO val2017 with 18 labelled persons, and PP-TinyPose, whose AP on them is known.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.evaluation import evaluate
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.pose_network import PoseNetwork
from tests.samples.remembering_network import RememberingNetwork

WITHOUT_FLIP = Inference(flip=False, device="cpu")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def tinypose(shared_data: Path) -> PoseNetwork:
    reference = f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"
    return RememberingNetwork(load_network(reference, threads=1))


@pytest.fixture(scope="module")
def document(shared_cases: Path) -> Document:
    """Return the labels as COCO writes them."""
    return dict(json.loads((shared_cases / "base" / "val.json").read_text()))


def percent(network: PoseNetwork, labels: Path | CocoLabels, photos: Path) -> float:
    ap = evaluate(network, labels, photos, inference=WITHOUT_FLIP, progress=False).metrics.percent("AP")
    assert ap is not None
    return ap


@pytest.fixture(scope="module")
def plain_ap(tinypose: PoseNetwork, shared_cases: Path) -> float:
    return percent(tinypose, shared_cases / "base" / "val.json", shared_cases / "base" / "img")


def test_the_known_ap(plain_ap: float) -> None:
    assert plain_ap == pytest.approx(66.2, abs=0.05)


@pytest.mark.parametrize(
    "file",
    ["order/legs_first", "category/person_is_0", "category/person_is_2", "category/ball_is_1", "category/extra_image"],
)
def test_another_order_or_another_category(
    file: str, tinypose: PoseNetwork, shared_cases: Path, plain_ap: float
) -> None:
    labels = shared_cases / f"{file}.json"
    assert percent(tinypose, labels, shared_cases / "base" / "img") == pytest.approx(plain_ap, abs=1e-9)


def test_backslashes_in_paths(tinypose: PoseNetwork, shared_cases: Path, plain_ap: float, tmp_path: Path) -> None:
    (tmp_path / "val").symlink_to(shared_cases / "base" / "img")
    ap = percent(tinypose, shared_cases / "category" / "backslash.json", tmp_path)
    assert ap == pytest.approx(plain_ap, abs=1e-9)


def text_ids(document: Document) -> None:
    for image in document["images"]:
        image["id"] = str(image["id"])
    for annotation in document["annotations"]:
        annotation |= {"image_id": f"{annotation['image_id']:012}", "id": str(annotation["id"]), "category_id": 1.0}


def ids_from_zero(document: Document) -> None:
    for number, annotation in enumerate(document["annotations"]):
        annotation["id"] = number


def lean(document: Document) -> None:
    for key in ("info", "licenses", "categories"):
        document.pop(key, None)
    document["annotations"] = [
        {key: annotation[key] for key in ("id", "image_id", "bbox", "keypoints", "area", "iscrowd")}
        for annotation in document["annotations"]
    ]


def nested_triples(document: Document) -> None:
    for annotation in document["annotations"]:
        annotation["keypoints"] = np.array(annotation["keypoints"]).reshape(-1, 3).tolist()


def hidden_joints_as_seen(document: Document) -> None:
    for annotation in document["annotations"]:
        keypoints = annotation["keypoints"]
        annotation["keypoints"] = [min(2, 2 * v) if place % 3 == 2 else v for place, v in enumerate(keypoints)]


def another_file_order(document: Document) -> None:
    document["images"].reverse()
    document["annotations"].reverse()


@pytest.mark.parametrize(
    "rewrite", [text_ids, ids_from_zero, lean, nested_triples, hidden_joints_as_seen, another_file_order]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_another_way_to_write_the_file(
    rewrite: Callable[[Document], None],
    encoding: str,
    document: Document,
    tinypose: PoseNetwork,
    shared_cases: Path,
    plain_ap: float,
    tmp_path: Path,
) -> None:
    rewritten = copy.deepcopy(document)
    rewrite(rewritten)
    path = tmp_path / "val.json"
    path.write_bytes(json.dumps(rewritten, indent=1).replace("\n", "\r\n").encode(encoding))
    assert percent(tinypose, path, shared_cases / "base" / "img") == pytest.approx(plain_ap, abs=1e-9)


def test_a_box_s_area_in_place_of_the_segment_s_is_stated(
    document: Document, tinypose: PoseNetwork, shared_cases: Path, plain_ap: float, tmp_path: Path
) -> None:
    rewritten = copy.deepcopy(document)
    for annotation in rewritten["annotations"]:
        annotation["area"] = None
    path = tmp_path / "val.json"
    path.write_text(json.dumps(rewritten))
    metrics = evaluate(tinypose, path, shared_cases / "base" / "img", inference=WITHOUT_FLIP, progress=False).metrics
    assert metrics.AP is not None
    assert metrics.protocol.area == "0.53 of the box's area for 18 labelled persons that state none"
    assert "val.json: 18 labelled annotations state no area: 0.53 of their box's is taken" in metrics.notes
    assert abs(100 * metrics.AP - plain_ap) < 10


def test_two_categories_are_both_evaluated_and_ap_is_their_mean(
    tinypose: PoseNetwork, shared_cases: Path, plain_ap: float
) -> None:
    path, photos = shared_cases / "category" / "adult_child.json", shared_cases / "base" / "img"
    result = evaluate(tinypose, path, photos, inference=WITHOUT_FLIP, progress=False)
    protocol = result.metrics.protocol
    assert (protocol.persons, protocol.categories) == (18, (1, 2))
    assert {pose["category_id"] for pose in result.results} == {1, 2}
    each = [percent(tinypose, CocoLabels(path, category=[name]), photos) for name in ("adult", "child")]
    assert result.metrics.percent("AP") == pytest.approx(np.mean(each), abs=1e-9)


def test_a_file_without_a_labelled_joint_is_refused_before_inference(
    document: Document, shared_cases: Path, tmp_path: Path
) -> None:
    def never(crops: Any) -> Any:
        raise AssertionError("the network ran")

    network: Any = never
    rewritten = copy.deepcopy(document)
    for annotation in rewritten["annotations"]:
        annotation["keypoints"] = [0] * 51
    path = tmp_path / "val.json"
    path.write_text(json.dumps(rewritten))
    for labels in (path, shared_cases / "category" / "nobody.json"):
        with pytest.raises(ValueError, match=r"no annotation has a labelled keypoint|no person on them"):
            evaluate(network, labels, shared_cases / "base" / "img", inference=WITHOUT_FLIP)


def test_merged_files_whose_photos_share_ids_are_refused(tinypose: PoseNetwork, shared_cases: Path) -> None:
    folder, photos = shared_cases / "merged_ids", shared_cases / "base" / "img"
    assert percent(tinypose, folder / "right.json", photos) == pytest.approx(62.5, abs=0.05)
    with pytest.raises(ValueError, match=r"merged\.json: two photos have the id 1: '\d+\.jpg' and '\d+\.jpg'"):
        evaluate(tinypose, folder / "merged.json", photos, inference=WITHOUT_FLIP)

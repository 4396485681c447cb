"""`kdcache evaluate` and `kdcache predict` as typed: what they write, what they refuse, that they agree."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import kdcache
from tests.samples.small_build import arguments, small_job

pytestmark = pytest.mark.usefixtures("sessions_are_kept")


def run(*words: object) -> Result:
    return CliRunner().invoke(kdcache, [str(word) for word in words])


@pytest.fixture(scope="module")
def val(shared_data: Path) -> Path:
    return shared_data / "coco" / "person_keypoints_val.json"


@pytest.fixture(scope="module")
def teacher(shared_data: Path) -> str:
    return f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"


@pytest.fixture(scope="module")
def few(val: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the annotations of six images."""
    truth = json.loads(val.read_text())
    truth["images"] = truth["images"][:6]
    kept = {image["id"] for image in truth["images"]}
    truth["annotations"] = [a for a in truth["annotations"] if a["image_id"] in kept]
    path = tmp_path_factory.mktemp("few") / "few.json"
    path.write_text(json.dumps(truth))
    return path


def test_the_command_writes_and_prints(teacher: str, tmp_path: Path, val: Path, few: Path) -> None:
    outputs = ["--out", tmp_path / "metrics.json", "--results", tmp_path / "results.json", "--device", "cpu"]
    result = run("evaluate", "--teacher", teacher, "--images", val.parent / "val", "--annotations", few, *outputs)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert f"{100 * metrics['AP']:.1f}" in result.output
    assert "boxes gt, flip test on" in result.output
    assert len(json.loads((tmp_path / "results.json").read_text())) == metrics["protocol"]["persons"]
    assert not list(tmp_path.glob("*.partial"))


def test_predict_writes_what_evaluate_judges(teacher: str, tmp_path: Path, val: Path, few: Path) -> None:
    """Boxes of a detector, some of them twice: the same poses, scores and image ids."""
    rng = np.random.default_rng(0)
    boxes = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": float(rng.uniform(0.2, 1))}
        for a in json.loads(few.read_text())["annotations"] * 2
        if not a["iscrowd"]
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    common = ["--teacher", teacher, "--boxes", tmp_path / "boxes.json", "--no-flip", "--device", "cpu"]
    judged, predicted = tmp_path / "judged.json", tmp_path / "predicted.json"
    first = run("evaluate", "--images", val.parent / "val", "--annotations", few, *common, "--results", judged)
    second = run("predict", val.parent / "val", *common, "--out", predicted)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    ours, theirs = json.loads(predicted.read_text()), json.loads(judged.read_text())
    assert len(boxes) / 2 <= len(ours) < len(boxes)  # doubles went
    for name in ("image_id", "category_id", "score", "keypoints"):
        np.testing.assert_allclose([r[name] for r in ours], [r[name] for r in theirs], atol=1e-3)


def test_a_store_that_was_built_is_evaluated(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    assert run(*arguments(job)).exit_code == 0
    store = ["evaluate", "--store", job.store, "--annotations", job.annotations, "--device", "cpu"]
    result = run(*store, "--out", tmp_path / "metrics.json")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["protocol"]["persons"] == 44
    assert metrics["protocol"]["decode_device"] == "cpu"
    assert "gaussian-oracle, cached as compact" in result.output
    for option in (["--images", "x"], ["--boxes", "gt"], ["--flip"], ["--score-threshold", "0"], ["--workers", "1"]):
        refused = run(*store, *option)
        assert refused.exit_code == 2
        assert f"{option[0]} would be ignored: a store has heatmaps already" in refused.output


def test_the_command_asks_for_one_thing(val: Path) -> None:
    for given in ([], ["run", "--teacher", "student:demo"], ["--teacher", "student:demo"]):
        result = run("evaluate", *given, "--annotations", val)
        assert result.exit_code == 2
        assert "give one of RUN" in result.output or "--images is missing" in result.output


def test_other_joints_and_categories_as_typed(teacher: str, val: Path, few: Path, tmp_path: Path) -> None:
    """Two joints under names and a category of their own, one of which the network does not know."""
    truth = json.loads(few.read_text())
    truth["categories"] = [{"id": 4, "name": "leg", "keypoints": ["knee_l", "heel"]}, {"id": 9, "name": "other"}]
    for annotation in truth["annotations"]:
        annotation |= {"category_id": 4, "keypoints": [*annotation["keypoints"][39:42], 5, 5, 2]}
        del annotation["num_keypoints"]
    path, out = tmp_path / "legs.json", tmp_path / "metrics.json"
    path.write_text(json.dumps(truth))
    common = ["--images", val.parent / "val", "--annotations", path, "--no-flip", "--device", "cpu", "--out", out]
    result = run("evaluate", "--teacher", f"{teacher}&skeleton=coco", *common, "--common")
    assert result.exit_code == 0, result.output
    assert "1 common joints of leg's 2" in result.output
    assert "does not know 1 of 2 joints (heel): only the others are scored" in result.output
    assert json.loads(out.read_text())["protocol"]["joints"] == "common"
    result = run("evaluate", "--teacher", f"{teacher}&skeleton=coco", *common, "--category", "nobody")
    assert "it has no category 'nobody': expected one of 4 leg (2 keypoints), 9 other (0 keypoints)" in str(
        result.exception
    )
    result = run("evaluate", "--teacher", f"{teacher}&skeleton=coco", *common, "--joint", "heel=left_ankle")
    assert "2 joints of leg" in result.output
    assert json.loads(out.read_text())["protocol"]["renamed_joints"] == {"knee_l": "left_knee", "heel": "left_ankle"}

"""Ten joints of two legs with feet, from annotations to poses, with a teacher that knows eight of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from student.run_record import read_record
from tests.samples.command_line import metrics, run
from tests.samples.drawn_feet import CATEGORY, EDGES, NAMES, write_people
from tests.samples.drawn_store import quick_settings

TEACHER = "tests.samples.drawn_feet:teacher"
HIPS = {"femoral_head_l": "L_Hip", "femoral_head_r": "R_Hip"}
JOINTS = [part for ours, its in HIPS.items() for part in ("--joint", f"{ours}={its}")]
WIDER = {"channels": [16, 32, 32, 32], "stem_width": 16}
SETTINGS = quick_settings("feet", train__epochs=24, model__backbone_options=WIDER).model_dump_json()

pytestmark = pytest.mark.usefixtures("one_thread")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(kdcache, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of train, val, a store of the teacher, and a run of 24 epochs."""
    folder = tmp_path_factory.mktemp("feet")
    write_people(folder / "train", 32)
    write_people(folder / "val", 8, seed=1)
    # of the eight joints that it knows
    expected = ["--expect-ap", "50", "--tolerance", "0"]
    run("build", folder / "feet.zarr", "--teacher", TEACHER, *JOINTS, *photos(folder / "train"), *expected)
    run("train", folder / "feet.zarr", "--out", folder / "run", "--settings", SETTINGS, "--device", "cpu")
    return folder


def photos(split: Path) -> list[str | Path]:
    """Return the options that name a split."""
    return ["--images", split, "--annotations", split / "runners.json"]


def test_the_file_is_read_as_it_says(tmp_path: Path) -> None:
    """Its only category of keypoints is number 7, it states no area, and the names give the mirror order."""
    summary = json.loads(run("skeleton", write_people(tmp_path, 3), "--json"))
    assert [(c["id"], c["read"]) for c in summary["categories"]] == [(1, False), (CATEGORY, True)]
    assert summary["persons"] == 3
    joints = {joint["name"]: joint["mirror"] for joint in summary["skeleton"]["joints"]}
    assert joints == {name: name[:-1] + ("r" if name[-1] == "l" else "l") for name in NAMES}
    assert summary["skeleton"]["edges"] == [[NAMES[a - 1], NAMES[b - 1]] for a, b in EDGES]


def test_the_store_says_what_the_teacher_does_not_know(folder: Path) -> None:
    facts = json.loads(run("info", folder / "feet.zarr", "--json"))
    assert (facts["skeleton"], facts["unknown_keypoints"]) == ("runner", ["toe_l", "toe_r"])
    store = HeatmapStore.open(folder / "feet.zarr")
    assert store.spec.annotations.categories == (CATEGORY,)
    maps = store.read(np.arange(4))
    assert maps.shape == (4, 10, 16, 16)
    assert not maps[:, [4, 9]].any()
    assert (maps[:, [0, 1, 2, 3, 5, 6, 7, 8]].max(axis=(2, 3)) > 0.5).mean() > 0.8
    run("verify", folder / "feet.zarr", "--recompute", "4", "--images", folder / "train", "--teacher", TEACHER)


def test_a_student_learns_all_ten_joints_toes_from_their_labels_only(folder: Path, tmp_path: Path) -> None:
    record = read_record(folder / "run")
    assert record.skeleton is not None
    assert (record.skeleton["names"], record.categories) == (NAMES, [CATEGORY])
    found = metrics(tmp_path / "m.json", folder / "run", *photos(folder / "val"))
    protocol = found["protocol"]
    assert (protocol["skeleton"], protocol["categories"], protocol["flip"]) == ("runner", [CATEGORY], True)
    assert protocol["oks_sigmas"]["knee_l"] == {"sigma": 0.087, "source": "coco"}
    assert protocol["oks_sigmas"]["toe_l"] == {"sigma": 0.05, "source": "assumed"}
    # by chance a point lies within a tenth of the box's size of a joint once in thirty times
    assert found["per_joint"]["all"]["PCK"] > 0.3
    assert np.mean([found["per_joint"][f"toe_{side}"]["PCK"] for side in "lr"]) > 0.1
    store = metrics(tmp_path / "s.json", "--store", folder / "feet.zarr", "--annotations",
                    folder / "train" / "runners.json", "--common")  # fmt: skip
    assert store["protocol"]["unknown_joints"] == ["toe_l", "toe_r"]
    assert store["AP"] > 0.5


def test_the_exported_network_is_a_teacher_that_needs_no_option(folder: Path, tmp_path: Path) -> None:
    exported = tmp_path / "feet.onnx"
    run("export", folder / "run", "--out", exported)
    of_run = metrics(tmp_path / "run.json", folder / "run", *photos(folder / "val"))
    of_file = metrics(tmp_path / "file.json", "--teacher", f"onnx:{exported}", *photos(folder / "val"))
    assert "unknown_joints" not in of_file["protocol"] or not of_file["protocol"]["unknown_joints"]
    for joint in ("all", "toe_l"):
        assert of_file["per_joint"][joint] == pytest.approx(of_run["per_joint"][joint], abs=1e-3)
    run("build", tmp_path / "second.zarr", "--teacher", f"onnx:{exported}", *photos(folder / "val"))
    facts = json.loads(run("info", tmp_path / "second.zarr", "--json"))
    assert (facts["keypoints"], facts["unknown_keypoints"]) == (NAMES, [])


def test_poses_are_predicted_and_drawn(folder: Path, tmp_path: Path) -> None:
    run("predict", folder / "val", "--student", folder / "run", "--overlay", tmp_path / "drawn", "--out",
        tmp_path / "poses.json")  # fmt: skip
    poses = json.loads((tmp_path / "poses.json").read_text())
    assert len(poses) == 8
    assert {len(pose["keypoints"]) for pose in poses} == {30}
    assert {pose["category_id"] for pose in poses} == {CATEGORY}
    assert len(list((tmp_path / "drawn").iterdir())) == 8
    panel = ["report", "heatmaps", *photos(folder / "val"), "--teacher", TEACHER, *JOINTS, "--run", folder / "run"]
    run(*panel, "--persons", "2", "--device", "cpu", "--out", tmp_path / "panel.svg")
    assert "of 8 joints" in (tmp_path / "panel.svg").read_text()


def written(folder: Path, **changes: Any) -> Path:
    """Write a skeleton of the same ten joints with changes; return its path."""
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump({"keypoints": NAMES, "name": "runner", **changes}))
    return path


def train(folder: Path, out: Path, *options: str | Path) -> Result:
    short = quick_settings("feet", train__epochs=1).model_dump_json()
    return invoke("train", folder / "feet.zarr", "--out", out, "--settings", short, "--device", "cpu", *options)


def test_a_training_takes_another_mirror_order_halves_and_sigmas_of_the_same_joints(
    folder: Path, tmp_path: Path
) -> None:
    upper = ["femoral_head_l", "femoral_head_r", "knee_l", "knee_r"]
    lower = [name for name in NAMES if name not in upper]
    changed = written(tmp_path, upper=upper, lower=lower, sigmas=0.07)
    result = train(folder, tmp_path / "run", "--skeleton", changed)
    assert result.exit_code == 0, result.output
    record = read_record(tmp_path / "run")
    assert record.skeleton is not None
    assert (record.skeleton["upper"], record.skeleton["sigmas"]) == ([0, 5, 1, 6], [0.07] * 10)
    found = metrics(tmp_path / "m.json", tmp_path / "run", *photos(folder / "val"), "--skeleton", changed)
    assert found["protocol"]["oks_sigmas"]["toe_l"] == {"sigma": 0.07, "source": "stated"}
    # it is another run than one of the store's own skeleton, which is not replaced in silence
    refused = train(folder, tmp_path / "run")
    assert isinstance(refused.exception, ValueError)
    assert "skeleton" in str(refused.exception)


def test_the_store_s_own_skeleton_stated_is_the_same_run(folder: Path, tmp_path: Path) -> None:
    pairs = [[NAMES[a], NAMES[b]] for a, b in HeatmapStore.open(folder / "feet.zarr").spec.skeleton.edges]
    assert train(folder, tmp_path / "run").exit_code == 0
    before = (tmp_path / "run" / "run.json").read_bytes()
    assert train(folder, tmp_path / "run", "--skeleton", written(tmp_path, edges=pairs)).exit_code == 0
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_without_a_mirror_order_nothing_is_flipped_and_it_is_said(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = written(tmp_path, mirror="none")
    with caplog.at_level("INFO"):
        assert train(folder, tmp_path / "run", "--skeleton", unknown).exit_code == 0
    assert "skeleton runner has no mirror order: no flips, no flip test" in caplog.text
    assert "skeleton runner has no halves: no half-body views" in caplog.text
    found = metrics(tmp_path / "m.json", tmp_path / "run", *photos(folder / "val"), "--flip")
    assert found["protocol"]["flip"] is False


def test_a_skeleton_of_other_joints_is_refused(folder: Path, tmp_path: Path) -> None:
    names = ["tip_l" if name == "toe_l" else name for name in NAMES]
    result = train(folder, tmp_path / "run", "--skeleton", written(tmp_path, keypoints=names))
    assert isinstance(result.exception, ValueError)
    assert "tip_l" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_the_ap_while_training_is_by_the_stated_skeleton(folder: Path, tmp_path: Path) -> None:
    """The validation file names no keypoints, and a second category has others."""
    val = json.loads((folder / "val" / "runners.json").read_text())
    val["categories"][1]["keypoints"] = []
    (folder / "val" / "unnamed.json").write_text(json.dumps(val))
    measured: list[str | Path] = ["--val-images", folder / "val", "--val-annotations", folder / "val" / "unnamed.json"]
    result = train(
        folder, tmp_path / "run", *measured, "-s", "train.evaluate_epochs=1", "--skeleton", written(tmp_path)
    )
    assert result.exit_code == 0, result.output
    assert read_record(tmp_path / "run").best is not None

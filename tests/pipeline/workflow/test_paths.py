"""Files of the workflow: where they are, and what each job waits for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, parse_config
from pipeline.download import DETECTIONS
from pipeline.workflow import paths
from tests.samples.coco_document import coco_document, write_document

OUT = Path("results/x")
SMALL: dict[str, Any] = {
    "out": "results/x",
    "data": {
        "root": "coco",
        "train": {"images": "train", "annotations": "train.json"},
        "val": {"images": "val", "annotations": "val.json"},
    },
    "teachers": [{"name": "vit", "reference": "vitpose-plus-huge"}, {"name": "tiny", "reference": "onnx:tiny.onnx"}],
    "students": [{"name": "a"}, {"name": "b", "control": False, "paper": "Efficientnet_B0"}],
}


def config(**changes: Any) -> Config:
    """Return SMALL with changes."""
    return parse_config({**SMALL, **changes})


def students(*settings: dict[str, Any]) -> Config:
    """Return SMALL with students that have these settings and no controls."""
    return config(students=[{"name": f"s{n}", "control": False, **one} for n, one in enumerate(settings)])


def test_the_workflow_is_planned_without_torch() -> None:
    code = "import sys, pipeline.workflow.options; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_split_is_ready_with_its_annotations_or_with_the_receipt_of_its_download() -> None:
    downloaded = config(data={**SMALL["data"], "download": True})
    assert paths.annotations_ready(config(), "val") == Path("coco/val.json")
    receipt = OUT / "receipts/download.json"
    assert paths.annotations_ready(downloaded, "train") == paths.annotations_ready(downloaded, "val") == receipt


def test_the_check_of_a_split_waits_for_what_it_reads() -> None:
    cfg = config(evaluate={"boxes": "mine.json"})
    assert paths.check_inputs(cfg, "train") == [Path("coco/train.json")]
    assert paths.check_inputs(cfg, "val") == [Path("coco/val.json"), Path("coco/mine.json")]
    measured = students({"train": {"evaluate_epochs": 1}}, {})
    assert paths.check_inputs(measured, "val") == [Path("coco/train.json"), Path("coco/val.json")]
    downloaded = config(
        data={**SMALL["data"], "download": True}, students=[{"name": "s", "train": {"evaluate_epochs": 1}}]
    )
    assert paths.check_inputs(downloaded, "val") == [OUT / "receipts/download.json"]


@pytest.mark.parametrize(
    ("boxes", "download", "source", "ready"),
    [
        ("gt", True, "gt", []),
        ("mine.json", True, "coco/mine.json", [Path("coco/mine.json")]),
        (DETECTIONS.name, False, f"coco/{DETECTIONS.name}", [Path("coco", DETECTIONS.name)]),
        (DETECTIONS.name, True, f"coco/{DETECTIONS.name}", [OUT / "receipts/detections.json"]),
    ],
)
def test_only_the_known_detections_of_a_downloaded_data_set_are_downloaded(
    boxes: str, download: bool, source: str, ready: list[Path]
) -> None:
    cfg = config(evaluate={"boxes": boxes}, data={**SMALL["data"], "download": download})
    assert (paths.boxes_source(cfg), paths.boxes_ready(cfg)) == (source, ready)


def test_every_network_has_files_of_its_own() -> None:
    cfg = config()
    networks = paths.networks(cfg)
    assert networks == ["teachers/vit", "teachers/tiny", "students/a", "students/a-control", "students/b"]
    files = [file_of(cfg, network) for network in networks for file_of in (paths.metrics_file, paths.cost_file)]
    assert len(set(files)) == len(files) == 10


def test_a_student_is_ready_with_its_run_and_a_teacher_always() -> None:
    assert paths.network_ready(config(), "students/a-control") == [OUT / "receipts/train/a-control.json"]
    assert paths.network_ready(config(), "teachers/vit") == []


def test_a_build_waits_for_both_splits_and_depends_on_validation_only_where_the_teacher_is_measured() -> None:
    checked, other = SMALL["teachers"]
    cfg = config(teachers=[{**checked, "expect_ap": 75}, other])
    train, val = OUT / "receipts/check/train.json", OUT / "receipts/check/val.json"
    assert (paths.build_inputs(cfg, "vit"), paths.build_conditions(cfg, "vit")) == ([train, val], [])
    assert (paths.build_inputs(cfg, "tiny"), paths.build_conditions(cfg, "tiny")) == ([train, Path("tiny.onnx")], [val])


def test_each_run_is_a_training_or_all_are_one() -> None:
    names = {name: [s.name for s in settings] for name, settings in paths.trainings(config()).items()}
    assert names == {"a": ["a"], "a-control": ["a-control"], "b": ["b"]}
    together = paths.trainings(config(one_stream=True))
    assert {name: [s.name for s in settings] for name, settings in together.items()} == {
        paths.ONE_STREAM: ["a", "a-control", "b"]
    }


def test_a_training_waits_for_every_cached_teacher_and_for_labels_only_where_ap_is_measured() -> None:
    stores = [OUT / "receipts/stores/vit.json", OUT / "receipts/stores/tiny.json"]
    cfg = students({"train": {"evaluate_epochs": 1}}, {})
    assert paths.train_inputs(cfg, "s0") == [stores[0], OUT / "receipts/check/val.json"]
    assert paths.train_inputs(cfg, "s1") == [stores[0]]
    assert paths.train_inputs(config(store={"teachers": ["vit", "tiny"]}), "b") == stores


def test_one_live_student_makes_its_job_need_the_teacher() -> None:
    settings: list[dict[str, Any]] = [{"distill": {"mode": "live"}}, {}]
    cfg = students(*settings)
    assert [paths.needs_teacher(cfg, name) for name in ("s0", "s1")] == [True, False]
    together = config(students=[{"name": f"s{n}", "control": False, **one} for n, one in enumerate(settings)])
    assert paths.needs_teacher(together.model_copy(update={"one_stream": True}), paths.ONE_STREAM)


def files_of_networks(cfg: Config) -> set[Path]:
    """Return the metrics and costs of every network that a job can measure."""
    return {file_of(cfg, name) for name in paths.networks(cfg) for file_of in (paths.metrics_file, paths.cost_file)}


def test_rows_name_the_files_that_the_jobs_write() -> None:
    cfg = config()
    teacher, _, with_control, without = paths.table_rows(cfg)
    assert (teacher.role, teacher.metrics) == ("teacher", paths.metrics_file(cfg, "teachers/vit"))
    assert with_control.control == paths.metrics_file(cfg, "students/a-control")
    assert (without.paper, without.control) == ("Efficientnet_B0", None)
    assert len(paths.measurements(cfg)) == 9  # metrics and costs of four rows, and one control
    assert set(paths.measurements(cfg)) <= files_of_networks(cfg)


def test_every_seed_is_measured_and_only_the_first_is_timed() -> None:
    cfg = config(students=[{"name": "a", "seeds": 2}])
    row = paths.table_rows(cfg)[-1]
    assert row.repeats[0].metrics == paths.metrics_file(cfg, "students/a-seed1")
    assert row.repeats[0].control == paths.metrics_file(cfg, "students/a-seed1-control")
    students = [path for path in paths.measurements(cfg) if path.parent.name == "students"]
    assert len(students) == 5  # four metrics, one cost
    assert set(paths.measurements(cfg)) <= files_of_networks(cfg)


def test_predictions_show_the_last_student_by_default() -> None:
    assert paths.predictions_run(config()) == "b"
    assert paths.predictions_run(config(report={"predictions_student": "a"})) == "a"


def test_a_skeleton_s_file_is_an_input_of_trainings_and_evaluations_but_not_of_stores(tmp_path: Path) -> None:
    legs = tmp_path / "legs.yaml"
    legs.write_text("keypoints: [hip_l, hip_r]")
    stated = config(data={**SMALL["data"], "skeleton": str(legs)})
    assert paths.skeleton_file(stated) == [legs]
    assert paths.train_inputs(stated, "a")[-1] == legs
    assert legs not in paths.build_inputs(stated, "vit")
    assert paths.skeleton_file(config(data={**SMALL["data"], "skeleton": "coco"})) == []
    assert paths.skeleton_file(config()) == []


@pytest.mark.parametrize(
    ("names", "measured"),
    [
        (["hip_l", "knee_l", "ankle_l", "hip_r", "knee_r", "ankle_r"], True),
        ([f"{side}_{joint}" for side in ("left", "right") for joint in ("femoral_head", "knee", "talus")], True),
        (["hip_l", "knee_l", "ankle_l", "hip_r"], False),
        (["hip_l", "knee_l", "ankle_r", "hip_r"], False),
        (["nose", "tail"], False),
    ],
)
def test_angles_are_measured_where_the_data_have_both_legs(tmp_path: Path, names: list[str], measured: bool) -> None:
    """The skeleton is what is stated, else what the validation labels name."""
    write_document(tmp_path, coco_document(names=names), "val.json")
    data = {**SMALL["data"], "root": str(tmp_path)}
    assert paths.measures_angles(config(data=data)) is measured
    assert paths.measures_angles(config(data=data, report={"hka": not measured})) is not measured
    assert paths.measures_angles(config(data={**data, "skeleton": "coco"}))
    assert not paths.measures_angles(config(data={**data, "skeleton": "hand21"}))
    # COCO's, where the labels are not there yet
    assert paths.measures_angles(config(data={**data, "download": True}))
    assert paths.measures_angles(config())


def test_labels_that_are_not_understood_are_told_before_anything_runs(tmp_path: Path) -> None:
    document = coco_document(names=["nose", "tail"])
    document["categories"].append({"id": 2, "name": "cat", "keypoints": ["nose"]})
    write_document(tmp_path, document, "val.json")
    data = {**SMALL["data"], "root": str(tmp_path)}
    with pytest.raises(ValueError, match=r"val\.json: it has categories with different keypoints .* --category"):
        paths.measures_angles(config(data=data))
    assert not paths.measures_angles(config(data={**data, "category": "cat"}))

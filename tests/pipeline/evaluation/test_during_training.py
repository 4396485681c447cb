"""Evaluation during training: the same numbers as of the finished student, one reading of the annotations."""

import shutil
from pathlib import Path

import pytest

from pipeline.evaluation import evaluation
from pipeline.evaluation.during_training import training_evaluation
from pipeline.evaluation.evaluation import evaluate
from pipeline.evaluation.metrics_file import METRICS
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.settings import StudentSettings, TrainSettings
from tests.samples.coco_document import coco_document, write_document
from tests.samples.small_run import SMALL, write_run


def test_a_training_evaluates_as_the_command_does_and_reads_the_annotations_once(
    shared_data: Path, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coco = shared_data / "coco"
    annotations = tmp_path / "val.json"
    shutil.copy(coco / "person_keypoints_val.json", annotations)
    evaluate_student = training_evaluation(annotations, coco / "val", "cpu")
    annotations.unlink()
    settings = StudentSettings(name="small", model=SMALL, train=TrainSettings(evaluate_persons=30))
    student = write_run(run)
    with monkeypatch.context() as patch:
        # the photos were checked before the training
        patch.delattr(evaluation, "check_photos")
        first, second = evaluate_student(student, settings), evaluate_student(student, settings)
    assert [*first] == [*METRICS]
    assert first == second
    finished = evaluate(
        load_network(f"student:{run}", "cpu"),
        coco / "person_keypoints_val.json",
        coco / "val",
        inference=Inference(flip=False, device="cpu"),
        max_persons=30,
    )
    assert finished.metrics.numbers == first


@pytest.mark.parametrize("missing", ["photos", "annotations"])
def test_what_is_missing_is_an_error_before_training(missing: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_document(tmp_path, coco_document(), "val.json")
    photos = tmp_path / ("nowhere" if missing == "photos" else "photos")
    annotations = tmp_path / ("nowhere.json" if missing == "annotations" else "val.json")
    with pytest.raises(FileNotFoundError, match=r"there is no (file|folder) .*nowhere.*: expected"):
        training_evaluation(annotations, photos)

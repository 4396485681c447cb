"""Students in 8-bit integers: AP stays near that of the file in float."""

from pathlib import Path

import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.geometry import crop_to_image
from pipeline.demo.dataset import write_dataset
from pipeline.evaluation.evaluation import evaluate
from pipeline.teachers.load import load_network
from pipeline.teachers.student_run import run_folder
from student.checkpoint import load_model
from student.export.int8 import quantise_onnx
from student.export.onnx import export_onnx
from student.inference import Inference
from student.prediction import read_crops


def test_eight_bits_cost_little_ap(tmp_path: Path) -> None:
    write_dataset(tmp_path, 32, seed=4, val_persons=60)
    persons = read_coco(tmp_path / "annotations/person_keypoints_train.json")
    student, settings = load_model(run_folder("demo"))
    size = settings.model.input_size
    photos = [tmp_path / "train" / name for name in persons.file_name]
    crops = np.stack(list(read_crops(photos, crop_to_image(persons.box, "udp", size), size)))
    in_float, in_int8 = tmp_path / "demo.onnx", tmp_path / "demo.int8.onnx"
    export_onnx(student, settings.model, in_float, crops[:4], "demo")
    quantise_onnx(in_float, in_int8, crops)
    float_ap, int8_ap = (average_precision(file, tmp_path) for file in (in_float, in_int8))
    assert float_ap > 0.6
    assert int8_ap == pytest.approx(float_ap, abs=0.02)


def average_precision(file: Path, demo: Path) -> float:
    """Return the AP of an exported student on the demo's validation persons."""
    network, inference = load_network(f"onnx:{file}", device="cpu"), Inference(flip=False, device="cpu")
    annotations = demo / "annotations/person_keypoints_val.json"
    ap = evaluate(network, annotations, demo / "val", inference=inference).metrics.AP
    assert ap is not None
    return ap

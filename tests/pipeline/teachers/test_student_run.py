"""A student trained here as a teacher."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cache_tools.skeletons import COCO
from pipeline.teachers.load import load_network
from student.checkpoint import save_weights
from student.models.student import create_student
from student.normalise import normalise
from tests.samples.small_run import SMALL, write_run


def test_a_student_is_a_teacher(tmp_path: Path) -> None:
    student = write_run(tmp_path)
    teacher = load_network(f"student:{tmp_path}", "cpu")
    crops = np.random.default_rng(2).integers(0, 256, (3, *SMALL.input_size, 3)).astype(np.uint8)
    with torch.inference_mode():
        expected = student(normalise(torch.from_numpy(crops))).numpy()
    np.testing.assert_allclose(teacher(crops), expected, atol=1e-5)
    assert (teacher.name, teacher.frame, teacher.sigma) == ("small", "udp", SMALL.sigma)
    digest = teacher.digest
    save_weights(tmp_path / "best.safetensors", create_student(SMALL, COCO))
    assert load_network(f"student:{tmp_path}").digest != digest
    with pytest.raises(FileNotFoundError, match="is no run"):
        load_network("student:nowhere")


def test_a_students_digest_covers_what_it_reads_and_no_more(tmp_path: Path) -> None:
    write_run(tmp_path)
    digest = load_network(f"student:{tmp_path}").digest
    (tmp_path / "log.jsonl").write_text("{}")
    assert load_network(f"student:{tmp_path}").digest == digest
    run = json.loads((tmp_path / "run.json").read_text())
    run["settings"]["model"]["sigma"] += 0.5
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert load_network(f"student:{tmp_path}").digest != digest

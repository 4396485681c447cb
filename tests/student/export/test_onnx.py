"""Exported students, compared with torch: any batch size, as teachers, and refused where they differ."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torchvision.models.shufflenetv2 import InvertedResidual

from cache_tools.skeletons import COCO
from pipeline.persons.sample_crops import rendered_crops
from pipeline.teachers.load import load_network
from student.export.onnx import export_onnx
from student.export.onnx_session import run_onnx
from student.models.backbones import Backbone
from student.models.student import PoseStudent
from student.normalise import normalise
from student.settings import ModelSettings
from tests.samples.small_run import SMALL, lively_student, write_run


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("onnx") / "small.onnx"
    export_onnx(lively_student(), SMALL, file, rendered_crops(4, SMALL.input_size), "small")
    return file


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_any_batch_size_gives_torchs_heatmaps(exported: Path, batch: int) -> None:
    crops = rendered_crops(batch, SMALL.input_size)
    with torch.no_grad():
        expected = lively_student()(normalise(torch.from_numpy(crops))).numpy()
    # heatmaps, not zeros
    assert expected.std() > 0.1
    np.testing.assert_allclose(run_onnx(exported, crops), expected, atol=1e-3)


def test_the_file_describes_itself(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert (metadata["name"], metadata["backbone"]) == ("small", "timm:resnet10t")
    assert (metadata["frame"], metadata["padding"], metadata["sigma"]) == ("udp", "1.25", "2")
    assert (metadata["input_size"], metadata["heatmap_size"]) == ("128x96", "32x24")
    assert json.loads(metadata["keypoints"])[13] == "left_knee"
    shape = [side.dim_param or side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["batch", 128, 96, 3]
    # one file, and no temporary one
    assert list(exported.parent.iterdir()) == [exported]


def test_a_file_is_a_teacher_like_its_run(exported: Path, tmp_path: Path) -> None:
    write_run(tmp_path)
    crops = rendered_crops(5, SMALL.input_size)
    as_file, as_run = load_network(f"onnx:{exported}?frame=udp"), load_network(f"student:{tmp_path}", device="cpu")
    assert (as_file.input_size, as_file.heatmap_size) == (as_run.input_size, as_run.heatmap_size)
    np.testing.assert_allclose(as_file(crops), as_run(crops), atol=1e-3)


@pytest.mark.parametrize("backbone", ["shufflenet_0.5", "timm:tf_mobilenetv3_small_minimal_100"])
def test_channel_shuffles_and_uneven_padding_are_exported(tmp_path: Path, backbone: str) -> None:
    settings = ModelSettings(backbone=backbone, weights="none", input_size=(64, 64), heatmap_size=(16, 16))
    crops, student = rendered_crops(3, (64, 64)), lively_student(settings)
    # of equal blocks, two; the exporter takes its time for each
    for blocks in list(student.modules()):
        if isinstance(blocks, nn.Sequential) and len(blocks) > 2 and isinstance(blocks[0], InvertedResidual):
            del blocks[2:]
    assert export_onnx(student, settings, tmp_path / "s.onnx", crops, "s") < 1e-3


class GrowingStudent(PoseStudent):
    """A student whose heatmaps, of averaged pixels, grow with every call: no file agrees with them."""

    calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return pixels of a quarter of the size, for each joint, times the number of calls."""
        GrowingStudent.calls += 1
        return nn.functional.avg_pool2d(images[:, :1], 4).expand(-1, 17, -1, -1) * GrowingStudent.calls


def test_a_file_that_differs_is_not_written(tmp_path: Path) -> None:
    student = lively_student()
    assert isinstance(student.backbone, Backbone)
    growing = GrowingStudent(student.backbone, student.head, COCO).eval()
    with pytest.raises(ValueError, match=r"differs from torch by .* on 2 crops, more than 0.001: it was not written"):
        export_onnx(growing, SMALL, tmp_path / "x.onnx", rendered_crops(2, SMALL.input_size), "x")
    assert list(tmp_path.iterdir()) == []

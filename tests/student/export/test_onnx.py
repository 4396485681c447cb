"""Exported students against torch: any batch size, as teachers, in 8-bit integers, and refused where they differ."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

from cache_tools.geometry import crop_to_image
from cache_tools.instances import read_coco
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.commands.export import command, person_crops, rendered_crops, training_store
from pipeline.demo.dataset import write_dataset
from pipeline.evaluation.evaluation import evaluate
from pipeline.teachers.load import load_network
from pipeline.teachers.student_run import DEMO
from student.checkpoint import load_model
from student.export.int8 import quantise_onnx
from student.export.onnx import export_onnx
from student.export.onnx_session import run_onnx
from student.inference import Inference
from student.models.backbones import Backbone
from student.models.student import PoseStudent
from student.normalise import normalise
from student.prediction import read_crops
from student.run_record import read_record, write_record
from student.settings import ModelSettings
from tests.samples.small_run import SMALL, lively_student, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("onnx") / "small.onnx"
    export_onnx(lively_student(), SMALL, file, rendered_crops(4, SMALL.input_size), "small")
    return file


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_any_batch_gives_torch_s_heatmaps(exported: Path, batch: int) -> None:
    crops = rendered_crops(batch, SMALL.input_size)
    with torch.no_grad():
        expected = lively_student()(normalise(torch.from_numpy(crops))).numpy()
    assert expected.std() > 0.1  # heatmaps, not zeros
    np.testing.assert_allclose(run_onnx(exported, crops), expected, atol=1e-3)


def test_the_file_tells_what_it_is(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["frame"], told["input_size"], told["heatmap_size"], told["sigma"]) == ("udp", "128x96", "32x24", "2")
    assert json.loads(told["keypoints"])[13] == "left_knee"
    assert [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        128,
        96,
        3,
    ]
    assert list(exported.parent.iterdir()) == [exported]  # one file, nothing unfinished


def test_it_is_a_teacher_like_its_run(run: Path, exported: Path) -> None:
    crops = rendered_crops(5, SMALL.input_size)
    as_file, as_run = load_network(f"onnx:{exported}?frame=udp"), load_network(f"student:{run}", device="cpu")
    assert (as_file.input_size, as_file.heatmap_size) == (as_run.input_size, as_run.heatmap_size)
    np.testing.assert_allclose(as_file(crops), as_run(crops), atol=1e-3)


@pytest.mark.parametrize("backbone", ["shufflenet_0.5", "timm:tf_efficientnet_lite0"])
def test_channel_shuffles_and_uneven_padding_are_exported(tmp_path: Path, backbone: str) -> None:
    settings = ModelSettings(backbone=backbone, weights="none", input_size=(64, 64), heatmap_size=(16, 16))
    crops = rendered_crops(3, (64, 64))
    assert export_onnx(lively_student(settings), settings, tmp_path / "s.onnx", crops, "s") < 1e-3


class Drifting(PoseStudent):
    """Heatmaps that grow with every call, so that no file can agree with them."""

    calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        Drifting.calls += 1
        return super().forward(images) * Drifting.calls


def test_a_file_that_differs_is_not_written(tmp_path: Path) -> None:
    student = lively_student()
    assert isinstance(student.backbone, Backbone)
    drifting = Drifting(student.backbone, student.head).eval()
    with pytest.raises(ValueError, match=r"differs from torch by .* on 2 crops, more than 0.001: it was not written"):
        export_onnx(drifting, SMALL, tmp_path / "x.onnx", rendered_crops(2, SMALL.input_size), "x")
    assert list(tmp_path.iterdir()) == []


def test_the_command_with_int8_and_ap(run: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "demo", 24, seed=1, val_persons=12)
    persons = tmp_path / "demo/annotations/person_keypoints_train.json"
    build(
        BuildJob(
            store=str(tmp_path / "s.zarr"),
            teacher=f"student:{run}",
            images=tmp_path / "demo/train",
            annotations=persons,
        )
    )
    val = tmp_path / "demo/annotations/person_keypoints_val.json"
    arguments = [run, "--out", tmp_path / "out/small.onnx", "--int8", "--store", tmp_path / "s.zarr", "--seconds", 0.1]
    arguments += ["--images", tmp_path / "demo/val", "--annotations", val]
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert training_store(run) is None
    record = read_record(run)
    teachers = [{"store": str(tmp_path / "gone.zarr")}, {"store": str(tmp_path / "s.zarr")}]
    write_record(tmp_path / "trained", record.model_copy(update={"teachers": teachers}))
    found = training_store(tmp_path / "trained")
    assert found is not None
    assert found.url == str(tmp_path / "s.zarr")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["small.int8.onnx", "small.onnx"]
    assert "of torch on 16 stored persons" in result.output
    assert result.output.count(" AP ") == 2
    assert f"on {len(read_coco(val))} persons" in result.output

    crops = rendered_crops(8, SMALL.input_size)
    whole, small = (run_onnx(tmp_path / f"out/small{kind}.onnx", crops) for kind in ("", ".int8"))
    assert np.corrcoef(whole.ravel(), small.ravel())[0, 1] > 0.95
    assert not np.array_equal(whole, small)
    types = {i.data_type for i in onnx.load(tmp_path / "out/small.int8.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in types
    for kind, dtype in (("", "float32"), (".int8", "int8")):
        teacher = load_network(f"onnx:{tmp_path}/out/small{kind}.onnx", device="cpu")
        protocol = evaluate(teacher, val, tmp_path / "demo/val").metrics.protocol
        assert (protocol.dtype, protocol.device) == (dtype, "cpu")


def test_stored_persons_are_cut_as_the_build_cut_them(run: Path, tmp_path: Path) -> None:
    from cache_tools.store.writer import HeatmapStore

    write_dataset(tmp_path / "demo", 8, seed=2, val_persons=2)
    persons = tmp_path / "demo/annotations/person_keypoints_train.json"
    build(
        BuildJob(
            store=str(tmp_path / "s.zarr"),
            teacher=f"student:{run}",
            images=tmp_path / "demo/train",
            annotations=persons,
            codec="float16",
        )
    )
    store = HeatmapStore.open(tmp_path / "s.zarr")
    maps = load_network(f"student:{run}", device="cpu")(person_crops(store, 100, SMALL.input_size))
    cached = store.read(np.arange(store.rows))
    assert (
        np.corrcoef(maps.ravel(), cached.ravel().clip(-9, 9))[0, 1] > 0.8
    )  # the maps are cut to [0, 1], the JPEG is new


def test_eight_bits_cost_little_ap(tmp_path: Path) -> None:
    write_dataset(tmp_path, 32, seed=4, val_persons=60)
    persons = read_coco(tmp_path / "annotations/person_keypoints_train.json")
    student, settings = load_model(DEMO)
    size = settings.model.input_size
    photos = [tmp_path / "train" / name for name in persons.file_name]
    crops = np.stack(list(read_crops(photos, crop_to_image(persons.box, "udp", size), size)))
    whole, small = tmp_path / "demo.onnx", tmp_path / "demo.int8.onnx"
    export_onnx(student, settings.model, whole, crops[:4], "demo")
    quantise_onnx(whole, small, crops)
    val = tmp_path / "annotations/person_keypoints_val.json"
    inference = Inference(flip=False, device="cpu")
    ap = [
        evaluate(load_network(f"onnx:{file}", device="cpu"), val, tmp_path / "val", inference=inference).metrics.AP
        for file in (whole, small)
    ]
    assert ap[0] > 0.6
    assert ap[1] == pytest.approx(ap[0], abs=0.02)


@pytest.mark.parametrize(
    ("options", "message"), [(["--int8"], "needs --store"), (["--images", "x"], "both --images and --annotations")]
)
def test_options_that_need_each_other(run: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, [str(run), *options])
    assert result.exit_code == 2
    assert message in result.output

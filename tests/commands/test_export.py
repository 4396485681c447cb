"""`kdcache export`: files in float and in 8-bit integers, their AP, and the persons that they are checked on."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.commands.export import command
from pipeline.demo.dataset import write_dataset
from pipeline.evaluation.evaluation import evaluate
from pipeline.persons.sample_crops import rendered_crops, stored_crops, training_store
from pipeline.teachers.load import load_network
from student.export.onnx_session import run_onnx
from student.run_record import read_record, write_record
from tests.samples.small_run import SMALL


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the demo's photos and annotations."""
    folder = tmp_path_factory.mktemp("demo")
    write_dataset(folder, 24, seed=1, val_persons=12)
    return folder


@pytest.fixture(scope="module")
def store(run: Path, demo: Path) -> HeatmapStore:
    """Build a store of the run's heatmaps, with crops."""
    url = str(demo / "s.zarr")
    annotations = demo / "annotations/person_keypoints_train.json"
    job = BuildJob(store=url, teacher=f"student:{run}", images=demo / "train", annotations=annotations, codec="float16")
    build(job)
    return HeatmapStore.open(url)


def test_files_in_float_and_int8_with_their_ap(run: Path, demo: Path, store: HeatmapStore, tmp_path: Path) -> None:
    annotations = demo / "annotations/person_keypoints_val.json"
    files = {"float32": tmp_path / "out/small.onnx", "int8": tmp_path / "out/small.int8.onnx"}
    arguments = [run, "--out", files["float32"], "--int8", "--store", store.url, "--seconds", 0.1]
    arguments += ["--images", demo / "val", "--annotations", annotations]
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert sorted((tmp_path / "out").iterdir()) == sorted(files.values())
    assert "of torch on 16 stored persons" in result.output
    assert result.output.count(" AP ") == 2
    assert f"on {len(read_coco(annotations))} persons" in result.output

    crops = rendered_crops(8, SMALL.input_size)
    in_float, in_int8 = (run_onnx(file, crops) for file in files.values())
    assert np.corrcoef(in_float.ravel(), in_int8.ravel())[0, 1] > 0.95
    assert not np.array_equal(in_float, in_int8)
    types = {tensor.data_type for tensor in onnx.load(files["int8"]).graph.initializer}
    assert onnx.TensorProto.INT8 in types
    for dtype, file in files.items():
        network = load_network(f"onnx:{file}", device="cpu")
        protocol = evaluate(network, annotations, demo / "val").metrics.protocol
        assert (protocol.dtype, protocol.device) == (dtype, "cpu")


def test_the_training_store_is_the_first_that_still_opens(run: Path, store: HeatmapStore, tmp_path: Path) -> None:
    assert training_store(run) is None
    teachers = [{"store": str(tmp_path / "gone.zarr")}, {"store": store.url}]
    write_record(tmp_path, read_record(run).model_copy(update={"teachers": teachers}))
    found = training_store(tmp_path)
    assert found is not None
    assert found.url == store.url


def test_stored_persons_are_cut_as_the_build_cut_them(run: Path, store: HeatmapStore) -> None:
    crops = stored_crops(store, 100, SMALL.input_size)
    maps = load_network(f"student:{run}", device="cpu")(crops)
    cached = store.read(np.arange(store.rows))
    # stored maps are cut to [0, 1], and the crop is a JPEG of the photo
    assert np.corrcoef(maps.ravel(), cached.ravel().clip(-9, 9))[0, 1] > 0.8


@pytest.mark.parametrize(
    ("options", "message"), [(["--int8"], "needs --store"), (["--images", "x"], "both --images and --annotations")]
)
def test_options_that_need_each_other(run: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, [str(run), *options])
    assert result.exit_code == 2
    assert message in result.output

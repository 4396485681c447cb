"""Replayed against live heatmaps: a teacher that is known exactly, and a real one on real photos."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.geometry import crop_to_image
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.commands.fidelity import command
from pipeline.fidelity.measure import measure_fidelity
from pipeline.fidelity.scores import MODES
from pipeline.fidelity.table import fidelity_table
from pipeline.teachers.load import load_network
from student.heatmaps.targets import render_targets
from student.inference import Inference
from student.pose_network import Crops, Maps
from tests.samples.coco_joints import JOINTS

#: of the dots, one a joint
COLOURS = np.array([(40 + 12 * k, 255 - 12 * k, 128) for k in range(JOINTS)])


class DotTeacher:
    """Finds the coloured dots of `dots` wherever they lie, and draws peaks of sigma 2 there at every zoom."""

    name, digest, licence = "dots", "d" * 64, "none"
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size, frame, sigma = (256, 192), (64, 48), "udp", 2.0

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def __call__(self, crops: Crops) -> Maps:
        maps = np.zeros((len(crops), JOINTS, *self.heatmap_size), np.float32)
        for person, joint in np.ndindex(len(crops), JOINTS):
            near = np.abs(crops[person].astype(int) - COLOURS[joint]).max(-1) < 5
            if near.sum() > 3:
                y, x = np.argwhere(near).mean(0)
                xy_cells = torch.tensor([[[x * 47 / 191, y * 63 / 255]]])
                maps[person, joint] = render_targets(xy_cells, self.heatmap_size, 2.0)[0, 0].numpy()
        return maps


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with photos of dots in the middle of a box, their annotations, and a store of both."""
    folder = tmp_path_factory.mktemp("dots")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(40):
        xy = rng.uniform([110, 130], [210, 270], (JOINTS, 2))
        photo = np.full((400, 320, 3), 255, np.uint8)
        for (x, y), colour in zip(xy, COLOURS, strict=True):
            centre = (round(x * 16), round(y * 16))
            cv2.circle(photo, centre, 16 * 5, colour.tolist(), -1, shift=4)
        cv2.imwrite(str(folder / f"{i}.png"), photo[..., ::-1])
        images.append({"id": i, "file_name": f"{i}.png", "height": 400, "width": 320})
        keypoints = np.concatenate([xy, np.full((JOINTS, 1), 2)], axis=1).ravel().tolist()
        annotations.append(
            {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "num_keypoints": JOINTS, "area": 20000.0}
            | {"bbox": [80, 80, 160, 240], "keypoints": keypoints}
        )
    (folder / "persons.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    job = BuildJob(
        store=str(folder / "store"),
        teacher=f"{__name__}:DotTeacher",
        images=folder,
        annotations=folder / "persons.json",
        crops=False,
    )
    build(job)
    return folder


def test_peaks_are_the_live_teacher_where_it_draws_one_width_at_every_zoom(dots: Path) -> None:
    """Dots hide each other here and there, so numbers of the median joint count."""
    report, examples = measure_fidelity(HeatmapStore.open(dots / "store"), DotTeacher(), dots, rows=40, examples=3)
    arms = report["arms"]
    assert report["persons"] == 40
    assert arms["peaks"]["cosine_median"] > 0.99
    assert arms["peaks"]["rmse_at_peaks"] < 0.7 * arms["warp"]["rmse_at_peaks"]
    assert all(part["arms"][mode]["oks"] > 0.9 for part in [report, *report["by_zoom"]] for mode in ("live", *MODES))
    assert sum(part["persons"] for part in report["by_zoom"]) == 40
    assert [example.zoom for example in examples] == sorted(example.zoom for example in examples)
    json.dumps(report, allow_nan=False)


def test_the_same_seed_gives_the_same_report(dots: Path) -> None:
    store = HeatmapStore.open(dots / "store")
    first, again = (
        measure_fidelity(store, DotTeacher(), dots, rows=10, seed=3, inference=Inference(batch_size=b))[0]
        for b in (10, 3)
    )
    assert fidelity_table(first) == fidelity_table(again)


def test_another_teacher_is_refused(dots: Path) -> None:
    other = DotTeacher()
    other.digest = "e" * 64
    with pytest.raises(CacheMismatch, match=r"teacher\.digest: found dddd.*, expected eeee"):
        measure_fidelity(HeatmapStore.open(dots / "store"), other, dots)


def test_other_annotations_are_refused(dots: Path, tmp_path: Path) -> None:
    document = json.loads((dots / "persons.json").read_text())
    document["annotations"][3]["keypoints"][0] += 1
    (tmp_path / "other.json").write_text(json.dumps(document))
    arguments = [str(dots / "store"), "--teacher", f"{__name__}:DotTeacher", "--images", str(dots)]
    with pytest.raises(CacheMismatch, match=r"other persons than .*other\.json.*\n.*annotations\.digest: found"):
        CliRunner().invoke(command, [*arguments, "--annotations", str(tmp_path / "other.json")], catch_exceptions=False)


def test_the_command_prints_the_table_and_writes_numbers_and_figure(dots: Path, tmp_path: Path) -> None:
    arguments = [str(dots / "store"), "--teacher", f"{__name__}:DotTeacher", "--images", str(dots)]
    arguments += ["--annotations", str(dots / "persons.json"), "--rows", "12"]
    arguments += ["--out", str(tmp_path / "f.json"), "--figure", str(tmp_path / "f.png")]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    report = json.loads((tmp_path / "f.json").read_text())
    assert done.output.rstrip() == fidelity_table(report)
    figure = cv2.imread(str(tmp_path / "f.png"))
    assert figure is not None
    assert figure.shape[0] > 500
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.json", "f.png"]


def test_a_real_teachers_peaks_are_nearer_moved_than_warped_and_truer_cached_than_live(
    shared_data: Path, tmp_path: Path
) -> None:
    """100 of the 716 real persons; the whole table is printed by `kdcache fidelity`."""
    coco, reference = shared_data / "coco", f"onnx:{shared_data}/teachers/tinypose_256x192.onnx?frame=stride"
    small = json.loads((coco / "person_keypoints_train.json").read_text())
    labelled = [a for a in small["annotations"] if a["num_keypoints"] > 8][::5][:100]
    (tmp_path / "persons.json").write_text(json.dumps({"images": small["images"], "annotations": labelled}))
    build(
        BuildJob(
            store=str(tmp_path / "s"),
            teacher=reference,
            images=coco / "train",
            annotations=tmp_path / "persons.json",
            crops=False,
            device="cpu",
        )
    )
    store = HeatmapStore.open(tmp_path / "s")
    np.testing.assert_allclose(store.crop_to_image, crop_to_image(store.instances.box, "stride"))
    report, _ = measure_fidelity(store, load_network(reference, "cpu"), coco / "train", rows=100)
    warp, peaks = report["arms"]["warp"], report["arms"]["peaks"]
    assert peaks["rmse_at_peaks"] < 0.8 * warp["rmse_at_peaks"]
    assert peaks["cosine_median"] > warp["cosine_median"]
    assert peaks["oks_over_live"] > 0
    assert warp["oks_over_live"] > 0

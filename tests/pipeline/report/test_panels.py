"""The panel of heatmaps: the same persons by a teacher and by a store, and brightness that shows the height."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.geometry import crop_to_image
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.persons.photo_boxes import find_boxes
from pipeline.persons.subjects import from_annotations, from_photos
from pipeline.report.figure_file import write_figure
from pipeline.report.overlay import write_picture
from pipeline.report.panels import PanelColumn, heatmap_panel, network_column, store_column, tinted
from pipeline.teachers.load import load_network
from student.inference import Inference
from tests.samples.small_store import write_maps


@pytest.fixture(scope="module")
def persons(shared_data: Path) -> Instances:
    return read_coco(shared_data / "coco" / "person_keypoints_val.json")


def test_a_teacher_and_a_store_of_its_heatmaps_have_the_same_oks(
    shared_data: Path, tmp_path: Path, persons: Instances
) -> None:
    teacher = load_network(f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride", threads=1)
    subjects = from_annotations(persons, shared_data / "coco" / "val", 2)
    assert subjects.truth is not None
    live = network_column(teacher, "live", subjects, Inference(flip=False))
    spec = make_spec(
        subjects.truth, TeacherSpec("tinypose", "0"), skeleton=COCO, frame=FrameSpec("stride"), codec="exact8"
    )
    store = HeatmapStore.create(tmp_path / "two.zarr", spec, subjects.truth)
    write_maps(store, 0, live.maps)
    figure = heatmap_panel(subjects, [live, store_column(store, "cached", subjects)], sigmas=COCO.oks_sigmas()[0])
    axes = np.array(figure.axes).reshape(2, 4)
    assert [a.get_title() for a in axes[0]] == ["photo", "ground truth", "live", "cached"]
    for row in axes:
        live_note, cached_note = row[2].get_xlabel(), row[3].get_xlabel()
        assert live_note.startswith("OKS 0.")
        assert float(live_note[4:]) == pytest.approx(float(cached_note[4:]), abs=0.02)
    other = from_annotations(persons, shared_data / "coco" / "val", 5)
    with pytest.raises(ValueError, match="the store holds 2 persons, but not those of the annotations"):
        store_column(store, "cached", other)


def test_oks_is_of_the_joints_that_a_column_knows(shared_data: Path, persons: Instances) -> None:
    """A panel of six joints and of eight, of which the network knows the same six."""
    subjects = from_annotations(persons, shared_data / "coco" / "val", 2)
    assert subjects.truth is not None
    truth = subjects.truth
    maps = np.random.default_rng(0).uniform(0, 1, (2, 6, 64, 48)).astype(np.float32)
    cells = crop_to_image(subjects.box, "stride", (64, 48))
    of_six = replace(truth, keypoints=truth.keypoints[:, 11:], visibility=truth.visibility[:, 11:])
    of_eight = replace(truth, keypoints=truth.keypoints[:, 9:], visibility=truth.visibility[:, 9:])
    blank = np.zeros((2, 2, 64, 48), np.float32)
    six = PanelColumn(title="six", maps=maps, cell_to_image=cells)
    known = np.array([False, False, True, True, True, True, True, True])
    eight = PanelColumn(title="eight", maps=np.concatenate([blank, maps], 1), cell_to_image=cells, known=known)
    sigmas = COCO.oks_sigmas()[0]
    notes = [
        figure.axes[2].get_xlabel()
        for figure in (
            heatmap_panel(replace(subjects, truth=of_six), [six], sigmas=sigmas[11:], device="cpu"),
            heatmap_panel(replace(subjects, truth=of_eight), [eight], sigmas=sigmas[9:], device="cpu"),
        )
    ]
    assert notes[1] == f"{notes[0]} of 6 joints"
    # labels of the two joints only that the network does not know
    others = replace(of_eight, visibility=of_eight.visibility * ~known)
    figure = heatmap_panel(replace(subjects, truth=others), [eight], sigmas=sigmas[9:], device="cpu")
    assert figure.axes[2].get_xlabel() == "OKS - of 6 joints"
    with pytest.raises(ValueError, match="expected the OKS sigmas"):
        heatmap_panel(subjects, [six], sigmas=None)


def test_photos_without_annotations_have_no_truth_and_a_store_does_not_know_them(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    write_picture(photo, np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8))
    subjects = from_photos(find_boxes([photo]))
    column = network_column(load_network("oracle"), "oracle", subjects, Inference(flip=False))
    assert column.maps.shape == (1, 17, 64, 48)
    figure = heatmap_panel(subjects, [column], sigmas=None, device="cpu")
    assert [axes.get_title() for axes in figure.axes] == ["photo", "oracle"]
    assert figure.axes[1].get_xlabel().endswith(" joints")
    with pytest.raises(ValueError, match="give --annotations"):
        store_column(None, "store", subjects)  # type: ignore[arg-type]  # it is refused before the store is read
    with pytest.raises(ValueError, match=r"ends in .png, .svg"):
        write_figure(tmp_path / "panel.gif", figure)


def test_brightness_shows_the_height() -> None:
    heights = np.linspace(0, 1, 11, dtype=np.float32)
    maps = np.broadcast_to(np.repeat(heights, 2), (1, 4, 22)).copy()
    grey = cv2.cvtColor(tinted(np.full((4, 22, 3), 100, np.uint8), maps), cv2.COLOR_RGB2GRAY)[0, ::2].astype(int)
    assert (np.diff(grey[2:]) > 0).all()
    assert grey[-1] > 200

"""The chart: nothing overlaps, areas tell parameters, the same bytes twice; the panels show what was found."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import PathCollection
from matplotlib.text import Annotation, Text

from cache_tools.images import read_image
from cache_tools.instances import Instances, read_coco
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import Metrics
from pipeline.persons.subjects import choose, from_annotations
from pipeline.report.bubble_chart import SMALLEST_AREA, draw_bubble_chart, scale_steps
from pipeline.report.chart_files import write_chart
from pipeline.report.figure_file import figure_bytes
from pipeline.report.label_placement import place_labels
from pipeline.report.mosaic import mosaic
from pipeline.report.panels import heatmap_panel, network_column, store_column, tinted
from pipeline.report.rows import Row
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.models.paper import paper_rows
from tests.pipeline.report.test_table import COST, metrics
from tests.samples.small_store import write_maps


def paper_chart_rows() -> list[Row]:
    """The paper's own figure 2, with a control below each student."""
    return [
        Row(
            name=row.name,
            role=row.role,
            paper=row,
            metrics=Metrics.model_validate(metrics(row.ap / 100, row.ar / 100)),
            control=Metrics.model_validate(metrics(row.ap / 100 - 0.01, row.ar / 100))
            if row.role == "student"
            else None,
            cost=Cost.model_validate(COST | {"params_m": row.params_m, "images_per_second": row.images_per_second}),
        )
        for row in paper_rows()
    ]


def overlapping(boxes: np.ndarray) -> int:
    """Return the number of pairs of boxes (N, 4) that overlap."""
    shared = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    return int(np.triu((shared > 0).all(-1), 1).sum())


def test_labels_of_the_papers_chart_overlap_nothing() -> None:
    figure = draw_bubble_chart(paper_chart_rows())
    figure.draw_without_rendering()
    renderer = RendererAgg(1, 1, figure.dpi)
    labels = [t for t in figure.axes[0].texts if isinstance(t, Annotation) and t.get_text()]
    assert [t.get_text() for t in labels] == [row.name for row in paper_rows()]
    extents = np.array([Text.get_window_extent(label, renderer).extents for label in labels])  # without leaders
    assert overlapping(extents) == 0
    left, bottom, right, top = figure.axes[0].bbox.extents
    assert (extents[:, :2] >= (left, bottom)).all()
    assert (extents[:, 2:] <= (right, top)).all()


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_labels_find_room(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((60, 60), (640, 440), (count, 2))
    boxes = place_labels(points, np.full(count, 5.0), np.full((count, 2), (60.0, 12.0)), (0, 0, 700, 500))
    assert overlapping(boxes) == 0
    nearest = np.clip(points, boxes[:, :2], boxes[:, 2:])
    assert np.linalg.norm(nearest - points, axis=1).max() < 120


def test_areas_tell_parameters() -> None:
    rows = paper_chart_rows()
    dots = [c for c in draw_bubble_chart(rows).axes[0].collections if isinstance(c, PathCollection) and c.get_gid()]
    areas = []
    for dot, row in zip(dots, rows, strict=True):
        path, size = dot.get_paths()[0], dot.get_sizes()[0]
        width, height = np.ptp(path.vertices, axis=0)
        areas.append(size * width * height * (1 if row.role == "teacher" else np.pi / 4))
        assert bool(dot.get_hatch()) == (row.role == "teacher")  # told apart without colour
    params = np.array([row.params_m for row in paper_rows()])
    to_scale = params * areas[0] / params[0]
    smallest = SMALLEST_AREA * np.pi / 4  # matplotlib's size is the square of a circle's diameter
    assert 2 < (to_scale < smallest).sum() < len(rows) / 2
    np.testing.assert_allclose(areas, to_scale.clip(smallest), rtol=0.01)


def test_a_network_that_does_not_tell_its_parameters_is_drawn() -> None:
    row = paper_chart_rows()[0]
    assert row.cost is not None
    unknown = replace(row, cost=row.cost.model_copy(update={"params_m": None}))
    [dot] = [c for c in draw_bubble_chart([unknown]).axes[0].collections if isinstance(c, PathCollection)]
    assert dot.get_sizes()[0] > 10


def test_the_same_chart_is_the_same_bytes() -> None:
    rows = paper_chart_rows()[2:8]
    for kind in ("svg", "png"):
        assert figure_bytes(draw_bubble_chart(rows), kind) == figure_bytes(draw_bubble_chart(rows), kind)


class Links(HTMLParser):
    """What a page would fetch, and its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.fetched += [v for k, v in values.items() if k in ("src", "href", "xlink:href") and v and v[0] != "#"]
        self.ids |= {v for k, v in values.items() if k == "id" and v}


def test_the_page_is_one_file_and_every_line_has_its_bubble(tmp_path: Path) -> None:
    rows = [*paper_chart_rows()[:5], Row(name="not run <yet>", role="student")]
    paths = write_chart(rows, tmp_path)
    assert [path.name for path in paths] == ["bubble.svg", "bubble.png", "bubble.html"]
    page = paths[2].read_text()
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert {f"row-{number}" for number in range(5)} <= links.ids
    assert page.count("data-bubble=") == 5
    assert "<td>–‡</td>" in page
    assert "‡ not run." in page
    assert "ONNX ms/image" in page
    assert "not run &lt;yet&gt;" in page
    script = page[page.index("<script>") : page.index("</script>")]
    assert all(line.count('"') % 2 == 0 for line in script.splitlines())  # no string runs over the end of its line
    assert read_image(paths[1]).shape[1] > 1000


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="none of a, b has both an AP and a speed"):
        draw_bubble_chart([Row(name=name, role="student") for name in "ab"])


@pytest.mark.parametrize(
    ("largest", "steps"), [(899.4, [25, 100, 500]), (0.93, [0.025, 0.1, 0.5]), (2.0, [0.1, 0.4, 2])]
)
def test_round_numbers_in_the_legend(largest: float, steps: list[float]) -> None:
    assert scale_steps([0.01, largest]) == pytest.approx(steps)


@pytest.fixture(scope="module")
def persons(shared_data: Path) -> Instances:
    return read_coco(shared_data / "coco" / "person_keypoints_val.json")


def test_a_panel_of_a_teacher_and_a_store(shared_data: Path, tmp_path: Path, persons: Instances) -> None:
    """The store holds what the teacher saw, so both columns say the same OKS."""
    teacher = load_network(f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride", threads=1)
    subjects = from_annotations(persons, shared_data / "coco" / "val", 2)
    assert subjects.truth is not None
    live = network_column(teacher, "live", subjects, Inference(flip=False))
    spec = make_spec(subjects.truth, TeacherSpec("tinypose", "0"), frame=FrameSpec("stride"), codec="exact8")
    store = HeatmapStore.create(tmp_path / "two.zarr", spec, subjects.truth)
    write_maps(store, 0, live.maps)
    figure = heatmap_panel(subjects, [live, store_column(store, "cached", subjects)])
    axes = np.array(figure.axes).reshape(2, 4)
    assert [a.get_title() for a in axes[0]] == ["photo", "ground truth", "live", "cached"]
    notes = [[a.get_xlabel() for a in line] for line in axes]
    for line in notes:
        assert line[2].startswith("OKS 0.")
        assert float(line[2][4:]) == pytest.approx(float(line[3][4:]), abs=0.02)
    other = from_annotations(persons, shared_data / "coco" / "val", 5)
    with pytest.raises(ValueError, match="the store holds 2 persons, but not those of the annotations"):
        store_column(store, "cached", other)


def test_brightness_alone_tells_the_height() -> None:
    heights = np.linspace(0, 1, 11, dtype=np.float32)
    maps = np.broadcast_to(np.repeat(heights, 2), (1, 4, 22)).copy()
    grey = cv2.cvtColor(tinted(np.full((4, 22, 3), 100, np.uint8), maps), cv2.COLOR_RGB2GRAY)[0, ::2].astype(int)
    assert (np.diff(grey[2:]) > 0).all()
    assert grey[-1] > 200


def test_persons_worth_a_picture(persons: Instances) -> None:
    rows = choose(persons, 6)
    assert len(set(rows.tolist())) == 6
    assert ((persons.visibility[rows] > 0).sum(1) >= 12).all()
    assert choose(persons.take(np.arange(3)), 5).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="no labelled person has the annotation id 7"):
        from_annotations(persons, Path(), ids=[7])


def test_a_mosaic_shows_every_picture() -> None:
    shades = {480: 10, 640: 20, 270: 30, 900: 40}
    pictures = [np.full((360, width, 3), shade, np.uint8) for width, shade in shades.items()]
    shown = mosaic(pictures)
    for picture, shade in zip(pictures, shades.values(), strict=True):
        assert (shown == shade).all(-1).sum() == picture[..., 0].size


def test_the_commands_write_pictures(shared_data: Path, tmp_path: Path) -> None:
    teacher = f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"
    coco = shared_data / "coco"
    where = ["--images", str(coco / "val"), "--annotations", str(coco / "person_keypoints_val.json")]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 785, "bbox": [280, 44, 218, 346], "score": 1.0}]))
    any_photos = ["--images", str(coco / "val"), "--boxes", str(boxes)]
    for name, arguments in {
        "heatmaps": [*where, "--persons", "1"],
        "heatmaps ": [*any_photos, "--persons", "1"],
        "predictions": [*where, "--photos", "2", "--no-flip"],
        "predictions ": [*any_photos, "--photos", "1", "--no-flip"],
    }.items():
        out = tmp_path / f"{name.replace(' ', '-any')}.png"
        command = ["report", name.strip(), *arguments, "--teacher", teacher, "--device", "cpu", "--out", str(out)]
        CliRunner().invoke(kdcache, command, catch_exceptions=False)
        picture = read_image(out)
        assert min(picture.shape[:2]) > 150
        assert picture.std() > 20

"""The chart: nothing overlaps, areas show parameters, and the same chart is the same bytes."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from pipeline.report.bubble_chart import SMALLEST_AREA, draw_bubble_chart, scale_steps
from pipeline.report.figure_file import figure_bytes
from pipeline.report.rows import Row
from student.models.paper import paper_rows
from tests.samples.boxes import overlapping_pairs
from tests.samples.report_rows import paper_chart_rows


def bubbles(figure: Figure) -> list[PathCollection]:
    """Return the bubbles of a chart in the order of its rows."""
    return [c for c in figure.axes[0].collections if isinstance(c, PathCollection) and c.get_gid()]


def test_labels_of_the_papers_chart_overlap_nothing() -> None:
    figure = draw_bubble_chart(paper_chart_rows())
    figure.draw_without_rendering()
    renderer = RendererAgg(1, 1, figure.dpi)
    labels = [t for t in figure.axes[0].texts if isinstance(t, Annotation) and t.get_text()]
    assert [t.get_text() for t in labels] == [row.name for row in paper_rows()]
    # of the text, without its leader
    extents = np.array([Text.get_window_extent(label, renderer).extents for label in labels])
    assert overlapping_pairs(extents) == 0
    left, bottom, right, top = figure.axes[0].bbox.extents
    assert (extents[:, :2] >= (left, bottom)).all()
    assert (extents[:, 2:] <= (right, top)).all()


def test_areas_show_parameters() -> None:
    rows = paper_chart_rows()
    areas = []
    for bubble, row in zip(bubbles(draw_bubble_chart(rows)), rows, strict=True):
        path, size = bubble.get_paths()[0], bubble.get_sizes()[0]
        width, height = np.ptp(np.asarray(path.vertices), axis=0)
        areas.append(size * width * height * (1 if row.role == "teacher" else np.pi / 4))
        # kinds can be told apart without colour
        assert bool(bubble.get_hatch()) == (row.role == "teacher")
    params = np.array([row.params_m for row in paper_rows()])
    to_scale = params * areas[0] / params[0]
    # matplotlib's size is the square of a circle's diameter
    smallest = SMALLEST_AREA * np.pi / 4
    assert 2 < (to_scale < smallest).sum() < len(rows) / 2
    np.testing.assert_allclose(areas, to_scale.clip(smallest), rtol=0.01)


def test_the_scale_is_to_scale_and_its_labels_overlap_nothing() -> None:
    figure = draw_bubble_chart(paper_chart_rows())
    figure.draw_without_rendering()
    scale = figure.axes[1]
    largest = max(bubble.get_sizes()[0] for bubble in bubbles(figure)) * 4 / np.pi
    circles = {int(t.get_text()[:-2]) for t in scale.texts if t.get_text().endswith(" M")}
    assert circles == {25, 100, 500}
    sizes = sorted(float(c.get_sizes()[0]) for c in scale.collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(sizes, largest * np.array(sorted(circles)) / paper_rows()[0].params_m, rtol=0.01)
    extents = np.array([t.get_window_extent().extents for t in scale.texts])
    assert overlapping_pairs(extents) == 0
    assert (extents[:, 2] < figure.bbox.width).all()
    assert (extents[:, 0] > figure.axes[0].bbox.x1).all()


def test_a_network_whose_parameters_are_not_known_is_drawn() -> None:
    row = paper_chart_rows()[0]
    assert row.cost is not None
    unknown = replace(row, cost=row.cost.model_copy(update={"params_m": None}))
    [bubble] = bubbles(draw_bubble_chart([unknown]))
    assert bubble.get_sizes()[0] > 10


def test_the_same_chart_is_the_same_bytes() -> None:
    rows = paper_chart_rows()[2:8]
    for kind in ("svg", "png"):
        assert figure_bytes(draw_bubble_chart(rows), kind) == figure_bytes(draw_bubble_chart(rows), kind)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of a, b has both an AP and a speed"):
        draw_bubble_chart([Row(name=name, role="student") for name in "ab"])


@pytest.mark.parametrize(
    ("largest", "steps"), [(899.4, [25, 100, 500]), (0.93, [0.025, 0.1, 0.5]), (2.0, [0.1, 0.4, 2]), (0.0, [])]
)
def test_round_numbers_in_the_scale(largest: float, steps: list[float]) -> None:
    assert scale_steps([0.0, largest]) == pytest.approx(steps)

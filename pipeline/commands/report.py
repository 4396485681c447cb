"""`kdcache report`: the table, the bubble chart, the heatmap panel and the predictions, each by its own command."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, inference_options
from student.inference import Inference

if TYPE_CHECKING:
    from pipeline.persons.subjects import Subjects

boxes_option = click.option(
    "--boxes",
    type=PATH,
    help="Boxes in place of annotations; both are of photos as stored. Without either each photo is one person, and is "
    "turned upright as its EXIF orientation says.",
)
rows_option = click.option(
    "--rows",
    required=True,
    metavar="FILE|JSON",
    help='JSON or YAML file of [{"name", "role": "teacher"|"student", "paper", "metrics", "control", "cost"}, ...], or '
    "that list itself. A metrics or cost file that does not exist makes a row that was not run.",
)


@click.group("report")
def command() -> None:
    """Make the table, the chart and the panels of a report."""


@command.command("table")
@rows_option
@click.option("--out", required=True, type=PATH, help="Folder of table.md, table.csv and table.tex.")
def table(rows: str, out: Path) -> None:
    """Write Table 1, ours beside the paper's."""
    from pipeline.report.rows import load_rows
    from pipeline.report.table import write_table

    markdown = write_table(load_rows(rows), out)[0]
    click.echo(markdown.read_text(encoding="utf-8"), nl=False)


@command.command("chart")
@rows_option
@click.option("--out", required=True, type=PATH, help="Folder of bubble.svg, bubble.png and bubble.html.")
def chart(rows: str, out: Path) -> None:
    """Draw figure 2: AP over throughput, area = parameters."""
    from pipeline.report.chart_files import write_chart
    from pipeline.report.rows import load_rows

    for path in write_chart(load_rows(rows), out):
        click.echo(path)


@command.command("heatmaps")
@click.option("--images", required=True, type=PATH, help="Folder of photos.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file of these photos.")
@boxes_option
@click.option("--teacher", multiple=True, metavar="REF", help="A column: the heatmaps of this teacher.")
@click.option("--store", metavar="URL", help="A column: the heatmaps that this store holds of the annotated persons.")
@click.option("--run", multiple=True, type=PATH, help="A column: the heatmaps of this student.")
@click.option("--persons", default=4, show_default=True, type=click.IntRange(min=1), help="Rows of the panel.")
@click.option("--person", multiple=True, type=int, metavar="ID", help="Annotation ids of the persons to show.")
@inference_options(flip=False)
@click.option("--out", required=True, type=PATH, help="Picture to write, .png or .svg.")
def heatmaps(
    images: Path,
    annotations: Path | None,
    boxes: Path | None,
    teacher: tuple[str, ...],
    store: str | None,
    run: tuple[Path, ...],
    persons: int,
    person: tuple[int, ...],
    inference: Inference,
    out: Path,
) -> None:
    """Draw figure 3: photo | ground truth | teachers | students."""
    from cache_tools.skeletons import COCO
    from pipeline.persons.subjects import from_annotations
    from pipeline.report.figure_file import FIGURE_SUFFIXES, write_figure
    from pipeline.report.panels import heatmap_panel, network_column, store_column
    from pipeline.teachers.load import load_network

    if not (teacher or store or run):
        raise click.UsageError("nothing to show: give --teacher REF, --store URL or --run RUN")
    _check_suffix(out, FIGURE_SUFFIXES)
    if annotations:
        from cache_tools.annotations.annotation_file import read_annotation_file

        # the panel's OKS is by COCO's joints: a file of others is refused, and networks are translated by name
        table = read_annotation_file(annotations, expected=COCO).instances()
        subjects = from_annotations(table, images, persons, person)
    else:
        subjects = _any_photos(images, boxes, persons)
    columns = []
    for reference in teacher:
        network = load_network(reference, inference.device, skeleton=COCO)
        columns.append(network_column(network, network.name, subjects, inference))
    if store:
        from cache_tools.store.writer import HeatmapStore

        opened = HeatmapStore.open(store)
        if opened.spec.skeleton.names != COCO.names:
            raise ValueError(f"{store} is of {opened.spec.skeleton.name}: the panel shows COCO's joints only")
        columns.append(store_column(opened, "store", subjects))
    for folder in run:
        network = load_network(f"student:{folder}", inference.device, skeleton=COCO)
        columns.append(network_column(network, network.name, subjects, inference))
    write_figure(out, heatmap_panel(subjects, columns, device=inference.device), dpi=160)
    click.echo(out)


@command.command("predictions")
@click.option("--images", required=True, type=PATH, help="Folder of photos.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file: poses in its boxes are shown.")
@boxes_option
@click.option("--run", type=PATH, help="The student that is shown.")
@click.option("--teacher", metavar="REF", help="A teacher in place of a student.")
@click.option("--photos", default=6, show_default=True, type=click.IntRange(min=1), help="Photos to show.")
@inference_options()
@click.option("--out", required=True, type=PATH, help="Picture to write, .png or .jpg.")
def predictions(
    images: Path,
    annotations: Path | None,
    boxes: Path | None,
    run: Path | None,
    teacher: str | None,
    photos: int,
    inference: Inference,
    out: Path,
) -> None:
    """Draw figure 4: poses on photos."""
    from pipeline.persons.subjects import whole_groups
    from pipeline.report.mosaic import draw_predictions
    from pipeline.report.overlay import PICTURE_SUFFIXES, write_picture
    from pipeline.teachers.load import load_network

    if (run is None) == (teacher is None):
        raise click.UsageError("give one of --run RUN and --teacher REF")
    _check_suffix(out, PICTURE_SUFFIXES)
    if annotations:
        from cache_tools.annotations.annotation_file import read_coco

        subjects = whole_groups(read_coco(annotations), images, photos)
    else:
        subjects = _any_photos(images, boxes, photos)
    network = load_network(teacher or f"student:{run}", inference.device)
    write_picture(out, draw_predictions(network, subjects, inference))
    click.echo(out)


def _check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise UsageError, before any work, where a picture could not be written under its name."""
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"--out {path}: expected a name that ends in {' or '.join(suffixes)}")


def _any_photos(images: Path, boxes: Path | None, count: int) -> "Subjects":
    from pipeline.persons.photo_boxes import find_boxes, find_photos
    from pipeline.persons.subjects import from_photos

    return from_photos(find_boxes(find_photos([images]), boxes), count)

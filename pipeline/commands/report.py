"""`kdcache report`: the table, the bubble chart, the heatmap panel and the predictions, each by its own command."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, inference_options, photo_reading_options, reject_ignored
from pipeline.commands.skeleton_options import category_option, joint_option, skeleton_option
from student.inference import Inference

if TYPE_CHECKING:
    from cache_tools.annotations.annotation_file import AnnotationFile
    from cache_tools.photos.options import PhotoOptions
    from cache_tools.skeletons import Skeleton
    from pipeline.persons.subjects import Subjects

boxes_option = click.option(
    "--boxes",
    type=PATH,
    help="Boxes in place of annotations. Without either each photo is one person.",
)
photo_options_of_pictures = photo_reading_options(
    "Turn photos upright as their EXIF orientation says. [default: --no-exif with annotations or boxes, else --exif]",
    checksums=False,
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


@command.command("curves")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@click.option("--against", metavar="NAME", help="Compare students that have no run NAME-control with this one.")
@click.option("--metric", default="AP", show_default=True, help="Of those that training logs, such as AP50 or AR.")
@click.option("--out", required=True, type=PATH, help="Picture to write, .png or .svg.")
def curves(runs: tuple[Path, ...], against: str | None, metric: str, out: Path) -> None:
    """Draw AP over the steps of RUNs that were evaluated while they were trained, and print what teachers bring.

    Runs that differ in -seedN are one curve. Spread is the standard deviation over the seeds. Gain is against the run
    NAME-control, seed by seed; the last but one column divides it by the larger spread of the two.
    """
    from pipeline.report.curves import curves_table, draw_curves, read_arms
    from pipeline.report.figure_file import FIGURE_SUFFIXES, write_figure

    _check_suffix(out, FIGURE_SUFFIXES)
    arms = read_arms(runs, metric)
    table = curves_table(arms, against, metric)
    write_figure(out, draw_curves(arms, metric))
    click.echo(table, nl=False)


@command.command("heatmaps")
@click.option("--images", required=True, type=PATH, help="Folder of photos.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file of these photos.")
@skeleton_option
@category_option
@joint_option
@boxes_option
@photo_options_of_pictures
@click.option("--teacher", multiple=True, metavar="REF", help="A column: the heatmaps of this teacher.")
@click.option("--store", metavar="URL", help="A column: the heatmaps that this store holds of the annotated persons.")
@click.option("--run", multiple=True, type=PATH, help="A column: the heatmaps of this student.")
@click.option("--persons", default=4, show_default=True, type=click.IntRange(min=1), help="Rows of the panel.")
@click.option("--person", multiple=True, type=int, metavar="ID", help="Annotation ids of the persons to show.")
@inference_options(flip=False)
@click.option("--out", required=True, type=PATH, help="Picture to write, .png or .svg.")
@click.pass_context
def heatmaps(
    context: click.Context,
    images: Path,
    annotations: Path | None,
    skeleton: str | None,
    category: tuple[str, ...],
    joints: tuple[tuple[str, str], ...],
    boxes: Path | None,
    photo_options: "PhotoOptions",
    teacher: tuple[str, ...],
    store: str | None,
    run: tuple[Path, ...],
    persons: int,
    person: tuple[int, ...],
    inference: Inference,
    out: Path,
) -> None:
    """Draw figure 3: photo | ground truth | teachers | students."""
    from cache_tools.store.writer import HeatmapStore
    from pipeline.persons.subjects import from_annotations
    from pipeline.report.figure_file import FIGURE_SUFFIXES, write_figure
    from pipeline.report.panels import heatmap_panel, network_column, store_column
    from pipeline.teachers.load import load_network

    if not (teacher or store or run):
        raise click.UsageError("nothing to show: give --teacher REF, --store URL or --run RUN")
    _check_suffix(out, FIGURE_SUFFIXES)
    opened = None if store is None else HeatmapStore.open(store)
    labels = _labels(context, annotations, skeleton, category, expected=opened.spec.skeleton if opened else None)
    if labels:
        table = labels.instances()
        subjects = from_annotations(table, images, persons, person, photo_options=photo_options.stated())
        _check_shown(subjects, images, photo_options)
    else:
        reject_ignored(context, ["joints"], "without --annotations each network's own joints are shown")
        subjects = _any_photos(images, boxes, persons, photo_options)
    shown = labels.skeleton if labels else None
    columns = []
    for reference in teacher:
        network = load_network(reference, inference.device, skeleton=shown, renamed=dict(joints))
        columns.append(network_column(network, network.name, subjects, inference))
    if opened:
        columns.append(store_column(opened, "store", subjects))
    for folder in run:
        network = load_network(f"student:{folder}", inference.device, skeleton=shown)
        columns.append(network_column(network, network.name, subjects, inference))
    sigmas = shown.oks_sigmas()[0] if shown else None
    write_figure(out, heatmap_panel(subjects, columns, sigmas=sigmas, device=inference.device), dpi=160)
    click.echo(out)


@command.command("predictions")
@click.option("--images", required=True, type=PATH, help="Folder of photos.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file: poses in its boxes are shown.")
@skeleton_option
@category_option
@boxes_option
@photo_options_of_pictures
@click.option("--run", type=PATH, help="The student that is shown.")
@click.option("--teacher", metavar="REF", help="A teacher in place of a student.")
@click.option("--photos", default=6, show_default=True, type=click.IntRange(min=1), help="Photos to show.")
@inference_options()
@click.option("--out", required=True, type=PATH, help="Picture to write, .png or .jpg.")
@click.pass_context
def predictions(
    context: click.Context,
    images: Path,
    annotations: Path | None,
    skeleton: str | None,
    category: tuple[str, ...],
    boxes: Path | None,
    photo_options: "PhotoOptions",
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
    labels = _labels(context, annotations, skeleton, category)
    if labels:
        subjects = whole_groups(labels.instances(), images, photos, photo_options=photo_options.stated())
        _check_shown(subjects, images, photo_options)
    else:
        subjects = _any_photos(images, boxes, photos, photo_options)
    network = load_network(teacher or f"student:{run}", inference.device)
    write_picture(out, draw_predictions(network, subjects, inference))
    click.echo(out)


def _labels(
    context: click.Context,
    annotations: Path | None,
    skeleton: str | None,
    category: tuple[str, ...],
    expected: "Skeleton | None" = None,
) -> "AnnotationFile | None":
    """Return the annotation file where one is given; UsageError for options that would have no effect without it."""
    if annotations is None:
        reject_ignored(context, ("skeleton", "category"), "they say what --annotations are of")
        return None
    from cache_tools.annotations.annotation_file import read_annotation_file
    from cache_tools.skeletons import load_skeleton

    stated = None if skeleton is None else load_skeleton(skeleton)
    return read_annotation_file(annotations, skeleton=stated, category=category, expected=expected)


def _check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise UsageError, before any work, where a picture could not be written under its name."""
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"--out {path}: expected a name that ends in {' or '.join(suffixes)}")


def _check_shown(subjects: "Subjects", images: Path, photo_options: "PhotoOptions") -> None:
    """Check the photos of annotated persons before a network is loaded."""
    from pipeline.persons.photo_check import check_photos

    if subjects.truth is not None:
        check_photos(images, subjects.truth.file_name, subjects.truth.image_size, photo_options)


def _any_photos(images: Path, boxes: Path | None, count: int, photo_options: "PhotoOptions") -> "Subjects":
    from pipeline.persons.photo_boxes import find_boxes
    from pipeline.persons.photo_files import find_photos
    from pipeline.persons.subjects import from_photos

    return from_photos(find_boxes(find_photos([images]), boxes, photo_options=photo_options), count)

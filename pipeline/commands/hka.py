"""`kdcache hka`: measure hip-knee-ankle angles in photos, and evaluate how far they can be trusted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipeline.commands.shared_options import (
    PATH,
    PHOTO_PARAMETERS,
    inference_options,
    photo_box_options,
    photo_reading_options,
    reject_ignored,
)
from pipeline.commands.skeleton_options import category_option, skeleton_option
from student.inference import Inference

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions

min_score_option = click.option(
    "--min-score", default=0.3, show_default=True, help="Refuse legs with a joint whose heatmap peak is below it."
)


class TwoCommands(click.Group):
    """A group that names the new spelling where somebody uses that of version 0.1, which was one command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; UsageError for arguments of version 0.1."""
        if args and args[0] not in self.commands and not {"-h", "--help"} & set(args):
            evaluates = "--evaluate" in args
            old, new = ("hka --evaluate", "hka evaluate") if evaluates else ("hka PHOTOS...", "hka measure PHOTOS...")
            raise click.UsageError(f"`kdcache {old}` is now `kdcache {new}`")
        return super().parse_args(ctx, args)


@click.group("hka", cls=TwoCommands)
def command() -> None:
    """Measure hip-knee-ankle angles in photos, or evaluate how far they can be trusted.

    A research tool, not a medical device.
    """


@command.command("measure", short_help="Measure the angles of the legs in photos.")
@click.argument("photos", nargs=-1, required=True, type=PATH)
@click.option("--student", metavar="RUN", help="Folder of a run.")
@click.option("--teacher", metavar="REF", help="A teacher in place of a student.")
@photo_box_options
@click.option(
    "--convention", type=click.Choice(["varus", "valgus"]), default="varus", show_default=True,
    help="Which of the two deviations is positive.",
)  # fmt: skip
@min_score_option
@click.option("--fit/--no-fit", default=None, show_default="on without --boxes",
              help="Look a second time, in the box of the joints that the first look found.")  # fmt: skip
@click.option("--calibration", type=PATH, help="File of `kdcache hka evaluate --out`: correct by its line.")
@click.option("--out", type=PATH, help="Write the angles into this file, .csv or .json.")
@click.option("--overlay", type=PATH, help="Write each photo with its legs into this folder.")
@inference_options()
def measure_command(
    photos: tuple[Path, ...],
    student: str | None,
    teacher: str | None,
    boxes: Path | None,
    score_threshold: float,
    category: tuple[str, ...],
    photo_options: "PhotoOptions",
    convention: str,
    min_score: float,
    fit: bool | None,
    calibration: Path | None,
    out: Path | None,
    overlay: Path | None,
    inference: Inference,
) -> None:
    """Measure the hip-knee-ankle angle of each leg in PHOTOS: files, or folders with all their subfolders.

    Without --boxes each photo is one person. The person should stand, face the camera and fill the photo; legs of which
    this is doubtful are marked with the reason.

    A network of true joint centres (femoral head, knee centre, talus) measures the mechanical axis; one of COCO's
    keypoints the angle of those points, which is another one. Every result says which.

    A research tool, not a medical device.
    """
    from pipeline.hka.coco_places import measured_network
    from pipeline.hka.fit import find_fitted_joints, find_joints_of_persons
    from pipeline.hka.quality import limits_of
    from pipeline.hka.table import SUFFIXES, LegSettings, leg_rows, legs_text, read_calibration, write_legs
    from pipeline.persons.photo_boxes import find_boxes
    from pipeline.persons.photo_files import find_photos, photo_folder
    from pipeline.teachers.load import load_network

    if (student is None) == (teacher is None):
        raise click.UsageError("give one of --student RUN and --teacher REF")
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out {out}: expected a name that ends in {' or '.join(SUFFIXES)}")
    loaded = load_network(teacher or f"student:{student}", inference.device)
    network, angle = measured_network(loaded)
    persons = find_boxes(
        find_photos(photos, besides=[overlay]),
        boxes,
        score_threshold,
        folder=photo_folder(photos),
        photo_options=photo_options,
        category=category,
        # only a student knows the categories of its data
        default_categories=getattr(loaded, "categories", (1,)),
    )
    line = read_calibration(calibration, network.digest) if calibration else None
    fit = boxes is None if fit is None else fit
    if fit:
        persons, joints = find_fitted_joints(network, persons, inference, min_score)
    else:
        joints = find_joints_of_persons(network, persons, inference)
    limits = limits_of(angle, min_score)
    rows = leg_rows(persons.name, joints, convention=convention, limits=limits, calibration=line)
    settings = LegSettings(
        network=network.name,
        digest=network.digest,
        angle=angle,
        convention=f"{convention} positive",
        flip=inference.flip,
        boxes=("whole photo" if boxes is None else str(boxes)) + (", then the box of the joints" if fit else ""),
        pixels=_pixels(persons.photo_options),
        min_score=min_score,
        calibration=line,
    )
    if out is not None:
        write_legs(out, rows, settings)
    if overlay is not None:
        from pipeline.hka.overlay import write_leg_overlays

        write_leg_overlays(overlay, persons, joints, rows, settings)
    click.echo(legs_text(rows, settings))


@command.command("evaluate", short_help="Measure the error of networks on people of known angle.")
@click.option("--student", "students", multiple=True, metavar="RUN", help="Folder of a run; any number of them.")
@click.option("--teacher", "teachers", multiple=True, metavar="REF", help="A teacher; any number of them.")
@click.option("--images", "image_root", type=PATH, help="Folder of the photos of --annotations.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file: compare with its keypoints.")
@skeleton_option
@category_option
@photo_reading_options()
@click.option("--rendered", default=60, show_default=True, type=click.IntRange(min=0),
              help="Number of rendered people of known angle.")  # fmt: skip
@click.option("--heights", default="120,240,480", show_default=True, help="Heights of their images in pixels.")
@click.option("--seed", default=0, show_default=True, help="Seed of the rendered people.")
@min_score_option
@click.option("--boxes", type=click.Choice(["person", "legs"]), default="person", show_default=True,
              help="What boxes are around. legs: the leg joints, for networks that were trained on legs.")  # fmt: skip
@click.option("--out", type=PATH, help="Write a .json file, the table as .md and plots as .png and .svg beside it.")
@inference_options()
def evaluate_command(
    students: tuple[str, ...],
    teachers: tuple[str, ...],
    image_root: Path | None,
    annotations: Path | None,
    skeleton: str | None,
    category: tuple[str, ...],
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    rendered: int,
    heights: str,
    seed: int,
    min_score: float,
    boxes: Literal["person", "legs"],
    out: Path | None,
    inference: Inference,
) -> None:
    """Measure the error of one or several networks on annotated photos and on rendered people of known angle.

    Networks of true joint centres measure the mechanical axis, those of COCO's keypoints the angle of these points: the
    table says which, and both are compared with the true mechanical axis of the rendered people.

    Where there are enough rendered people, a line is fitted that corrects each network: `kdcache hka measure
    --calibration` applies it.
    """
    from cache_tools.files import write_json, write_text
    from cache_tools.skeletons import COCO, load_skeleton
    from pipeline.hka.definition import define_angle
    from pipeline.hka.evaluate import evaluate_exact, evaluate_network, with_visible_legs
    from pipeline.hka.report import evaluation_json, evaluation_markdown
    from pipeline.hka.standing_people import render_people
    from pipeline.persons.photo_check import check_photos
    from pipeline.teachers.load import load_network

    references = [*teachers, *(f"student:{run}" for run in students)]
    if not references:
        raise click.UsageError("give --student RUN or --teacher REF, as often as there are networks to compare")
    if (annotations is None) != (image_root is None):
        raise click.UsageError("--images and --annotations go together")
    if annotations is None:
        reject_ignored(click.get_current_context(), PHOTO_PARAMETERS, "there are no --images")
        reject_ignored(click.get_current_context(), ("skeleton", "category"), "there are no --annotations")
    if out is not None and out.suffix != ".json":
        raise click.UsageError(f"--out {out}: expected a name that ends in .json; plots are written beside it")
    sizes = _heights(heights)
    if annotations is None and not rendered:
        raise click.UsageError("nothing to evaluate on: give --rendered N, or --images DIR --annotations FILE")
    annotated = None
    if annotations is not None and image_root is not None:
        stated = None if skeleton is None else load_skeleton(skeleton)
        annotated = with_visible_legs(annotations, stated, category)
        photos, photo_sizes = annotated.persons.file_name, annotated.persons.image_size
        check_photos(image_root, photos, photo_sizes, photo_options, checksums=checksums)
    networks = [load_network(reference, inference.device) for reference in references]
    # a network without hips, knees and ankles is refused before people are rendered
    angles = [define_angle(network.skeleton or COCO) for network in networks]
    people = render_people(rendered, sizes, seed) if rendered else None
    evaluations = []
    if people:
        evaluations.append(evaluate_exact(people, COCO))
        if any(angle.is_mechanical for angle in angles):
            evaluations.append(evaluate_exact(people, load_skeleton("mechanical")))
    for network in networks:
        evaluations.append(
            evaluate_network(
                network,
                people,
                annotated,
                image_root,
                inference,
                photo_options=photo_options.stated(),
                min_score=min_score,
                boxes=boxes,
            )
        )
    table = evaluation_markdown(evaluations)
    if out is not None:
        from pipeline.hka.figure import write_agreement_figure

        settings = {
            "flip": inference.flip,
            "min_score": min_score,
            "boxes": "ground truth" if boxes == "person" else "ground truth, legs only",
            "rendered_people": rendered,
            "heights": sizes,
            "seed": seed,
            "annotations": annotations and annotations.name,
            "pixels": _pixels(photo_options),
            "annotated_angle": annotated.angle.to_json() if annotated else None,
            "persons_with_visible_legs": len(annotated.persons) if annotated else 0,
        }
        for picture in write_agreement_figure(evaluations, out):
            click.echo(picture)
        write_text(out.with_suffix(".md"), table)
        write_json(out, evaluation_json(evaluations, settings))
    click.echo(table, nl=False)


def _pixels(photo_options: "PhotoOptions") -> str:
    return "upright by EXIF" if photo_options.exif else "as stored"


@command.command("agreement", short_help="Compare measured angles with those of X-rays.")
@click.argument("measured", nargs=-1, required=True, type=PATH)
@click.option("--reference", required=True, type=PATH,
              help="CSV file with columns photo, side (left, right) and deviation_degrees.")  # fmt: skip
@click.option("--reference-convention", type=click.Choice(["varus", "valgus"]), default="varus", show_default=True,
              help="Which deviation is positive in the reference.")  # fmt: skip
@click.option("--calibrated", is_flag=True, help="Compare the calibrated angles.")
def agreement_command(measured: tuple[Path, ...], reference: Path, reference_convention: str, calibrated: bool) -> None:
    """Print how far the angles in the CSV files MEASURED are from those of a reference, as X-rays: bias and limits.

    MEASURED: files of `kdcache hka measure --out`, or those that the page of `kdcache export --web` saves, one a photo.
    Legs are matched by the photo's file name and the side. Bland and Altman, Lancet 1986.

    A research tool, not a medical device.
    """
    from pipeline.hka.reference import compare_with_reference, read_angles, reference_text

    found = read_angles(measured, "calibrated_degrees" if calibrated else "deviation_degrees")
    truth = read_angles([reference], convention=reference_convention)
    click.echo(reference_text(compare_with_reference(found, truth)))


def _heights(text: str) -> Sequence[int]:
    """Return heights from the text of an option, each once; UsageError where one is not at least 64 pixels."""
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) >= 64 for part in parts):
        raise click.UsageError(f"--heights {text}: expected pixels of at least 64 with commas between, as 120,240,480")
    # people rendered twice at a height would count twice
    return list(dict.fromkeys(int(part) for part in parts))

"""`kdcache hka`: hip-knee-ankle angles in photos, and how far they can be trusted."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands.shared_options import photo_box_options, reject_ignored

MEASURING = ("boxes", "score_threshold", "exif", "convention", "calibration", "overlay")  # not with --evaluate
EVALUATING = ("image_root", "annotations", "rendered", "heights", "seed")  # with it alone


@click.command("hka")
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--student", "students", multiple=True, metavar="RUN", help="Folder of a run. With --evaluate, any number."
)
@click.option("--teacher", "teachers", multiple=True, metavar="REF", help="A teacher. With --evaluate, any number.")
@photo_box_options
@click.option("--convention", type=click.Choice(["varus", "valgus"]), default="varus", show_default=True,
              help="Which of the two is positive.")  # fmt: skip
@click.option("--min-score", default=0.3, show_default=True, help="Refuse legs with a joint below it.")
@click.option(
    "--calibration", type=click.Path(path_type=Path), help="What `--evaluate --out` wrote: correct by its line."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write .csv or .json here; with --evaluate .json, and beside it the table as .md and plots as .png and .svg.",
)
@click.option("--overlay", type=click.Path(path_type=Path), help="Write each photo with its legs into this folder.")
@click.option("--evaluate", is_flag=True, help="Measure the error instead.")
@click.option("--images", "image_root", type=click.Path(path_type=Path), help="--evaluate: photos of --annotations.")
@click.option("--annotations", type=click.Path(path_type=Path), help="--evaluate: COCO person_keypoints file.")
@click.option("--rendered", default=60, show_default=True, type=click.IntRange(min=0),
              help="--evaluate: rendered people of known angle.")  # fmt: skip
@click.option("--heights", default="120,240,480", show_default=True, help="--evaluate: pixels of their photos.")
@click.option("--seed", default=0, show_default=True, help="--evaluate: of the rendered people.")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Average with the mirrored crop.")
@click.option("--device", default="auto", show_default=True)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.pass_context
def command(
    context: click.Context,
    images: tuple[Path, ...],
    students: tuple[str, ...],
    teachers: tuple[str, ...],
    evaluate: bool,
    **options: Any,
) -> None:
    """Measure the hip-knee-ankle angle of each leg in IMAGES: photos, or folders of photos.

    Without --boxes each photo is one person. The person should stand, face the camera and fill the photo; legs of which
    this can be doubted are marked with the reason. With --evaluate no IMAGES are measured, but the error of one or
    several networks on annotated photos and on rendered people.

    A research tool, not a medical device.
    """
    references = [*teachers, *(f"student:{run}" for run in students)]
    if evaluate:
        if images:
            raise click.UsageError("--evaluate takes no IMAGES: give --images DIR --annotations FILE")
        if not references:
            raise click.UsageError("give --student RUN or --teacher REF, as often as there are networks to compare")
        reject_ignored(context, MEASURING, "--evaluate measures annotated and rendered people")
        _evaluate(references, options)
        return
    reject_ignored(context, EVALUATING, "it is for --evaluate")
    if not images:
        raise click.UsageError("no IMAGES: give photos or folders of photos, or --evaluate")
    if len(references) != 1:
        raise click.UsageError("give one of --student RUN and --teacher REF")
    _measure(images, references[0], options)


def _measure(images: tuple[Path, ...], reference: str, options: dict[str, Any]) -> None:
    from pipeline.hka.joints import joints_in_photos
    from pipeline.hka.overlay import write_overlays
    from pipeline.hka.quality import Limits
    from pipeline.hka.table import as_text, leg_rows, read_calibration, write_rows
    from pipeline.persons.photo_boxes import find_boxes, find_photos
    from pipeline.teachers.load import load_network

    out, convention, calibration_file = options["out"], options["convention"], options["calibration"]
    if out is not None and out.suffix not in (".csv", ".json"):
        raise click.UsageError(f"--out {out}: expected a name that ends in .csv or .json")
    photos = find_photos(images)
    boxes = options["boxes"]
    asked = find_boxes(photos, boxes, options["score_threshold"], upright=options["exif"])
    teacher = load_network(reference, device=options["device"])
    calibration = read_calibration(calibration_file, teacher.digest) if calibration_file else None
    joints = joints_in_photos(
        teacher, asked, flip=options["flip"], batch_size=options["batch_size"], device=options["device"]
    )
    limits = Limits(min_score=options["min_score"])
    rows = leg_rows(asked, joints, convention=convention, limits=limits, calibration=calibration)
    settings = {
        "network": teacher.name,
        "digest": teacher.digest,
        "convention": f"{convention} positive",
        "flip": options["flip"],
        "boxes": "whole photo" if boxes is None else str(boxes),
        "pixels": "upright by EXIF" if asked.upright else "as stored",
        "min_score": options["min_score"],
        "calibration": calibration and calibration.to_json(),
    }
    if out is not None:
        write_rows(out, rows, settings)
    if options["overlay"] is not None:
        write_overlays(options["overlay"], asked, joints, rows, settings)
    click.echo(as_text(rows, settings))


def _evaluate(references: list[str], options: dict[str, Any]) -> None:
    from cache_tools.files import write_json, write_text
    from pipeline.hka.evaluate import evaluate_exact, evaluate_teacher, render_people, with_visible_legs
    from pipeline.hka.figure import draw
    from pipeline.hka.report import report, table
    from pipeline.teachers.load import load_network

    annotations, image_root, out = options["annotations"], options["image_root"], options["out"]
    if (annotations is None) != (image_root is None):
        raise click.UsageError("--images and --annotations go together")
    if out is not None and out.suffix != ".json":
        raise click.UsageError(f"--out {out}: expected a name that ends in .json; plots are written beside it")
    heights = _heights(options["heights"])
    if annotations is None and not options["rendered"]:
        raise click.UsageError("nothing to evaluate on: give --rendered N, or --images DIR --annotations FILE")
    networks = [load_network(reference, device=options["device"]) for reference in references]
    persons = with_visible_legs(annotations) if annotations else None
    people = render_people(options["rendered"], heights, options["seed"]) if options["rendered"] else None
    results = [evaluate_exact(people)] if people else []
    for network in networks:
        results.append(
            evaluate_teacher(
                network,
                people,
                persons,
                image_root,
                flip=options["flip"],
                batch_size=options["batch_size"],
                device=options["device"],
                min_score=options["min_score"],
            )
        )
    printed = table(results)
    if out is not None:
        settings = {
            "flip": options["flip"],
            "min_score": options["min_score"],
            "boxes": "ground truth",
            "rendered_people": options["rendered"],
            "heights": heights,
            "seed": options["seed"],
            "annotations": annotations and annotations.name,
            "persons_with_visible_legs": len(persons) if persons else 0,
        }
        for picture in draw(results, out):
            click.echo(picture)
        write_text(out.with_suffix(".md"), printed + "\n")
        write_json(out, report(results, settings))
    click.echo(printed)


def _heights(text: str) -> list[int]:
    if not all(part.strip().isdigit() and int(part) >= 64 for part in text.split(",")):
        raise click.UsageError(f"--heights {text}: expected pixels of at least 64 with commas between, as 120,240,480")
    return [int(part) for part in text.split(",")]

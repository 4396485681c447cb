"""`kdcache check`: read annotations, photos and boxes as build, train and evaluate do, without a network."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, photo_reading_options, workers_option
from pipeline.commands.skeleton_options import category_option, skeleton_option
from pipeline.printable import printable

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions


@click.command("check")
@click.argument("annotations", type=PATH)
@click.option("--images", required=True, type=PATH, help="Folder of the photos.")
@click.option("--boxes", type=PATH, help="A detector's boxes for these photos, as `kdcache evaluate --boxes` takes.")
@click.option("--score-threshold", default=0.0, show_default=True, help="Leave out a detector's boxes below it.")
@skeleton_option
@category_option
@click.option("--same-as", type=PATH, metavar="FILE",
              help="Annotation file whose keypoints ANNOTATIONS must have, e.g. that of training.")  # fmt: skip
@click.option("--unlabelled", is_flag=True, help="Every person with a box, not only those with labelled keypoints.")
@photo_reading_options()
@click.option("--decode", is_flag=True, help="Decode every photo: damaged ones and other sizes are found. Slower.")
@workers_option
@click.option("--receipt", type=PATH, help="Write what was found to this file, where nothing is refused.")
def command(
    annotations: Path,
    images: Path,
    boxes: Path | None,
    score_threshold: float,
    skeleton: str | None,
    category: tuple[str, ...],
    same_as: Path | None,
    unlabelled: bool,
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    decode: bool,
    workers: int,
    receipt: Path | None,
) -> None:
    """Check ANNOTATIONS, a COCO keypoint file, with its photos and boxes, as build, train and evaluate read them.

    Prints what would be read and what is left out, by reason. Exit code 2 where something is refused.
    """
    from cache_tools.files import write_json
    from cache_tools.skeletons import load_skeleton
    from pipeline.persons.data_check import check_data

    found = check_data(
        annotations,
        images,
        skeleton=None if skeleton is None else load_skeleton(skeleton),
        category=category,
        same_as=same_as,
        labelled=not unlabelled,
        boxes=boxes,
        score_threshold=score_threshold,
        photo_options=photo_options,
        checksums=checksums,
        decode=decode,
        threads=workers,
    )
    for line in found.lines:
        click.echo(printable(line))
    for problem in found.problems:
        click.echo(f"error: {printable(problem)}", err=True)
    if found.problems:
        sys.exit(2)
    if receipt is not None:
        write_json(receipt, {"annotations": str(annotations), "found": found.lines})

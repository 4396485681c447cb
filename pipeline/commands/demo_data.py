"""`kdcache demo-data`: write a COCO-format data set of rendered people."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH

if TYPE_CHECKING:
    from pipeline.demo.coco_files import Boxes, Knees


@click.command("demo-data")
@click.argument("out", type=PATH)
@click.option("--persons", type=click.IntRange(min=1), required=True, help="Labelled persons of the train split.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed gives the same bytes on every processor.",
)
@click.option(
    "--val-persons",
    type=click.IntRange(min=1),
    show_default="a sixth of --persons",
    help="Labelled persons of the val split.",
)
@click.option(
    "--noise/--no-noise",
    default=True,
    show_default=True,
    help="Give the train split an annotator's errors; the val split is always exact.",
)
@click.option(
    "--level",
    type=click.Choice(["easy", "hard", "standing"]),
    default="easy",
    show_default=True,
    help="How hard the photos are: poses, occlusion, number of people. standing: one person who stands and faces the "
    "camera, with knees of -15 to 15 degrees of varus.",
)
@click.option(
    "--size",
    nargs=2,
    type=click.IntRange(min=64),
    default=(240, 320),
    show_default=True,
    metavar="HEIGHT WIDTH",
    help="Pixels of the photos.",
)
@click.option(
    "--boxes",
    type=click.Choice(["person", "legs"]),
    default="person",
    show_default=True,
    help="What the boxes are around. legs: the joints of the legs, for students that see only these.",
)
@click.option(
    "--knees",
    type=click.Choice(["joint", "axis"]),
    default="joint",
    show_default=True,
    help="Where knees are labelled. axis: moved sideways until the angle in the photo is that of the mechanical axis; "
    "with --level standing.",
)
@click.option(
    "--skeleton",
    default="coco",
    show_default=True,
    metavar="NAME|FILE",
    help="Whose keypoints people are labelled with: coco, mechanical (true centres of hips, knees and ankles), or a "
    "YAML file of such joints.",
)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes that draw photos.")
def command(
    out: Path,
    persons: int,
    seed: int,
    val_persons: int | None,
    noise: bool,
    level: str,
    size: tuple[int, int],
    boxes: "Boxes",
    knees: "Knees",
    skeleton: str,
    workers: int,
) -> None:
    """Write a COCO-format data set of rendered people into OUT.

    OUT/train and OUT/val get the photos, OUT/annotations the person_keypoints files. With perfect labels a teacher has
    nothing to add; therefore the train split's keypoints are moved, left out and swapped as human annotators do it.

    The photos of a seed are the same with every --skeleton; only their labels differ.
    """
    from cache_tools.skeletons import load_skeleton
    from pipeline.demo.dataset import write_dataset

    note = write_dataset(
        out,
        persons,
        seed,
        val_persons=val_persons,
        noise=noise,
        level=level,
        workers=workers,
        skeleton=load_skeleton(skeleton),
        size=size,
        boxes=boxes,
        knees=knees,
    )
    if note is None:
        click.echo(f"{out} already holds this data set")
        return
    for split in ("train", "val"):
        click.echo(f"{out / split}: {note[split]['photos']} photos, {note[split]['persons']} labelled persons")

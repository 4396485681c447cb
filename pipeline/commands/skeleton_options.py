"""Options that say whose keypoints annotations are, and what a teacher calls them; names, never indices."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def pairs_of(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return (OURS, ITS) of each "OURS=ITS"; BadParameter for another text, and for a name that is given twice."""
    pairs = [tuple(part.strip() for part in text.split("=")) for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2 or not all(pair):
            raise click.BadParameter(f"{text!r}: expected OURS=ITS, as in femoral_head_l=left_hip")
    ours = [pair[0] for pair in pairs]
    if twice := {name for name in ours if ours.count(name) > 1}:
        raise click.BadParameter(f"{min(twice)} is given twice")
    return tuple((pair[0], pair[1]) for pair in pairs)


skeleton_option: Decorator = click.option(
    "--skeleton",
    metavar="NAME|FILE",
    help="Whose keypoints the annotations have: coco, crowdpose, ..., or a YAML file. [default: as the file's "
    "category names them]",
)
category_option: Decorator = click.option(
    "--category",
    multiple=True,
    metavar="NAME|ID",
    help="Category of the annotations; may be repeated. [default: all with the same keypoints]",
)
joint_option: Decorator = click.option(
    "--joint",
    "joints",
    multiple=True,
    metavar="OURS=ITS",
    callback=lambda context, parameter, texts: pairs_of(texts),
    help="What the teacher calls a keypoint that differs in more than spelling; may be repeated.",
)

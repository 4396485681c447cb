"""`kdcache sigmas`: OKS sigmas of a skeleton from two annotations of the same persons."""

from pathlib import Path

import click

from pipeline.commands.shared_options import PATH
from pipeline.commands.skeleton_options import skeleton_option


@click.command("sigmas")
@click.argument("one", type=PATH)
@click.argument("other", type=PATH)
@skeleton_option
def command(one: Path, other: Path, skeleton: str | None) -> None:
    """Measure OKS sigmas from ONE and OTHER: COCO keypoint files of the same persons by different annotators.

    Prints a fragment for a skeleton's YAML file, with the number of persons of each sigma. Persons are matched
    by annotation id, or else by photo and box.
    """
    from cache_tools.skeletons import load_skeleton
    from pipeline.evaluation.annotator_sigmas import measure_sigmas, sigmas_text

    measured = measure_sigmas(one, other, skeleton=None if skeleton is None else load_skeleton(skeleton))
    click.echo(sigmas_text(measured))

"""`kdcache fidelity`: measure how near replayed heatmaps are to the live teacher."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, inference_options

if TYPE_CHECKING:
    from student.inference import Inference


@click.command("fidelity")
@click.argument("store")
@click.option("--teacher", required=True, metavar="REF", help="The teacher that made the store.")
@click.option("--images", required=True, type=PATH, help="Folder of the photos.")
@click.option("--annotations", type=PATH, help="Check that the store is of this COCO file.")
@click.option(
    "--rows", default=400, show_default=True, type=click.IntRange(min=1), help="Number of persons, drawn at random."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the persons and their views."
)
@click.option("--out", type=PATH, help="Write the numbers to this file, as JSON.")
@click.option("--figure", type=PATH, help="Draw examples and numbers here (png, svg, pdf).")
@inference_options(flip=None)
def command(
    store: str,
    teacher: str,
    images: Path,
    annotations: Path | None,
    rows: int,
    seed: int,
    out: Path | None,
    figure: Path | None,
    inference: "Inference",
) -> None:
    """Compare the heatmaps in STORE, replayed in augmented views, with the live teacher's and with the labels.

    `warp` zooms a cached peak with the image, `peaks` keeps its width: distill.replay chooses between them.
    """
    from cache_tools.files import write_json
    from cache_tools.store.spec import CacheMismatch
    from cache_tools.store.writer import HeatmapStore
    from pipeline.fidelity.measure import measure_fidelity
    from pipeline.fidelity.table import fidelity_table
    from pipeline.teachers.load import load_network
    from pipeline.teachers.translated import renamed_joints

    opened = HeatmapStore.open(store)
    if annotations is not None:
        found, given = opened.spec.annotations.digest, opened.spec.read_instances(annotations).digest()
        if found != given:
            raise CacheMismatch(
                f"{store} is of other persons than {annotations}:\n"
                f"  annotations.digest: found {found[:16]}, expected {given[:16]}\n"
                "Give the annotation file that the store was built from: `kdcache info` names it."
            )
    network = load_network(
        teacher,
        inference.device,
        flip=opened.spec.teacher.flip,
        skeleton=opened.spec.skeleton,
        renamed=renamed_joints(opened.spec),
        probed=True,
    )
    report, examples = measure_fidelity(opened, network, images, rows=rows, seed=seed, inference=inference)
    if out is not None:
        write_json(out, report)
    if figure is not None:
        from pipeline.fidelity.figure import draw_fidelity

        draw_fidelity(report, examples, figure)
    click.echo(fidelity_table(report))

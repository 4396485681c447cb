"""`kdcache fidelity`: how near replayed heatmaps are to the live teacher."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared_options import inference_options

if TYPE_CHECKING:
    from student.inference import Inference


@click.command("fidelity")
@click.argument("store")
@click.option("--teacher", required=True, metavar="REF", help="The teacher that made the store.")
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of the photos.")
@click.option("--annotations", type=click.Path(path_type=Path), help="Check that the store is of this COCO file.")
@click.option("--rows", default=400, show_default=True, type=click.IntRange(min=1), help="Persons, at random.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of persons and views.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the numbers here, as JSON.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw examples and numbers here (png, svg, pdf).")
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
    from pipeline.fidelity.measure import measure
    from pipeline.teachers.load import load_network

    opened = HeatmapStore.open(store)
    read = opened.spec.annotations
    if annotations is not None and (found := read.read_instances(annotations).digest()) != read.digest:
        raise CacheMismatch(
            f"{store} is of other persons than {annotations}:\n"
            f"  annotations.digest: found {read.digest[:16]}, expected {found[:16]}"
        )
    network = load_network(teacher, inference.device, flip=opened.spec.teacher.flip)
    report, examples = measure(opened, network, images, rows=rows, seed=seed, inference=inference)
    if out is not None:
        write_json(out, report)
    if figure is not None:
        from pipeline.fidelity.figure import draw

        draw(report, examples, figure)
    click.echo(summary(report))


def summary(report: dict[str, Any]) -> str:
    """The table: each replay against the live teacher, and all against the labels, also by zoom."""
    teacher = report["teacher"]
    lines = [
        f"{report['persons']} persons ({report['joints']} joints) of {report['store']}, codec {report['codec']}",
        f"teacher {teacher['name']}{', averaged with its mirror' if teacher['flip'] else ''}; random zoom and rotation",
        "",
        f"{'zoom':<12}{'persons':>8}  {'maps':<7}{'RMSE at peaks':>14}{'median cosine':>15}{'OKS':>8}{'over live':>17}",
    ]
    for label, part in [("all", report), *((zoom_label(b["zoom"]), b) for b in report["by_zoom"])]:
        for arm, values in part["arms"].items():
            first = f"{label:<12}{part['persons']:>8}" if arm == "live" else f"{'':<20}"
            gain, error = values.get("oks_over_live"), values.get("oks_over_live_standard_error")
            over = "-" if gain is None else f"{gain:+.3f}" + ("" if error is None else f" +- {error:.3f}")
            numbers = [values.get("rmse_at_peaks"), values.get("cosine_median"), values["oks"]]
            cells = ["-" if number is None else f"{number:.3f}" for number in numbers]
            lines.append(f"{first}  {arm:<7}{cells[0]:>14}{cells[1]:>15}{cells[2]:>8}{over:>17}")
    return "\n".join(lines)


def zoom_label(bounds: list[float | None]) -> str:
    """A bin of zoom in words; above 1 the view shows more than the plain crop."""
    low, high = bounds
    if high is None:
        return f"{low:g} and up"
    return f"below {high:g}" if not low else f"{low:g} to {high:g}"

"""`kdcache evaluate`: COCO keypoint AP of a student, a teacher or the maps in a store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.ignored import refuse

if TYPE_CHECKING:
    from pipeline.evaluation.metrics_file import Metrics


@click.command("evaluate")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--teacher", metavar="REF", help="A teacher instead of a RUN, e.g. onnx:FILE?frame=stride.")
@click.option("--store", metavar="URL", help="The heatmaps in a store of these annotations instead of a RUN.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the photos; not needed with --store.")
@click.option("--annotations", required=True, type=click.Path(path_type=Path), help="COCO person_keypoints file.")
@click.option("--boxes", default="gt", show_default=True, metavar="gt|FILE", help="A detector's COCO results file.")
@click.option("--score-threshold", default=0.0, show_default=True, help="Leave out a detector's boxes below it.")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Average with the mirrored crop.")
@click.option("--out", type=click.Path(path_type=Path), help="Write metrics.json here.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the poses here, as COCO results.")
@click.option("--device", default="auto", show_default=True)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Threads that read photos.")
@click.pass_context
def command(
    context: click.Context,
    run: Path | None,
    teacher: str | None,
    store: str | None,
    images: Path | None,
    annotations: Path,
    boxes: str,
    score_threshold: float,
    flip: bool,
    out: Path | None,
    results: Path | None,
    device: str,
    batch_size: int,
    workers: int,
) -> None:
    """Measure COCO keypoint AP of RUN, of a teacher, or of the heatmaps in a store.

    A store is evaluated with the boxes and the flip that it was built with.
    """
    from cache_tools.files import write_text
    from pipeline.evaluation.evaluate import evaluate, evaluate_store

    if sum(given is not None for given in (run, teacher, store)) != 1:
        raise click.UsageError("give one of RUN, --teacher REF and --store URL")
    if store is not None:
        refuse(context, ("images", "boxes", "score_threshold", "flip", "workers"), "a store has heatmaps already")
        from cache_tools.store.writer import HeatmapStore

        result = evaluate_store(HeatmapStore.open(store), annotations, batch_size=batch_size, device=device)
    else:
        if images is None:
            raise click.UsageError("--images is missing: the folder of the photos that --annotations describes")
        if boxes == "gt":
            refuse(context, ["score_threshold"], "--boxes gt have no scores")
        from pipeline.teachers.load import load_network
        from student.inference import Inference

        result = evaluate(
            load_network(teacher or f"student:{run}", device=device),
            annotations,
            images,
            boxes=boxes,
            score_threshold=score_threshold,
            inference=Inference(flip=flip, batch_size=batch_size, workers=workers, device=device),
        )
    if out is not None:
        result.metrics.write(out)
    if results is not None:
        write_text(results, json.dumps(result.results) + "\n")
    click.echo(summary(result.metrics))


def summary(metrics: "Metrics") -> str:
    """Return the ten numbers in percent, the protocol in one line, and the remarks."""
    cells = ["-" if value is None else f"{100 * value:.1f}" for value in metrics.numbers.values()]
    protocol = metrics.protocol
    return "\n".join(
        [
            "  ".join(f"{name:>5}" for name in metrics.numbers),
            "  ".join(f"{cell:>5}" for cell in cells),
            f"{protocol.predictor}: {protocol.persons} persons in {protocol.images} images, "
            f"boxes {protocol.boxes.source}, flip test {'on' if protocol.flip else 'off'}, "
            f"input {'x'.join(map(str, protocol.input_size))}, {protocol.dtype} on {protocol.device}",
            *(f"note: {note}" for note in metrics.notes),
        ]
    )

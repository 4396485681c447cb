"""`kdcache evaluate`: COCO keypoint AP of a student, a teacher or the heatmaps in a store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import (
    PATH,
    PHOTO_PARAMETERS,
    inference_options,
    photo_reading_options,
    reject_ignored,
)
from pipeline.commands.skeleton_options import category_option, joint_option, skeleton_option

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions
    from pipeline.evaluation.metrics_file import EvaluationProtocol, Metrics
    from student.inference import Inference


@click.command("evaluate")
@click.argument("run", required=False, type=PATH)
@click.option("--teacher", metavar="REF", help="A teacher in place of RUN, e.g. onnx:FILE?frame=stride.")
@click.option("--store", metavar="URL", help="The heatmaps in a store of these annotations, in place of RUN.")
@click.option("--images", type=PATH, help="Folder of the photos; not needed with --store.")
@click.option("--annotations", required=True, type=PATH, help="COCO person_keypoints file.")
@skeleton_option
@category_option
@joint_option
@click.option("--common", is_flag=True, help="Score, and write, only joints that the network knows.")
@photo_reading_options()
@click.option("--boxes", default="gt", show_default=True, metavar="gt|FILE",
              help="gt: the annotated boxes; FILE: a detector's COCO results, or annotations.")  # fmt: skip
@click.option("--score-threshold", default=0.0, show_default=True, help="Leave out a detector's boxes below it.")
@inference_options(flip=True)
@click.option("--out", type=PATH, help="Write the numbers and their protocol here (metrics.json).")
@click.option("--results", type=PATH, help="Write the poses here, as COCO results.")
@click.pass_context
def command(
    context: click.Context,
    run: Path | None,
    teacher: str | None,
    store: str | None,
    images: Path | None,
    annotations: Path,
    skeleton: str | None,
    category: tuple[str, ...],
    joints: tuple[tuple[str, str], ...],
    common: bool,
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    boxes: str,
    score_threshold: float,
    inference: "Inference",
    out: Path | None,
    results: Path | None,
) -> None:
    """Measure COCO keypoint AP of RUN, of a teacher, or of the heatmaps in a store.

    The joints are those of the annotations; joints that the network does not know count as missed, unless --common.
    A store is evaluated with the boxes and the flip test that it was built with, and with its own joints.
    """
    if sum(source is not None for source in (run, teacher, store)) != 1:
        raise click.UsageError("give one of RUN, --teacher REF and --store URL")
    if store is not None:
        reject_ignored(
            context,
            ("images", *PHOTO_PARAMETERS, "boxes", "score_threshold", "flip", "workers"),
            "a store has heatmaps already",
        )
        reject_ignored(context, ("skeleton", "category", "joints"), "a store has joints and categories of its own")
        from cache_tools.store.writer import HeatmapStore
        from pipeline.evaluation.evaluation import evaluate_store

        result = evaluate_store(
            HeatmapStore.open(store),
            annotations,
            common=common,
            batch_size=inference.batch_size,
            device=inference.device,
        )
    else:
        if images is None:
            raise click.UsageError("--images is missing: the folder of the photos that --annotations describes")
        if boxes == "gt":
            reject_ignored(context, ["score_threshold"], "--boxes gt have no scores")
        from cache_tools.skeletons import load_skeleton
        from pipeline.evaluation.evaluation import evaluate
        from pipeline.persons.coco_labels import CocoLabels
        from pipeline.teachers.load import load_network

        stated = None if skeleton is None else load_skeleton(skeleton)
        labels = CocoLabels(annotations, skeleton=stated, category=category)
        result = evaluate(
            load_network(teacher or f"student:{run}", device=inference.device, probed=teacher is not None),
            labels,
            images,
            renamed=dict(joints),
            common=common,
            boxes=boxes,
            score_threshold=score_threshold,
            inference=inference,
            photo_options=photo_options,
            checksums=checksums,
        )
    if out is not None:
        result.metrics.write(out)
    if results is not None:
        from cache_tools.files import write_text

        write_text(results, json.dumps(result.results) + "\n")
    click.echo(metrics_text(result.metrics))


def metrics_text(metrics: "Metrics") -> str:
    """Return the ten numbers in percent, the protocol in one line, and the remarks."""
    from tabulate import tabulate

    percents = [None if value is None else 100 * value for value in metrics.numbers.values()]
    table = tabulate([percents], headers=[*metrics.numbers], tablefmt="plain", floatfmt=".1f", missingval="-")
    protocol = metrics.protocol
    measured = (
        f"{protocol.predictor}: {protocol.persons} persons in {protocol.images} images, {_joints_text(protocol)}"
        f"boxes {protocol.boxes.source}, flip test {'on' if protocol.flip else 'off'}, "
        f"input {'x'.join(map(str, protocol.input_size))}, {protocol.dtype} on {protocol.device}"
    )
    return "\n".join([table, measured, *(f"note: {note}" for note in metrics.notes)])


def _joints_text(protocol: "EvaluationProtocol") -> str:
    """Return what was scored where it is not all of COCO's joints of one category."""
    texts = []
    joints, unknown = len(protocol.oks_sigmas), len(protocol.unknown_joints)
    if protocol.joints == "common":
        texts.append(f"{joints} common joints of {protocol.skeleton}'s {joints + unknown}, ")
    elif protocol.skeleton != "coco":
        texts.append(f"{joints} joints of {protocol.skeleton}, ")
    if len(protocol.categories) > 1:
        texts.append(f"mean over {len(protocol.categories)} categories, ")
    return "".join(texts)

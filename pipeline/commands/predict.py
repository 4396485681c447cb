"""`kdcache predict`: keypoints of the persons in any photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, inference_options, photo_box_options, reject_ignored
from pipeline.commands.skeleton_options import joint_option

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions
    from student.inference import Inference


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=PATH)
@click.option("--student", type=PATH, help="Folder of a run.")
@click.option("--teacher", metavar="REF", help="A teacher in place of a student, e.g. student:demo.")
@photo_box_options
@click.option(
    "--skeleton",
    metavar="NAME|FILE",
    help="Joints of the poses, into which those of the network are put by name. [default: the network's]",
)
@joint_option
@click.option("--joint-threshold", default=0.2, show_default=True, help="Overlays leave out joints below it.")
@inference_options(flip=True)
@click.option("--out", type=PATH, help="Write the poses here, as COCO results.")
@click.option("--overlay", type=PATH, help="Write each photo with its poses into this folder.")
@click.pass_context
def command(
    context: click.Context,
    images: tuple[Path, ...],
    student: Path | None,
    teacher: str | None,
    boxes: Path | None,
    score_threshold: float,
    photo_options: "PhotoOptions",
    category: tuple[str, ...],
    skeleton: str | None,
    joints: tuple[tuple[str, str], ...],
    joint_threshold: float,
    inference: "Inference",
    out: Path | None,
    overlay: Path | None,
) -> None:
    """Find keypoints in IMAGES: photos, or folders with all their subfolders. Without --boxes each photo is one person.

    Poses are scored as `kdcache evaluate` scores them, and those that a detector's boxes give twice are left out.
    """
    from cache_tools.files import write_text
    from cache_tools.skeletons import COCO, load_skeleton
    from pipeline.evaluation.matched_network import match_network
    from pipeline.evaluation.oks import coco_results
    from pipeline.persons.photo_boxes import find_boxes
    from pipeline.persons.photo_files import find_photos, photo_folder
    from pipeline.report.overlay import write_pose_overlays
    from pipeline.teachers.load import load_network
    from student.prediction import predict

    if (student is None) == (teacher is None):
        raise click.UsageError("give one of --student RUN and --teacher REF")
    if out is None and overlay is None:
        raise click.UsageError("nothing to write: give --out FILE.json, --overlay FOLDER or both")
    if boxes is None:
        reject_ignored(context, ["category", "score_threshold"], "there are no --boxes")
    if skeleton is None:
        reject_ignored(context, ["joints"], "without --skeleton the joints are the network's own")
    photos = find_photos(images, besides=[overlay])
    stated = None if skeleton is None else load_skeleton(skeleton)
    network = load_network(teacher or f"student:{student}", device=inference.device)
    persons = find_boxes(
        photos,
        boxes,
        score_threshold,
        folder=photo_folder(images),
        photo_options=photo_options,
        category=category,
        # only a student knows the categories of its data
        default_categories=getattr(network, "categories", (1,)),
        skeleton=stated,
    )
    matched = match_network(network, stated or network.skeleton or COCO, inference, dict(joints))
    poses = predict(
        matched.network,
        persons.photo,
        persons.box,
        matched.inference,
        photo_sizes=persons.photo_size,
        photo_options=persons.photo_options,
        progress="predict",
    )
    kept, results = coco_results(
        poses,
        persons.image_id,
        persons.category_id,
        persons.box,
        persons.score,
        network.input_size,
        sigmas=matched.skeleton.oks_sigmas()[0],
        suppressed=persons.detected,
        known=matched.known,
    )
    photo_of_kept = [persons.photo[row] for row in kept]
    if out is not None:
        for result, row in zip(results, kept, strict=True):
            result.update(file_name=persons.name[row], bbox=persons.box[row].tolist())
        write_text(out, json.dumps(results) + "\n")
    if overlay is not None:
        write_pose_overlays(
            overlay,
            photo_of_kept,
            poses[kept],
            matched.skeleton,
            joint_threshold,
            names=[persons.name[row] for row in kept],
            photo_options=persons.photo_options,
        )
    click.echo(f"{len(kept)} persons in {len(set(photo_of_kept))} of {len(photos)} photos")

"""`kdcache predict`: keypoints of the persons in any photos."""

import json
from pathlib import Path

import click

from pipeline.commands.asked import BOXES, asked_persons, exif


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--student", type=click.Path(path_type=Path), help="Folder of a run.")
@click.option("--teacher", metavar="REF", help="A teacher instead of a student, e.g. student:demo.")
@click.option("--boxes", type=click.Path(path_type=Path), help=BOXES)
@click.option("--score-threshold", default=0.0, show_default=True, help="Leave out boxes below it.")
@exif
@click.option("--joint-threshold", default=0.2, show_default=True, help="Overlays leave out joints below it.")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Average with the mirrored crop.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the poses here, as COCO results.")
@click.option("--overlay", type=click.Path(path_type=Path), help="Write each photo with its poses into this folder.")
@click.option("--device", default="auto", show_default=True)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Threads that read photos.")
def command(
    images: tuple[Path, ...],
    student: Path | None,
    teacher: str | None,
    boxes: Path | None,
    score_threshold: float,
    exif: bool | None,
    joint_threshold: float,
    flip: bool,
    out: Path | None,
    overlay: Path | None,
    device: str,
    batch_size: int,
    workers: int,
) -> None:
    """Find keypoints in IMAGES: photos, or folders of photos. Without --boxes each photo is one person.

    Poses are scored as `kdcache evaluate` scores them, and those that a detector's boxes give twice are left out.
    """
    from cache_tools.files import write_text
    from pipeline.evaluation.oks import coco_results
    from pipeline.persons.photo_boxes import find_photos
    from pipeline.report.overlay import write_overlays
    from pipeline.teachers.load import load_network
    from student.inference import Inference
    from student.prediction import predict

    if (student is None) == (teacher is None):
        raise click.UsageError("give one of --student RUN and --teacher REF")
    if out is None and overlay is None:
        raise click.UsageError("nothing to write: give --out FILE.json, --overlay FOLDER or both")
    photos = find_photos(images)
    asked = asked_persons(photos, boxes, score_threshold, exif)
    network = load_network(teacher or f"student:{student}", device=device)
    found = predict(
        network,
        asked.photo,
        asked.box,
        Inference(flip=flip, batch_size=batch_size, workers=workers, device=device),
        upright=asked.upright,
        progress="predict",
    )
    kept, results = coco_results(
        found, asked.image_id, asked.box, asked.score, network.input_size, suppressed=asked.detected
    )
    shown = [asked.photo[row] for row in kept]
    if out is not None:
        beside = [{"file_name": p.name, "bbox": b.tolist()} for p, b in zip(shown, asked.box[kept], strict=True)]
        rows = [result | more for result, more in zip(results, beside, strict=True)]
        write_text(out, json.dumps(rows) + "\n")
    if overlay is not None:
        write_overlays(overlay, shown, found[kept], joint_threshold, upright=asked.upright)
    click.echo(f"{len(kept)} persons in {len(set(shown))} of {len(photos)} photos")

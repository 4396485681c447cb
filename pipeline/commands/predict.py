"""`kdcache predict`: keypoints of the persons in any photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--student", type=click.Path(path_type=Path), help="Folder of a run.")
@click.option("--teacher", metavar="REF", help="A teacher instead of a student, e.g. student:demo.")
@click.option("--boxes", type=click.Path(path_type=Path), help="Boxes, as detectors write them, or COCO annotations.")
@click.option("--score-threshold", default=0.0, show_default=True, help="Leave out boxes below it.")
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
    joint_threshold: float,
    flip: bool,
    out: Path | None,
    overlay: Path | None,
    device: str,
    batch_size: int,
    workers: int,
) -> None:
    """Find keypoints in IMAGES: photos, or folders of photos. Without --boxes each photo is one person."""
    from pipeline.evaluate import write_json
    from pipeline.overlay import write_overlays
    from pipeline.photo_boxes import boxes_from_file, find_photos, whole_photos
    from pipeline.teachers import load_teacher
    from student.predict import predict

    if (student is None) == (teacher is None):
        raise click.UsageError("give one of --student RUN and --teacher REF")
    if out is None and overlay is None:
        raise click.UsageError("nothing to write: give --out FILE.json, --overlay FOLDER or both")
    photos = find_photos(images)
    asked = boxes_from_file(boxes, photos, score_threshold) if boxes else whole_photos(photos)
    found = predict(
        load_teacher(teacher or f"student:{student}", device=device),
        asked.photo,
        asked.box,
        flip=flip,
        batch_size=batch_size,
        workers=workers,
        device=device,
        progress="predict",
    )
    if out is not None:
        write_json(out, coco_results(asked.photo, asked.box, found), indent=None)
    if overlay is not None:
        write_overlays(overlay, asked.photo, found, joint_threshold)
    with_persons = len(set(asked.photo))
    click.echo(f"{len(asked)} persons in {with_persons} of {len(photos)} photos")


def coco_results(
    photos: Sequence[Path], boxes: "NDArray[np.float64]", found: "NDArray[np.float64]"
) -> list[dict[str, Any]]:
    """Poses (N, 17, 3) as COCO results, with the photo's name and the box (N, 4) beside.

    image_id is the number that COCO's files are named by; where a photo has another name, photos are numbered from 1.
    """
    import numpy as np

    from pipeline.oks import pose_scores

    distinct = list(dict.fromkeys(photos))
    numbered = all(photo.stem.isdigit() for photo in distinct)
    ids = {photo: int(photo.stem) if numbered else place for place, photo in enumerate(distinct, 1)}
    scores = pose_scores(found[..., 2], np.ones(len(found)))
    return [
        {
            "image_id": ids[photo],
            "file_name": photo.name,
            "category_id": 1,
            "bbox": box.tolist(),
            "keypoints": pose.round(3).ravel().tolist(),
            "score": float(score),
        }
        for photo, box, pose, score in zip(photos, boxes, found, scores, strict=True)
    ]

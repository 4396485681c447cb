"""COCO's keypoint protocol: boxes -> heatmaps -> DARK decode -> rescoring -> OKS-NMS -> pycocotools -> metrics.json.

A student, a teacher, an ONNX file and the maps in a store all pass here, and every result carries the protocol it was
measured under, because GT boxes, the flip test and the decoder are worth more AP than most methods.
"""

import contextlib
import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS, KEYPOINTS
from cache_tools.geometry import compose
from cache_tools.instances import Instances, from_coco, read_annotations
from pipeline.evaluation.oks import JOINT_THRESHOLD, NMS_THRESHOLD, coco_results, joint_similarity, similarity
from pipeline.persons.boxes import Boxes, annotated, detected
from student.device import torch_device
from student.inference import Inference
from student.prediction import decode_keypoints, predict

if TYPE_CHECKING:
    from cache_tools.store.writer import HeatmapStore
    from student.pose_network import PoseNetwork

METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
DECODER = "DARK/UDP: Gaussian blur kernel 11 sigma 2, one Newton step on the logarithm"
PCK_THRESHOLD = 0.1  # of the longer side of the annotated box
MOST_PER_IMAGE = 20  # COCO's maxDets for keypoints


@dataclass(frozen=True)
class Verdict:
    """What `kdcache evaluate` writes: the numbers with their protocol, and the poses that they come from."""

    metrics: dict[str, Any]
    results: list[dict[str, Any]]  # COCO results: image_id, category_id, keypoints, score


def evaluate(
    predictor: "PoseNetwork",
    annotations: str | Path,
    image_root: str | Path,
    *,
    boxes: str | Path = "gt",
    score_threshold: float = 0.0,
    flip: bool = False,
    batch_size: int = 32,
    workers: int = 2,
    device: str = "auto",
    max_persons: int | None = None,
) -> Verdict:
    """Measure a predictor on the photos of `image_root`.

    boxes: "gt", or a detector's COCO results file, of which boxes below `score_threshold` are left out.
    flip: average with the mirrored crop. device: where heatmaps are decoded; the predictor has its own.
    max_persons: about so many persons, in photos drawn evenly from the file: for a look while training.
    """
    persons = from_coco(annotations)
    asked = annotated(persons) if boxes == "gt" else detected(boxes, annotations, score_threshold=score_threshold)
    images = None
    if max_persons is not None and max_persons < len(persons):
        images = spread(persons, max_persons)
        persons = persons.take(np.flatnonzero(np.isin(persons.image_id, images)))
        asked = asked.take(np.isin(asked.image_id, images))
    found = predict(
        predictor,
        [Path(image_root) / name for name in asked.file_name],
        asked.box,
        Inference(flip=flip, batch_size=batch_size, workers=workers, device=device),
        photo_sizes=[(int(h), int(w)) for h, w in asked.image_size],
        progress=f"evaluate {predictor.name}" if max_persons is None else None,  # training has a bar of its own
    )
    protocol = {
        "predictor": predictor.name,
        "weights": predictor.digest,
        "input_size": list(predictor.input_size),
        "heatmap_size": list(predictor.heatmap_size),
        "frame": predictor.frame,
        "flip": flip,
        "dtype": str(getattr(predictor, "dtype", "unstated")),
        "device": str(getattr(predictor, "device", "unstated")),
        "decode_device": str(torch_device(device)),
    }
    return judge(found, asked, persons, annotations, predictor.input_size, protocol, images)


def spread(persons: Instances, count: int) -> NDArray[np.int64]:
    """Ids of images, drawn evenly from all that have persons, that hold about `count` of them."""
    images = np.unique(persons.image_id)
    wanted = max(1, round(len(images) * count / len(persons)))
    return images[np.linspace(0, len(images) - 1, wanted).round().astype(int)]


def evaluate_store(
    store: "HeatmapStore", annotations: str | Path, *, batch_size: int = 32, device: str = "auto"
) -> Verdict:
    """Measure the heatmaps that a store holds of the persons of `annotations`: what its codec costs in AP.

    Raises ValueError when the store was made of other persons.
    """
    persons = store.spec.annotations.persons(annotations)
    if persons.digest != store.instances.digest:
        raise ValueError(
            f"the store holds {len(store.instances)} persons, {annotations} has {len(persons)}, and they are not "
            "the same: evaluate a store against the annotation file that it was built from"
        )
    cell_to_image = compose(store.cell_to_crop, store.crop_to_image)
    found = np.concatenate(
        [
            decode_keypoints(store.read(np.arange(start, stop)), cell_to_image[start:stop], torch_device(device))
            for start in range(0, store.rows, batch_size)
            for stop in [min(start + batch_size, store.rows)]
        ]
    )
    teacher, frame = store.spec.teacher, store.spec.frame
    protocol = {
        "predictor": f"{teacher.name}, cached as {store.spec.codec}",
        "weights": teacher.digest,
        "codec": store.spec.codec,
        "input_size": list(frame.input_size),
        "heatmap_size": list(frame.heatmap_size),
        "frame": frame.name,
        "flip": teacher.flip,
        "dtype": "unstated",  # a store does not say in which precision its teacher ran, nor where
        "device": "unstated",
        "decode_device": str(torch_device(device)),
    }
    return judge(found, annotated(persons), persons, annotations, frame.input_size, protocol)


def judge(
    found: NDArray[np.float64],
    asked: Boxes,
    persons: Instances,
    annotations: str | Path,
    padding_size: tuple[int, int] = (256, 192),
    protocol: dict[str, Any] | None = None,
    images: NDArray[np.int64] | None = None,
) -> Verdict:
    """Score keypoints (N, 17, 3) found in the boxes asked for, against all images of the annotation file, or `images`.

    Raises ValueError where there is no pose to score.
    """
    if not len(asked):
        raise ValueError(
            f"no pose to judge: {asked.source} has no box in the {len(persons)} persons' images of {annotations}"
        )
    kept, results = coco_results(
        found, asked.image_id, asked.box, asked.score, padding_size, suppressed=asked.source != "gt"
    )
    truth = ground_truth(annotations)
    numbers, notes = coco_numbers(truth, results, images)
    if missed := sorted(set(persons.image_id.tolist()) - {r["image_id"] for r in results}):
        notes.append(f"{len(missed)} images with persons have no detection: their persons count as missed")
    metrics = {
        **numbers,
        "per_joint": per_joint(found, asked, persons),
        "notes": notes,
        "protocol": {
            **(protocol or {}),
            "boxes": asked.protocol,
            "decoder": DECODER,
            "rescoring": f"mean of joint scores above {JOINT_THRESHOLD}, times the box score",
            "oks_nms": None if asked.source == "gt" else NMS_THRESHOLD,
            "max_detections": MOST_PER_IMAGE,
            "pck": f"distance <= {PCK_THRESHOLD} x longer side of the annotated box",
            "annotations": {"file": Path(annotations).name, "digest": persons.digest},
            "persons": len(persons),
            "images": len(truth["images"]) if images is None else len(images),
            "detections_kept": len(kept),
            "kdcache": version("kdcache"),
        },
    }
    return Verdict(metrics, results)


def ground_truth(annotations: str | Path) -> dict[str, Any]:
    """The annotation file with what pycocotools needs and lean files leave out: iscrowd, area, categories and so on."""
    data = read_annotations(annotations)
    data.setdefault("categories", [{"id": 1, "name": "person"}])
    for annotation in data["annotations"]:
        annotation.setdefault("iscrowd", 0)
        annotation.setdefault("category_id", 1)
        annotation.setdefault("keypoints", [0] * 3 * JOINTS)
        annotation.setdefault("num_keypoints", sum(v > 0 for v in annotation["keypoints"][2::3]))
        annotation.setdefault("area", annotation["bbox"][2] * annotation["bbox"][3])
    return data


def coco_numbers(
    truth: dict[str, Any], results: list[dict[str, Any]], images: NDArray[np.int64] | None = None
) -> tuple[dict[str, float | None], list[str]]:
    """pycocotools' ten keypoint numbers over all images of `truth`, and remarks on those that do not exist (None)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints a table of its own
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        # loadRes writes into the results it is given
        judged = COCOeval(coco, coco.loadRes([dict(r) for r in results]), "keypoints")
        judged.params.catIds = [1]
        if images is not None:
            judged.params.imgIds = images.tolist()
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    numbers: dict[str, float | None] = {
        name: None if value < 0 else float(value) for name, value in zip(METRICS, judged.stats, strict=True)
    }
    absent = [name for name, value in numbers.items() if value is None]
    notes = [f"{', '.join(absent)}: no labelled person of that size in the annotations, so there is no number"]
    return numbers, notes if absent else []


def per_joint(found: NDArray[np.float64], asked: Boxes, persons: Instances) -> dict[str, dict[str, float | int | None]]:
    """PCK and mean OKS of every joint over the persons on whom it is labelled, and of `all` joints together.

    With GT boxes a person's pose is the one found in its box; with a detector's it is the pose of its image with the
    highest OKS to it, and a person without any counts as 0. PCK: the share within PCK_THRESHOLD x the box's
    longer side.
    """
    xy = found[..., :2] if asked.source == "gt" else _nearest(found[..., :2], asked, persons)
    labelled = persons.visibility > 0
    near = np.nan_to_num(joint_similarity(xy, persons.keypoints, persons.area))
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(xy - persons.keypoints, axis=-1)
        hit = distance <= PCK_THRESHOLD * persons.box[:, 2:].max(-1, keepdims=True)
    table: dict[str, dict[str, float | int | None]] = {}
    for name, joints in [("all", slice(None)), *((name, slice(j, j + 1)) for j, name in enumerate(KEYPOINTS))]:
        counted = labelled[:, joints]
        total = int(counted.sum())
        table[name] = {
            "PCK": float(hit[:, joints][counted].mean()) if total else None,
            "OKS": float(near[:, joints][counted].mean()) if total else None,
            "labelled": total,
        }
    return table


def _nearest(xy: NDArray[np.float64], asked: Boxes, persons: Instances) -> NDArray[np.float64]:
    """The pose (N, 17, 2) nearest to each person among those of its image; NaN where there is none."""
    best = np.full((len(persons), JOINTS, 2), np.nan)
    start = np.searchsorted(asked.image_id, persons.image_id, "left")
    stop = np.searchsorted(asked.image_id, persons.image_id, "right")
    for row in np.flatnonzero(stop > start):
        poses = xy[start[row] : stop[row]]
        oks = similarity(poses, persons.keypoints[row], persons.area[row], persons.visibility[row])
        best[row] = poses[oks.argmax()]
    return best


def write_json(path: str | Path, value: Any, *, indent: int | None = 1) -> None:
    """JSON, as `write_text` writes it."""
    write_text(path, json.dumps(value, indent=indent) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """A file through a temporary name, so that a killed run leaves no half of it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.partial")
    unfinished.write_text(text)
    unfinished.replace(target)

"""Evaluate poses by COCO's protocol: boxes -> heatmaps -> DARK decoding -> rescoring -> OKS-NMS -> pycocotools.

Students, teachers, ONNX files and the heatmaps in a store all pass here, and every result carries the protocol it was
measured under, because boxes, flip test and decoder are worth more AP than most methods.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.geometry import compose
from cache_tools.instances import Instances
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.evaluation.metrics_file import (
    AnnotationProtocol,
    EvaluationProtocol,
    Metrics,
    NetworkProtocol,
    SigmaProtocol,
)
from pipeline.evaluation.notes import joint_notes, label_notes
from pipeline.evaluation.oks import JOINT_THRESHOLD, NMS_THRESHOLD, coco_results
from pipeline.evaluation.per_joint import PCK_THRESHOLD, joint_accuracy
from pipeline.persons.boxes import PersonBoxes, annotated, detected
from pipeline.persons.coco_labels import CocoLabels
from student.device import torch_device
from student.inference import Inference
from student.prediction import DEFAULT, decode_keypoints, predict

if TYPE_CHECKING:
    from cache_tools.store.writer import HeatmapStore
    from student.pose_network import PoseNetwork

DECODER = "DARK/UDP: Gaussian blur kernel 11 sigma 2, one Newton step on the logarithm"
#: COCO's maxDets for keypoints
MAX_DETECTIONS = 20


@dataclass(frozen=True)
class EvaluationResult:
    """The numbers of an evaluation with their protocol, and the poses that they were computed from."""

    metrics: Metrics
    #: COCO results: image_id, category_id, keypoints, score
    results: list[dict[str, Any]]


def evaluate(
    network: "PoseNetwork",
    annotations: str | Path | CocoLabels,
    image_root: str | Path,
    *,
    boxes: str | Path = "gt",
    score_threshold: float = 0.0,
    inference: Inference = DEFAULT,
    max_persons: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Evaluate a network on the photos of `image_root`.

    boxes: "gt", or a detector's COCO results file, of which boxes below `score_threshold` are left out.
    inference: its device is the one that heatmaps are decoded on; the network has its own.
    max_persons: about that many persons, in photos drawn evenly from the file: for evaluations during training.
    progress: show a progress bar.
    """
    labels = annotations if isinstance(annotations, CocoLabels) else CocoLabels(annotations)
    persons = labels.persons
    searched = (
        annotated(persons, labels.category_of)
        if boxes == "gt"
        else detected(boxes, labels, score_threshold=score_threshold)
    )
    images = None
    if max_persons is not None and max_persons < len(persons):
        images = sample_images(persons, max_persons)
        persons = persons.take(np.flatnonzero(np.isin(persons.image_id, images)))
        searched = searched.take(np.isin(searched.image_id, images))
    poses = predict(
        network,
        [Path(image_root) / name for name in searched.file_name],
        searched.box,
        inference,
        photo_sizes=[(int(h), int(w)) for h, w in searched.image_size],
        progress=f"evaluate {network.name}" if progress else None,
    )
    protocol = NetworkProtocol(
        predictor=network.name,
        weights=network.digest,
        input_size=network.input_size,
        heatmap_size=network.heatmap_size,
        frame=network.frame,
        flip=inference.flip,
        dtype=str(getattr(network, "dtype", "unstated")),
        device=str(getattr(network, "device", "unstated")),
        decode_device=str(torch_device(inference.device)),
    )
    return score(poses, searched, persons, labels, protocol, images)


def sample_images(persons: Instances, count: int) -> NDArray[np.int64]:
    """Return ids of images that hold about `count` persons, drawn evenly from all images with persons."""
    images = np.unique(persons.image_id)
    wanted = max(1, round(len(images) * count / len(persons)))
    rows = np.linspace(0, len(images) - 1, wanted).round().astype(int)
    return np.asarray(images[rows])


def evaluate_store(
    store: "HeatmapStore",
    annotations: str | Path | CocoLabels,
    *,
    batch_size: int = 32,
    device: str | torch.device = "auto",
) -> EvaluationResult:
    """Evaluate the heatmaps that a store holds of the persons of `annotations`: what its codec costs in AP.

    batch_size: heatmaps that are decoded together. device: where they are decoded.
    Raises ValueError when the store was made of other persons.
    """
    labels = annotations if isinstance(annotations, CocoLabels) else CocoLabels(annotations)
    selection = store.spec.annotations
    persons = labels.instances(labelled=selection.labelled, part=selection.part)
    if persons.digest() != store.instances.digest():
        raise ValueError(
            f"the store holds {len(store.instances)} persons, {labels.path} has {len(persons)}, and they are not "
            "the same: evaluate a store against the annotation file that it was built from"
        )
    decode_device = torch_device(device)
    cell_to_image = compose(store.cell_to_crop, store.crop_to_image)
    parts = []
    for start in range(0, store.rows, batch_size):
        rows = np.arange(start, min(start + batch_size, store.rows))
        parts.append(decode_keypoints(store.read(rows), cell_to_image[rows], decode_device))
    teacher, frame = store.spec.teacher, store.spec.frame
    # a store does not say in which precision its teacher ran, nor where
    protocol = NetworkProtocol(
        predictor=f"{teacher.name}, cached as {store.spec.codec}",
        weights=teacher.digest,
        codec=store.spec.codec,
        input_size=frame.input_size,
        heatmap_size=frame.heatmap_size,
        frame=frame.name,
        flip=teacher.flip,
        dtype="unstated",
        device="unstated",
        decode_device=str(decode_device),
    )
    return score(np.concatenate(parts), annotated(persons, labels.category_of), persons, labels, protocol)


def score(
    poses: NDArray[np.float64],
    boxes: PersonBoxes,
    persons: Instances,
    annotations: CocoLabels,
    protocol: NetworkProtocol,
    images: NDArray[np.int64] | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
    joints: Literal["all", "common"] = "all",
) -> EvaluationResult:
    """Score poses (N, K, 3) found in `boxes` against the labels of all images of the file, or of `images`.

    known (K,): joints that the network knows, None: all. joints: "common" where `annotations` label only those.
    Raises ValueError where there is no pose to score, where no joint is labelled, and where a pose is not finite.
    """
    source = boxes.protocol.source
    if not len(boxes):
        raise ValueError(
            f"no pose to score: {source} has no box in the {len(persons)} persons' images of {annotations.path}"
        )
    if not persons.visibility.any():
        raise ValueError(f"{annotations.path} labels no joint of its {len(persons)} persons: there is no AP")
    skeleton, categories = annotations.skeleton, annotations.file.categories
    sigmas, sources = skeleton.oks_sigmas()
    kept, results = coco_results(
        poses,
        boxes.image_id,
        boxes.category_id,
        boxes.box,
        boxes.score,
        protocol.input_size,
        sigmas=sigmas,
        suppressed=boxes.detected,
        known=known,
    )
    numbers, notes = coco_numbers(annotations.coco, results, categories=categories, sigmas=sigmas, images=images)
    if missed := sorted(set(persons.image_id.tolist()) - {result["image_id"] for result in results}):
        notes.append(f"{len(missed)} images with persons have no detection: their persons count as missed")
    area = annotations.area_rule
    left_out = annotations.file.left_out()
    full_protocol = EvaluationProtocol(
        **protocol.model_dump(exclude_unset=True),
        boxes=boxes.protocol,
        decoder=DECODER,
        rescoring=f"mean of joint scores above {JOINT_THRESHOLD}, times the box score",
        oks_nms=NMS_THRESHOLD if boxes.detected else None,
        max_detections=MAX_DETECTIONS,
        pck=f"distance <= {PCK_THRESHOLD} x longer side of the annotated box",
        annotations=AnnotationProtocol(
            file=annotations.path.name, digest=persons.digest(), **({"left_out": left_out} if left_out else {})
        ),
        skeleton=skeleton.name,
        categories=categories,
        oks_sigmas={
            name: SigmaProtocol(sigma=sigma, source=origin)
            for name, sigma, origin in zip(skeleton.names, sigmas, sources, strict=True)
        },
        **({"area": area} if area else {}),
        joints=joints,
        persons=len(persons),
        images=len(annotations.photos) if images is None else len(images),
        detections_kept=len(kept),
        kdcache=version("kdcache"),
    )
    metrics = Metrics(
        **numbers,
        per_joint=joint_accuracy(poses, boxes, persons, skeleton=skeleton),
        notes=(*notes, *label_notes(annotations), *joint_notes(full_protocol)),
        protocol=full_protocol,
    )
    return EvaluationResult(metrics, results)

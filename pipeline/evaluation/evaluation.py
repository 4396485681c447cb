"""Evaluate poses by COCO's protocol: boxes -> heatmaps -> DARK decoding -> rescoring -> OKS-NMS -> pycocotools.

Students, teachers, ONNX files and the heatmaps in a store all pass here, and every result carries the protocol it was
measured under, because boxes, flip test and decoder are worth more AP than most methods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.geometry import compose
from cache_tools.instances import Instances
from cache_tools.photos.options import NOT_STATED, PhotoOptions
from cache_tools.skeletons import Skeleton
from cache_tools.version import version_of
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.evaluation.matched_network import match_network
from pipeline.evaluation.metrics_file import (
    AnnotationProtocol,
    EvaluationProtocol,
    Metrics,
    NetworkProtocol,
    SigmaProtocol,
)
from pipeline.evaluation.notes import box_notes, joint_notes, label_notes
from pipeline.evaluation.oks import JOINT_THRESHOLD, NMS_THRESHOLD, coco_results
from pipeline.evaluation.per_joint import PCK_THRESHOLD, joint_accuracy
from pipeline.persons.boxes import PersonBoxes, annotated, detected
from pipeline.persons.coco_labels import CocoLabels
from pipeline.persons.photo_check import check_photos
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
    renamed: Mapping[str, str] | None = None,
    common: bool = False,
    photo_options: PhotoOptions = NOT_STATED,
    checksums: Sequence[Path] = (),
    max_persons: int | None = None,
    photos_checked: bool = False,
    progress: bool = True,
) -> EvaluationResult:
    """Evaluate a network on the photos of `image_root`.

    The joints are those of the labels: a network of others is translated by name, and joints that it does not know
    count as missed.
    boxes: "gt", or a file of boxes (pipeline/persons/boxes_file.py), of which those below `score_threshold` are left
    out. inference: its device is the one that heatmaps are decoded on; the network has its own; no flip test where the
    network's mirror order is not known. renamed: joint of the labels -> the network's name of it, for names that differ
    in more than spelling. common: score only joints that the network knows.
    photo_options: how photos are read; as stored, with a warning where that matters, where it does not say otherwise.
    checksums: files, as md5sum or sha256sum writes them, with a checksum of each photo.
    max_persons: about that many persons, in photos drawn evenly from the file: for evaluations during training.
    photos_checked: the photos were checked before. progress: show a progress bar.
    Raises ValueError before any inference where the files are not understood, and where the network knows no joint.
    """
    labels = annotations if isinstance(annotations, CocoLabels) else CocoLabels(annotations)
    # read and checked before the network is looked at
    persons = labels.persons
    matched = match_network(network, labels.skeleton, inference, renamed)
    protocol_of_joints = _joint_protocol(labels.skeleton, matched.known, matched.renamed)
    common = common and not matched.known.all()
    if common:
        labels = labels.of_joints(matched.known)
        persons = labels.persons
        stated = {ours: its for ours, its in (renamed or {}).items() if ours in labels.skeleton.names}
        matched = match_network(network, labels.skeleton, inference, stated)
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
    if not photos_checked:
        threads = inference.workers
        check_photos(
            Path(image_root),
            searched.file_name,
            searched.image_size,
            photo_options,
            checksums=checksums,
            threads=threads,
        )
    poses = predict(
        matched.network,
        [Path(image_root) / name for name in searched.file_name],
        searched.box,
        matched.inference,
        photo_sizes=[(int(h), int(w)) for h, w in searched.image_size],
        photo_options=photo_options.stated(),
        progress=f"evaluate {network.name}" if progress else None,
    )
    protocol = NetworkProtocol(
        predictor=network.name,
        weights=network.digest,
        input_size=network.input_size,
        heatmap_size=network.heatmap_size,
        frame=network.frame,
        flip=matched.flip,
        dtype=str(getattr(network, "dtype", "unstated")),
        device=str(getattr(network, "device", "unstated")),
        decode_device=str(torch_device(inference.device)),
        **protocol_of_joints,
        **_photo_protocol(photo_options.stated()),
    )
    return score(poses, searched, persons, labels, protocol, images, known=matched.known, common=common)


def _photo_protocol(photo_options: PhotoOptions) -> dict[str, Any]:
    """Return what the protocol says of photos that are not read as stored."""
    return {name: value for name, value in asdict(photo_options).items() if value}


def sample_images(persons: Instances, count: int) -> NDArray[np.int64]:
    """Return ids of images that hold about `count` persons, drawn evenly from all images with persons."""
    images = np.unique(persons.image_id)
    wanted = max(1, round(len(images) * count / len(persons)))
    rows = np.linspace(0, len(images) - 1, wanted).round().astype(int)
    return np.asarray(images[rows])


def _joint_protocol(skeleton: Skeleton, known: NDArray[np.bool_], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Return what a protocol says of the joints of a network, where there is something to say."""
    unknown = tuple(name for name, is_known in zip(skeleton.names, known, strict=True) if not is_known)
    return ({"unknown_joints": unknown} if unknown else {}) | ({"renamed_joints": dict(renamed)} if renamed else {})


def evaluate_store(
    store: "HeatmapStore",
    annotations: str | Path | CocoLabels,
    *,
    common: bool = False,
    batch_size: int = 32,
    device: str | torch.device = "auto",
) -> EvaluationResult:
    """Evaluate the heatmaps that a store holds of the persons of `annotations`: what its codec costs in AP.

    common: score only joints that the store's teacher knows. batch_size: heatmaps that are decoded together. device:
    where they are decoded.
    Raises ValueError when the store was made of other persons.
    """
    spec, selection = store.spec, store.spec.annotations
    labels = (
        annotations
        if isinstance(annotations, CocoLabels)
        else CocoLabels(annotations, skeleton=spec.skeleton, category_ids=selection.categories)
    )
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
    poses, known = np.concatenate(parts), np.array(spec.known_joints)
    common = common and not known.all()
    teacher, frame = spec.teacher, spec.frame
    names = zip(spec.skeleton.names, teacher.joints or spec.skeleton.names, strict=True)
    # a store does not say in which precision its teacher ran, nor where
    protocol = NetworkProtocol(
        predictor=f"{teacher.name}, cached as {spec.codec}",
        weights=teacher.digest,
        codec=spec.codec,
        input_size=frame.input_size,
        heatmap_size=frame.heatmap_size,
        frame=frame.name,
        flip=teacher.flip,
        dtype="unstated",
        device="unstated",
        decode_device=str(decode_device),
        **_joint_protocol(spec.skeleton, known, {ours: its for ours, its in names if its is not None and its != ours}),
        **_photo_protocol(store.spec.photos),
    )
    searched = annotated(persons, labels.category_of)
    if common:
        labels, poses = labels.of_joints(known), poses[:, known]
        # the same rows: the store has heatmaps of each
        persons = replace(persons, keypoints=persons.keypoints[:, known], visibility=persons.visibility[:, known])
        known = known[known]
    return score(poses, searched, persons, labels, protocol, known=known, common=common)


def score(
    poses: NDArray[np.float64],
    boxes: PersonBoxes,
    persons: Instances,
    annotations: CocoLabels,
    protocol: NetworkProtocol,
    images: NDArray[np.int64] | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
    common: bool = False,
) -> EvaluationResult:
    """Score poses (N, K, 3) found in `boxes` against the labels of all images of the file, or of `images`.

    known (K,): joints that the network knows, None: all. common: all that is given has only joints that the
    network knows.
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
        joints="common" if common else "all",
        persons=len(persons),
        images=len(annotations.photos) if images is None else len(images),
        detections_kept=len(kept),
        kdcache=version_of("kdcache"),
    )
    metrics = Metrics(
        **numbers,
        per_joint=joint_accuracy(poses, boxes, persons, skeleton=skeleton),
        notes=(*notes, *box_notes(boxes.protocol), *label_notes(annotations), *joint_notes(full_protocol)),
        protocol=full_protocol,
    )
    return EvaluationResult(metrics, results)

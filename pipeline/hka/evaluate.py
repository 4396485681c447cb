"""How far measured hip-knee-ankle angles are from the truth, on annotated photos and on rendered people.

There are two truths. The angle of exact joints in the image is what a perfect pose network could measure: of COCO's
keypoints, or of true joint centres, as the network has the one or the other. The mechanical axis is what an X-ray
shows, and only rendered people have it here: a COCO hip is not the femoral head, and even exact keypoints differ from
it. Measuring both shows which part of an error a better network could remove.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import read_annotation_file
from cache_tools.instances import Instances
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.skeletons import Skeleton
from pipeline.hka.agreement import FEWEST_LEGS, Calibration, Comparison, fit_calibration
from pipeline.hka.angles import LEG_JOINTS, MIN_SCORE, measure_angles
from pipeline.hka.coco_places import in_coco_places, measured_network
from pipeline.hka.definition import AngleDefinition, define_angle
from pipeline.hka.joints import Joints, find_joints
from pipeline.hka.quality import find_flags, limits_of
from pipeline.hka.standing_people import StandingPeople
from pipeline.leg_boxes import leg_boxes
from student.inference import Inference
from student.pose_network import PoseNetwork

#: names of the networks that make no error
EXACT = "exact keypoints"
EXACT_CENTRES = "exact joint centres"

#: truth ("keypoints" or "centres", which are exact joints in the image, or "axis") -> legs compared with it
ByTruth = dict[str, Comparison]


@dataclass(frozen=True, kw_only=True)
class AnnotatedLegs:
    """Annotated persons all of whose leg joints are visible, in the places of COCO's, and the angle that these have."""

    persons: Instances
    angle: AngleDefinition

    def leg_boxes(self) -> NDArray[np.float64]:
        """Return boxes (N, 4) around the annotated leg joints only."""
        joints = self.persons.keypoints[:, LEG_JOINTS].reshape(len(self.persons), -1, 2)
        sizes = self.persons.image_size.tolist()
        return np.concatenate([leg_boxes(one[None], *size) for one, size in zip(joints, sizes, strict=True)])


@dataclass(frozen=True, kw_only=True)
class AngleEvaluation:
    """What one network measured, beside the truth."""

    name: str
    digest: str
    #: which angle it measured
    angle: AngleDefinition
    #: what `photos` are compared with; None without photos
    annotated_angle: AngleDefinition | None
    #: "standing" or "other" -> legs in photos, beside the annotated joints
    photos: dict[str, Comparison]
    #: image height -> legs of rendered people, beside each truth
    rendered: dict[int, ByTruth]
    calibration: Calibration | None


def evaluate_network(
    network: PoseNetwork,
    people: StandingPeople | None,
    annotated: AnnotatedLegs | None,
    image_root: str | Path | None,
    inference: Inference,
    *,
    photo_options: PhotoOptions = AS_STORED,
    min_score: float = MIN_SCORE,
    boxes: Literal["person", "legs"] = "person",
) -> AngleEvaluation:
    """Measure one network on rendered people, on the photos of annotated persons, or on both.

    photo_options: how the photos are read. min_score: legs with a joint below it are refused. boxes: of the persons,
    or around their annotated, or true, leg joints only.
    Raises ValueError for a network that does not know hip, knee and ankle of both legs (definition.py).
    """
    photos: dict[str, Comparison] = {}
    rendered: dict[int, ByTruth] = {}
    network, angle = measured_network(network)
    if annotated is not None and image_root is not None:
        persons = annotated.persons
        files = [Path(image_root) / name for name in persons.file_name]
        sizes = [(int(height), int(width)) for height, width in persons.image_size]
        box = persons.box if boxes == "person" else annotated.leg_boxes()
        joints = find_joints(network, files, box, inference, photo_sizes=sizes, photo_options=photo_options)
        photos = compare_annotated(joints, annotated, min_score)
    if people is not None:
        joints = find_joints(network, people.image, people.box if boxes == "person" else people.leg_boxes(), inference)
        rendered = compare_rendered(joints, people, angle, min_score)
    return AngleEvaluation(
        name=network.name,
        digest=network.digest,
        angle=angle,
        annotated_angle=annotated.angle if annotated else None,
        photos=photos,
        rendered=rendered,
        calibration=calibrate_to_axis(rendered, people),
    )


def evaluate_exact(people: StandingPeople, skeleton: Skeleton) -> AngleEvaluation:
    """Evaluate exact joints: their error against the axis is that of the definition, which no network can beat.

    skeleton: whose joints, true joint centres or COCO's keypoints.
    """
    angle = define_angle(skeleton)
    rendered = compare_rendered(exact_joints(people, angle), people, angle)
    # exact joints have the same angles at every size
    largest = max(people.heights)
    return AngleEvaluation(
        name=EXACT_CENTRES if angle.is_mechanical else EXACT,
        digest="",
        angle=angle,
        annotated_angle=None,
        photos={},
        rendered={largest: {"axis": rendered[largest]["axis"]}},
        calibration=calibrate_to_axis(rendered, people),
    )


def exact_joints(people: StandingPeople, angle: AngleDefinition) -> Joints:
    """Return what a network without error would find: every joint at its place, its uncertainty unknown."""
    xy = people.exact(centres=angle.is_mechanical)
    return Joints(xy=xy, score=np.ones(xy.shape[:2]), covariance=np.full((*xy.shape[:2], 2, 2), np.nan))


def compare_rendered(
    joints: Joints, people: StandingPeople, angle: AngleDefinition, min_score: float = MIN_SCORE
) -> dict[int, ByTruth]:
    """Compare the angles found in rendered people with both truths, by image height.

    angle: of the joints, which says with which exact joints they are compared.
    """
    found = measure_angles(joints.xy, joints.score, joints.covariance, min_score)
    exact = measure_angles(people.exact(centres=angle.is_mechanical)).varus
    truths = {"centres" if angle.is_mechanical else "keypoints": exact, "axis": people.axis}
    compared: dict[int, ByTruth] = {}
    for height in people.heights:
        rows = people.height == height
        compared[height] = {
            truth: Comparison(found.varus[rows].ravel(), varus[rows].ravel(), found.sd[rows].ravel())
            for truth, varus in truths.items()
        }
    return compared


def compare_annotated(joints: Joints, annotated: AnnotatedLegs, min_score: float = MIN_SCORE) -> dict[str, Comparison]:
    """Compare the angles found in photos with those of the annotated joints.

    `standing`: legs that the annotation shows to be straight and seen from the front; the choice is made on the truth,
    and is the same for every network. Small legs stay in it, because COCO has few others. `other`: the rest.
    """
    persons = annotated.persons
    found = measure_angles(joints.xy, joints.score, joints.covariance, min_score)
    truth = measure_angles(persons.keypoints, persons.visibility, min_score=1)
    flags = find_flags(persons.keypoints, persons.visibility > 0, limits_of(annotated.angle))
    standing = np.array([not leg.keys() - {"small"} for person in flags for leg in person])
    every = Comparison(found.varus.ravel(), truth.varus.ravel(), found.sd.ravel())
    return {"standing": every.take(standing), "other": every.take(~standing)}


def with_visible_legs(
    annotations: str | Path, skeleton: Skeleton | None = None, category: Sequence[str] = ()
) -> AnnotatedLegs:
    """Return the persons of an annotation file whose hips, knees and ankles are all labelled as visible.

    skeleton, category: what the keypoints are and which categories are read, where the file does not say it.
    Raises ValueError where there is no such person, and for joints without hip, knee and ankle (definition.py).
    """
    file = read_annotation_file(annotations, skeleton=skeleton, category=category)
    persons, angle = in_coco_places(file.instances(), file.skeleton)
    visible = (persons.visibility[:, LEG_JOINTS] == 2).all((1, 2))
    if not visible.any():
        raise ValueError(
            f"none of the {len(persons)} persons in {annotations} has hips, knees and ankles all labelled as visible: "
            "angles can be compared only with such persons"
        )
    return AnnotatedLegs(persons=persons.take(np.flatnonzero(visible)), angle=angle)


def calibrate_to_axis(rendered: dict[int, ByTruth], people: StandingPeople | None) -> Calibration | None:
    """Fit a calibration to the mechanical axis on the even persons, test it on the odd ones.

    Returns None where either side has fewer than ten measured legs.
    """
    if people is None or not rendered:
        return None
    legs = Comparison.joined([rendered[height]["axis"] for height in people.heights])
    held_out = np.repeat(people.person % 2 == 1, 2)
    measured = np.isfinite(legs.found)
    if min((measured & held_out).sum(), (measured & ~held_out).sum()) < FEWEST_LEGS:
        return None
    return fit_calibration(legs, held_out)

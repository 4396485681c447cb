"""How far measured hip-knee-ankle angles are from the truth, on annotated photos and on rendered people.

There are two truths. The angle of the COCO keypoints in the image is what a perfect pose network could measure. The
mechanical axis is what an X-ray shows, and only rendered people have it here: a COCO hip is not the femoral head, and
even exact keypoints differ from it. Measuring both shows which part of an error a better network could remove.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import read_annotation_file
from cache_tools.images import Image
from cache_tools.instances import Instances
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.progress import progress_bar
from cache_tools.skeletons import COCO
from pipeline.hka.agreement import Calibration, Comparison, fit_calibration
from pipeline.hka.angles import LEG_JOINTS, MIN_SCORE, Array, measure_angles
from pipeline.hka.joints import Joints, find_joints
from pipeline.hka.quality import find_flags
from student.inference import Inference
from student.pose_network import PoseNetwork

#: pixels of the rendered images
HEIGHTS = (120, 240, 480)
#: degrees of varus or valgus that rendered legs have at most
LARGEST_DEVIATION = 15.0
#: name of the network that makes no error
EXACT = "exact keypoints"
# on either side of a calibration
FEWEST_LEGS = 10

#: truth ("keypoints" or "axis") -> legs compared with it
ByTruth = dict[str, Comparison]


@dataclass(frozen=True, kw_only=True)
class StandingPeople:
    """Rendered people at several image sizes: the same persons and angles at each. N is sizes times persons."""

    heights: tuple[int, ...]
    #: (N,) size by size
    image: tuple[Image, ...]
    #: (N,) of the image, in pixels
    height: NDArray[np.int64]
    #: (N,) number of the person
    person: NDArray[np.int64]
    #: (N, 4)
    box: Array
    #: (N, 17, 2) exact, in image pixels
    keypoints: Array
    #: (N, 2) varus of the mechanical axis in degrees: left, right
    axis: Array


@dataclass(frozen=True, kw_only=True)
class AngleEvaluation:
    """What one network measured, beside the truth."""

    name: str
    digest: str
    #: "standing" or "other" -> legs in photos, beside the annotated keypoints
    photos: dict[str, Comparison]
    #: image height -> legs of rendered people, beside each truth
    rendered: dict[int, ByTruth]
    calibration: Calibration | None


def render_people(persons: int, heights: Sequence[int] = HEIGHTS, seed: int = 0) -> StandingPeople:
    """Render people who stand and face the camera, with leg angles drawn evenly from -15 to 15 degrees of varus."""
    from pipeline.demo.standing import make_standing

    varus = np.random.default_rng([seed, persons]).uniform(-LARGEST_DEVIATION, LARGEST_DEVIATION, (persons, 2))
    made = []
    with progress_bar(len(heights) * persons, "render people", "image") as bar:
        for height in heights:
            for person in range(persons):
                medial = (180 - varus[person, 0], 180 - varus[person, 1])
                made.append(make_standing(seed * 100_000 + person, medial, (height, height)))
                bar.update(1)
    return StandingPeople(
        heights=tuple(heights),
        image=tuple(one.image for one in made),
        height=np.repeat(heights, persons),
        person=np.tile(np.arange(persons), len(heights)),
        box=np.array([one.label.box for one in made], np.float64),
        keypoints=np.array([one.label.keypoints[:, :2] for one in made]),
        axis=180 - np.array([one.hka3d for one in made]),
    )


def evaluate_network(
    network: PoseNetwork,
    people: StandingPeople | None,
    persons: Instances | None,
    image_root: str | Path | None,
    inference: Inference,
    *,
    photo_options: PhotoOptions = AS_STORED,
    min_score: float = MIN_SCORE,
) -> AngleEvaluation:
    """Measure one network on rendered people, on the photos of annotated persons, or on both.

    photo_options: how the photos are read. min_score: legs with a joint below it are refused.
    """
    photos: dict[str, Comparison] = {}
    rendered: dict[int, ByTruth] = {}
    if persons is not None and image_root is not None:
        files = [Path(image_root) / name for name in persons.file_name]
        sizes = [(int(height), int(width)) for height, width in persons.image_size]
        joints = find_joints(network, files, persons.box, inference, photo_sizes=sizes, photo_options=photo_options)
        photos = compare_annotated(joints, persons, min_score)
    if people is not None:
        rendered = compare_rendered(find_joints(network, people.image, people.box, inference), people, min_score)
    return AngleEvaluation(
        name=network.name,
        digest=network.digest,
        photos=photos,
        rendered=rendered,
        calibration=calibrate_to_axis(rendered, people),
    )


def evaluate_exact(people: StandingPeople) -> AngleEvaluation:
    """Evaluate exact keypoints: their error against the axis is that of the definition, which no network can beat."""
    rendered = compare_rendered(exact_joints(people), people)
    # exact keypoints have the same angles at every size
    largest = max(people.heights)
    return AngleEvaluation(
        name=EXACT,
        digest="",
        photos={},
        rendered={largest: {"axis": rendered[largest]["axis"]}},
        calibration=calibrate_to_axis(rendered, people),
    )


def exact_joints(people: StandingPeople) -> Joints:
    """Return what a network without error would find: every joint at its place, its uncertainty unknown."""
    shape = people.keypoints.shape[:2]
    return Joints(xy=people.keypoints, score=np.ones(shape), covariance=np.full((*shape, 2, 2), np.nan))


def compare_rendered(joints: Joints, people: StandingPeople, min_score: float = MIN_SCORE) -> dict[int, ByTruth]:
    """Compare the angles found in rendered people with both truths, by image height."""
    found = measure_angles(joints.xy, joints.score, joints.covariance, min_score)
    truths = {"keypoints": measure_angles(people.keypoints).varus, "axis": people.axis}
    compared: dict[int, ByTruth] = {}
    for height in people.heights:
        rows = people.height == height
        compared[height] = {
            truth: Comparison(found.varus[rows].ravel(), varus[rows].ravel(), found.sd[rows].ravel())
            for truth, varus in truths.items()
        }
    return compared


def compare_annotated(joints: Joints, persons: Instances, min_score: float = MIN_SCORE) -> dict[str, Comparison]:
    """Compare the angles found in photos with those of the annotated keypoints.

    `standing`: legs that the annotation shows to be straight and seen from the front; the choice is made on the truth,
    and is the same for every network. Small legs stay in it, because COCO has few others. `other`: the rest.
    """
    found = measure_angles(joints.xy, joints.score, joints.covariance, min_score)
    truth = measure_angles(persons.keypoints, persons.visibility, min_score=1)
    flags = find_flags(persons.keypoints, persons.visibility > 0)
    standing = np.array([not leg.keys() - {"small"} for person in flags for leg in person])
    every = Comparison(found.varus.ravel(), truth.varus.ravel(), found.sd.ravel())
    return {"standing": every.take(standing), "other": every.take(~standing)}


def with_visible_legs(annotations: str | Path) -> Instances:
    """Return the persons of an annotation file whose hips, knees and ankles are all labelled as visible.

    Raises ValueError where there is none.
    """
    persons = read_annotation_file(annotations, expected=COCO).instances()
    visible = (persons.visibility[:, LEG_JOINTS] == 2).all((1, 2))
    if not visible.any():
        raise ValueError(
            f"none of the {len(persons)} persons in {annotations} has hips, knees and ankles all labelled as visible: "
            "angles can be compared only with such persons"
        )
    return persons.take(np.flatnonzero(visible))


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

"""How far measured hip-knee-ankle angles are from the truth, on annotated photos and on rendered people.

Two truths. The angle of the COCO keypoints in the image is what a perfect pose network could see. The mechanical axis
is what an X-ray shows, and only rendered people have it here: a COCO hip is not the femoral head, so even exact
keypoints differ from it. Measuring both tells which part of an error a better network could mend.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cache_tools.images import Image
from cache_tools.instances import Instances, read_coco
from pipeline.hka.agreement import Calibration, Comparison, calibrate
from pipeline.hka.angles import LEG_JOINTS, MIN_SCORE, measure
from pipeline.hka.joints import Joints, joints_in_images, joints_in_photos
from pipeline.hka.quality import flags
from pipeline.persons.photo_boxes import PhotoBoxes

if TYPE_CHECKING:
    from student.pose_network import PoseNetwork

Array = NDArray[np.float64]
HEIGHTS = (120, 240, 480)  # pixels of the rendered photos
LARGEST = 15.0  # degrees of varus or valgus that rendered legs have
EXACT = "exact keypoints"  # the row of a network that makes no error


@dataclass(frozen=True)
class StandingPeople:
    """Rendered people at several image sizes: the same persons and angles at each."""

    heights: tuple[int, ...]
    image: tuple[Image, ...]  # (N,) sizes times persons, size by size
    height: NDArray[np.int64]  # (N,) of the image
    person: NDArray[np.int64]  # (N,) number of the person
    box: Array  # (N, 4)
    keypoints: Array  # (N, 17, 2) exact, in image pixels
    axis: Array  # (N, 2) varus of the mechanical axis in degrees: left, right


@dataclass(frozen=True)
class Result:
    """What one network measured, and against what."""

    name: str
    digest: str
    coco: dict[str, Comparison]  # selection of legs -> legs
    rendered: dict[int, dict[str, Comparison]]  # image height -> truth ("keypoints", "axis") -> legs
    calibration: Calibration | None


def render_people(persons: int, heights: Sequence[int] = HEIGHTS, seed: int = 0) -> StandingPeople:
    """People who stand and face the camera, each leg with an angle drawn evenly from -LARGEST to LARGEST degrees."""
    from pipeline.demo.standing import make_standing

    varus = np.random.default_rng([seed, persons]).uniform(-LARGEST, LARGEST, (persons, 2))
    made = [
        make_standing(seed * 100_000 + i, (180 - varus[i, 0], 180 - varus[i, 1]), (height, height))
        for height in heights
        for i in tqdm(range(persons), desc=f"render {height}x{height}", unit="person", disable=None)
    ]
    return StandingPeople(
        tuple(heights),
        tuple(one.image for one in made),
        np.repeat(heights, persons),
        np.tile(np.arange(persons), len(heights)),
        np.array([one.label.box for one in made], np.float64),
        np.array([one.label.keypoints[:, :2] for one in made]),
        180 - np.array([one.hka3d for one in made]),
    )


def evaluate_rendered(
    joints: Joints, people: StandingPeople, min_score: float = MIN_SCORE
) -> dict[int, dict[str, Comparison]]:
    """Angles of the joints found in rendered people against both truths, by image height."""
    found = measure(joints.xy, joints.score, joints.covariance, min_score)
    seen = measure(people.keypoints).varus
    return {
        height: {
            truth: Comparison(found.varus[rows].ravel(), angles[rows].ravel(), found.sd[rows].ravel())
            for truth, angles in (("keypoints", seen), ("axis", people.axis))
        }
        for height in people.heights
        for rows in [people.height == height]
    }


def exact_joints(people: StandingPeople) -> Joints:
    """What a network without error would find: every joint at its place, and no word on its uncertainty."""
    shape = people.keypoints.shape[:2]
    return Joints(people.keypoints, np.ones(shape), np.full((*shape, 2, 2), np.nan))


def evaluate_coco(joints: Joints, persons: Instances, min_score: float = MIN_SCORE) -> dict[str, Comparison]:
    """Angles found in photos against those of the annotated keypoints.

    `standing`: legs that the annotation shows to be straight and seen from the front; the choice is made on the truth,
    so it is the same for every network. Small legs stay in it, for COCO has few others. `other`: the rest.
    """
    found = measure(joints.xy, joints.score, joints.covariance, min_score)
    truth = measure(persons.keypoints, persons.visibility, min_score=1)
    reasons = flags(persons.keypoints, persons.visibility > 0)
    standing = np.array([not leg.keys() - {"small"} for person in reasons for leg in person])
    every = Comparison(found.varus.ravel(), truth.varus.ravel(), found.sd.ravel())
    return {"standing": every.take(standing), "other": every.take(~standing)}


def with_visible_legs(annotations: str | Path) -> Instances:
    """The persons of an annotation file whose hips, knees and ankles are all labelled as visible."""
    persons = read_coco(annotations)
    visible = (persons.visibility[:, LEG_JOINTS] == 2).all((1, 2))
    if not visible.any():
        raise ValueError(
            f"none of the {len(persons)} persons in {annotations} has hips, knees and ankles all labelled as visible"
        )
    return persons.take(np.flatnonzero(visible))


def evaluate_teacher(
    teacher: "PoseNetwork",
    people: StandingPeople | None,
    persons: Instances | None,
    image_root: str | Path | None,
    *,
    flip: bool = True,
    batch_size: int = 32,
    device: str = "auto",
    min_score: float = MIN_SCORE,
) -> Result:
    """Measure one network on rendered people, on the photos of annotated persons, or on both.

    min_score: legs with a joint below it are refused.
    """
    coco: dict[str, Comparison] = {}
    rendered: dict[int, dict[str, Comparison]] = {}
    if persons is not None and image_root is not None:
        photos = tuple(Path(image_root) / name for name in persons.file_name)
        asked = PhotoBoxes(photo=photos, box=persons.box, score=np.ones(len(persons)), image_id=persons.image_id)
        found = joints_in_photos(teacher, asked, flip=flip, batch_size=batch_size, device=device)
        coco = evaluate_coco(found, persons, min_score)
    if people is not None:
        images: Iterator[Image] = iter(people.image)
        found = joints_in_images(teacher, images, people.box, flip=flip, batch_size=batch_size, device=device)
        rendered = evaluate_rendered(found, people, min_score)
    return Result(teacher.name, teacher.digest, coco, rendered, fit(rendered, people))


def evaluate_exact(people: StandingPeople) -> Result:
    """The row that no network can beat: exact keypoints, whose error against the axis is the definition's own."""
    rendered = evaluate_rendered(exact_joints(people), people)
    largest = max(people.heights)  # the others say the same
    return Result(EXACT, "", {}, {largest: {"axis": rendered[largest]["axis"]}}, fit(rendered, people))


def fit(rendered: dict[int, dict[str, Comparison]], people: StandingPeople | None) -> Calibration | None:
    """Calibration to the mechanical axis on the even persons, judged on the odd ones; None without enough of them."""
    if people is None or not rendered:
        return None
    legs = Comparison.joined([rendered[height]["axis"] for height in people.heights])
    held_out = np.repeat(people.person % 2 == 1, 2)
    known = np.isfinite(legs.found)
    if min((known & held_out).sum(), (known & ~held_out).sum()) < 10:
        return None
    return calibrate(legs, held_out)

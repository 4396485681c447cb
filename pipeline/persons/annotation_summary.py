"""Summaries of a skeleton and of an annotation file, read before anything is built from them."""

from collections import Counter
from typing import Any

import numpy as np

from cache_tools.annotations.annotation_file import AnnotationFile
from cache_tools.annotations.categories import Category
from cache_tools.skeletons import Skeleton, built_in_names, load_skeleton, matching_joints

# of a joint's labels, by their visibility
VISIBILITIES = ("not labelled", "hidden", "seen")


def summarize_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """Return what a skeleton says, by names: each joint's mirror, half and OKS sigma, the edges, and what is off."""
    sigmas, sources = skeleton.oks_sigmas()
    mirror = skeleton.mirror or (None,) * len(skeleton)
    joints = [
        {
            "name": name,
            "mirror": None if partner is None else skeleton.names[partner],
            "half": _half(skeleton, joint),
            "sigma": sigma,
            "sigma_source": source,
        }
        for joint, (name, partner, sigma, source) in enumerate(
            zip(skeleton.names, mirror, sigmas, sources, strict=True)
        )
    ]
    return {
        "name": skeleton.name,
        "joints": joints,
        "edges": [[skeleton.names[one], skeleton.names[other]] for one, other in skeleton.edges],
        "fields": list(skeleton.fields),
        "off": list(skeleton.unknown()),
    }


def summarize_annotations(file: AnnotationFile) -> dict[str, Any]:
    """Return what is read of an annotation file: categories, skeleton, persons, labels a joint, what is left out.

    `order` has the place in the file of each joint, where that is another one; `same_joints` how many joints the
    built-in skeletons know by name; `labels` the persons with each visibility (0, 1, 2) of each joint.
    """
    kept = file.kept()
    persons = Counter(file.persons.category_id[kept].tolist())
    annotations = Counter(file.persons.category_id.tolist()) + Counter(file.others)
    # categories that annotations state and the file does not list
    unlisted = [number for number in annotations if number not in {category.id for category in file.listed}]
    categories = [
        {
            "id": category.id,
            "name": category.name,
            "keypoints": list(category.names),
            "annotations": annotations[category.id],
            "persons": persons[category.id],
            "read": category.id in file.categories,
        }
        for category in (*file.listed, *(Category(id=id, name="", names=(), entry={}) for id in sorted(unlisted)))
    ]
    visibility = file.persons.visibility[kept]
    labels = np.stack([(visibility == value).sum(axis=0) for value in range(len(VISIBILITIES))], axis=1)
    return {
        "path": str(file.path),
        "sha256": file.sha256,
        "categories": categories,
        "persons": int(kept.sum()),
        "photos": len(np.unique(file.persons.image_id[kept])),
        "photos_listed": len(file.photos),
        "left_out": file.left_out(),
        "remarks": list(file.persons.remarks),
        "order": _order(file),
        "same_joints": same_joints(file.skeleton),
        "labels": dict(zip(file.skeleton.names, labels.tolist(), strict=True)),
        "skeleton": summarize_skeleton(file.skeleton),
    }


def same_joints(skeleton: Skeleton) -> dict[str, int]:
    """Return how many joints of `skeleton` each built-in one has by name, those with most first; 0 is left out."""
    found = {
        name: sum(place is not None for place in matching_joints(load_skeleton(name).names, skeleton.names))
        for name in built_in_names()
    }
    return {name: count for name, count in sorted(found.items(), key=lambda pair: -pair[1]) if count}


def _order(file: AnnotationFile) -> dict[str, int] | None:
    """Return the place in the file of each joint, counted from 0, where its category names them in another order."""
    names = next((category.names for category in file.listed if category.id in file.categories), ())
    if names == file.skeleton.names or set(names) != set(file.skeleton.names):
        return None
    return {name: names.index(name) for name in file.skeleton.names}


def _half(skeleton: Skeleton, joint: int) -> str | None:
    if joint in skeleton.upper:
        return "upper"
    return "lower" if joint in skeleton.lower else None

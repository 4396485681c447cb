"""The skeleton that a category of a COCO file names."""

from collections.abc import Mapping
from typing import Any

from cache_tools.skeletons.keypoint_names import mirror_of_names
from cache_tools.skeletons.skeleton import Skeleton
from cache_tools.skeletons.skeleton_file import built_in_names, built_in_skeleton


def skeleton_of_category(category: Mapping[str, Any]) -> Skeleton | None:
    """Return the skeleton of a category's `keypoints`; None where it names none.

    It is the built-in one where the category has these very names in this order, so that CrowdPose gets its own edges
    and sigmas. Otherwise edges come from the category and the mirror order from the names.
    Raises ValueError where the names are no list of different texts.
    """
    stated = category.get("keypoints")
    if not stated:
        return None
    if not isinstance(stated, list):
        raise ValueError(f"its keypoints are {stated!r:.80}: expected a list of names")
    names = tuple(str(name).strip() for name in stated)
    for known in built_in_names():
        if built_in_skeleton(known).names == names:
            return built_in_skeleton(known)
    return Skeleton(
        names=names,
        mirror=mirror_of_names(names),
        edges=_edges(category.get("skeleton"), len(names)),
        name=str(category.get("name", "custom")),
    )


def _edges(stated: Any, joints: int) -> tuple[tuple[int, int], ...]:
    """Return the edges, counted from 0; none where they are of another skeleton, as in CrowdPose's own files."""
    if stated and not isinstance(stated, list):
        raise ValueError(f"its skeleton is {stated!r:.80}: expected a list of pairs of keypoints, counted from 1")
    pairs = [edge for edge in stated or () if isinstance(edge, list) and len(edge) == 2]
    if not all(isinstance(joint, int) for edge in pairs for joint in edge):
        return ()
    # COCO counts joints from 1, a few files (Animal Kingdom) from 0
    first = 0 if any(0 in edge for edge in pairs) else 1
    edges = tuple((one - first, other - first) for one, other in pairs)
    return edges if all(0 <= joint < joints for edge in edges for joint in edge) else ()

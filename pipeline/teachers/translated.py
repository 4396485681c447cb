"""Heatmaps of one skeleton from a network of another, joint by joint, by name.

A COCO network knows 6 of the 7 joints of a data set of legs, and 17 of COCO-WholeBody's 133. Its heatmaps are put where
the data set has the joint of that name; the heatmaps of joints that it does not know are blank and mean nothing.
"""

import logging
from collections.abc import Mapping

import numpy as np

from cache_tools.skeletons import COCO, Skeleton, matching_joints
from cache_tools.skeletons.keypoint_names import require_name
from cache_tools.store.spec import StoreSpec
from pipeline.teachers.wrapped import WrappedNetwork
from student.network_output import heatmaps_of
from student.pose_network import Crops, Maps, PoseNetwork

logger = logging.getLogger(__name__)

JOINTS_SHOWN = 40


class Translated(WrappedNetwork):
    """A network whose heatmaps are those of another skeleton's joints."""

    def __init__(self, network: PoseNetwork, skeleton: Skeleton, places: tuple[int | None, ...]) -> None:
        """Put heatmap `places[k]` of the network at joint k of `skeleton`, a blank one where it is None."""
        super().__init__(network)
        self.skeleton = skeleton
        self._known = np.array([joint for joint, place in enumerate(places) if place is not None])
        self._places = np.array([place for place in places if place is not None])
        names = network.joints or (network.skeleton or COCO).names
        self.joints = tuple(None if place is None else names[place] for place in places)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        found = heatmaps_of(self.wrapped, crops)
        maps = np.zeros((len(found), len(self.skeleton or COCO), *found.shape[2:]), np.float32)
        maps[:, self._known] = found[:, self._places]
        return maps


def translated(network: PoseNetwork, skeleton: Skeleton, renamed: Mapping[str, str] | None = None) -> PoseNetwork:
    """Return a network of `skeleton`'s joints: the network itself where its joints are the same, else a Translated.

    renamed: {name in `skeleton`: the network's name}, for joints whose names differ in more than spelling. A network
    that does not say what its joints are is taken for COCO's only where the skeleton has COCO's names.
    Raises ValueError for a network that does not say, for names that are not there, and where no joint is known.
    """
    own = network.skeleton
    if own is None:
        if skeleton.names != COCO.names:
            raise ValueError(
                f"{network.name} does not say which joints its heatmaps are of, and the data are of {skeleton.name} "
                f"({', '.join(skeleton.names[:JOINTS_SHOWN])}): state them, as in onnx:FILE?skeleton=coco, or by an "
                "attribute `skeleton` of a Python teacher"
            )
        own = COCO
    if own.names == skeleton.names and not renamed:
        return network
    places = matching_joints(own.names, skeleton.names, renamed)
    if all(place is None for place in places):
        raise ValueError(
            f"{network.name} knows no joint of {skeleton.name}: its joints are {', '.join(own.names[:JOINTS_SHOWN])}, "
            f"the data's {', '.join(skeleton.names[:JOINTS_SHOWN])}. Say which are the same with --joint OURS=ITS"
        )
    for name in renamed or {}:
        require_name(name, skeleton.names)
    return Translated(network, skeleton, places)


def renamed_joints(spec: StoreSpec) -> dict[str, str]:
    """Return what the teacher of a store calls each joint that it knows, where the store records it."""
    pairs = zip(spec.skeleton.names, spec.teacher.joints or (), strict=False)
    return {ours: theirs for ours, theirs in pairs if theirs is not None}


def log_translation(network: PoseNetwork) -> None:
    """Log which joints a translated network knows, and under which names."""
    joints, skeleton = network.joints, network.skeleton
    if joints is None or skeleton is None:
        return
    pairs = list(zip(skeleton.names, joints, strict=True))
    known = [f"{ours}={theirs}" for ours, theirs in pairs if theirs is not None]
    missing = [ours for ours, theirs in pairs if theirs is None]
    logger.info(
        "%s knows %d of %d keypoints of %s; %s%s",
        network.name,
        len(known),
        len(pairs),
        skeleton.name,
        _shown(known),
        f"; not {_shown(missing)}" if missing else "",
    )


def _shown(texts: list[str]) -> str:
    more = len(texts) - JOINTS_SHOWN
    return ", ".join(texts[:JOINTS_SHOWN]) + (f" and {more} more" if more > 0 else "")

"""A network that answers for the joints of the labels, and which of them it knows."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import Skeleton
from pipeline.teachers.flipped import Flipped
from pipeline.teachers.translated import Translated, log_translation, translated
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import mirror_order

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MatchedNetwork:
    """A network of a skeleton's K joints, and how it is run."""

    network: PoseNetwork
    skeleton: Skeleton
    #: (K,) whether it knows the joint; the maps of the others are blank
    known: NDArray[np.bool_]
    #: name of a joint -> what the network calls it, where that differs
    renamed: dict[str, str]
    #: whether its heatmaps are averaged with those of the mirrored crop
    flip: bool
    #: as requested, with a flip test only where the network does not do it itself
    inference: Inference


def match_network(
    network: PoseNetwork, skeleton: Skeleton, inference: Inference, renamed: Mapping[str, str] | None = None
) -> MatchedNetwork:
    """Return a network for the joints of `skeleton`: itself, or its heatmaps put in their places by name.

    renamed: name in `skeleton` -> the network's, for names that differ in more than spelling. The flip test exchanges
    joints by the network's own mirror order, before the heatmaps are put in their places; it is left out where that
    order is not known, and the log says it.
    Raises ValueError where the network does not say which joints it has and they are not COCO's, and where it knows
    none.
    """
    flip = inference.flip and mirror_order(network) is not None
    if inference.flip and not flip:
        logger.info("%s has joints without a known mirror order: no flip test", network.name)
    matched = translated(network, skeleton, renamed)
    if matched is not network:
        log_translation(matched)
        if flip:
            matched = translated(Flipped(network), skeleton, renamed)
    known = known_joints(matched)
    pairs = zip(skeleton.names, matched.joints or skeleton.names, strict=True)
    return MatchedNetwork(
        network=matched,
        skeleton=skeleton,
        known=np.ones(len(skeleton), np.bool_) if known is None else known,
        renamed={ours: its for ours, its in pairs if its is not None and its != ours},
        flip=flip,
        inference=replace(inference, flip=flip and not isinstance(matched, Translated)),
    )


def known_joints(network: PoseNetwork) -> NDArray[np.bool_] | None:
    """Return whether a network knows each of its joints (K,), None where it knows all."""
    return None if network.joints is None else np.array([name is not None for name in network.joints])

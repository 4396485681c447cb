"""Skeletons: the keypoints of a data set, their mirror order, halves, edges, OKS sigmas and roles."""

from cache_tools.skeletons.category import skeleton_of_category
from cache_tools.skeletons.keypoint_names import Side, matching_joints, mirror_of_names, side_and_words
from cache_tools.skeletons.roles import ROLES, Role, role_of_name
from cache_tools.skeletons.skeleton import ASSUMED_SIGMA, COCO, Skeleton
from cache_tools.skeletons.skeleton_file import built_in_names, load_skeleton

__all__ = [
    "ASSUMED_SIGMA",
    "COCO",
    "ROLES",
    "Role",
    "Side",
    "Skeleton",
    "built_in_names",
    "load_skeleton",
    "matching_joints",
    "mirror_of_names",
    "role_of_name",
    "side_and_words",
    "skeleton_of_category",
]

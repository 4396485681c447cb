"""Joints of any skeleton in the places of COCO's keypoints, where the other files of this room have them.

A femoral head is where COCO's hip is, and which of the two it is, the angle's definition says.
"""

from dataclasses import replace

import numpy as np

from cache_tools.instances import Instances
from cache_tools.skeletons import COCO, Skeleton, matching_joints
from pipeline.hka.definition import AngleDefinition, define_angle
from pipeline.teachers.translated import translated
from student.pose_network import PoseNetwork


def measured_network(network: PoseNetwork) -> tuple[PoseNetwork, AngleDefinition]:
    """Return a network whose joints are in the places of COCO's keypoints, and the angle that they measure.

    A network that does not say which joints it knows is taken for one of COCO's. Raises ValueError as `define_angle`.
    """
    definition = define_angle(network.skeleton or COCO)
    renamed = {coco: own for coco, own in definition.joints.items() if coco != own}
    return translated(network, COCO, renamed), definition


def in_coco_places(persons: Instances, skeleton: Skeleton) -> tuple[Instances, AngleDefinition]:
    """Return annotated persons with the leg's joints in the places of COCO's, and the angle that they have.

    Joints of COCO's that the skeleton does not have are not labelled. Raises ValueError as `define_angle`.
    """
    definition = define_angle(skeleton)
    places = matching_joints(skeleton.names, COCO.names, definition.joints)
    known = np.array([place is not None for place in places])
    index = np.array([place or 0 for place in places])
    moved = replace(
        persons,
        keypoints=persons.keypoints[:, index] * known[:, None],
        visibility=persons.visibility[:, index] * known.astype(np.uint8),
    )
    return moved, definition

"""What the page's script is told of its network: sizes, joints, limits, words, measured error."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cache_tools.geometry import PADDING
from cache_tools.skeletons import COCO, matching_joints
from pipeline.hka.angles import LEG_JOINTS, NOTICE
from pipeline.hka.coco_places import measured_network
from pipeline.hka.fit import DEFAULT_RULE
from pipeline.hka.quality import REFUSING_FLAGS, SHOULDERS, limits_of
from pipeline.hka.table import LegSettings, read_calibration
from pipeline.version import __version__
from pipeline.web.accuracy import read_accuracy
from pipeline.web.example import choose_example
from student.pose_network import PoseNetwork

#: what the page puts in place of the sign's convention
CONVENTION = "{convention}"


def page_settings(
    network: PoseNetwork, name: str, digest: str, evaluation: Path | None, *, calibrate: bool
) -> tuple[dict[str, Any], bytes]:
    """Return the settings as JSON's own types, and the example, a JPEG file, in which they say where joints are.

    name, digest: that the network is known by. evaluation, calibrate: as `write_page` has them. Raises ValueError as
    `write_page` does.
    """
    placed, angle = measured_network(network)
    limits = limits_of(angle)
    own = network.skeleton or COCO
    places = matching_joints(own.names, COCO.names, angle.joints)
    calibration = read_calibration(evaluation, digest) if evaluation and calibrate else None
    measured = LegSettings(
        network=name,
        digest=digest,
        angle=angle,
        convention=CONVENTION,
        flip=True,
        boxes="whole photo, then the box of the joints",
        pixels="upright by EXIF",
        min_score=limits.min_score,
        calibration=calibration,
    )
    example = choose_example(placed, limits.min_score)
    settings = {
        "model": {
            "name": name,
            "digest": digest,
            "frame": network.frame,
            "input_size": network.input_size,
            "heatmap_size": network.heatmap_size,
            "sigma": network.sigma,
            "padding": PADDING,
            # as in pipeline/hka, joints have COCO's places: null where the network has none
            "places": places,
            "keypoints": [COCO.names[i] if place is None else own.names[place] for i, place in enumerate(places)],
            "mirror": COCO.mirror,
            "legs": LEG_JOINTS.tolist(),
            "shoulders": SHOULDERS.tolist(),
        },
        "angle": angle.to_json(),
        "points": "axis" if angle.is_mechanical else "keypoints",
        "measured": measured.sentence(),
        "limits": asdict(limits),
        "refusing_flags": REFUSING_FLAGS,
        "fit": asdict(DEFAULT_RULE),
        "notice": NOTICE,
        "calibration": calibration and calibration.to_json(),
        "accuracy": asdict(read_accuracy(evaluation, digest)) if evaluation else None,
        # what photos and boxes should show
        "shown": example.shown,
        "check": {"joint": example.joint, "xy": example.xy},
        "version": f"kdcache {__version__}",
    }
    return settings, example.jpeg

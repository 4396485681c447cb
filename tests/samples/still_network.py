"""A network that finds the same pose in every crop, as a teacher's reference: `tests.samples.still_network:make`.

`make_mechanical`, `make_hand`: the same with joints of another skeleton, in the same order.
"""

import numpy as np

from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from student.pose_network import Crops, Maps, digest_of
from tests.samples.standing_legs import draw_peaks

#: joint -> heatmap cell (x, y): shoulders, hips, knees, ankles; both knees are a little outside
CELLS = {
    5: (29, 16),
    6: (19, 16),
    11: (26, 29),
    12: (22, 29),
    13: (27.5, 39),
    14: (20.5, 39),
    15: (27, 49),
    16: (21, 49),
}


class StillNetwork:
    """Gaussians of sigma 2 at CELLS, whatever the crop; other joints are not seen."""

    name, digest, licence = "still", digest_of("still network of the tests"), "none"
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size, frame, sigma = (256, 192), (64, 48), "udp", 2.0

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, 17, 64, 48)."""
        cells = np.full((17, 2), np.inf)
        for joint, cell in CELLS.items():
            cells[joint] = cell
        return np.repeat(draw_peaks(cells[None]), len(crops), axis=0)


def make(device: str) -> StillNetwork:
    """Return the network; it computes on the CPU whatever the device is."""
    return StillNetwork()


def make_mechanical(device: str) -> StillNetwork:
    """Return the network of true joint centres."""
    network = StillNetwork()
    network.skeleton = load_skeleton("mechanical")
    return network


def make_hand(device: str) -> StillNetwork:
    """Return a network without legs."""
    network = StillNetwork()
    network.skeleton = load_skeleton("hand21")
    return network

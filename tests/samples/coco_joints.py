"""COCO's joints as arrays, for tests that index by them."""

import numpy as np

from cache_tools.skeletons import COCO

KEYPOINTS = COCO.names
JOINTS = len(COCO)
MIRROR = np.array(COCO.mirror)
UPPER_BODY = np.array(COCO.upper)
OKS_SIGMAS = np.array(COCO.sigmas)

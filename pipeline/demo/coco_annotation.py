"""Labels as COCO writes them: keypoints, boxes, polygons, run lengths."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.labels import Label


def as_annotation(found: Label) -> dict[str, Any]:
    """Return a label as COCO's annotation, without ids."""
    visibility = found.keypoints[:, 2].astype(int)
    xy = found.keypoints[:, :2].round(2).tolist()
    return {
        "category_id": 1,
        "iscrowd": int(found.crowd),
        "bbox": list(found.box),
        "area": found.area,
        "num_keypoints": int((visibility > 0).sum()),
        "keypoints": [value for (x, y), v in zip(xy, visibility.tolist(), strict=True) for value in (x, y, v)],
        "segmentation": _run_lengths(found.mask) if found.crowd else _polygons(found.mask),
    }


def _polygons(mask: NDArray[np.bool_]) -> list[list[float]]:
    """Return COCO polygons along the outer edge of a mask; holes are filled, as annotators do."""
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [((contour.ravel() + 0.5) / 2).tolist() for contour in contours if len(contour) > 2]


def _run_lengths(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Encode a mask as COCO's uncompressed run lengths: column by column, of 0s and 1s in turn, 0s first."""
    flat = mask.ravel("F").astype(np.int8)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]]))
    return {"counts": counts.tolist(), "size": list(mask.shape)}

"""A data set in COCO-WholeBody's five fields: the category names 17 keypoints, the annotations hold 133."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cache_tools.skeletons import COCO

SIZES = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
PHOTO_SIZE = (120, 160)


def whole_body_document(persons: int, seed: int = 0) -> dict[str, Any]:
    """Return a document of persons with random joints, a third of them not labelled; two persons a photo."""
    rng = np.random.default_rng(seed)
    annotations = []
    for number in range(persons):
        box = [*rng.uniform(0, 60, 2).round(1).tolist(), *rng.uniform(30, 60, 2).round(1).tolist()]
        annotation: dict[str, Any] = {
            "id": 10 + number,
            "image_id": number // 2,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": box,
        }
        for field, count in SIZES.items():
            xy = (box[:2] + rng.uniform(0, 1, (count, 2)) * box[2:]).round(1)
            visibility = rng.integers(0, 3, count)
            annotation[field] = np.c_[xy * (visibility > 0)[:, None], visibility].ravel().tolist()
        labelled = sum(value > 0 for value in annotation["keypoints"][2::3])
        annotations.append(annotation | {"area": round(rng.uniform(1200, 20000), 2), "num_keypoints": labelled})
    height, width = PHOTO_SIZE
    return {
        "images": [
            {"id": photo, "file_name": f"{photo:03}.png", "height": height, "width": width}
            for photo in range(-(-persons // 2))
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.names)}],
        "annotations": annotations,
    }


def random_poses(document: dict[str, Any], seed: int = 1) -> list[dict[str, Any]]:
    """Return COCO results of 133 keypoints: up to two poses a person, near and far from its labels."""
    rng = np.random.default_rng(seed)
    results = []
    for annotation in document["annotations"]:
        xy = np.concatenate([np.reshape(annotation[field], (-1, 3))[:, :2] for field in SIZES])
        for _ in range(rng.integers(0, 3)):
            moved = xy + rng.normal(0, rng.uniform(0.002, 0.05), xy.shape) * np.sqrt(annotation["area"])
            results.append(
                {
                    "image_id": annotation["image_id"],
                    "category_id": 1,
                    "keypoints": np.c_[moved, np.ones(len(moved))].ravel().tolist(),
                    "score": float(rng.uniform()),
                }
            )
    return results


def write_whole_bodies(folder: Path, persons: int) -> Path:
    """Write photos of noise and their document; return its path."""
    import cv2

    document, rng = whole_body_document(persons), np.random.default_rng(2)
    for image in document["images"]:
        coarse = rng.integers(0, 256, (PHOTO_SIZE[0] // 6, PHOTO_SIZE[1] // 6, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / image["file_name"]), cv2.resize(coarse, PHOTO_SIZE[::-1]))
    path = folder / "whole_bodies.json"
    path.write_text(json.dumps(document))
    return path

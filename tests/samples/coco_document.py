"""Small COCO keypoint documents, to be changed by tests before they are written."""

import json
from pathlib import Path
from typing import Any

from cache_tools.skeletons import COCO

LEGS = ["ankle_l", "knee_l", "hip_l", "ankle_r", "knee_r", "hip_r"]


def coco_document(
    persons: int = 4, names: list[str] | None = None, category: int = 1, persons_a_photo: int = 2
) -> dict[str, Any]:
    """Return a document of persons whose keypoints are all labelled: joint j of person p is at (20 + j, 30 + p)."""
    names = list(COCO.names) if names is None else names
    photos = -(-persons // persons_a_photo)
    return {
        "images": [
            {"id": 10 + photo, "file_name": f"{photo:03}.jpg", "height": 120, "width": 160} for photo in range(photos)
        ],
        "categories": [{"id": category, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}],
        "annotations": [
            {
                "id": 100 + person,
                "image_id": 10 + person // persons_a_photo,
                "category_id": category,
                "iscrowd": 0,
                "bbox": [10.0, 20.0, 60.0, 80.0],
                "area": 2000.0,
                "num_keypoints": len(names),
                "keypoints": [number for joint in range(len(names)) for number in (20 + joint, 30 + person, 2)],
            }
            for person in range(persons)
        ],
    }


def write_document(folder: Path, document: Any, name: str = "persons.json") -> Path:
    """Write a document as JSON, NaN and all, and return its path."""
    path = folder / name
    path.write_text(json.dumps(document))
    return path

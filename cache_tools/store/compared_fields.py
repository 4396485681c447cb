"""The fields of a spec that two stores must share; the other fields may differ between stores of the same heatmaps."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Two stores that differ in these fields hold the same heatmaps: where files were, which versions ran, what was
# measured. The region of the crops states zoom, rotation and shift as well, the digest of the persons the categories.
# No map and no training depends on a skeleton's name, edges, sigmas, fields and roles.
NOT_COMPARED = (
    "versions", "annotations.source", "annotations.labelled", "annotations.part", "annotations.categories",
    "teacher.ap", "crops.zoom", "crops.rotation", "crops.shift",
    "skeleton.name", "skeleton.edges", "skeleton.sigmas", "skeleton.fields", "skeleton.roles",
)  # fmt: skip


def digest_of_spec(data: Mapping[str, Any]) -> str:
    """Return the sha256 of the compared fields of a spec's JSON, also of fields that only another kdcache knows."""
    return hashlib.sha256(json.dumps(compared_fields(data), sort_keys=True).encode()).hexdigest()


def compared_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compared fields of a spec's JSON, field b of a as `a.b`."""
    return {name: value for name, value in flatten(data).items() if not _is_ignored(name)}


def _is_ignored(name: str) -> bool:
    """Return whether a field, `a.b` for field b of a, is one of NOT_COMPARED or lies in one."""
    return any(name == ignored or name.startswith(f"{ignored}.") for ignored in NOT_COMPARED)


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return all fields of a spec's JSON, field b of a as `a.b`."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def brief(value: Any) -> str:
    """Return a value as JSON, cut to a line of a message."""
    text = json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."

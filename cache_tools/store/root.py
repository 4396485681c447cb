"""The root of a store: its attribute `kdcache`, sealed by a sha256 that every ledger entry of the store repeats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cache_tools.store.json_checks import check_fingerprints
from cache_tools.store.sealed_json import digest_of_json, from_bytes, to_bytes

ROOT = "zarr.json"


@dataclass(frozen=True, kw_only=True)
class Root:
    """What the root of a store says."""

    spec: dict[str, Any]  #: JSON of the spec, with the fields that only another version of kdcache knows
    codec: dict[str, Any]  #: JSON of the decoder
    objects: dict[str, Any]  #: fingerprint of each object that belongs to no shard
    sha256: str  #: the root's seal, by which a ledger entry names its store


def seal_root(root: Mapping[str, Any], content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a root: zarr's part of it, and our content with its seal."""
    sealed = {**content, "sha256": _digest(root, content)}
    return to_bytes({**root, "attributes": {"kdcache": sealed}})


def read_root(data: bytes, where: str) -> Root:
    """Return what a root says; ValueError where it is damaged, and where it is not that of a store."""
    root = from_bytes(data, where)
    attributes = root.get("attributes") if isinstance(root, dict) else None
    sealed = attributes.get("kdcache") if isinstance(attributes, dict) else None
    if not isinstance(sealed, dict):
        raise ValueError(
            f"{where} is not a kdcache store's: it has no attribute 'kdcache'; give the folder `kdcache build` made"
        )
    content = {name: value for name, value in sealed.items() if name != "sha256"}
    seal = _digest(root, content)
    if sealed.get("sha256") != seal:
        raise ValueError(f"{where} is damaged: its content does not match its sha256")
    for name in ("spec", "codec", "objects"):
        if not isinstance(content.get(name), dict):
            raise ValueError(f"{where}: {name} is {content.get(name)!r:.60}: expected an object")
    check_fingerprints(content["objects"], where)
    return Root(spec=content["spec"], codec=content["codec"], objects=content["objects"], sha256=seal)


def _digest(root: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Return the sha256 that seals a root: of our content, and of zarr's part of the file with our content in it."""
    attributes = {**root["attributes"], "kdcache": dict(content)}
    return digest_of_json({**content, "root": {**root, "attributes": attributes}})

"""JSON documents of a store: equal documents are equal bytes, and each holds the sha256 of its own content."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any


def fingerprint(data: bytes) -> dict[str, Any]:
    """Return length and sha256 of an object, as ledgers record them."""
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its own sha256, by which any changed byte is noticed."""
    return {**document, "sha256": digest_of_json(document)}


def unseal(document: Any, where: str) -> dict[str, Any]:
    """Return a sealed document without its sha256; ValueError naming `where` when the two do not agree."""
    if not isinstance(document, dict) or "sha256" not in document:
        raise ValueError(f"{where} is damaged: expected a JSON object with its sha256")
    content = {name: value for name, value in document.items() if name != "sha256"}
    if document["sha256"] != digest_of_json(content):
        raise ValueError(f"{where} is damaged: its content does not match its sha256")
    return content


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a JSON document as stored; keys are sorted, so that equal documents are equal bytes."""
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def from_bytes(data: bytes, where: str) -> Any:
    """Parse a JSON document; ValueError naming `where` when it is not JSON, or holds NaN or an infinity."""
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{where} is damaged: not JSON ({reason})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def digest_of_json(document: Mapping[str, Any]) -> str:
    """Return the sha256 of a JSON document, independent of the order of its keys."""
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise ValueError("a JSON document is nested too deeply") from None
    return sha256(text.encode()).hexdigest()

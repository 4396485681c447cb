"""What a store contains and from what it was made; opening it for anything else is a CacheMismatch."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import metadata
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cache_tools import geometry
from cache_tools.coco import JOINTS
from cache_tools.codec.profiles import get_codec
from cache_tools.instances import Instances, read_coco

FORMAT_VERSION = 1
Spec = TypeVar("Spec")
# A chunk is decoded to read one row of it: larger ones save a percent or two, and scattered rows cost in proportion.
CHUNK_ROWS, CHUNK_BYTES = 8, 2**18
# Differing here, two stores still hold the same thing: where files lay, what ran, what was measured.
NOT_COMPARED = (
    "versions", "annotations.source", "annotations.labelled", "annotations.part", "teacher.ap",
    "crops.zoom", "crops.rotation", "crops.shift",  # the region says them, too
)  # fmt: skip


class CacheMismatch(ValueError):
    """A store holds something else than was asked for; the message names every field that differs."""


@dataclass(frozen=True)
class TeacherSpec:
    """Who drew the heatmaps. digest: of weights and preprocessing; flip: averaged with the mirrored crop's."""

    name: str
    digest: str
    licence: str = "unknown"
    flip: bool = False
    ap: float | None = None  # measured, where labels allowed it


@dataclass(frozen=True)
class FrameSpec:
    """Where the heatmaps lie: `crop_to_image` of each row is geometry.crop_to_image(box, name, input_size, padding)."""

    name: str = "udp"
    input_size: tuple[int, int] = (256, 192)  # height, width
    heatmap_size: tuple[int, int] = (64, 48)
    padding: float = geometry.PADDING
    sigma: float = 2.0  # of the teacher's peaks, in cells
    cell_to_crop: list[list[float]] = field(default_factory=list)  # (2, 3); filled in from the frame's name when empty

    def __post_init__(self) -> None:
        if not self.cell_to_crop:
            matrix = geometry.cell_to_crop(self.name, self.input_size, self.heatmap_size)
            object.__setattr__(self, "cell_to_crop", matrix.tolist())


@dataclass(frozen=True)
class AnnotationsSpec:
    """digest: of the instance table (Instances.digest); source: the file it was read from, and which of its persons."""

    digest: str
    source: str = ""
    labelled: bool = True  # False: every person with a box
    part: tuple[int, int] | None = None  # (i, n): the i-th of n parts

    def read_instances(self, path: str | Path) -> Instances:
        """Return the persons of a COCO file by the rule that chose this store's rows."""
        return read_coco(path, labelled=self.labelled, part=self.part)


@dataclass(frozen=True)
class CropsSpec:
    """The photos' part of a store. region: the rule that chose what is shown; quality: of the JPEG.

    zoom, rotation (degrees) and shift (sizes of the padded box) of the widest view that the region was made for.
    """

    region: str
    quality: int
    zoom: float | None = None  # None: the store does not say
    rotation: float | None = None
    shift: float | None = None


@dataclass(frozen=True)
class StoreSpec:
    """Everything that two stores must share to be the same store."""

    rows: int
    teacher: TeacherSpec
    annotations: AnnotationsSpec
    frame: FrameSpec = FrameSpec()
    codec: str = "compact"
    joints: int = JOINTS
    shard_rows: int = 2048
    chunk_rows: int = CHUNK_ROWS
    crops: CropsSpec | None = None
    views: int = 0  # stored augmentations a row, beside the canonical view
    format_version: int = FORMAT_VERSION
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"a store of {self.rows} rows: expected at least one")
        if self.chunk_rows < 1 or self.shard_rows < 1 or self.shard_rows % self.chunk_rows:
            raise ValueError(
                f"shard_rows {self.shard_rows} is not a multiple of chunk_rows {self.chunk_rows}: "
                f"use a multiple of {max(self.chunk_rows, 1)}"
            )

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON's own types."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "StoreSpec":
        """The spec that `to_json` wrote; ValueError for a format this version doesn't know."""
        version = data.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"the store has format version {version}, this kdcache reads version {FORMAT_VERSION}: "
                "install the kdcache that wrote it, or build the store again"
            )
        frame = data["frame"] | {k: tuple(data["frame"][k]) for k in ("input_size", "heatmap_size")}
        part = data["annotations"].get("part")
        annotations = data["annotations"] | {"part": None if part is None else tuple(part)}
        parts = {
            "teacher": _known(TeacherSpec, data["teacher"]),
            "annotations": _known(AnnotationsSpec, annotations),
            "frame": _known(FrameSpec, frame),
            "crops": None if data["crops"] is None else _known(CropsSpec, data["crops"]),
        }
        return _known(cls, data | parts)

    @property
    def digest(self) -> str:
        """sha256 of the compared fields."""
        return digest_of_spec(self.to_json())

    def without_rows(self) -> "StoreSpec":
        """The same spec of no particular rows and shards: what stores must share to be merged."""
        return replace(self, rows=1, annotations=AnnotationsSpec(""), shard_rows=CHUNK_ROWS, chunk_rows=CHUNK_ROWS)

    def differences(self, found: "StoreSpec") -> list[str]:
        """`field: found X, expected Y` for each compared field in which `found` is not this spec."""
        mine, other = self._compared(), found._compared()
        return [
            f"{name}: found {_short(other.get(name))}, expected {_short(mine.get(name))}"
            for name in sorted(mine.keys() | other.keys())
            if mine.get(name) != other.get(name)
        ]

    def check(self, found: "StoreSpec", where: str) -> None:
        """CacheMismatch unless `found`, the spec of the store at `where`, is this one."""
        if differences := self.differences(found):
            raise CacheMismatch(
                f"{where} holds another cache:\n  " + "\n  ".join(differences) + "\n"
                "Give what it was made from, or build into another folder."
            )

    def _compared(self) -> dict[str, Any]:
        return _compared(self.to_json())


def digest_of_spec(data: Mapping[str, Any]) -> str:
    """sha256 of the compared fields of a spec's JSON, those of other versions of kdcache included."""
    return hashlib.sha256(json.dumps(_compared(data), sort_keys=True).encode()).hexdigest()


def make_spec(
    instances: Instances,
    teacher: TeacherSpec,
    *,
    source: str = "",
    labelled: bool = True,
    part: tuple[int, int] | None = None,
    **others: Any,
) -> StoreSpec:
    """The spec of a store of these persons; `others` are StoreSpec's own (frame, codec, shard_rows, crops, views).

    source, labelled, part: how the persons were read, as AnnotationsSpec has it. ValueError for an unknown codec.
    """
    annotations = AnnotationsSpec(instances.digest(), source, labelled, part)
    spec = StoreSpec(len(instances), teacher, annotations, versions=installed_versions(), **{"chunk_rows": 1} | others)
    get_codec(spec.codec, spec.frame.heatmap_size)
    return spec if "chunk_rows" in others else replace(spec, chunk_rows=_chunk_rows(spec))


def _chunk_rows(spec: StoreSpec) -> int:
    """The largest power of two up to CHUNK_ROWS that divides a shard and keeps a chunk's codes within CHUNK_BYTES."""
    codec = get_codec(spec.codec, spec.frame.heatmap_size)
    row_bytes = spec.joints * prod(codec.code_shape) * np.dtype(codec.dtype).itemsize * max(spec.views, 1)
    rows = CHUNK_ROWS
    while rows > 1 and (rows * row_bytes > CHUNK_BYTES or spec.shard_rows % rows):
        rows //= 2
    return rows


def installed_versions() -> dict[str, str]:
    """Versions of what writes a store, for the record."""
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in ("kdcache", "numpy", "zarr")}


def _known(cls: type[Spec], data: Mapping[str, Any]) -> Spec:
    """The dataclass without what it does not know: a later version may have added fields."""
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in data.items() if name in names})


def _compared(data: Mapping[str, Any]) -> dict[str, Any]:
    flat = _flatten(data)
    return {k: v for k, v in flat.items() if not any(k == n or k.startswith(n + ".") for n in NOT_COMPARED)}


def _flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."

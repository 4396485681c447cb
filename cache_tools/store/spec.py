"""The spec of a store: what it contains and what it was made from. Opening it for anything else is a CacheMismatch."""

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cache_tools import geometry
from cache_tools.annotations.annotation_file import read_annotation_file
from cache_tools.codec.stored_codec import layout_of
from cache_tools.crops import FIRST_ENCODING
from cache_tools.instances import Instances
from cache_tools.json_types import read_record
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.compared_fields import brief, compared_fields, digest_of_spec, flatten
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.version import installed_versions

#: of stores that a reader of version 1 would take for COCO's: another skeleton, a teacher that knows part of it,
#: photos that are not read as stored
FORMAT_VERSION = 2
#: of all others, which every kdcache reads
COCO_VERSION = 1
#: of the codec `windows`, which is decoded in another way
WINDOWS_VERSION = 3
VERSIONS = (COCO_VERSION, FORMAT_VERSION, WINDOWS_VERSION)
#: ids of the categories that version 1 takes for granted
COCO_CATEGORIES = (1,)
# A chunk is decoded to read one row of it: larger ones save a percent or two, and scattered rows cost in proportion.
CHUNK_ROWS, CHUNK_BYTES = 8, 2**18
#: of crops and heatmaps
LARGEST_SIDE = 2**15


class CacheMismatch(ValueError):
    """A store holds something else than was requested; the message names every field that differs."""


@dataclass(frozen=True)
class TeacherSpec:
    """The network that made the heatmaps."""

    name: str
    digest: str  #: of weights and preprocessing
    licence: str = "unknown"
    _: KW_ONLY
    flip: bool = False  #: averaged with the heatmaps of the mirrored crop
    ap: float | None = None  #: percent, measured where labels allow it
    #: what the teacher calls each joint of the store, None where it does not know it; None: as the store does
    joints: tuple[str | None, ...] | None = None


@dataclass(frozen=True)
class FrameSpec:
    """Where the heatmaps lie: `crop_to_image` of each row is geometry.crop_to_image(box, name, input_size, padding)."""

    name: str = "udp"
    input_size: tuple[int, int] = (256, 192)  #: height, width of the crop in pixels
    heatmap_size: tuple[int, int] = (64, 48)  #: height, width in cells
    _: KW_ONLY
    padding: float = geometry.PADDING
    sigma: float = 2.0  #: of the teacher's peaks, in cells
    cell_to_crop: list[list[float]] = field(default_factory=list)  #: (2, 3); computed from the name when empty

    def __post_init__(self) -> None:
        """Compute cell_to_crop where it is not given; ValueError for sizes and numbers that no frame has."""
        for name in ("input_size", "heatmap_size"):
            if min(getattr(self, name)) < 2 or max(getattr(self, name)) > LARGEST_SIDE:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 2 to {LARGEST_SIDE} pixels or cells")
        for name in ("padding", "sigma"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}: expected a number above 0")
        geometry.frame_of(self.name)
        if not self.cell_to_crop:
            matrix = geometry.cell_to_crop(self.name, self.input_size, self.heatmap_size)
            object.__setattr__(self, "cell_to_crop", matrix.tolist())
        if [len(row) for row in self.cell_to_crop] != [3, 3]:
            raise ValueError(f"cell_to_crop is {self.cell_to_crop!r:.60}: expected two rows of three numbers")


@dataclass(frozen=True)
class AnnotationsSpec:
    """The persons of a store, and the rule that chose them from their file."""

    digest: str  #: of the instance table: Instances.digest()
    source: str = ""  #: the file
    labelled: bool = True  #: False: every person with a box
    part: tuple[int, int] | None = None  #: (i, n): the i-th of n parts
    categories: tuple[int, ...] = COCO_CATEGORIES  #: ids of the categories that were read

    def __post_init__(self) -> None:
        """Raise ValueError for a part that is none, and for no categories."""
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise ValueError(f"part is {list(self.part)}: expected I and N with I from 1 to N")
        if not self.categories:
            raise ValueError("categories is empty: expected the id of at least one")


@dataclass(frozen=True, kw_only=True)
class StoreSpec:
    """Everything that two stores must share to be the same store."""

    rows: int
    teacher: TeacherSpec
    annotations: AnnotationsSpec
    frame: FrameSpec = FrameSpec()
    codec: str = "compact"
    basis: str | None = None  #: sha256 of the basis of the codec `windows`; None: the codec has none
    skeleton: Skeleton = COCO
    shard_rows: int = 2048
    chunk_rows: int = CHUNK_ROWS
    crops: CropsSpec | None = None
    views: int = 0  #: stored augmentations a row, beside the canonical view
    photos: PhotoOptions = AS_STORED  #: how the photos were read
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError for sizes that do not fit together."""
        # a store always says whether its photos were turned
        object.__setattr__(self, "photos", self.photos.stated())
        if self.views < 0:
            raise ValueError(f"views is {self.views}: expected 0 or more")
        if self.rows < 1:
            raise ValueError(f"a store of {self.rows} rows: expected at least one")
        if self.teacher.joints is not None and len(self.teacher.joints) != self.joints:
            raise ValueError(
                f"the teacher names {len(self.teacher.joints)} joints: expected {self.joints}, the store's"
            )
        if self.chunk_rows < 1 or self.shard_rows < 1 or self.shard_rows % self.chunk_rows:
            raise ValueError(
                f"shard_rows {self.shard_rows} is not a multiple of chunk_rows {self.chunk_rows}: "
                f"use a multiple of {max(self.chunk_rows, 1)}"
            )

    @property
    def joints(self) -> int:
        """Number of joints; every row has a heatmap of each."""
        return len(self.skeleton)

    @property
    def known_joints(self) -> tuple[bool, ...]:
        """Whether the teacher knows each joint; the heatmaps of the others are blank and mean nothing."""
        return tuple(name is not None for name in self.teacher.joints or self.skeleton.names)

    @property
    def format_version(self) -> int:
        """Version of the format: the lowest one whose readers read the store rightly."""
        if self.basis is not None:
            return WINDOWS_VERSION
        plain = self.skeleton == COCO and self.teacher.joints is None and self.photos == AS_STORED
        return COCO_VERSION if plain else FORMAT_VERSION

    def read_instances(self, path: str | Path) -> Instances:
        """Return the persons of a COCO file by the rule that chose this store's rows."""
        file = read_annotation_file(path, skeleton=self.skeleton, category_ids=self.annotations.categories)
        return file.instances(labelled=self.annotations.labelled, part=self.annotations.part)

    def to_json(self) -> dict[str, Any]:
        """Return the spec in JSON types only, without what version 1 takes for granted where that holds."""
        document = self._every_field()
        if self.basis is None:
            del document["basis"]
        if self.skeleton == COCO:
            del document["skeleton"]
        if self.teacher.joints is None:
            del document["teacher"]["joints"]
        if self.annotations.categories == COCO_CATEGORIES:
            del document["annotations"]["categories"]
        if self.photos == AS_STORED:
            del document["photos"]
        if self.crops is not None and self.crops.encoding == FIRST_ENCODING:
            del document["crops"]["encoding"]
        return document

    @classmethod
    def from_json(cls, data: Any) -> "StoreSpec":
        """Return the spec that `to_json` wrote, by this or by a later kdcache, whose further fields are left out.

        Raises ValueError for a format version that this kdcache does not know, and with the name of a field that does
        not hold what it should.
        """
        version = data.get("format_version") if isinstance(data, Mapping) else None
        if type(version) is not int or version not in VERSIONS:
            raise ValueError(
                f"the store has format version {version!r:.40}, this kdcache reads versions "
                f"{COCO_VERSION} to {WINDOWS_VERSION}: install the kdcache that wrote it, or build the store again"
            )
        try:
            spec = read_record(cls, data, "")
        except ValueError as problem:
            raise ValueError(f"the spec of the store is not valid: {problem}") from None
        if data.get("joints", spec.joints) != spec.joints:
            raise ValueError(
                f"the spec of the store has joints {data['joints']!r:.40}: expected {spec.joints}, the number of its "
                f"skeleton {spec.skeleton.name}"
            )
        # every kdcache writes all fields, besides those that `to_json` leaves out
        stated = flatten(data)
        for name, value in flatten(spec.to_json()).items():
            if name not in stated or stated[name] != value:
                found = f"is {brief(stated[name])}" if name in stated else "is missing"
                raise ValueError(f"the spec of the store is not valid: {name} {found}: expected {brief(value)}")
        return spec

    @property
    def digest(self) -> str:
        """sha256 of the compared fields."""
        return digest_of_spec(self.to_json())

    def without_rows(self) -> "StoreSpec":
        """Return the spec without rows and shards: what stores must share to be merged."""
        return replace(self, rows=1, annotations=AnnotationsSpec(""), shard_rows=CHUNK_ROWS, chunk_rows=CHUNK_ROWS)

    def differences(self, found: "StoreSpec") -> list[str]:
        """Return `field: found X, expected Y` for each compared field in which `found` differs from this spec."""
        mine, other = compared_fields(self._every_field()), compared_fields(found._every_field())
        differing = [name for name in sorted(mine.keys() | other.keys()) if mine.get(name) != other.get(name)]
        return [f"{name}: found {brief(other.get(name))}, expected {brief(mine.get(name))}" for name in differing]

    def check(self, found: "StoreSpec", where: str) -> None:
        """Raise CacheMismatch unless `found`, the spec of the store at `where`, is this one."""
        if differences := self.differences(found):
            raise CacheMismatch(
                f"{where} holds another cache:\n  " + "\n  ".join(differences) + "\n"
                "Give what it was made from, or build into another folder."
            )

    def _every_field(self) -> dict[str, Any]:
        """Return the spec in JSON types only, with what version 1 takes for granted."""
        document = asdict(self) | {"joints": self.joints, "format_version": self.format_version}
        return dict(json.loads(json.dumps(document)))


def make_spec(
    instances: Instances,
    teacher: TeacherSpec,
    *,
    skeleton: Skeleton,
    source: str = "",
    labelled: bool = True,
    part: tuple[int, int] | None = None,
    categories: tuple[int, ...] = COCO_CATEGORIES,
    **others: Any,
) -> StoreSpec:
    """Return the spec of a store of these persons.

    skeleton: of their keypoints. source, labelled, part, categories: how they were read, as AnnotationsSpec has it.
    others: further fields of StoreSpec, such as frame, codec, shard_rows, crops and views.
    Raises ValueError for an unknown codec, or where the persons have another number of keypoints than the skeleton.
    """
    if instances.keypoints.shape[1] != len(skeleton):
        raise ValueError(
            f"the persons have {instances.keypoints.shape[1]} keypoints: expected {len(skeleton)}, as {skeleton.name}"
        )
    spec = StoreSpec(
        rows=len(instances),
        teacher=teacher,
        annotations=AnnotationsSpec(instances.digest(), source, labelled, part, categories),
        skeleton=skeleton,
        versions=installed_versions(),
        **{"chunk_rows": 1} | others,
    )
    # an unknown codec is an error here, not when the first shard is written
    largest = _chunk_rows(spec)
    if "chunk_rows" not in others:
        spec = replace(spec, chunk_rows=largest)
    return spec


def _chunk_rows(spec: StoreSpec) -> int:
    """Return the largest power of two that divides a shard, up to CHUNK_ROWS rows and CHUNK_BYTES of codes.

    Raises ValueError for an unknown codec.
    """
    code_shape, dtype = layout_of(spec.codec, spec.frame.heatmap_size)
    row_bytes = spec.joints * prod(code_shape) * np.dtype(dtype).itemsize * max(spec.views, 1)
    rows = CHUNK_ROWS
    while rows > 1 and (rows * row_bytes > CHUNK_BYTES or spec.shard_rows % rows):
        rows //= 2
    return rows

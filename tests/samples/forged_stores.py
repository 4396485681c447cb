"""Stores whose seals hold and whose content kdcache never writes, as somebody would make them to attack its reader."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import simplejpeg
from numcodecs import zstd

from cache_tools.store import ledger
from cache_tools.store.root import seal_root
from cache_tools.store.sealed_json import fingerprint, seal, to_bytes

Forgery = Callable[[Path], None]
CODES = "heatmaps/c/0/0/0/0"
INDEX = "crops/index/c/0/0"
PACKED = "crops/packed/0/c/0"


def with_checksum(data: bytes) -> bytes:
    """Return bytes with their own crc32c."""
    return data + int(google_crc32c.value(data)).to_bytes(4, "little")


def chunk(values: Any) -> bytes:
    """Return values as a sealed chunk."""
    return with_checksum(zstd.compress(np.ascontiguousarray(values), 1))


def bomb(size: int) -> bytes:
    """Return a chunk of a few bytes whose frame states `size` bytes: blocks of 128 kB of zeros each."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0xE0]) + struct.pack("<Q", size)
    block, count = 128 * 1024, min(size // (128 * 1024), 4000)
    blocks = [
        ((block << 3) | (1 << 1) | (number == count - 1)).to_bytes(3, "little") + b"\0" for number in range(count)
    ]
    return with_checksum(header + b"".join(blocks))


def document(folder: Path, key: str) -> dict[str, Any]:
    """Return a JSON file of a store."""
    found: dict[str, Any] = json.loads((folder / key).read_bytes())
    return found


def seal_everything(folder: Path) -> None:
    """Seal root, entries and receipt of a store again."""
    root = document(folder, "zarr.json")
    content = {k: v for k, v in root["attributes"]["kdcache"].items() if k != "sha256"}
    (folder / "zarr.json").write_bytes(seal_root({**root, "attributes": {}}, content))
    sha256 = document(folder, "zarr.json")["attributes"]["kdcache"]["sha256"]
    entries = []
    for path in sorted((folder / "ledger").iterdir()):
        entry = {k: v for k, v in json.loads(path.read_bytes()).items() if k != "sha256"} | {"root": sha256}
        path.write_bytes(to_bytes(seal(entry)))
        entries.append(entry)
    try:
        receipt = ledger.make_receipt(content["spec"], content["objects"], entries)
    except (KeyError, TypeError, AttributeError, ZeroDivisionError):
        # what is forged fits no receipt
        return
    (folder / "receipt.json").write_bytes(to_bytes(seal(receipt)))


def root_field(path: str, value: Any) -> Forgery:
    """Return the forgery of one field of the root's content: `spec.teacher.name`."""

    def forge(folder: Path) -> None:
        root = document(folder, "zarr.json")
        *parents, name = path.split(".")
        place = root["attributes"]["kdcache"]
        for parent in parents:
            place = place[parent]
        place[name] = value
        (folder / "zarr.json").write_text(json.dumps(root))
        seal_everything(folder)

    return forge


def static_object(key: str, data: bytes) -> Forgery:
    """Return the forgery of an object that belongs to no shard."""

    def forge(folder: Path) -> None:
        (folder / key).write_bytes(data)
        root = document(folder, "zarr.json")
        root["attributes"]["kdcache"]["objects"][key] = fingerprint(data)
        (folder / "zarr.json").write_text(json.dumps(root))
        seal_everything(folder)

    return forge


def shard_object(key: str, made: bytes | Callable[[bytes], bytes]) -> Forgery:
    """Return the forgery of an object of shard 0, given or made of the one that was there."""

    def forge(folder: Path) -> None:
        data = made if isinstance(made, bytes) else made((folder / key).read_bytes())
        (folder / key).write_bytes(data)
        entry = document(folder, "ledger/0.json")
        entry["objects"][key] = fingerprint(data)
        (folder / "ledger/0.json").write_text(json.dumps(entry))
        seal_everything(folder)

    return forge


def sealed_field(key: str, **fields: Any) -> Forgery:
    """Return the forgery of fields of a ledger entry or the receipt."""

    def forge(folder: Path) -> None:
        content = {k: v for k, v in (document(folder, key) | fields).items() if k != "sha256"}
        (folder / key).write_bytes(to_bytes(seal(content)))

    return forge


def recorded_bytes(key: str, length: int) -> Forgery:
    """Return the forgery of the length that shard 0's entry records for an object."""

    def forge(folder: Path) -> None:
        entry = document(folder, "ledger/0.json")
        entry["objects"][key]["bytes"] = length
        (folder / "ledger/0.json").write_text(json.dumps(entry))
        seal_everything(folder)

    return forge


def file(key: str, data: bytes) -> Forgery:
    """Return the forgery of a file's bytes, not sealed."""

    def forge(folder: Path) -> None:
        (folder / key).write_bytes(data)

    return forge


def in_place(key: str, make: Callable[[Path], object]) -> Forgery:
    """Return the forgery that puts something else than a file where one was."""

    def forge(folder: Path) -> None:
        path = folder / key
        path.unlink()
        make(path)

    return forge


def sparse(path: Path) -> None:
    """Make a file of a terabyte that takes no room."""
    with path.open("wb") as empty:
        empty.truncate(2**40)


def link_out(path: Path) -> None:
    """Make a link to a file beside the store."""
    outside = path.parents[path.parts[::-1].index("instances")].parent.with_suffix(".outside")
    outside.write_bytes(b"secret")
    path.symlink_to(outside)


def first_chunk(data: bytes) -> Callable[[bytes], bytes]:
    """Return a shard object whose first chunk is `data`."""

    def make(before: bytes) -> bytes:
        index = np.frombuffer(before[-36:-4], "<u8").reshape(2, 2).copy()
        body = before[:-36] + data
        index[0] = len(before) - 36, len(data)
        return body + with_checksum(index.tobytes())

    return make


def shard_index(*entries: tuple[int, int]) -> Callable[[bytes], bytes]:
    """Return a shard object with another chunk index."""
    return lambda before: before[:-36] + with_checksum(np.array(entries, "<u8").tobytes())


def crop_index(column: int, value: int) -> Callable[[bytes], bytes]:
    """Return the table of a shard's crops with another value in row 3."""

    def make(before: bytes) -> bytes:
        table = np.frombuffer(zstd.decompress(before[:-4]), "<i8").reshape(16, 5).copy()
        table[3, column] = value
        return chunk(table)

    return make


def jpeg_of_another_size(folder: Path) -> None:
    """Put a file that states 60000x60000 pixels where the index says another size."""
    table = np.frombuffer(zstd.decompress((folder / INDEX).read_bytes()[:-4]), "<i8").reshape(16, 5).copy()
    packed = bytearray((folder / PACKED).read_bytes()[:-4])
    offset, length = table[3, :2].tolist()
    pixels = np.zeros((8, 8, 3), np.uint8)
    small = bytearray(simplejpeg.encode_jpeg(pixels, 90, colorspace="RGB", colorsubsampling="444"))
    frame = small.index(b"\xff\xc0")
    small[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    packed[offset : offset + length] = small.ljust(length, b"\0")[:length]
    table[3, 2] = zlib.crc32(bytes(packed[offset : offset + length]))
    shard_object(PACKED, with_checksum(bytes(packed)))(folder)
    shard_object(INDEX, chunk(table))(folder)


def deep(opening: str, closing: str) -> bytes:
    """Return JSON that is nested a hundred thousand times."""
    return (opening * 100_000 + closing * 100_000).encode()


def array_json(shape: Any) -> bytes:
    """Return an array's metadata with another shape."""
    return json.dumps({"shape": shape, "data_type": "float64", "zarr_format": 3, "node_type": "array"}).encode()


BOX, KEYPOINTS, IDS, NAMES = (f"instances/{name}/c/0" for name in ("box", "keypoints", "annotation_id", "file_name"))
BOX, KEYPOINTS = f"{BOX}/0", f"{KEYPOINTS}/0/0"
ERROR: dict[str, Any] = {"square_sum": 0.1, "peak_cells": 9, "max_error": 0.1, "cosine": 1.0, "shift": []}
COMPACT_LEVELS = np.linspace(0, 1, 256).tolist()

WRONG_ROWS: list[Any] = [-1, 0, "20", 1.5, True, None, 10**9, 2**63]
WRONG_SHARD_ROWS: list[Any] = [0, 7, 2**40, "16"]
WRONG_TEACHERS: list[Any] = [None, {}, "vitpose", [1]]
WRONG_VERSIONS: list[Any] = [99, "1", None, [1], {}]

FORGERIES: dict[str, Forgery] = {
    **{f"rows {value!r}": root_field("spec.rows", value) for value in WRONG_ROWS},
    **{f"shard_rows {value!r}": root_field("spec.shard_rows", value) for value in WRONG_SHARD_ROWS},
    "chunk_rows 0": root_field("spec.chunk_rows", 0),
    "joints 5": root_field("spec.joints", 5),
    **{f"teacher {value!r}": root_field("spec.teacher", value) for value in WRONG_TEACHERS},
    "teacher name 5": root_field("spec.teacher.name", 5),
    "teacher joints": root_field("spec.teacher.joints", ["nose"]),
    "input_size one side": root_field("spec.frame.input_size", [256]),
    "input_size of a million": root_field("spec.frame.input_size", [10**6, 10**6]),
    "heatmap_size another": root_field("spec.frame.heatmap_size", [32, 24]),
    "cell_to_crop 1x1": root_field("spec.frame.cell_to_crop", [[1.0]]),
    "cell_to_crop text": root_field("spec.frame.cell_to_crop", [["a"] * 3] * 2),
    "codec another": root_field("spec.codec", "exact8"),
    "views a million": root_field("spec.views", 10**6),
    "views negative": root_field("spec.views", -1),
    "crops 5": root_field("spec.crops", 5),
    "versions numbers": root_field("spec.versions", {"numpy": 2}),
    "skeleton empty": root_field("spec.skeleton", {"names": []}),
    "skeleton numbers": root_field("spec.skeleton", {"names": [1, 2]}),
    "skeleton mirror": root_field("spec.skeleton", {"names": ["a"] * 17, "mirror": {"a": 1}}),
    "part": root_field("spec.annotations.part", [1]),
    "categories": root_field("spec.annotations.categories", "person"),
    **{f"format_version {v!r}": root_field("spec.format_version", v) for v in WRONG_VERSIONS},
    "photos": root_field("spec.photos", {"exif": 3}),
    "spec a list": root_field("spec", [1, 2]),
    "codec a list": root_field("codec", []),
    "levels inverted": root_field("codec.levels", COMPACT_LEVELS[::-1]),
    "levels none": root_field("codec.levels", None),
    "levels nested": root_field("codec.levels", [[0.0]]),
    "levels of a later name": root_field("codec.name", "compact9"),
    "synthesis text": root_field("codec.synthesis_y", [["a"] * 33] * 64),
    "synthesis transposed": root_field("codec.synthesis_x", np.zeros((25, 48)).tolist()),
    "code_shape a billion": root_field("codec.code_shape", [10**9, 25]),
    "dtype object": root_field("codec.dtype", "object"),
    "key out of the store": root_field("objects", {"../secret": {"bytes": 1, "sha256": "0" * 64}}),
    "key absolute": root_field("objects", {"/etc/hostname": {"bytes": 1, "sha256": "0" * 64}}),
    "key with an escape": root_field("objects", {"\x1b[2J": {"bytes": 1, "sha256": "0" * 64}}),
    "objects of no fingerprint": root_field("objects", {"instances/box/c/0/0": "abc"}),
    "objects of negative length": root_field("objects", {"instances/box/c/0/0": {"bytes": -1, "sha256": "0" * 64}}),
    "objects of a petabyte": root_field("objects", {"instances/box/c/0/0": {"bytes": 10**15, "sha256": "0" * 64}}),
    "objects none": root_field("objects", {}),
    "root deep": file("zarr.json", deep("[", "]")),
    "root deep objects": file("zarr.json", deep('{"a":', "}").replace(b":}", b":1}")),
    "root not JSON": file("zarr.json", b"\xff\xfe\x00"),
    "root NaN": file("zarr.json", b'{"attributes": NaN}'),
    "root no attributes": file("zarr.json", b'{"attributes": [{"kdcache": {}}]}'),
    "root a pipe": in_place("zarr.json", os.mkfifo),
    "root a folder": in_place("zarr.json", Path.mkdir),
    "root a device": in_place("zarr.json", lambda path: path.symlink_to("/dev/zero")),
    "root a terabyte": in_place("zarr.json", sparse),
    "table shorter": static_object(BOX, chunk(np.zeros((19, 4)))),
    "table longer": static_object(BOX, chunk(np.zeros((21, 4)))),
    "table a bomb": static_object(BOX, bomb(2**33)),
    "table a bomb of its length": static_object(BOX, bomb(20 * 4 * 8)),
    "table not finite": static_object(KEYPOINTS, chunk(np.full((20, 17, 2), np.nan))),
    "table a pipe": in_place(BOX, os.mkfifo),
    "table a link": in_place(BOX, link_out),
    "table a terabyte": in_place(BOX, sparse),
    "ids a bomb": static_object(IDS, bomb(2**40)),
    "names too few": static_object(NAMES, chunk(np.frombuffer(b"a.jpg\nb.jpg", np.uint8))),
    "metadata of another shape": static_object("instances/box/zarr.json", array_json([21, 4])),
    "metadata of a bomb": static_object("instances/file_name/zarr.json", array_json([2**50])),
    "metadata a list": static_object("heatmaps/zarr.json", b"[1]"),
    "metadata deep": static_object("heatmaps/zarr.json", deep("[", "]")),
    "chunk shorter": shard_object(CODES, first_chunk(chunk(np.zeros(10, np.uint8)))),
    "chunk longer": shard_object(CODES, first_chunk(chunk(np.zeros(8 * 17 * 33 * 25 + 1, np.uint8)))),
    "chunk a bomb": shard_object(CODES, first_chunk(bomb(2**35))),
    "chunk no frame": shard_object(CODES, first_chunk(with_checksum(b"nothing"))),
    "index outside": shard_object(CODES, shard_index((2**40, 100), (0, 100))),
    "index overflowing": shard_object(CODES, shard_index((2**64 - 8, 100), (0, 100))),
    "index without chunks": shard_object(CODES, shard_index((2**64 - 1, 2**64 - 1), (2**64 - 1, 2**64 - 1))),
    "shard of two bytes": shard_object(CODES, b"ab"),
    "shard of a recorded terabyte": recorded_bytes(CODES, 2**40),
    "shard of no recorded bytes": recorded_bytes(CODES, 0),
    "shard a pipe": in_place(CODES, os.mkfifo),
    "shard a device": in_place(CODES, lambda path: path.symlink_to("/dev/zero")),
    "shard a folder": in_place(CODES, Path.mkdir),
    **{f"crop offset {v}": shard_object(INDEX, crop_index(0, v)) for v in (-1, 2**40, 2**63 - 1)},
    **{f"crop length {v}": shard_object(INDEX, crop_index(1, v)) for v in (-1, 0, 2**40)},
    **{f"crop height {v}": shard_object(INDEX, crop_index(3, v)) for v in (-1, 0, 60000, 2**62)},
    "crop of another size": jpeg_of_another_size,
    "crop index a bomb": shard_object(INDEX, bomb(2**34)),
    "crops of a recorded petabyte": recorded_bytes(PACKED, 2**50),
    "crop matrices not finite": shard_object("crops/pixel_to_image/c/0/0/0", chunk(np.full((16, 2, 3), np.inf))),
    "view matrices a bomb": shard_object("views/crop_to_image/c/0/0/0/0", bomb(2**34)),
    "flipped neither": shard_object("views/flipped/c/0/0", chunk(np.full((16, 2), 2, np.uint8))),
    "entry deep": file("ledger/0.json", deep("[", "]")),
    "entry a list": file("ledger/0.json", b"[]"),
    "entry of other rows": sealed_field("ledger/0.json", rows=[0, 10**9]),
    "entry without objects": sealed_field("ledger/0.json", objects=[]),
    "entry of text": sealed_field("ledger/0.json", clamped="none"),
    "entry of wrong errors": sealed_field("ledger/0.json", errors={"zero": {"cosine": 1}}),
    "entry of a huge error": sealed_field("ledger/0.json", errors={"0": ERROR | {"max_error": 10**400}}),
    "entry of a negative error": sealed_field("ledger/0.json", errors={"0": ERROR | {"square_sum": -5.0}}),
    "entry of another root": sealed_field("ledger/0.json", root="0" * 64),
    "entry a pipe": in_place("ledger/0.json", os.mkfifo),
    "receipt of text": sealed_field("receipt.json", bytes="many"),
    "receipt of a huge number": sealed_field("receipt.json", clamped={"below": 10**400, "above": 0}),
    "receipt of other names": sealed_field("receipt.json", clamped={"left": 0}),
    "receipt of other errors": sealed_field("receipt.json", error={"rows": 20}),
    "receipt of no digest": sealed_field("receipt.json", digest=5),
    "receipt of other rows": sealed_field("receipt.json", rows=10**12),
    "receipt of another spec": sealed_field("receipt.json", spec={"rows": 20}),
    "receipt a list": file("receipt.json", b"[]"),
    "receipt a pipe": in_place("receipt.json", os.mkfifo),
}

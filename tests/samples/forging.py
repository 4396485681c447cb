"""Ways to change a finished store and seal it again, as somebody would who attacks its reader."""

import json
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

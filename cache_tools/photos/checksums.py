"""Files of checksums, as md5sum and sha256sum write them, and files checked against them."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cache_tools.input_file import read_input_text

#: digits of a checksum -> how it is computed
ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
# a backslash first: the name has escapes; an asterisk: read in binary mode
PLAIN = re.compile(r"(\\?)([0-9a-fA-F]+) [ *](.+)")
# of --tag
TAGGED = re.compile(r"(\\?)[A-Z0-9]+ \((.+)\) = ([0-9a-fA-F]+)")
ESCAPES = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}


def read_checksums(path: str | Path, folder: str | Path) -> dict[str, str]:
    """Return the checksum, in lower case, of each file by its path relative to `folder`.

    A name in the file is relative to the folder that the file lies in where that leads into `folder`, as when md5sum
    ran there, and else to `folder`. Lines of files that are there but outside `folder` are left out: one file may have
    the checksums of several folders.
    Raises ValueError for a line that is no checksum, and where a file has two different ones.
    """
    path, folder = Path(path), Path(folder)
    checksums: dict[str, str] = {}
    lines = 0
    text = read_input_text(path, "lines `DIGEST  NAME`, as md5sum or sha256sum writes them")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, digest = _parse(line)
        if len(digest) not in ALGORITHMS:
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r} is no checksum: expected `DIGEST  NAME`, as md5sum or sha256sum "
                "write it"
            )
        lines += 1
        inside = _name_in(folder, path.absolute().parent, name)
        if inside is not None and checksums.setdefault(inside, digest) != digest:
            raise ValueError(f"{path}, line {number}: {inside} has another checksum above: expected one a file")
    if not lines:
        raise ValueError(f"{path} holds no checksum: expected lines `DIGEST  NAME`, as md5sum or sha256sum write them")
    return checksums


def _parse(line: str) -> tuple[str, str]:
    """Return the name and the checksum of a line; an empty checksum where it has none."""
    if match := TAGGED.fullmatch(line):
        escaped, name, digest = match.groups()
    elif match := PLAIN.fullmatch(line):
        escaped, digest, name = match.groups()
    else:
        return "", ""
    if escaped:
        name = re.sub(r"\\[\\nr]", lambda found: ESCAPES[found[0]], name)
    return name, digest.lower()


def _name_in(folder: Path, base: Path, name: str) -> str | None:
    """Return the path relative to `folder` of a name that is relative to `base`, or to `folder` itself.

    None for a name relative to `base` of a file that is there, outside `folder`.
    """
    relative = os.path.relpath(base / name, folder.absolute())
    if relative.startswith(os.pardir):
        if (base / name).is_file():
            return None
        relative = os.path.normpath(name)
    return Path(relative).as_posix()


def checksums_of(names: Iterable[str], folder: str | Path, files: Sequence[str | Path]) -> dict[str, str]:
    """Return the checksum of each of some files of `folder` that several files of checksums have.

    Raises ValueError as `read_checksums` does, where two files differ, and where a name has no checksum.
    """
    checksums: dict[str, str] = {}
    for path in files:
        for name, digest in read_checksums(path, folder).items():
            if checksums.setdefault(name, digest) != digest:
                raise ValueError(f"{path} has another checksum of {name} than the files before it: expected one a file")
    names = list(names)
    missing = [name for name in names if name not in checksums]
    if missing:
        raise ValueError(
            f"{', '.join(map(str, files))} has no checksum of {len(missing)} of {len(names)} photos, {missing[0]} "
            "first: expected one of each; names are relative to the folder of photos or to that of the checksums"
        )
    return {name: checksums[name] for name in names}


def check_content(data: bytes, path: str | Path, checksum: str) -> None:
    """Raise ValueError where the content of the file `path` has another checksum."""
    algorithm = ALGORITHMS[len(checksum)]
    found = hashlib.new(algorithm, data).hexdigest()
    if found != checksum:
        raise ValueError(f"{path} has the {algorithm} {found}, expected {checksum}: fetch it again")

"""COCO 2017 and the usual person boxes from the net: resumed where they were cut, checked, unpacked under a temporary
name.

A file grows as NAME.part and takes its name only when its size and its checksum are right; a folder grows as
.NAME.part and takes its name when every image is in it. So what has its name is whole, and running it again does only
what is missing.
"""

import hashlib
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from cache_tools.progress import progress_bar

BLOCK = 1 << 20
TIMEOUT = 30.0  # seconds without a byte
PATIENCE = 8  # tries that bring no byte, one after the other, before it gives up
CUTS = (urllib.error.URLError, ConnectionError, TimeoutError, HTTPException, ssl.SSLError)  # not a full disk
AGAIN = (408, 425, 429)  # of the answers 4xx, those that may change by themselves


@dataclass(frozen=True)
class RemoteFile:
    """A file of the net, of known size, and a checksum that many have published."""

    name: str
    urls: tuple[str, ...]  # tried in turn
    size: int
    algorithm: str  # of hashlib
    digest: str


@dataclass(frozen=True)
class Archive(RemoteFile):
    """A zip file, and what is wanted of it."""

    folder: str = ""  # the only folder taken out of it
    members: tuple[str, ...] = field(default=())  # all that is wanted, or () for every file in `folder`
    count: int = 0  # how many files that is


COCO_URL = "http://images.cocodataset.org"
COCO = (
    Archive(
        "annotations_trainval2017.zip", (f"{COCO_URL}/annotations/annotations_trainval2017.zip",), 252_907_541,
        "md5", "f4bbac642086de4f52a3fdda2de5fa2c", "annotations",
        ("person_keypoints_train2017.json", "person_keypoints_val2017.json"), 2,
    ),
    Archive(
        "val2017.zip", (f"{COCO_URL}/zips/val2017.zip",), 815_585_330, "md5", "442b8da7639aecaf257c1dceb8ba8c80",
        "val2017", (), 5_000,
    ),
    Archive(
        "train2017.zip", (f"{COCO_URL}/zips/train2017.zip",), 19_336_861_798, "md5",
        "cced6f7f71b7629ddf16f17bbcfab6b2", "train2017", (), 118_287,
    ),
)  # fmt: skip
# 104,125 boxes of a detector with person AP 56.4, which HRNet's authors share on Google Drive; beside it a copy.
DETECTIONS = RemoteFile(
    "COCO_val2017_detections_AP_H_56_person.json",
    (
        "https://drive.usercontent.google.com/download?id=1ygw57X-mh0QBfENB-U5DsuSauGIu-8RB&export=download&confirm=t",
        "https://huggingface.co/datasets/msdkhairi/coco2017/resolve/0b08fc4b4c3c9cf51100442b1b0236c576142dfa/"
        "COCO_val2017_detections_AP_H_56_person.json",
    ),
    16_383_781,
    "sha256",
    "53ba0ad8d0fd461c5a000cd90797fa8c39cd8c38cd125125c0412626ff592d59",
)  # fmt: skip


def download_coco(root: str | Path, archives: Sequence[Archive] = COCO, *, keep: bool = False) -> list[Path]:
    """Photos and keypoint annotations below `root`, as COCO lays them out; returns the folders.

    keep: leave the zip files there. Raises OSError for no space or no answer, ValueError for a file that is not what
    it was.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    missing = [archive for archive in archives if not complete(root / archive.folder, archive)]
    _ask_for_space(root, missing)
    for archive in missing:
        fetch(archive, root / archive.name)
        unpack(root / archive.name, archive, root / archive.folder)
        if not keep:
            (root / archive.name).unlink()
    return [root / archive.folder for archive in archives]


def download_detections(root: str | Path, remote: RemoteFile = DETECTIONS) -> Path:
    """The detector's boxes of val2017 as a file in `root`."""
    return fetch(remote, Path(root) / remote.name)


def fetch(remote: RemoteFile, target: Path, *, wait: float = 1.0) -> Path:
    """Bring a file to `target`, going on from `target.part`; nothing is done where it is there and its checksum right.

    wait: seconds before the second try, doubled with each one that brings nothing. Raises OSError when no address
    answers, ValueError when the bytes are not the ones expected.
    """
    if target.exists() and _is_whole(target, remote):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    have = part.stat().st_size if part.exists() else 0
    with progress_bar(remote.size, remote.name, "byte", done=have, scale=True) as bar:
        urls, reasons, fruitless = list(remote.urls), {}, 0
        while have < remote.size:
            url = urls[fruitless % len(urls)]
            try:
                _append(url, part, remote, bar)
            except (*CUTS, ValueError) as error:
                reasons[url] = f"{type(error).__name__}: {error}"
                if _hopeless(error):
                    urls.remove(url)
            now = part.stat().st_size if part.exists() else 0
            fruitless = 0 if now > have else fruitless + 1
            have = now
            if fruitless >= PATIENCE or not urls:
                told = "; ".join(f"{url}: {reason}" for url, reason in reasons.items()) or "the server ended early"
                raise OSError(
                    f"{remote.name}: {have} of {remote.size} bytes ({told}). Run it again to go on from there, "
                    f"or bring the file by hand to {target}"
                )
            if fruitless:
                time.sleep(min(wait * 2 ** (fruitless - 1), 60))
    if not _is_whole(part, remote):
        part.unlink()
        raise ValueError(
            f"{remote.name}: {have} bytes do not have the {remote.algorithm} {remote.digest} that was expected. "
            "The file was removed; download it again"
        )
    os.replace(part, target)
    return target


def complete(folder: Path, archive: Archive) -> bool:
    """Whether `folder` holds what is wanted of the archive: folders take their name only when they are whole."""
    if archive.members:
        return all((folder / name).is_file() for name in archive.members)
    return folder.is_dir() and sum(1 for entry in os.scandir(folder) if not entry.name.startswith(".")) >= archive.count


def unpack(zip_path: Path, archive: Archive, folder: Path) -> None:
    """Take `archive.folder` out of a zip file into `folder`, every byte checked against the zip's own CRC."""
    growing = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(parents=True)
    try:
        with zipfile.ZipFile(zip_path) as content:
            wanted = [
                member
                for member in content.infolist()
                if not member.is_dir()
                and Path(member.filename).parent == Path(archive.folder)
                and (not archive.members or Path(member.filename).name in archive.members)
            ]
            if len(wanted) != archive.count:
                raise ValueError(
                    f"{zip_path} holds {len(wanted)} of the files wanted of {archive.folder}/: expected {archive.count}"
                )
            with progress_bar(len(wanted), f"unpack {archive.name}", "file") as bar:
                for member in wanted:
                    with content.open(member) as source, (growing / Path(member.filename).name).open("wb") as sink:
                        shutil.copyfileobj(source, sink, BLOCK)
                    bar.update()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{zip_path} is not a sound zip file ({error}): delete it and download it again") from error
    _take_place(growing, folder)


def _append(url: str, part: Path, remote: RemoteFile, bar: Any) -> None:
    """Ask for what is missing of `part` and write it there; a server that sends all from the start begins it anew."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "kdcache", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if have and response.status != 206:
            have = 0
        announced = response.headers.get("Content-Length")
        if announced is not None and have + int(announced) != remote.size:
            raise ValueError(
                f"offers {have + int(announced)} bytes, {remote.size} expected: a sign-in page, or another version"
            )
        with part.open("ab" if have else "wb") as sink:
            bar.n = have
            while block := response.read(BLOCK):
                sink.write(block)
                bar.update(len(block))


def _hopeless(error: Exception) -> bool:
    """Whether asking the same address again is of no use."""
    if isinstance(error, urllib.error.HTTPError):
        return 400 <= error.code < 500 and error.code not in AGAIN
    return isinstance(error, ValueError)


def _is_whole(path: Path, remote: RemoteFile) -> bool:
    """Whether a file has the size and the checksum that are expected."""
    if path.stat().st_size != remote.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, remote.algorithm).hexdigest() == remote.digest


def _ask_for_space(root: Path, archives: Sequence[Archive]) -> None:
    """Refuse before the first byte: an archive lies beside its files for a while, and JPEG does not shrink in a zip."""
    started = sum(p.stat().st_size for a in archives for p in root.glob(f"{a.name}*"))
    needed = sum(a.size for a in archives) + max((a.size for a in archives), default=0) - started
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(f"{root} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed for the download")


def _take_place(growing: Path, folder: Path) -> None:
    """Rename a finished folder; into one that is already there (a user's annotations) file by file."""
    if not folder.exists():
        os.replace(growing, folder)
        return
    for file in growing.iterdir():
        os.replace(file, folder / file.name)
    growing.rmdir()

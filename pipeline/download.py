"""Download COCO 2017 and the usual person boxes: resumed after an interruption, checked, unpacked.

A file grows as NAME.part and gets its name when its size and its checksum are right; a folder grows as .NAME.part and
gets its name when every image is in it. Therefore what has its name is whole, and a second run does only what is
missing.
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
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from cache_tools.files import sync, sync_tree
from cache_tools.folder_lock import folder_lock
from cache_tools.progress import progress_bar

#: bytes
BLOCK = 1 << 20
#: seconds without a byte
TIMEOUT = 30.0
#: tries in a row without a byte before the download gives up
MAX_FRUITLESS_TRIES = 8
#: seconds between two tries at most
MAX_WAIT = 60.0
#: the errors of a connection; not those of a full disk
CONNECTION_ERRORS = (urllib.error.URLError, ConnectionError, TimeoutError, HTTPException, ssl.SSLError)
#: of the answers 4xx, those that may be another one later
TEMPORARY_ANSWERS = (408, 425, 429)


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file on a web server, of known size and with a published checksum."""

    name: str
    #: tried in turn
    urls: tuple[str, ...]
    #: bytes
    size: int
    #: a name of hashlib
    algorithm: str
    #: hexadecimal
    digest: str


@dataclass(frozen=True, kw_only=True)
class Archive(RemoteFile):
    """A zip file, and the part of it that is unpacked."""

    #: the only folder taken out of it
    folder: str
    #: names of the files to take; empty: every file in `folder`
    members: tuple[str, ...] = ()
    #: number of those files
    count: int


COCO_URL = "http://images.cocodataset.org"
COCO = (
    Archive(
        name="annotations_trainval2017.zip",
        urls=(f"{COCO_URL}/annotations/annotations_trainval2017.zip",),
        size=252_907_541,
        algorithm="md5",
        digest="f4bbac642086de4f52a3fdda2de5fa2c",
        folder="annotations",
        members=("person_keypoints_train2017.json", "person_keypoints_val2017.json"),
        count=2,
    ),
    Archive(
        name="val2017.zip",
        urls=(f"{COCO_URL}/zips/val2017.zip",),
        size=815_585_330,
        algorithm="md5",
        digest="442b8da7639aecaf257c1dceb8ba8c80",
        folder="val2017",
        count=5_000,
    ),
    Archive(
        name="train2017.zip",
        urls=(f"{COCO_URL}/zips/train2017.zip",),
        size=19_336_861_798,
        algorithm="md5",
        digest="cced6f7f71b7629ddf16f17bbcfab6b2",
        folder="train2017",
        count=118_287,
    ),
)
# 104,125 boxes of a detector with person AP 56.4, which HRNet's authors share on Google Drive, and a copy
DETECTIONS = RemoteFile(
    name="COCO_val2017_detections_AP_H_56_person.json",
    urls=(
        "https://drive.usercontent.google.com/download?id=1ygw57X-mh0QBfENB-U5DsuSauGIu-8RB&export=download&confirm=t",
        "https://huggingface.co/datasets/msdkhairi/coco2017/resolve/0b08fc4b4c3c9cf51100442b1b0236c576142dfa/"
        "COCO_val2017_detections_AP_H_56_person.json",
    ),
    size=16_383_781,
    algorithm="sha256",
    digest="53ba0ad8d0fd461c5a000cd90797fa8c39cd8c38cd125125c0412626ff592d59",
)


def download_coco(root: str | Path, archives: Sequence[Archive] = COCO, *, keep: bool = False) -> list[Path]:
    """Download photos and keypoint annotations to `root`, in COCO's layout, and return the folders.

    keep: leave the zip files there. Raises OSError where there is no space or no server answers, ValueError for a file
    with another checksum than the published one.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    missing = [archive for archive in archives if not is_complete(root / archive.folder, archive)]
    _check_space(root, missing)
    for archive in missing:
        with _download_lock(root, archive):
            fetch(archive, root / archive.name)
            unpack(root / archive.name, archive, root / archive.folder)
            if not keep:
                (root / archive.name).unlink()
    return [root / archive.folder for archive in archives]


def download_detections(root: str | Path, remote: RemoteFile = DETECTIONS) -> Path:
    """Download the detector's boxes of val2017 as a file in `root` and return its path."""
    with _download_lock(Path(root), remote):
        return fetch(remote, Path(root) / remote.name)


def _download_lock(root: Path, remote: RemoteFile) -> AbstractContextManager[None]:
    """Return the lock under which a file grows: half a file that is there was left by a download that was killed."""
    return folder_lock(root, f".{remote.name}.lock", f"being filled with {remote.name}")


def fetch(remote: RemoteFile, target: Path, *, wait: float = 1.0) -> Path:
    """Download a file to `target`, continuing `target.part`; do nothing where the file exists with its checksum.

    wait: seconds before the second try, doubled with each one that brings nothing. Raises OSError when no address
    answers, ValueError when the bytes are not the expected ones.
    """
    if target.exists() and _is_whole(target, remote):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if _size(part) > remote.size:
        part.unlink()
    size = _size(part)
    with progress_bar(remote.size, remote.name, "byte", done=size, scale=True) as bar:
        urls, reasons, fruitless = list(remote.urls), {}, 0
        while size < remote.size:
            url = urls[fruitless % len(urls)]
            try:
                _append(url, part, remote, bar)
            except (*CONNECTION_ERRORS, ValueError) as error:
                reasons[url] = f"{type(error).__name__}: {error}"
                if _is_permanent(error):
                    urls.remove(url)
            fruitless = 0 if _size(part) > size else fruitless + 1
            size = _size(part)
            if fruitless >= MAX_FRUITLESS_TRIES or not urls:
                found = "; ".join(f"{url}: {reason}" for url, reason in reasons.items()) or "the server ended early"
                raise OSError(
                    f"{remote.name}: {size} of {remote.size} bytes ({found}). Run the same command again to continue "
                    f"from there, or copy the file by hand to {target}"
                )
            if fruitless:
                time.sleep(min(wait * 2 ** (fruitless - 1), MAX_WAIT))
    if not _is_whole(part, remote):
        part.unlink()
        raise ValueError(
            f"{remote.name}: {size} bytes do not have the {remote.algorithm} {remote.digest} that was expected. "
            "The file was removed; download it again"
        )
    sync(part)
    os.replace(part, target)
    sync(target.parent)
    return target


def is_complete(folder: Path, archive: Archive) -> bool:
    """Return whether `folder` holds what is taken out of the archive; folders get their name only when they do."""
    if archive.members:
        return all((folder / name).is_file() for name in archive.members)
    if not folder.is_dir():
        return False
    return sum(not entry.name.startswith(".") for entry in os.scandir(folder)) >= archive.count


def unpack(zip_path: Path, archive: Archive, folder: Path) -> None:
    """Take `archive.folder` out of a zip file into `folder`; every byte is checked against the zip's CRC."""
    growing = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(parents=True)
    try:
        with zipfile.ZipFile(zip_path) as content:
            members = [member for member in content.infolist() if _is_taken(member, archive)]
            if len(members) != archive.count:
                raise ValueError(
                    f"{zip_path} holds {len(members)} of the files of {archive.folder}/ that are taken out of it: "
                    f"expected {archive.count}; delete it and download it again"
                )
            with progress_bar(len(members), f"unpack {archive.name}", "file") as bar:
                for member in members:
                    with content.open(member) as source, (growing / Path(member.filename).name).open("wb") as sink:
                        shutil.copyfileobj(source, sink, BLOCK)
                    bar.update()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{zip_path} is damaged ({error}): delete it and download it again") from error
    _give_name(growing, folder)


def _is_taken(member: zipfile.ZipInfo, archive: Archive) -> bool:
    path = Path(member.filename)
    in_folder = not member.is_dir() and path.parent == Path(archive.folder)
    return in_folder and (not archive.members or path.name in archive.members)


def _append(url: str, part: Path, remote: RemoteFile, bar: Any) -> None:
    """Request the missing end of `part` and write it there; a server that ignores ranges makes it start again.

    Of an answer without a stated length no more is read than is expected; ValueError where there is more.
    """
    size = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "kdcache", "Accept-Encoding": "identity"})
    if size:
        request.add_header("Range", f"bytes={size}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if size and response.status != 206:
            size = 0
        announced = response.headers.get("Content-Length")
        if announced is not None and size + int(announced) != remote.size:
            raise ValueError(
                f"offers {size + int(announced)} bytes, {remote.size} expected: a sign-in page, or another version"
            )
        with part.open("ab" if size else "wb") as sink:
            bar.n = received = size
            while block := response.read(min(BLOCK, remote.size - received + 1)):
                received += len(block)
                if received > remote.size:
                    # nothing of this answer is what was expected
                    sink.truncate(size)
                    bar.n = size
                    raise ValueError(f"sends more than {remote.size} bytes: a page, or another version")
                sink.write(block)
                bar.update(len(block))


def _is_permanent(error: Exception) -> bool:
    """Return whether the same address would answer the same again."""
    if isinstance(error, urllib.error.HTTPError):
        return 400 <= error.code < 500 and error.code not in TEMPORARY_ANSWERS
    return isinstance(error, ValueError)


def _is_whole(path: Path, remote: RemoteFile) -> bool:
    """Return whether a file has the expected size and checksum."""
    if _size(path) != remote.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, remote.algorithm).hexdigest() == remote.digest


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(root: Path, archives: Sequence[Archive]) -> None:
    """Raise OSError where the disk is too small: for a while an archive lies beside its files, which are as large."""
    started = sum(path.stat().st_size for archive in archives for path in root.glob(f"{archive.name}*"))
    needed = sum(a.size for a in archives) + max((a.size for a in archives), default=0) - started
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(
            f"{root} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed for the download: "
            "make room or give another folder"
        )


def _give_name(growing: Path, folder: Path) -> None:
    """Rename a finished folder; move its files one by one where the folder exists, as a user's annotations may."""
    sync_tree(growing)
    if not folder.exists():
        os.replace(growing, folder)
    else:
        for file in growing.iterdir():
            os.replace(file, folder / file.name)
        growing.rmdir()
        sync(folder)
    sync(folder.parent)

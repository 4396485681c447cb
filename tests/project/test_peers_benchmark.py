"""benchmarks/peers.py on generated photos: both tables are there, with a target for each peer."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.small_build import write_photos

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run it on eight persons, with few peers, and return what it prints."""
    data = tmp_path_factory.mktemp("data")
    photos = data / "coco" / "train"
    photos.mkdir(parents=True)
    write_photos(photos, 8).rename(data / "coco" / "person_keypoints_train.json")
    command = [sys.executable, "benchmarks/peers.py", "--data", str(data), "--teacher", "oracle", "--rounds", "1"]
    ended = subprocess.run(
        [*command, "--only", "files", "uint8", "lmdb"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def cells(printed: str, name: str) -> list[str]:
    """Return the cells of a peer's line, after its name."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    (found,) = [line for line in lines if line[0] == name]
    return found[1:]


def test_every_reader_has_its_times_and_each_peer_its_target(printed: str) -> None:
    assert printed.startswith("8 persons in 3 photos")
    for name in (
        "kdcache, views, pixels kept in memory",
        "files + cv2",
        "kdcache exact8, in memory",
        ".npy memory map, uint8",
    ):
        size, *times, ratio, target = cells(printed, name)
        assert float(size.replace(",", "")) > 0
        assert all(float(time) >= 0 for time in times)
        assert (target == "") == name.startswith("kdcache")
        assert float(ratio) >= 0


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(printed: str) -> None:
    size, *others = cells(printed, "LMDB, uint8 + zstd")
    if size.startswith("not installed"):
        assert size == "not installed: No module named 'lmdb'"
        assert not any(others)
    else:
        assert all(others)


def test_without_real_photos_nothing_is_measured(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/peers.py", "--data", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"nothing measured: no real photos at {tmp_path}")

"""The wheel and the sdist are complete. The sdist is built from this folder, the wheel from the unpacked sdist."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cache_tools", "student", "pipeline")
CACHES = ("__pycache__", "*.egg-info", "results", "_build", "build", "dist")


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or an sdist from a folder, by setuptools, and return its path."""
    out.mkdir(exist_ok=True)
    code = f"import sys, setuptools.build_meta as backend; backend.build_{kind}(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=source, text=True, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    (path,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    copytree(ROOT, folder / "source", symlinks=True, ignore=ignore_patterns(".?*", *CACHES))
    with tarfile.open(build("sdist", folder / "source", folder / "dist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build("wheel", sdist, folder / "dist")) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def files_in(root: Path, *folders: str) -> set[str]:
    """Return the files below these folders, relative to `root`; linked folders are followed."""
    found = set()
    for folder in folders:
        for entry in (root / folder).iterdir():
            name = f"{folder}/{entry.name}"
            if entry.is_dir():
                found |= set() if entry.name == "__pycache__" else files_in(root, name)
            else:
                found.add(name)
    return found


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    expected = files_in(ROOT, *PACKAGES)
    assert files_in(wheel, *PACKAGES) == expected
    assert {"pipeline/workflow/main.smk", "pipeline/workflow/config/demo-small.yaml", "student/py.typed"} <= expected
    metadata = [path.name for path in wheel.iterdir() if path.name not in PACKAGES]
    assert [name.endswith(".dist-info") for name in metadata] == [True]


def test_the_sdist_holds_tests_and_all_that_they_read(sdist: Path) -> None:
    folders = ("tests", "benchmarks", "config", "profiles")
    assert files_in(sdist, *folders) == files_in(ROOT, *folders)
    for name in ("Snakefile", "Makefile", "constraints.txt", "README.md", "LICENSE", "docs/store-format.md"):
        assert (sdist / name).read_bytes() == (ROOT / name).read_bytes()


def test_tests_of_the_sdist_run(sdist: Path) -> None:
    names = ["tests/pipeline/workflow/test_paths.py", "tests/cache_tools/test_geometry.py"]
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *names]
    ended = subprocess.run(command, cwd=sdist, text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout

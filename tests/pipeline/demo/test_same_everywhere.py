"""The demo's bytes are a function of the seed: the same with every instruction set, and with any number of threads."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

# Besides the demo's files it writes results that do depend on the processor, to show that a variable has an effect.
DRAW = """
import math, sys
from pathlib import Path
import cv2, numpy as np
from pipeline.demo.dataset import write_dataset
from pipeline.demo.standing import make_standing
out = Path(sys.argv[1])
write_dataset(out / "easy", 12, seed=1, val_persons=2)
write_dataset(out / "hard", 12, seed=1, val_persons=2, level="hard")
for seed in range(3):
    standing = make_standing(seed, (172, 185))
    truth = [standing.image, standing.label.mask, standing.label.keypoints, standing.joints, standing.hka3d]
    (out / f"standing {seed}").write_bytes(b"".join(np.asarray(array).tobytes() for array in truth))
x = np.random.default_rng(0).uniform(0.1, 9, (200, 200))
for name, array in {
    "numpy": [np.log(x), np.exp(x), np.sin(x.astype(np.float32))],
    "blas": x @ x,
    "opencv": cv2.GaussianBlur(x.astype(np.float32), (0, 0), 1.3),
    "libm": [math.sin(value) for value in x.ravel()],
}.items():
    (out / name).write_bytes(np.asarray(array).tobytes())
"""
CONTROLS = {"numpy", "blas", "opencv"} | ({"libm"} if platform.libc_ver()[0] == "glibc" else set())
NUMPY_FEATURES = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
OPENCV_FEATURES = [name.strip("*?") for name in cv2.getCPUFeaturesLine().split() if name.startswith("*")]

FEWEST = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY_FEATURES),
    "OPENCV_CPU_DISABLE": ",".join(OPENCV_FEATURES),
    "OPENCV_IPP": "disabled",
    "OPENBLAS_CORETYPE": "Nehalem",
    "JSIMD_FORCENONE": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F",
}
AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(n for n in NUMPY_FEATURES if n.startswith(("AVX512", "X86_V4"))),
    "OPENCV_CPU_DISABLE": ",".join(name for name in OPENCV_FEATURES if name.startswith("AVX512")),
    "OPENCV_IPP": "avx2",
    "OPENBLAS_CORETYPE": "Haswell",
    "JSIMD_FORCEAVX2": "1",
}
SSE = {"OPENCV_IPP": "sse42", "OPENBLAS_CORETYPE": "Nehalem", "JSIMD_FORCESSE2": "1"}
THREADS = {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "OPENCV_FOR_THREADS_NUM": "3"}


def drawn_with(variables: dict[str, str], out: Path) -> dict[str, str]:
    """Draw in a process with these environment variables; return the digest of each file."""
    process = subprocess.run(
        [sys.executable, "-c", DRAW, str(out)], env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    files = [path for path in out.rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def drawn_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return drawn_with({}, tmp_path_factory.mktemp("here"))


def test_the_fewest_instructions_give_the_same_bytes(drawn_here: dict[str, str], tmp_path: Path) -> None:
    drawn = drawn_with(FEWEST, tmp_path)
    assert drawn.keys() == drawn_here.keys()
    assert sum(name.endswith(".jpg") for name in drawn) > 15
    differing = {name for name in drawn if drawn[name] != drawn_here[name]}
    assert differing <= CONTROLS
    if {"AVX2", "X86_V3"} & set(NUMPY_FEATURES):  # a processor on which the variables take something away
        assert differing == CONTROLS


@pytest.mark.parametrize("variables", [AVX2, SSE, THREADS], ids=["avx2", "sse", "threads"])
def test_other_instructions_and_threads_give_the_same_bytes(
    drawn_here: dict[str, str], variables: dict[str, str], tmp_path: Path
) -> None:
    drawn = drawn_with(variables, tmp_path)
    assert {name for name in drawn if drawn[name] != drawn_here[name]} <= CONTROLS

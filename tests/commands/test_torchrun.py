"""`torchrun --no-python kdcache train`, as documented, in a folder with modules of the names of kdcache's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore
from student.run_record import read_record
from tests.samples.drawn_store import quick_settings

PROGRAMS = Path(sys.executable).parent


@pytest.mark.timeout(600)
def test_two_processes_train_one_student_whatever_lies_in_the_folder(store: HeatmapStore, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("raise SystemExit('of somebody else')")
    (tmp_path / "student").mkdir()
    (tmp_path / "student/__init__.py").write_text("raise SystemExit('of somebody else')")
    (tmp_path / "settings.json").write_text(quick_settings(train__epochs=1).model_dump_json())
    ended = subprocess.run(
        [
            PROGRAMS / "torchrun", "--standalone", "--nproc-per-node", "2", "--no-python", PROGRAMS / "kdcache",
            "train", os.path.abspath(store.url), "--out", "run", "--settings", "settings.json", "--device", "cpu",
        ],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        text=True, capture_output=True, timeout=500, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    record = read_record(tmp_path / "run")
    assert record.finished
    assert record.data.processes == 2

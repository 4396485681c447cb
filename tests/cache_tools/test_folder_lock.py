"""The lock of a folder: what it leaves, and what its error says."""

from pathlib import Path

import pytest

from cache_tools.folder_lock import folder_lock

NAME, USE = ".work-lock", "being worked on"


def test_folders_that_it_made_and_nothing_was_written_into_are_gone_afterwards(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a" / "b" / "c", NAME, USE):
        assert (tmp_path / "a" / "b" / "c" / NAME).exists()
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "kept"]


def test_what_was_written_stays(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a", NAME, USE):
        (tmp_path / "a" / "result").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["result"]


def test_another_name_is_another_lock(tmp_path: Path) -> None:
    with folder_lock(tmp_path, NAME, USE), folder_lock(tmp_path, ".other-lock", USE):
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("variable", ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"])
def test_the_error_names_the_queue_s_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "77.server")
    with (
        folder_lock(tmp_path, NAME, USE),
        pytest.raises(BlockingIOError, match=r"is being worked on by another process \(.*, job '77\.server'\)"),
        folder_lock(tmp_path, NAME, USE),
    ):
        pass

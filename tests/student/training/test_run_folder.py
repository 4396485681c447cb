"""A run's folder when a new run takes the place of another."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from student.run_record import RunData, RunRecord, resolved, run_state, write_record
from student.settings import StudentSettings
from student.training.run_folder import restart
from tests.samples.small_run import SMALL, write_run


@pytest.mark.parametrize("kept", range(8))
def test_killed_at_any_moment_of_a_restart_a_folder_is_still_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Of the removals and renames `kept` are done, then the process is gone."""
    run = tmp_path / "run"
    write_run(run)
    settings = StudentSettings(name="small", model=SMALL)
    old = RunRecord(name="small", settings=resolved(settings), data=RunData(stores=["abc"]), finished=True)
    new = old.model_copy(update={"data": RunData(stores=["xyz"]), "finished": False})
    write_record(run, old)
    shutil.copyfile(run / "best.safetensors", run / "last.safetensors")
    (run / "resume.pt").write_bytes(b"old")
    left = iter(range(kept))

    def perhaps(act: Callable[..., Any]) -> Callable[..., Any]:
        def acts(*arguments: Any, **more: Any) -> Any:
            if next(left, None) is None:
                raise SystemExit
            return act(*arguments, **more)

        return acts

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", perhaps(Path.unlink))
        patch.setattr(os, "replace", perhaps(os.replace))
        with contextlib.suppress(SystemExit):
            restart(run, new)
    state = run_state(run, settings, new.data, overwrite=True)
    assert not (run / "resume.pt").exists() or kept == 0
    if state == "new":
        assert run_state(run, settings, old.data) == "finished"
        assert (run / "best.safetensors").exists()
    else:
        assert state == "unfinished"

"""run.json: written whole, read back, compared with what is requested."""

import json
import shutil
from pathlib import Path

import pytest

from student.run_record import (
    RunData,
    RunRecord,
    damaged_weights,
    read_record,
    resolved,
    run_state,
    write_record,
)
from student.settings import StudentSettings
from tests.samples.small_run import SMALL, write_run

SETTINGS = StudentSettings(name="small", model=SMALL)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run")
    return tmp_path / "run"


def test_a_record_is_read_as_it_was_written_and_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    record = RunRecord(name="small", settings=resolved(SETTINGS), rows=8, best={"step": 6, "AP": None})
    write_record(tmp_path, record)
    document = json.loads((tmp_path / "run.json").read_text())
    assert list(document) == ["format", "name", "settings", "rows", "best"]  # what was set, in this order
    assert document["settings"]["augment"]["rotate_sd"] == 40.0  # numbers, not a name
    assert document["best"] == {"step": 6, "AP": None}
    (tmp_path / "run.json").write_text(json.dumps(document | {"later": [1]}))
    assert read_record(tmp_path).to_json() == document | {"later": [1]}


def test_a_folder_with_what_a_killed_process_left_is_new(tmp_path: Path) -> None:
    (tmp_path / ".run.12ab.partial.json").write_bytes(b"half")
    assert run_state(tmp_path, SETTINGS, RunData()) == "new"
    (tmp_path / "resume.pt").write_bytes(b"whole")
    with pytest.raises(ValueError, match=r"without run\.json, yet not empty"):
        run_state(tmp_path, SETTINGS, RunData())


def test_the_state_of_a_folder(run: Path, tmp_path: Path) -> None:
    data = RunData(stores=["abc"], processes=1)
    assert run_state(tmp_path / "new", SETTINGS, data) == "new"
    record = RunRecord(name="small", settings=resolved(SETTINGS), data=data)
    shutil.copyfile(run / "best.safetensors", run / "last.safetensors")
    for finished, state in ((False, "unfinished"), (True, "finished")):
        write_record(run, record.model_copy(update={"finished": finished}))
        assert run_state(run, SETTINGS, data) == state
    renamed = SETTINGS.model_copy(update={"name": "renamed"})
    assert run_state(run, renamed, data) == "finished"
    other = RunData(stores=["xyz"])
    with pytest.raises(ValueError, match=r"data.stores: found \['abc'\], requested \['xyz'\]"):
        run_state(run, SETTINGS, other)
    assert run_state(run, SETTINGS, other, overwrite=True) == "new"
    (run / "run.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ValueError, match="settings: is missing"):
        run_state(run, SETTINGS, data)
    assert run_state(run, SETTINGS, data, overwrite=True) == "new"


@pytest.mark.parametrize("name", ["best", "last"])
@pytest.mark.parametrize("kept", [None, 0, 5, -1], ids=["missing", "empty", "of its header", "cut"])
def test_a_run_without_whole_weights_is_not_finished(run: Path, name: str, kept: int | None) -> None:
    shutil.copyfile(run / "best.safetensors", run / "last.safetensors")
    write_record(run, RunRecord(name="small", settings=resolved(SETTINGS), data=RunData(), finished=True))
    assert run_state(run, SETTINGS, RunData()) == "finished"
    path = run / f"{name}.safetensors"
    data = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(data[:kept])
    assert run_state(run, SETTINGS, RunData()) == "new"
    (damage,) = damaged_weights(run)
    assert damage.startswith(f"{name}.safetensors is {'missing' if kept is None else 'damaged'}")
    (run / "resume.pt").write_bytes(b"saved")
    assert run_state(run, SETTINGS, RunData()) == "unfinished"


def test_a_name_that_leads_out_of_a_folder_is_refused(run: Path) -> None:
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(document | {"name": "../../receipt"}))
    with pytest.raises(ValueError, match="name: String should match"):
        read_record(run)

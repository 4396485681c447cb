"""log.jsonl: appended in whole lines, cut where a run goes on."""

import os
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from student.training.metric_logger import MetricLogger, append_log, cut_log, read_log


def test_entries_go_to_the_log_and_to_tensorboard(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0) as logger:
        logger.write({"step": 4, "epoch": 0.5, "loss": 0.25})
        logger.write({"step": 8, "epoch": 1.0, "loss": 0.125, "AP": None})
    with MetricLogger(tmp_path, 4) as logger:
        logger.write({"step": 8, "epoch": 1.0, "loss": 0.5})
    assert read_log(tmp_path)[0] == {"step": 4, "epoch": 0.5, "loss": 0.25}
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    # as TensorBoard itself reads them: what the run logged again after it was resumed takes the place of what it had
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert read.Tags()["scalars"] == ["loss"]
    assert [(event.step, event.value) for event in read.Scalars("loss")] == [(4, 0.25), (8, 0.5)]


@pytest.mark.parametrize("full", ["log.jsonl", "tensorboard"])
def test_of_a_full_disk_there_is_one_error_with_the_file_and_no_thread_that_prints(
    tmp_path: Path, full: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill_up() -> None:
        with MetricLogger(tmp_path, 0) as logger, open("/dev/full", "wb", buffering=0) as device:
            logger.write({"step": 4, "loss": 0.25})
            assert logger.events is not None
            if full == "log.jsonl":
                (tmp_path / full).unlink()
                (tmp_path / full).symlink_to("/dev/full")
            else:
                os.dup2(device.fileno(), logger.events.file.fileno())
            logger.write({"step": 8, "loss": 0.125})

    with pytest.raises(OSError, match="No space left on device") as refused:
        fill_up()
    assert refused.value.filename == str(tmp_path / full) or full == "tensorboard"
    assert full in str(refused.value)
    assert capfd.readouterr().err == ""


def test_a_logger_of_another_process_writes_nothing(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0, enabled=False) as logger:
        logger.write({"step": 4, "loss": 0.25})
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_cut_where_the_run_goes_on(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        append_log(tmp_path, {"step": step, "loss": 1 / step})
    cut_log(tmp_path, 20)
    append_log(tmp_path, {"step": 30, "loss": 0.5})
    assert [(e["step"], e["loss"]) for e in read_log(tmp_path)] == [(10, 0.1), (20, 0.05), (30, 0.5)]


def test_half_a_last_line_of_the_log_is_forgotten(tmp_path: Path) -> None:
    append_log(tmp_path, {"step": 10})
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 20, "lo')
    assert read_log(tmp_path) == [{"step": 10}]
    cut_log(tmp_path, 20)
    append_log(tmp_path, {"step": 20})
    assert read_log(tmp_path) == [{"step": 10}, {"step": 20}]
    (tmp_path / "log.jsonl").write_text('{"st\n{"step": 20}\n')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        read_log(tmp_path)

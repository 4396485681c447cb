"""log.jsonl: appended in whole lines, cut where a run goes on."""

from pathlib import Path

import pytest

from student.training.metric_logger import MetricLogger, append_log, cut_log, read_log


def test_entries_go_to_the_log_and_to_tensorboard(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0) as logger:
        logger.write({"step": 4, "epoch": 0.5, "loss": 0.25})
    assert read_log(tmp_path) == [{"step": 4, "epoch": 0.5, "loss": 0.25}]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


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

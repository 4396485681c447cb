"""benchmarks/device.py at its smallest size on a CPU: every section runs, and the report holds what it measured."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
SECTIONS = ["parity", "waiting", "cache", "kernels", "teacher", "table1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run it as `make gpu` does and return the folder of its report."""
    folder = tmp_path_factory.mktemp("results")
    # sections are not to end early on a busy machine
    command = [sys.executable, "benchmarks/device.py", "--size", "test", "--out", str(folder), "--seconds", "3000"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 targets missed, 0 sections failed" in ended.stdout
    return folder


@pytest.fixture
def device_benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the benchmark as a module, imported as Python runs it: from its own folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import device

    return device


def test_every_section_ends_and_has_rows(out: Path) -> None:
    report = json.loads((out / "gpu.json").read_text())
    assert [section["name"] for section in report["sections"]] == SECTIONS
    assert {section["ended"] for section in report["sections"]} == {"done"}
    assert all(section["rows"] for section in report["sections"])
    assert {"device", "torch", "date", "cores", "size"} <= report.keys()


def test_on_a_cpu_the_device_is_itself_and_only_parity_is_judged(out: Path) -> None:
    sections = {s["name"]: s["rows"] for s in json.loads((out / "gpu.json").read_text())["sections"]}
    judged = {name for name, rows in sections.items() if any(row["met"] is not None for row in rows)}
    assert judged == {"parity"}
    exact = [row for row in sections["parity"] if "bfloat16" not in row["what"]]
    assert {row["value"] for row in exact} == {0}
    rows = {row["what"]: row for row in sections["waiting"]}
    assert rows["resnet10t, eager, pixels memory: both over the slower"]["target"] == "<= 1.05"
    assert rows["resnet10t, eager: step only"]["value"] > 0
    assert next(r for r in sections["teacher"] if "share" in r["what"])["target"] == ">= 97"


def test_the_report_can_be_read(out: Path) -> None:
    text = (out / "gpu.md").read_text()
    assert text.startswith("# On this machine\n\n- device: ")
    assert f"- torch: {torch.__version__.partition('+')[0]}" in text
    for title in ("Parity with a CPU", "Kernels beside a copy", "Table 1's speeds"):
        assert f"## {title}\n" in text
    assert "| <= 0.0001 | yes" in text


def test_a_section_that_fails_leaves_the_others(device_benchmark: Any, tmp_path: Path) -> None:
    def fails(context: Any) -> Iterator[Any]:
        yield device_benchmark.Row("before", 1.0)
        raise RuntimeError("out of memory")

    def late(context: Any) -> Iterator[Any]:
        context.deadline = 0
        yield device_benchmark.Row("first", 2.0, "s")
        pytest.fail("it went on after its time")

    sections = {"parity": ("Fails", fails), "waiting": ("Late", late)}
    context_type = type("Context", (SimpleNamespace,), {"seconds_left": property(lambda self: self.deadline - 1)})
    context = context_type(on_gpu=False, deadline=0.0)
    report = device_benchmark.Report(tmp_path, {"device": "none"})
    original, device_benchmark.SECTIONS = device_benchmark.SECTIONS, sections
    try:
        device_benchmark.run(context, report, ["parity", "waiting"], 1000.0)
    finally:
        device_benchmark.SECTIONS = original
    assert report.failed == ["parity"]
    found = json.loads((tmp_path / "gpu.json").read_text())["sections"]
    assert [section["ended"] for section in found] == ["failed", "out of time"]
    assert [len(section["rows"]) for section in found] == [1, 1]
    assert "RuntimeError: out of memory" in (tmp_path / "gpu.md").read_text()


def test_a_part_that_fails_leaves_the_rest_of_its_section(device_benchmark: Any) -> None:
    from on_device.attempts import attempt

    def part() -> Iterator[Any]:
        yield device_benchmark.Row("before", 1.0)
        raise RuntimeError("out of memory\nmore")

    before, failed = attempt("densenet", part())
    assert (before.what, failed.what, failed.met) == ("before", "densenet: failed", False)
    assert failed.note.startswith("RuntimeError: out of memory (tests/project/test_device_benchmark.py:")


def test_the_profile_of_what_missed_its_target_is_kept(device_benchmark: Any, tmp_path: Path) -> None:
    context = device_benchmark.Context(
        torch.device("cpu"), device_benchmark.SIZES["test"], tmp_path, tmp_path / "p.txt"
    )
    for what in ("one", "other"):
        context.keep_profile(what, lambda: torch.ones(9, 9) @ torch.ones(9, 9))
    text = (tmp_path / "p.txt").read_text()
    assert text.startswith("## one\n")
    assert "## other\n" in text
    assert "aten::mm" in text


def test_nothing_is_compiled_ahead_without_a_gpu(device_benchmark: Any, tmp_path: Path) -> None:
    rows = tmp_path / "compiled.jsonl"
    command = [sys.executable, "benchmarks/on_device/compile_ahead.py", "--out", str(rows)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    assert rows.read_text() == ""


def test_a_target_that_is_missed_is_on_top_of_the_report(device_benchmark: Any, tmp_path: Path) -> None:
    import measured as rows

    report = device_benchmark.Report(tmp_path, {"device": "none"})
    section = device_benchmark.Section("waiting", "No waiting", ended="done")
    section.rows += [rows.at_most("ratio", 1.2, 1.05, "x"), rows.at_least("busy", 97, 95, "%")]
    section.rows += [rows.at_most("elsewhere", 9, 1, judged=False)]
    report.sections.append(section)
    report.write()
    text = (tmp_path / "gpu.md").read_text()
    assert report.missed == ["waiting: ratio"]
    assert "Targets missed: 1.\n- waiting: ratio\n" in text

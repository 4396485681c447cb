"""The whole workflow in small: planned, run, run again for nothing, and run in part after a change."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STUDENT = {"backbone": "timm:resnet10t", "backbone_options": {"stem_width": 8, "channels": [8, 8, 16, 16]}}
JOBS = {
    "demo_data": 1, "build": 1, "train": 2, "evaluate_student": 2, "evaluate_teacher": 1, "cost_student": 1,
    "cost_teacher": 1, "table": 1, "chart": 1, "heatmaps": 1, "predictions": 1, "hka": 1, "all": 1,
}  # fmt: skip


def snakemake(config: Path, *arguments: str) -> str:
    """What snakemake says, its return code checked."""
    command = ["snakemake", "--cores", "2", "--configfile", str(config), "--directory", str(config.parent), *arguments]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(output: str) -> dict[str, int]:
    """Jobs a rule, from snakemake's table of job stats."""
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE) if rule != "total"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workflow")
    text = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    text["data"]["rendered"] = {"persons": 24, "val_persons": 12, "seed": 3}
    text["defaults"]["train"].update(epochs=1, batch_size=8)
    text["students"] = [{"name": "tiny", "model": STUDENT}]
    text["report"] = {"persons": 2, "benchmark_seconds": 0.1, "benchmark_batch_size": 4, "hka_rendered": 2}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(text))
    return path


def test_the_paper_plans_fourteen_trainings_and_eighteen_evaluations(tmp_path: Path) -> None:
    jobs = planned(snakemake(ROOT / "config/paper.yaml", "--dry-run", "--directory", str(tmp_path)))
    assert jobs["train"] == 14
    assert jobs["evaluate_student"] + jobs["evaluate_teacher"] == 18


@pytest.mark.slow
def test_the_workflow_from_photos_to_report(config: Path) -> None:
    assert planned(snakemake(config, "--dry-run")) == JOBS
    snakemake(config)
    out = config.parent / "results/demo"
    for name in ("table.md", "table.csv", "table.tex", "bubble.svg", "bubble.png", "bubble.html", "heatmaps.png",
                 "predictions.png", "hka.json", "hka.png"):  # fmt: skip
        assert (out / "report" / name).stat().st_size > 100, name
    teacher = json.loads((out / "metrics/teachers/teacher.json").read_text())
    assert teacher["AP"] > 0.5
    assert "tiny" in (out / "report/table.md").read_text()

    assert "Nothing to be done" in snakemake(config)

    text = yaml.safe_load(config.read_text())
    text["students"].append({"name": "other", "control": False, "model": STUDENT})
    config.write_text(yaml.safe_dump(text))
    jobs = planned(snakemake(config, "--dry-run"))
    assert (jobs["train"], jobs["evaluate_student"], jobs["cost_student"], jobs["table"]) == (1, 1, 1, 1)
    assert not jobs.keys() & {"demo_data", "build", "evaluate_teacher", "cost_teacher"}

    text["students"] = [{"name": "tiny", "model": STUDENT, "train": {"lr": 1e-3}}]
    config.write_text(yaml.safe_dump(text))
    jobs = planned(snakemake(config, "--dry-run"))
    assert jobs["train"] == 2  # the student and its control
    assert not jobs.keys() & {"demo_data", "build", "evaluate_teacher", "cost_teacher"}

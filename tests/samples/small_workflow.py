"""Snakemake on the workflow with few persons: start it, and read what it plans."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
STUDENT = {"backbone": "timm:resnet10t", "backbone_options": {"stem_width": 8, "channels": [8, 8, 16, 16]}}


def start(config: Path, *arguments: str, programs: Path | None = None) -> subprocess.Popen[str]:
    """Start Snakemake in a process group of its own. programs: folder whose programs its jobs find first."""
    command = ["snakemake", "--cores", "2", "--configfile", str(config), "--directory", str(config.parent), *arguments]
    folders = [] if programs is None else [str(programs)]
    path = os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def snakemake(config: Path, *arguments: str, programs: Path | None = None) -> str:
    """Return Snakemake's output; its return code is checked."""
    process = start(config, *arguments, programs=programs)
    output, _ = process.communicate(timeout=580)
    assert process.returncode == 0, output
    return output


def planned(output: str) -> dict[str, int]:
    """Return the number of jobs of each rule, from Snakemake's table of job stats."""
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE) if rule != "total"}


def named(output: str) -> set[str]:
    """Return the jobs of a dry run, each as its rule and its wildcard."""
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)
    wildcards = [re.search(r"wildcards: \w+=(\S+)", text) for _, text in blocks]
    return {f"{rule} {found[1]}" if found else rule for (rule, _), found in zip(blocks, wildcards, strict=True)}


def commands(output: str, command: str) -> list[str]:
    """Return the shell commands of a dry run that begin with `command`."""
    return re.findall(rf"^Shell command: ({command} .*)$", output, re.MULTILINE)


def small_config(**changes: Any) -> dict[str, Any]:
    """Return the demo's configuration with two tiny students without controls; folder names have spaces."""
    text: dict[str, Any] = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    text["out"], text["data"]["root"] = "results of it", "results of it/data"
    text["data"]["rendered"] = {"persons": 24, "val_persons": 12, "seed": 3}
    text["defaults"]["train"].update(epochs=1, batch_size=8)
    text["students"] = [{"name": name, "control": False, "model": STUDENT} for name in ("one", "two")]
    text["report"] = {"persons": 2, "benchmark_seconds": 0.1, "benchmark_batch_size": 4, "hka_rendered": 2}
    return text | changes


def write(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration and return its path."""
    path.write_text(yaml.safe_dump(config))
    return path

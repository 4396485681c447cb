"""Snakemake on the workflow of this package."""

import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from pipeline.workflow.paths import WORKFLOW

CONFIGURATIONS = WORKFLOW / "config"


def find_configuration(name: str) -> Path:
    """Return the file of that name, or else the package's configuration of that name.

    Raises FileNotFoundError, with the names that the package has.
    """
    for path in (Path(name), CONFIGURATIONS / name):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.name for path in CONFIGURATIONS.glob("*.yaml")))
    raise FileNotFoundError(f"there is no file {name}: expected a YAML file, or one of the package: {known}")


def run_workflow(configfile: Path, cores: str, arguments: Sequence[str] = ()) -> int:
    """Run Snakemake in the working directory and return its exit code.

    Snakemake runs in this process, so that it handles Ctrl-C and SIGTERM itself. In the environment of its jobs, PATH
    finds this installation's `kdcache`, and Python does not import packages from the working directory.
    """
    from snakemake.cli import main

    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    os.environ["PYTHONSAFEPATH"] = "1"
    workflow = ["--snakefile", str(WORKFLOW / "main.smk"), "--configfile", str(configfile), "--cores", cores]
    try:
        main([*workflow, *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0

"""`kdcache demo`: the whole workflow on the embedded data set, then its table and where its pictures are."""

import json
import sys
from pathlib import Path

import click

from pipeline.commands.shared_options import LocalPath

FILES = (
    ("report", "report.html"),
    ("table", "report/table.md (.csv, .tex)"),
    ("chart", "report/bubble.html (.svg, .png)"),
    ("panels", "report/heatmaps.png, predictions.png"),
    ("angles", "report/hka.png, hka.md"),
)


@click.command("demo")
@click.option("--small", is_flag=True, help="Fewer persons, students and epochs: minutes, but AP is low.")
@click.option(
    "--seeds",
    default=1,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Train every student and control with N seeds; the table shows means and the lowest and highest gain.",
)
@click.option(
    "--cores", default="all", show_default=True, metavar="N|all", help="CPU cores that jobs may use together."
)
@click.option(
    "--out",
    type=LocalPath(file_okay=False),
    help="Folder of everything that is made.  [default: results/demo, with --small results/demo-small]",
)
def command(small: bool, seeds: int, cores: str, out: Path | None) -> None:
    """Run the whole workflow on rendered people and a small teacher, both of which come with the package.

    It needs no download and no GPU: about 9 minutes on two CPU cores, with --small less than 5. After an interruption
    the same command continues.
    """
    from pipeline.workflow.launcher import CONFIGURATIONS

    code = run_demo(CONFIGURATIONS / ("demo-small.yaml" if small else "demo.yaml"), cores, out, seeds)
    sys.exit(code)


def run_demo(configfile: Path, cores: str, out: Path | None, seeds: int) -> int:
    """Run a workflow whose data are rendered, print its table and its files, and return Snakemake's exit code.

    out: the folder of everything, the data included, in place of the configuration's.
    """
    from pipeline.config import load_config
    from pipeline.workflow import run_workflow

    changes: dict[str, object] = {"defaults": {"seeds": seeds}}
    if out is None:
        out = load_config(configfile).out
    else:
        changes |= {"out": str(out), "data": {"root": str(out / "data")}}
    overrides = ["--config", *(f"{key}={json.dumps(value)}" for key, value in changes.items())]
    for arguments in ([], ["--report", str(out / "report.html")]):
        code = run_workflow(configfile, cores, [*arguments, *overrides])
        if code:
            return code
    click.echo(f"\n{(out / 'report/table.md').read_text()}")
    for what, names in FILES:
        click.echo(f"{what:<8}{out}/{names}")
    return 0

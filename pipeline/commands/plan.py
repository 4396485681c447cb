"""`kdcache plan`: what a configuration will cost, before anything of it runs."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command("plan")
@click.option(
    "--config", "--configfile", "config_file", required=True, type=click.Path(path_type=Path), help="YAML file."
)
@click.option("--tflops", default=100.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="Speed in TFLOP/s that a GPU is taken to sustain.")  # fmt: skip
@click.option(
    "--rows", type=click.IntRange(min=1), help="Persons to train on, where the annotations are not there yet."
)
@click.option("--val-persons", type=click.IntRange(min=1), help="Persons to evaluate on, likewise.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of text.")
def command(config_file: Path, tflops: float, rows: int | None, val_persons: int | None, as_json: bool) -> None:
    """Estimate rows, bytes, FLOPs and GPU-hours of a configuration.

    FLOPs are counted on the networks; hours follow from --tflops, which is yours to judge: what a GPU sustains is
    a fraction of its data sheet's number, and small networks reach less of it than large ones.
    """
    from pipeline.config import load_config
    from pipeline.costs.estimate import as_text, plan

    config = load_config(config_file)
    estimate = plan(config, rows, val_persons)
    if as_json:
        hours = estimate.flop() / tflops / 3.6e15
        click.echo(json.dumps({"estimate": True, "tflops": tflops, "gpu_hours": hours, **asdict(estimate)}, indent=1))
    else:
        click.echo(as_text(estimate, config, tflops))

"""`kdcache plan`: what a configuration will cost, before anything of it runs."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.commands.shared_options import PATH, json_option


@click.command("plan")
@click.option(
    "--config", "--configfile", "config_file", required=True, type=PATH,
    help="The workflow's configuration, a YAML file.",
)  # fmt: skip
@click.option("--tflops", default=100.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="TFLOP/s that a GPU sustains, by your assumption.")  # fmt: skip
@click.option("--rows", type=click.IntRange(min=1),
              help="Persons to train on. [default: counted in the annotations]")  # fmt: skip
@click.option("--val-persons", type=click.IntRange(min=1),
              help="Persons to evaluate on. [default: counted in the annotations]")  # fmt: skip
@json_option
def command(config_file: Path, tflops: float, rows: int | None, val_persons: int | None, as_json: bool) -> None:
    """Estimate rows, bytes, FLOPs and GPU-hours of a configuration.

    FLOPs are counted on the networks. Hours follow from --tflops: what a GPU sustains is a fraction of its data sheet's
    number, and small networks and their input pipelines sustain a smaller fraction than large ones.
    """
    from pipeline.config import load_config
    from pipeline.costs.estimate import estimate_costs
    from pipeline.costs.estimate_report import estimate_text, gpu_hours

    config = load_config(config_file)
    estimate = estimate_costs(config, rows, val_persons)
    if as_json:
        hours = gpu_hours(estimate.flop(), tflops)
        click.echo(json.dumps({"estimate": True, "tflops": tflops, "gpu_hours": hours, **asdict(estimate)}, indent=1))
    else:
        click.echo(estimate_text(estimate, config, tflops))

"""`kdcache run`: the whole workflow of a configuration, by Snakemake."""

import sys

import click


@click.command("run")
@click.option(
    "--configfile",
    required=True,
    metavar="FILE",
    help="YAML file of the workflow, or the name of one in the package, as demo.yaml.",
)
@click.option(
    "--cores", default="all", show_default=True, metavar="N|all", help="CPU cores that jobs may use together."
)
@click.argument("snakemake_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SNAKEMAKE ARGUMENTS]")
def command(configfile: str, cores: str, snakemake_arguments: tuple[str, ...]) -> None:
    """Run the workflow of a configuration with Snakemake, in the working directory: store, students, AP, costs, report.

    What is finished is not made again; what was interrupted continues. Arguments after -- go to Snakemake: targets,
    --dry-run, --report report.html, --config out=results/other, --workflow-profile slurm.
    """
    from pipeline.config import load_config
    from pipeline.workflow import find_configuration, run_workflow

    path = find_configuration(configfile)
    if "--config" not in snakemake_arguments:
        load_config(path)  # a mistake is shown in one line, without Snakemake around it
    sys.exit(run_workflow(path, cores, snakemake_arguments))

"""The workflow from photos to the report: Snakemake rules, their files and options, and how they are run."""

from pipeline.workflow.launcher import find_configuration, run_workflow

__all__ = ["find_configuration", "run_workflow"]

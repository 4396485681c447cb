"""Photos -> teacher's heatmaps in a store -> students trained from the store -> AP and costs -> table, charts, panels.

One rule runs one `kdcache` command. A store or a run is never an output, because Snakemake deletes outputs before a job and
after a failure. The receipt that the command writes last is the output, and an interrupted job goes on where it stopped.

A job is run again where one of its `params` changes, except for functions of `threads`: `params.execution` is such a
function, and has the options that change no result.
"""

import re
from pathlib import Path

from pipeline.config import parse_config
from pipeline.workflow import options, paths

if "students" not in config:

    configfile: str(paths.WORKFLOW / "config/demo.yaml")


cfg = parse_config(config)
GPUS = 0 if cfg.device == "cpu" else 1


report: "report/workflow.rst"


wildcard_constraints:
    split="train|val",
    teacher="|".join(re.escape(teacher.name) for teacher in cfg.teachers),
    run="|".join(map(re.escape, cfg.runs)),
    training="|".join(map(re.escape, paths.trainings(cfg))),
    network="|".join(map(re.escape, paths.networks(cfg))),


include: "rules/data.smk"
include: "rules/cache.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.table.output,
        rules.chart.output,
        rules.heatmaps.output,
        rules.predictions.output,
        rules.hka.output if paths.measures_angles(cfg) else [],

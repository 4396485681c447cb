"""The workflow of this checkout: `snakemake --cores all`, or with `--configfile config/NAME.yaml`.

An installed package runs the same workflow with `kdcache run --configfile FILE`.
"""

import sys

sys.path.insert(0, workflow.basedir)


include: "pipeline/workflow/main.smk"


# An included file does not set the default target.
workflow.default_target = "all"

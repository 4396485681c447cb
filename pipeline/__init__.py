"""What the workflow and the command line run: teachers, build, evaluation, report."""

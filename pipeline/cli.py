"""The `kdcache` command. A subcommand is imported only when it runs, so that help answers at once."""

import difflib
import importlib
import importlib.util
import os
import sys
from pathlib import Path

import click

from pipeline.extras import advice
from pipeline.printable import printable

#: Name -> its line in `kdcache --help`. The command itself is `command` in pipeline/commands/NAME.py.
COMMANDS = {
    "demo": "Run the whole workflow on an embedded data set.",
    "run": "Run the whole workflow of a configuration.",
    "demo-data": "Write a COCO-format data set of rendered people.",
    "check": "Check annotations, photos and boxes before anything runs.",
    "build": "Run a teacher over a data set and cache its heatmaps.",
    "info": "Print what a store holds and from what it was made.",
    "verify": "Check a store: completeness, checksums, the teacher again on a sample.",
    "merge": "Join stores of disjoint rows.",
    "fidelity": "Measure how near replayed heatmaps are to the live teacher.",
    "zoo": "Print the students of Table 1 and their costs.",
    "train": "Train students from a store.",
    "evaluate": "Measure COCO keypoint AP of a student, a teacher or a store.",
    "skeleton": "Print a skeleton, or what would be read of an annotation file.",
    "sigmas": "Measure OKS sigmas from two annotations of the same persons.",
    "benchmark": "Measure parameters, FLOPs, throughput and latency.",
    "predict": "Find keypoints in images.",
    "hka": "Measure hip-knee-ankle angles in images.",
    "export": "Write a student as ONNX.",
    "report": "Make the table, the charts and the panels.",
    "plan": "Estimate what a configuration will cost.",
    "download": "Fetch COCO and the detector's boxes.",
    "doctor": "Print what is installed, or check a GPU.",
}
#: Errors that a user can correct: shown in one line, exit code 2. Anything else is a defect and shows its traceback.
USER_ERRORS = (ValueError, OSError, MemoryError)


class Commands(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        """Import a command. UsageError for an unknown name, with those that are near it."""
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS)
            raise click.UsageError(
                f"no command {name!r}: {'near names: ' + ', '.join(near) if near else 'see --help'}", ctx
            )
        found: click.Command = importlib.import_module(f"pipeline.commands.{name.replace('-', '_')}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kdcache")
@click.option("-v", "--verbose", count=True, help="Show details as well.")
@click.option("-q", "--quiet", is_flag=True, help="Show only warnings, errors and the command's result.")
def kdcache(verbose: int, quiet: bool) -> None:
    """Run an expensive pose teacher once, cache its heatmaps, train any number of small students from the cache."""
    from pipeline.messages import show_messages

    show_messages(-1 if quiet else verbose)


def find_foreign() -> str | None:
    """Return the message for a package of kdcache's that another module of the same name hides; None where none does.

    A file `student.py` in the working folder does, where Python looks there first: with `python -m`, or a PYTHONPATH.
    """
    home = Path(__file__).parents[1]
    for name in ("cache_tools", "student"):
        found = importlib.util.find_spec(name)
        origin = None if found is None else found.origin
        if origin is None or Path(origin).parents[1] != home:
            where = origin or ", ".join(found.submodule_search_locations or ()) if found else "nothing"
            return (
                f"the package {name} is {where}: expected kdcache's in {home}; run `kdcache` in another folder, not by "
                "`python -m`, or take that folder out of PYTHONPATH"
            )
    return None


def main() -> None:
    """Run the command line. A user's error ends in one line and exit code 2; KDCACHE_DEBUG=1 shows its traceback."""
    if foreign := find_foreign():
        click.echo(f"error: {printable(foreign)}", err=True)
        sys.exit(2)
    try:
        kdcache(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except (ModuleNotFoundError, *USER_ERRORS) as error:
        command = next((argument for argument in sys.argv[1:] if argument in COMMANDS), None)
        message = advice(error, command) if isinstance(error, ModuleNotFoundError) else str(error)
        if isinstance(error, MemoryError):
            message = f"there is not enough memory {error}".rstrip()
        if message is None or os.environ.get("KDCACHE_DEBUG"):
            raise
        click.echo(f"error: {printable(message)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

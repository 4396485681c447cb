"""Options that several commands share, and a check that each option given has an effect."""

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cache_tools.local_path import check_local
from cache_tools.photos.options import FEWEST_BITS, MOST_BITS, PhotoOptions
from student.inference import Inference


class LocalPath(click.Path):
    """A file or folder of this machine; a url, which would become a folder named `s3:`, is refused.

    A leading ~ is the home folder, also where the shell left it, as in --images=~/coco.
    """

    def __init__(self, **conditions: Any) -> None:
        """Take conditions as click.Path does."""
        super().__init__(path_type=Path, **conditions)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the path; UsageError where it is a url."""
        if isinstance(value, str):
            try:
                value = os.path.expanduser(check_local(value))
            except ValueError as problem:
                self.fail(str(problem), parameter, context)
        return super().convert(value, parameter, context)


#: type of an option or argument that names a file or folder
PATH = LocalPath()
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

device_option: Decorator = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N; auto is a GPU where there is one."
)
batch_size_option: Decorator = click.option(
    "--batch-size", default=32, show_default=True, type=click.IntRange(min=1), help="Crops a forward pass."
)
workers_option: Decorator = click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Threads that read photos."
)
depth_option: Decorator = click.option(
    "--depth",
    type=click.IntRange(FEWEST_BITS, MOST_BITS),
    metavar="BITS",
    help="Bits used of each value of 16-bit photos, e.g. 12 or 16; without it such photos are refused.",
)
checksums_option: Decorator = click.option(
    "--checksums",
    multiple=True,
    type=PATH,
    help="File with a checksum of each photo, as md5sum or sha256sum writes it; refuse photos that have another. "
    "May be repeated.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of text.")


def flip_option(default: bool) -> Decorator:
    """Return the option of the flip test, which a command turns on or off by default."""
    return click.option("--flip/--no-flip", default=default, show_default=True, help="Average with the mirrored crop.")


def inference_options(*, flip: bool | None = True) -> Decorator:
    """Return a decorator that adds the options of `Inference` and hands them to the command as `inference`.

    flip: default of --flip; None: the command has no such option and gets inference.flip False.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_inference(*arguments: Any, **options: Any) -> Any:
            inference = Inference(
                flip=options.pop("flip", False),
                batch_size=options.pop("batch_size"),
                workers=options.pop("workers"),
                device=options.pop("device"),
            )
            return command(*arguments, inference=inference, **options)

        # click lists options in the reverse order of decoration
        decorated = workers_option(batch_size_option(device_option(with_inference)))
        return decorated if flip is None else flip_option(flip)(decorated)

    return decorate


#: help of --exif where photos have annotations
EXIF_OF_ANNOTATED = (
    "Turn photos upright as their EXIF orientation says: give it where annotators saw them so. [default: --no-exif]"
)
#: parameters of `photo_reading_options`, for `reject_ignored`
PHOTO_PARAMETERS = ("exif", "depth", "checksums")


def photo_reading_options(exif_help: str = EXIF_OF_ANNOTATED, *, checksums: bool = True) -> Decorator:
    """Return a decorator that adds the options of how photos are read.

    The command gets --exif and --depth as `photo_options`, and --checksums as a tuple of paths. checksums: whether it
    has that one.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_photo_options(*arguments: Any, exif: bool | None, depth: int | None, **options: Any) -> Any:
            return command(*arguments, photo_options=PhotoOptions(exif=exif, depth=depth), **options)

        decorated = checksums_option(with_photo_options) if checksums else with_photo_options
        turned = click.option("--exif/--no-exif", default=None, help=exif_help)
        return turned(depth_option(decorated))

    return decorate


def photo_box_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the persons in photos are: --boxes, --score-threshold, --category and --exif."""
    options: list[Decorator] = [
        click.option(
            "--boxes",
            type=PATH,
            help="Boxes, as detectors write them, or COCO annotations; of photos as stored, unless --exif. "
            "[default: each photo is one person]",
        ),
        click.option(
            "--score-threshold", default=0.0, show_default=True, help="Leave out boxes with a score below it."
        ),
        click.option(
            "--category",
            multiple=True,
            metavar="NAME|ID",
            help="Category of the boxes; may be repeated. [default: those of the student's data, or 1]",
        ),
        photo_reading_options(
            "Turn photos upright as their EXIF orientation says; boxes and poses are then in the upright photo. "
            "[default: --exif, but --no-exif with --boxes, as COCO's boxes are in stored pixels]",
            checksums=False,
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def untrained_student_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --head and --input-size of a student that is made without training.

    The settings have the same choices and defaults, which a test holds: --help must not import them.
    """
    head = click.option(
        "--head",
        type=click.Choice(["subpixel", "lateral"]),
        default="subpixel",
        show_default=True,
        help="Head of a student that was not trained; subpixel is the paper's.",
    )
    input_size = click.option(
        "--input-size",
        type=(int, int),
        default=(256, 192),
        show_default=True,
        metavar="HEIGHT WIDTH",
        help="Pixels of a crop of a student that was not trained.",
    )
    return head(input_size(command))


def reject_ignored(context: click.Context, names: Iterable[str], reason: str) -> None:
    """Raise UsageError where one of the parameters `names` is on the command line, because it would have no effect."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)} would be ignored: {reason}")

"""`kdcache skeleton`: print what a skeleton says, or what would be read of an annotation file."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared_options import PATH, json_option, photo_reading_options, reject_ignored
from pipeline.commands.skeleton_options import category_option, skeleton_option
from pipeline.commands.skeleton_text import annotation_text, built_in_text, categories_text, skeleton_text
from pipeline.printable import printable

if TYPE_CHECKING:
    from cache_tools.annotations.annotation_file import AnnotationFile
    from cache_tools.photos.options import PhotoOptions
    from cache_tools.skeletons import Skeleton

# a skeleton's own file is small; a larger file of JSON is not parsed twice to find out what it is
LARGEST_SKELETON = 2**20
SKELETON_SUFFIXES = (".yaml", ".yml")
ONLY_OVERLAY = ("images", "persons", "seed", "exif", "depth")
ONLY_ANNOTATIONS = ("skeleton", "category", "overlay", *ONLY_OVERLAY)


@click.command("skeleton")
@click.argument("source", required=False, metavar="[NAME|FILE.yaml|ANNOTATIONS.json]")
@skeleton_option
@category_option
@click.option("--overlay", type=PATH, help="Draw labels of some persons, with the joints' names, into this folder.")
@click.option("--images", type=PATH, help="Folder of the photos, for --overlay.")
@click.option("--persons", default=12, show_default=True, type=click.IntRange(min=1), help="Persons to draw.")
@click.option("--seed", default=0, show_default=True, help="Seed of the choice of persons to draw.")
@photo_reading_options(checksums=False)
@json_option
@click.pass_context
def command(
    context: click.Context,
    source: str | None,
    skeleton: str | None,
    category: tuple[str, ...],
    overlay: Path | None,
    images: Path | None,
    persons: int,
    seed: int,
    photo_options: "PhotoOptions",
    as_json: bool,
) -> None:
    """Print what a skeleton says: joints, mirror partners, halves, edges, OKS sigmas, and what is off without them;
    and which angle of the legs `kdcache hka` would measure.

    Of an annotation file, print what would be read, before anything is built from it: categories, keypoints, persons,
    how often each joint is labelled, what is left out. Without an argument, list the built-in skeletons.
    """
    from cache_tools.skeletons import built_in_names, load_skeleton
    from pipeline.persons.annotation_summary import summarize_annotations, summarize_skeleton

    if source is None:
        reject_ignored(context, ONLY_ANNOTATIONS, "they belong to an annotation file")
        built_in = [load_skeleton(name) for name in built_in_names()]
        summaries = [summarize_skeleton(one) | _angle(one) for one in built_in]
        click.echo(json.dumps(summaries, indent=1) if as_json else built_in_text(summaries))
        return
    if not is_annotation_file(source):
        reject_ignored(context, ONLY_ANNOTATIONS, "they belong to an annotation file")
        loaded = load_skeleton(source)
        summary = summarize_skeleton(loaded) | _angle(loaded)
        click.echo(json.dumps(summary, indent=1) if as_json else printable(skeleton_text(summary)))
        return
    if overlay is None:
        reject_ignored(context, ONLY_OVERLAY, "they belong to --overlay")
    elif images is None:
        raise click.UsageError("--images is missing: the folder of the photos that --overlay draws on")
    stated = None if skeleton is None else load_skeleton(skeleton)
    file = _read(Path(source), stated, category, as_json=as_json)
    summary = summarize_annotations(file)
    summary["skeleton"] |= _angle(file.skeleton)
    click.echo(json.dumps(summary, indent=1) if as_json else printable(annotation_text(summary)))
    if overlay is not None and images is not None:
        from pipeline.report.label_overlay import choose_labelled, write_label_overlays

        table = file.instances()
        shown = table.take(choose_labelled(table, persons, seed))
        for path in write_label_overlays(overlay, shown, file.skeleton, images, photo_options):
            click.echo(path, err=as_json)


def _angle(skeleton: "Skeleton") -> dict[str, Any]:
    """Return the part of a summary that says which angle of the legs its joints measure; None: none."""
    from pipeline.hka.definition import define_angle

    try:
        return {"angle": define_angle(skeleton).name}
    except ValueError:
        return {"angle": None}


def is_annotation_file(source: str) -> bool:
    """Return whether `source` is a file of annotations, not a skeleton's name or its YAML or JSON file.

    Raises FileNotFoundError where it looks like a file and there is none.
    """
    path = Path(source)
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise FileNotFoundError(f"there is no file {path.absolute()}: expected a skeleton or an annotation file")
        return False
    if path.suffix in SKELETON_SUFFIXES:
        return False
    if path.stat().st_size > LARGEST_SKELETON:
        return True
    from cache_tools.json_file import read_json

    document = read_json(path, "a COCO keypoint annotation file, or a skeleton")
    return not (isinstance(document, dict) and isinstance(document.get("keypoints"), list))


def _read(path: Path, skeleton: "Skeleton | None", category: tuple[str, ...], *, as_json: bool) -> "AnnotationFile":
    """Return the file's content; where it is refused, print first which categories it has."""
    from cache_tools.annotations.annotation_file import EXPECTED, read_annotation_file
    from cache_tools.annotations.categories import categories_of
    from cache_tools.json_file import read_json

    try:
        return read_annotation_file(path, skeleton=skeleton, category=category)
    except ValueError:
        # where no category can be listed either, the error says why
        with suppress(ValueError):
            document: Any = None if as_json else read_json(path, EXPECTED)
            if isinstance(document, dict):
                listed = categories_of(document)
                summaries = [{"id": one.id, "name": one.name, "keypoints": list(one.names)} for one in listed]
                click.echo(printable(categories_text(summaries)))
        raise

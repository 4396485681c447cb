"""`kdcache train`: train students from a store."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cache_tools.input_file import kind_of, read_input_text
from pipeline.commands.setting_options import setting_options
from pipeline.commands.shared_options import (
    PATH,
    PHOTO_PARAMETERS,
    device_option,
    photo_reading_options,
    reject_ignored,
)
from student.settings import StudentSettings

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions
    from student.run_record import RunRecord

#: of files of settings
SUFFIXES = (".yaml", ".yml", ".json")
# option -> the setting that it sets; every other setting has -s
OPTIONS = {
    "name": "name",
    "backbone": "model.backbone",
    "head": "model.head",
    "weights": "model.weights",
    "distill": "distill.mode",
    "alpha": "distill.alpha",
    "labelled": "train.labelled",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "train.lr",
    "seed": "train.seed",
}


@click.command("train")
@click.argument("stores", nargs=-1, required=True, metavar="STORE...")
@click.option("--out", required=True, type=PATH, help="The run's folder; of several students, their parent.")
@click.option("--settings", metavar="FILE|JSON", help="Settings of the student: a YAML file, or JSON.")
@click.option("--students", metavar="FILE|A,B,C", help="Several: a YAML list of settings, or names of `kdcache zoo`.")
@click.option(
    "-s",
    "--set",
    "changes",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change any setting, as in -s train.ema_decay=null; can be given several times.",
)
@setting_options(StudentSettings, OPTIONS, defaults={"name": "that of --out"})
@click.option("--images", type=PATH, help="Folder of the photos.  [default: crops that the store holds]")
@click.option("--teacher", metavar="REF", help="The teacher that --distill live runs, as in `kdcache build`.")
@click.option(
    "--skeleton",
    metavar="NAME|FILE",
    help="Another mirror order, halves, edges or sigmas of the store's joints.  [default: the store's]",
)
@click.option("--val-images", type=PATH, help="Measure AP while training: folder of the photos.")
@click.option("--val-annotations", type=PATH, help="COCO person_keypoints file of --val-images.")
@click.option(
    "--val-category",
    multiple=True,
    metavar="NAME|ID",
    help="Category of --val-annotations; may be repeated.  [default: all with the same keypoints]",
)
@photo_reading_options(
    "Turn --val-images upright as their EXIF orientation says.  [default: as the store's photos were read; "
    "--images always are]"
)
@device_option
@click.option("--resume", is_flag=True, help="Fail where there is no run to resume; resuming needs no option.")
@click.option("--overwrite", is_flag=True, help="Replace a run of other settings, or a damaged one, in --out.")
@click.option(
    "--receipt",
    type=PATH,
    help="Write the finished run's run.json here as well, last of all; of several, a folder that gets NAME.json each.",
)
def command(
    stores: tuple[str, ...],
    out: Path,
    settings: str | None,
    students: str | None,
    changes: tuple[str, ...],
    images: Path | None,
    teacher: str | None,
    skeleton: str | None,
    val_images: Path | None,
    val_annotations: Path | None,
    val_category: tuple[str, ...],
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    device: str,
    resume: bool,
    overwrite: bool,
    receipt: Path | None,
    **options: Any,
) -> None:
    """Train a student from STORE, or several from one stream of its batches.

    Several stores of the same rows are averaged.

    The same command resumes an interrupted run where it was saved last, and leaves a finished one as it is. With
    torchrun, every process takes its share of each batch.
    """
    if val_images is None:
        reading = [name for name in PHOTO_PARAMETERS if name != "checksums"]
        reason = "of --val-images, which is not given; the store says how --images are read"
        reject_ignored(click.get_current_context(), ["val_category", *reading], reason)
        if images is None:
            reject_ignored(click.get_current_context(), ["checksums"], "no photos are read: crops are in the store")
    given = [(OPTIONS[option], value) for option, value in options.items() if value is not None]
    given += [_change(change) for change in changes]
    if students is not None and settings is not None:
        raise click.UsageError("give one of --settings and --students")
    if (val_images is None) != (val_annotations is None):
        raise click.UsageError("--val-images and --val-annotations belong together: photos and what is on them")
    if students is None:
        chosen = [_student(_single(settings) if settings else {}, given, out.resolve().name)]
        runs = [out]
    else:
        chosen = [_student(one, given, None) for one in _several(students)]
        runs = [out / student.name for student in chosen]
        twice = sorted({run.name for run in runs if runs.count(run) > 1})
        if twice:
            raise ValueError(f"names are folders, so each may be given once; found twice: {', '.join(twice)}")
    if val_images is None and any(student.train.evaluate_epochs for student in chosen):
        raise click.UsageError("train.evaluate_epochs needs --val-images and --val-annotations: what AP is measured on")

    from cache_tools.skeletons import load_skeleton
    from cache_tools.store.writer import HeatmapStore
    from student.training.loop import train

    stated = None if skeleton is None else load_skeleton(skeleton)
    opened = [HeatmapStore.open(store) for store in stores]
    spec = opened[0].spec
    live = None
    if teacher is not None:
        from pipeline.teachers.load import load_network
        from pipeline.teachers.translated import renamed_joints

        live = load_network(teacher, device=device, skeleton=spec.skeleton, renamed=renamed_joints(spec), probed=True)
    evaluate = None
    if val_images is not None and val_annotations is not None:
        from pipeline.evaluation.during_training import training_evaluation

        evaluate = training_evaluation(
            val_annotations,
            val_images,
            device,
            skeleton=stated,
            expected=stated or spec.skeleton,
            category=val_category,
            photo_options=evaluation_photos(photo_options, spec.photos),
            checksums=checksums,
        )
    if images is not None and not all(is_finished(run) for run in runs):
        from pipeline.persons.photo_check import check_photos

        persons = opened[0].instances
        check_photos(images, persons.file_name, persons.image_size, spec.photos, checksums=checksums)
    records = train(
        opened, chosen, runs, photos=images, teacher=live, evaluate=evaluate, device=device, overwrite=overwrite,
        resume=resume, skeleton=stated,
    )  # fmt: skip
    if int(os.environ.get("RANK", "0")) > 0:
        return  # of torchrun's processes the first one prints and writes
    for record in records:
        click.echo(_summary(record))
    if receipt is not None:
        _write_receipts(receipt, records, several=students is not None)


def is_finished(run: Path) -> bool:
    """Return whether a folder holds a finished run, which reads no photos any more."""
    from student.run_record import damaged_weights, is_marked_finished

    return is_marked_finished(run) and not damaged_weights(run)


def evaluation_photos(given: "PhotoOptions", stored: "PhotoOptions") -> "PhotoOptions":
    """Return how the photos of the evaluation are read: as it is given, else as the store's photos were."""
    from cache_tools.photos.options import AS_STORED, PhotoOptions

    # photos read as stored are the default of everything, which says nothing of others
    exif = None if stored == AS_STORED else stored.exif
    return PhotoOptions(exif=exif if given.exif is None else given.exif, depth=given.depth or stored.depth)


def _summary(record: "RunRecord") -> str:
    best = record.best and record.best.get("AP")
    measured = f", AP {best:.4f} at step {record.best['step']}" if record.best and best is not None else ""
    return f"{record.name}: {record.steps} steps in {record.seconds:.0f} s{measured}"


def _write_receipts(path: Path, records: "list[RunRecord]", *, several: bool) -> None:
    from cache_tools.files import write_json

    for record in records:
        write_json(path / f"{record.name}.json" if several else path, record.to_json())


def _change(text: str) -> tuple[str, Any]:
    import yaml

    path, equals, value = text.partition("=")
    if not equals or not path:
        raise click.UsageError(f"-s {text}: expected PATH=VALUE, e.g. -s train.lr=1e-3")
    return path.strip(), yaml.safe_load(_as_number(value))


def _as_number(text: str) -> str:
    """Return a number such as 1e-3 with a point, without which YAML reads it as text; other text as it is."""
    try:
        return repr(float(text)) if "e" in text.lower() and "." not in text else text
    except ValueError:
        return text


def _load(source: str) -> Any:
    """Return the settings in a YAML file, or in JSON given in its place."""
    import yaml

    if source.lstrip().startswith(("{", "[")):
        try:
            return json.loads(source)
        except json.JSONDecodeError as error:
            raise ValueError(f"--settings is not JSON: {error}") from None
    try:
        data = yaml.safe_load(read_input_text(source, "settings of a student in YAML or JSON"))
    except yaml.YAMLError as error:
        raise ValueError(f"{source} is not YAML: {error}") from None
    if data is None:
        raise ValueError(f"{source} is empty: expected settings of a student in YAML or JSON")
    return data


def _single(source: str) -> Any:
    """Return the settings of --settings, which are not checked yet."""
    data = _load(source)
    if not isinstance(data, dict):
        raise ValueError(
            f"{source:.200} holds {kind_of(data)}: expected a mapping with name, model, distill, train, the settings "
            "of one student"
        )
    return data


def _several(source: str) -> list[Any]:
    """Return the settings of each student of --students, which are not checked yet."""
    if not source.lstrip().startswith("[") and not Path(source).exists() and Path(source).suffix not in SUFFIXES:
        names = [name.strip() for name in source.split(",") if name.strip()]
        return [{"name": name.removeprefix("timm:"), "model": {"backbone": name}} for name in names]
    data = _load(source)
    if not isinstance(data, list) or not data:
        raise ValueError(f"{source} holds {kind_of(data)}: expected a list of students, each with its name")
    nameless = [place for place, one in enumerate(data) if not isinstance(one, dict) or "name" not in one]
    if nameless:
        raise ValueError(f"{source:.200}, entry {nameless[0]} has no name: expected the settings of a student")
    return data


def _student(data: Any, given: list[tuple[str, Any]], name: str | None) -> StudentSettings:
    """Return checked settings: `data`, with each (path, value) of `given` laid over it. name: where it has none."""
    from pydantic import ValidationError

    from pipeline.config import merge
    from student.settings import list_mistakes

    data = data if name is None else {"name": name, **data}
    for path, value in given:
        for key in reversed(path.split(".")):
            value = {key: value}
        data = merge(data, value)
    try:
        return StudentSettings.model_validate(data)
    except ValidationError as error:
        found = data.get("name", "?")
        raise ValueError(f"the settings of student {found} are not valid:\n{list_mistakes(error)}") from None

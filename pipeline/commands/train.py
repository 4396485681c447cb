"""`kdcache train`: students from a store."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from student.settings import StudentSettings

# flag -> where it stands in the settings
FLAGS = {
    "name": "name",
    "backbone": "model.backbone",
    "head": "model.head",
    "weights": "model.weights",
    "distill": "distill.mode",
    "alpha": "distill.alpha",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "train.lr",
    "seed": "train.seed",
}


@click.command("train")
@click.argument("stores", nargs=-1, required=True, metavar="STORE...")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The run's folder; of several, their parent."
)
@click.option("--settings", metavar="FILE|JSON", help="Settings of the student: a YAML file, or JSON.")
@click.option("--students", metavar="FILE|A,B,C", help="Several: a YAML list of settings, or names of `kdcache zoo`.")
@click.option("-s", "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Any setting: train.ema_decay=null")
@click.option("--name", help="In tables and folders; by default that of --out.")
@click.option("--backbone", help="A name of `kdcache zoo`, or timm:NAME.")
@click.option("--head", type=click.Choice(["subpixel", "lateral"]))
@click.option("--weights", metavar="imagenet|none|FILE", help="What the backbone starts from.")
@click.option("--distill", type=click.Choice(["cached", "live", "none"]), help="Where the teacher's word comes from.")
@click.option("--alpha", type=float, help="The teacher's share of the loss.")
@click.option("--epochs", type=float)
@click.option("--batch-size", type=int, help="Of one process.")
@click.option("--lr", type=float)
@click.option("--seed", type=int)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the photos, in place of stored crops.")
@click.option("--teacher", metavar="REF", help="The teacher to ask when --distill is live.")
@click.option("--val-images", type=click.Path(path_type=Path), help="Measure AP while training: the photos")
@click.option("--val-annotations", type=click.Path(path_type=Path), help="... and their COCO person_keypoints file.")
@click.option("--device", default="auto", show_default=True)
@click.option("--resume", is_flag=True, help="Fail where there is no run to go on with; going on needs no flag.")
@click.option(
    "--overwrite", is_flag=True, help="Begin again where --out holds a run of other settings, or a damaged one."
)
@click.option(
    "--receipt",
    type=click.Path(path_type=Path),
    help="Write the finished run's record here, too, last of all; of several, a folder that gets a NAME.json each.",
)
def command(
    stores: tuple[str, ...],
    out: Path,
    settings: str | None,
    students: str | None,
    changes: tuple[str, ...],
    images: Path | None,
    teacher: str | None,
    val_images: Path | None,
    val_annotations: Path | None,
    device: str,
    resume: bool,
    overwrite: bool,
    receipt: Path | None,
    **flags: Any,
) -> None:
    """Train a student from STORE, or several from one stream of its batches.

    Several stores of the same rows are averaged.

    The same command resumes an interrupted run where it was saved last, and leaves a finished one as it is. With
    torchrun, every process takes its share of each batch.
    """
    over = [(FLAGS[flag], value) for flag, value in flags.items() if value is not None]
    over += [_change(change) for change in changes]
    if students is not None and settings is not None:
        raise click.UsageError("give one of --settings and --students")
    if (val_images is None) != (val_annotations is None):
        raise click.UsageError("--val-images and --val-annotations belong together: photos and what is on them")
    if students is None:
        chosen = [_student(_load(settings) if settings else {}, over, out.resolve().name)]
        runs = [out]
    else:
        chosen = [_student(one, over, None) for one in _several(students)]
        runs = [out / student.name for student in chosen]
        twice = sorted({run.name for run in runs if runs.count(run) > 1})
        if twice:
            raise ValueError(f"names are folders, so each may stand once; found twice: {', '.join(twice)}")
    if val_images is None and any(student.train.evaluate_epochs for student in chosen):
        raise click.UsageError("train.evaluate_epochs needs --val-images and --val-annotations: what AP is measured on")

    from student.training.train import train

    live = None
    if teacher is not None:
        from pipeline.teachers.load import load_network

        live = load_network(teacher, device=device)
    evaluate = None
    if val_images is not None and val_annotations is not None:
        from pipeline.evaluation.during_training import training_evaluation

        evaluate = training_evaluation(val_annotations, val_images, device)
    records = train(
        stores, chosen, runs, photos=images, teacher=live, evaluate=evaluate, device=device, overwrite=overwrite,
        resume=resume, say=click.echo,
    )  # fmt: skip
    if int(os.environ.get("RANK", "0")) > 0:
        return  # of torchrun's processes the first one talks
    for record in records:
        best = record["best"] and record["best"].get("AP")
        measured = "" if best is None else f", AP {best:.4f} at step {record['best']['step']}"
        click.echo(f"{record['name']}: {record['steps']} steps in {record['seconds']:.0f} s{measured}")
    if receipt is not None:
        from cache_tools.files import write_json

        if students is None:
            write_json(receipt, records[0])
        else:
            for record in records:
                write_json(receipt / f"{record['name']}.json", record)


def _change(text: str) -> tuple[str, Any]:
    import yaml

    path, equals, value = text.partition("=")
    if not equals or not path:
        raise click.UsageError(f"-s {text}: expected PATH=VALUE, e.g. -s train.lr=1e-3")
    return path.strip(), yaml.safe_load(_as_number(value))


def _as_number(text: str) -> str:
    """YAML reads 1e-3 as a word; people mean the number."""
    try:
        return repr(float(text)) if "e" in text.lower() and "." not in text else text
    except ValueError:
        return text


def _load(source: str) -> Any:
    """Settings from a YAML file, or from JSON given in its place."""
    import yaml

    if source.lstrip().startswith(("{", "[")):
        try:
            return json.loads(source)
        except json.JSONDecodeError as error:
            raise ValueError(f"--settings is not JSON: {error}") from None
    try:
        return yaml.safe_load(Path(source).read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{source} is not YAML: {error}") from None


def _several(source: str) -> list[Any]:
    if not source.lstrip().startswith("[") and not Path(source).is_file():
        names = [name.strip() for name in source.split(",") if name.strip()]
        return [{"name": name.removeprefix("timm:"), "model": {"backbone": name}} for name in names]
    data = _load(source)
    if not isinstance(data, list) or not data:
        raise ValueError(f"{source} holds a {type(data).__name__}: expected a list of students, each with its name")
    return data


def _student(data: Any, over: list[tuple[str, Any]], name: str | None) -> "StudentSettings":
    """Checked settings: `data`, with each (path, value) of `over` laid on it."""
    from pydantic import ValidationError

    from pipeline.config import describe, merge
    from student.settings import StudentSettings

    if not isinstance(data, dict):
        raise ValueError(f"settings are a {type(data).__name__}: expected a mapping with name, model, distill, train")
    data = data if name is None else {"name": name, **data}
    for path, value in over:
        for key in reversed(path.split(".")):
            value = {key: value}
        data = merge(data, value)
    try:
        return StudentSettings.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"the settings of student {data.get('name', '?')} are not valid:\n{describe(error)}") from None

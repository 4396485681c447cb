"""`kdcache export`: write a student as an ONNX file, in float and in 8-bit integers, and as a web page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import PATH, PHOTO_PARAMETERS, photo_reading_options, reject_ignored

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions
    from student.pose_network import Crops

#: persons on which the file is compared with torch
CHECKED = 16
#: beside the weights of a student that comes with kdcache: what `kdcache hka evaluate --out` measured of it
EVALUATION = "hka.json"


@click.command("export")
@click.argument("run", type=PATH)
@click.option(
    "--out", type=PATH, help="The file. [default: RUN/NAME.onnx, and NAME.onnx of a student that comes with kdcache]"
)
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", show_default=True,
              help="best: those with the best AP in training, or the last where none was measured.")  # fmt: skip
@click.option("--store", metavar="URL", help="Store with crops of persons to check and to calibrate with. "
              "[default: that of RUN's training, where it is on this machine and opens]")  # fmt: skip
@click.option("--int8", is_flag=True, help="Write FILE.int8.onnx as well, calibrated on persons of the store.")
@click.option("--persons", default=128, show_default=True, type=click.IntRange(min=1), help="Persons to calibrate on.")
@click.option("--images", type=PATH, help="Folder of the photos of --annotations.")
@click.option("--annotations", type=PATH, help="COCO person_keypoints file: measure the AP of each file on it.")
@photo_reading_options()
@click.option("--web", metavar="FOLDER", type=PATH,
              help="Write a page that measures hip-knee-ankle angles in a browser, without a network.")  # fmt: skip
@click.option("--evaluation", metavar="FILE", type=PATH,
              help="For --web: of `kdcache hka evaluate --out`; the page states the student's error.")  # fmt: skip
@click.option("--calibrate", is_flag=True, help="For --web: correct angles by the line of --evaluation.")
@click.option("--seconds", default=2.0, show_default=True, help="Seconds that each file's speed is measured for.")
def command(
    run: Path,
    out: Path | None,
    weights: str,
    store: str | None,
    int8: bool,
    persons: int,
    images: Path | None,
    annotations: Path | None,
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    web: Path | None,
    evaluation: Path | None,
    calibrate: bool,
    seconds: float,
) -> None:
    """Write the student of RUN as ONNX: uint8 RGB crops (batch, height, width, 3) in, heatmaps out.

    RUN is a run's folder, or student:demo or student:legs, which come with kdcache.

    The file holds the normalisation, and names its frame, its sizes and its keypoints in its metadata. It is compared
    with torch on persons of the store, or else on rendered ones, before it gets its name. It is a teacher, too:
    kdcache evaluate --teacher onnx:FILE?frame=udp.

    --web FOLDER writes index.html as well: a page that measures hip-knee-ankle angles offline, on a laptop or a phone.
    That of student:legs states the error that was measured of it; it has seen rendered people only.
    A research tool, not a medical device.
    """
    if (images is None) != (annotations is None):
        raise click.UsageError("give both --images and --annotations, or none of them")
    if evaluation is not None and web is None:
        raise click.UsageError("--evaluation is for the page that --web FOLDER writes: give it, too")
    if calibrate and evaluation is None:
        raise click.UsageError("--calibrate needs --evaluation FILE, of `kdcache hka evaluate --out`")
    if images is None:
        reject_ignored(click.get_current_context(), PHOTO_PARAMETERS, "there are no --images")
    from cache_tools.store.writer import HeatmapStore
    from pipeline.persons.sample_crops import rendered_crops, stored_crops, training_store
    from student.checkpoint import load_model
    from student.export.onnx import export_onnx

    bundled = _bundled(run)
    # a student that comes with kdcache is written here, and what was measured of it lies beside its weights
    run, beside = (bundled, Path()) if bundled else (run, run)
    if web is not None and evaluation is None and bundled and (bundled / EVALUATION).is_file():
        evaluation = bundled / EVALUATION
    network, settings = load_model(run, "last" if weights == "last" else "best")
    opened = HeatmapStore.open(store) if store else training_store(run)
    if int8 and opened is None:
        raise click.UsageError(
            "--int8 needs --store: a store with crops, of persons to calibrate on; none that RUN was trained from opens"
        )
    size = settings.model.input_size
    crops = stored_crops(opened, CHECKED, size) if opened else rendered_crops(CHECKED, size)
    path = out or beside / f"{settings.name}.onnx"
    difference = export_onnx(network, settings.model, path, crops, settings.name)
    click.echo(f"{path}: within {difference:.1e} of torch on {len(crops)} {'stored' if opened else 'rendered'} persons")
    files = {"float32": path}
    if int8 and opened:
        from student.export.int8 import quantise_onnx

        files["int8"] = path.with_suffix(".int8.onnx")
        quantise_onnx(path, files["int8"], stored_crops(opened, persons, size))
    for kind, file in files.items():
        click.echo(f"{kind:<8} {_size_and_speed(file, crops, seconds)}")
    if web is not None:
        # evaluations are of the best weights
        best = run if weights == "best" else None
        click.echo(_page(web, path, best, evaluation, calibrate=calibrate))
    if images and annotations:
        for kind, file in files.items():
            ap = _average_precision(file, images, annotations, photo_options, checksums)
            click.echo(f"{kind:<8} AP {ap}")


def _bundled(run: Path) -> Path | None:
    """Return the folder of a student that comes with kdcache; None where RUN is a folder."""
    from pipeline.teachers.names import BUNDLED
    from pipeline.teachers.student_run import run_folder

    kind, _, name = str(run).partition(":")
    return run_folder(name) if kind == "student" and name in BUNDLED else None


def _page(folder: Path, file: Path, run: Path | None, evaluation: Path | None, *, calibrate: bool) -> str:
    """Write the page of an ONNX file. run: whose digest evaluations know it by; None: that of the file."""
    from pipeline.teachers.load import load_network
    from pipeline.web.page import write_page

    digest = load_network(f"student:{run}", device="cpu").digest if run else None
    page = write_page(folder, file, digest=digest, evaluation=evaluation, calibrate=calibrate)
    return f"{page}: {page.stat().st_size / 1e6:.2f} MB, opens in a browser by itself; the files beside it install it"


def _size_and_speed(file: Path, crops: "Crops", seconds: float) -> str:
    from pipeline.costs.network import cpu_name, file_speed

    speed = file_speed(file, crops, seconds)
    return (
        f"{file.stat().st_size / 1e6:.2f} MB, {speed.latency_ms:.2f} ms a single image, "
        f"{speed.images_per_second:.1f} images/s in batches of {len(crops)}, {cpu_name()}"
    )


def _average_precision(
    file: Path, images: Path, annotations: Path, photo_options: "PhotoOptions", checksums: tuple[Path, ...]
) -> str:
    from pipeline.evaluation.evaluation import evaluate
    from pipeline.teachers.load import load_network
    from student.inference import Inference

    network = load_network(f"onnx:{file}?frame=udp", device="cpu")
    metrics = evaluate(
        network,
        annotations,
        images,
        inference=Inference(flip=False),
        photo_options=photo_options,
        checksums=checksums,
    ).metrics
    percent = metrics.percent("AP")
    ap = "-" if percent is None else f"{percent:.1f}"
    return f"{ap} on {metrics.protocol.persons} persons, annotated boxes, no flip test"

"""`kdcache build`: run a teacher over a data set and cache its heatmaps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared_options import (
    PATH,
    batch_size_option,
    device_option,
    flip_option,
    photo_reading_options,
)
from pipeline.commands.skeleton_options import category_option, joint_option, skeleton_option
from pipeline.commands.store_text import part_sizes
from pipeline.printable import printable

if TYPE_CHECKING:
    from cache_tools.photos.options import PhotoOptions

# names and SUPERSEDED of cache_tools.codec, which would import numpy
CODECS = ("compact", "compact80", "windows", "exact8", "float16")
CODECS_OF_OLD_STORES = ("compact6",)


@click.command("build")
@click.argument("store")
@click.option("--teacher", required=True, metavar="REF",
              help="vitpose-plus-huge, vitpose:FOLDER, onnx:FILE?frame=udp|stride, student:RUN, module:factory; "
              "none: crops and labels only.")  # fmt: skip
@click.option("--images", required=True, type=PATH, help="Folder of the photos.")
@click.option("--annotations", required=True, type=PATH, help="COCO person_keypoints file.")
@photo_reading_options()
@skeleton_option
@category_option
@joint_option
@click.option("--unlabelled", is_flag=True, help="Every person with a box, not only those with labelled keypoints.")
@click.option("--part", metavar="I/N", callback=lambda *given: parse_part(given[2]),
              help="Only the I-th of N parts of the persons; `kdcache merge` joins the N stores.")  # fmt: skip
@click.option("--codec", default="compact", show_default=True, type=click.Choice([*CODECS, *CODECS_OF_OLD_STORES]),
              metavar=f"[{'|'.join(CODECS)}]",
              help="How heatmaps are stored: small, smaller, smallest where they are peaks, at full resolution, nearly "
              "lossless.")  # fmt: skip
@click.option("--basis", default="auto", show_default=True, metavar="auto|STORE",
              help="Of the codec windows: auto learns it from the teacher, STORE is a store that has it.")  # fmt: skip
@flip_option(False)
@click.option(
    "--crops/--no-crops", default=True, show_default=True, help="Keep each person's crop beside the heatmaps."
)
@click.option(
    "--views", default=0, show_default=True, type=click.IntRange(min=0), help="Number of augmented views a person."
)
@click.option("--shard-rows", default=2048, show_default=True, type=click.IntRange(min=1), help="Persons a shard.")
@batch_size_option
@device_option
@click.option(
    "--workers", default=0, show_default=True, type=click.IntRange(min=0), help="Dask processes; 0: a plain loop."
)
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A running Dask cluster, which sees these folders.")
@click.option("--max-rmse", type=float, help="Refuse a codec error at the peaks above this.")
@click.option("--expect-ap", type=float, help="Refuse a teacher whose AP (percent, annotated boxes) is below this.")
@click.option("--tolerance", default=0.2, show_default=True, help="Points of AP that --expect-ap may be missed by.")
@click.option("--expect-images", type=PATH, help="Photos for --expect-ap. [default: --images]")
@click.option("--expect-annotations", type=PATH, help="Labels for --expect-ap. [default: --annotations]")
@click.option("--receipt", type=PATH, help="Also write the finished store's receipt to this file.")
def command(
    store: str,
    teacher: str,
    images: Path,
    annotations: Path,
    photo_options: "PhotoOptions",
    checksums: tuple[Path, ...],
    skeleton: str | None,
    category: tuple[str, ...],
    joints: tuple[tuple[str, str], ...],
    unlabelled: bool,
    part: tuple[int, int] | None,
    codec: str,
    basis: str,
    flip: bool,
    crops: bool,
    views: int,
    shard_rows: int,
    batch_size: int,
    device: str,
    workers: int,
    scheduler: str | None,
    max_rmse: float | None,
    expect_ap: float | None,
    tolerance: float,
    expect_images: Path | None,
    expect_annotations: Path | None,
    receipt: Path | None,
) -> None:
    """Run a teacher over a data set and cache its heatmaps in STORE, a folder or a url.

    Killed at any moment, the same command resumes where it stopped; on a finished store it does nothing.
    """
    from cache_tools.files import write_json
    from pipeline.building.build import build
    from pipeline.building.job import BuildJob, Expectation

    if (expect_images is None) != (expect_annotations is None):
        raise click.UsageError("--expect-images and --expect-annotations belong together")
    job = BuildJob(
        store=store,
        teacher=teacher,
        images=images,
        annotations=annotations,
        codec=codec,
        basis=basis,
        flip=flip,
        crops=crops,
        views=views,
        shard_rows=shard_rows,
        batch_size=batch_size,
        device=device,
        labelled=not unlabelled,
        part=part,
        skeleton=skeleton,
        category=category,
        joints=joints,
        photo_options=photo_options,
        checksums=checksums,
    )
    expectation = None
    if expect_ap is not None:
        if expect_ap <= 1:
            raise click.UsageError(f"--expect-ap {expect_ap:g}: give AP in percent, as in 75.8")
        expectation = Expectation(
            expect_ap,
            tolerance,
            expect_images or images,
            expect_annotations or annotations,
            photo_options,
            skeleton=skeleton,
            category=category,
            checksums=checksums,
        )
    finished = build(job, workers=workers, scheduler=scheduler, max_rmse=max_rmse, expectation=expectation)
    if receipt is not None:
        write_json(receipt, finished)
    click.echo(printable(receipt_text(store, finished)))


def parse_part(text: str | None) -> tuple[int, int] | None:
    """Return (I, N) of "I/N"; BadParameter where it is something else."""
    if text is None:
        return None
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise click.BadParameter(f"{text!r}: expected I/N with I from 1 to N, as in 1/4")
    return int(index), int(count)


def receipt_text(store: str, receipt: dict[str, Any]) -> str:
    """Return a finished store in three lines."""
    spec, error = receipt["spec"], receipt["error"]
    unfit = f"; maps that do not fit: {receipt['unfit']:,}" if "unfit" in receipt else ""
    megabytes = sum(receipt["bytes"].values()) / 1e6
    shift = f"{error['shift_median']:.3f} cells (median; 99 %: {error['shift_p99']:.2f})"
    return "\n".join(
        [
            f"{store}: {receipt['rows']} persons by {spec['teacher']['name']}, {megabytes:,.1f} MB",
            f"bytes a person: {part_sizes(receipt)}",
            f"{spec['codec']}: RMSE {error['rmse_at_peaks']:.4f} at peaks, which move by {shift}; of {error['rows']}"
            + unfit,
        ]
    )

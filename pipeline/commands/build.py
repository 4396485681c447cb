"""`kdcache build`: run a teacher over a data set and cache its heatmaps."""

import signal
from pathlib import Path
from types import FrameType

import click

from pipeline.commands.shared_options import device_option

# the keys of cache_tools.codec.profiles.PROFILES, which would import numpy
CODECS = ("compact", "compact6", "exact8", "float16")


@click.command("build")
@click.argument("store")
@click.option("--teacher", required=True, metavar="REF", help="vitpose-plus-huge, vitpose:FOLDER, onnx:FILE?frame=..., "
              "student:RUN, module:factory.")  # fmt: skip
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of the photos.")
@click.option("--annotations", required=True, type=click.Path(path_type=Path), help="COCO person_keypoints file.")
@click.option("--unlabelled", is_flag=True, help="Every person with a box, not only those with labelled keypoints.")
@click.option("--part", metavar="I/N", callback=lambda *given: part_of(given[2]),
              help="Only the I-th of N parts of the persons; `kdcache merge` joins the N stores.")  # fmt: skip
@click.option("--codec", default="compact", show_default=True, type=click.Choice(CODECS),
              help="How heatmaps are stored: small, smaller, at full resolution, nearly lossless.")  # fmt: skip
@click.option("--flip/--no-flip", default=False, show_default=True, help="Cache the average with the mirrored crop.")
@click.option(
    "--crops/--no-crops", default=True, show_default=True, help="Keep each person's crop beside the heatmaps."
)
@click.option(
    "--views", default=0, show_default=True, type=click.IntRange(min=0), help="Augmented views a person, too."
)
@click.option("--shard-rows", default=2048, show_default=True, type=click.IntRange(min=1), help="Persons a shard.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1), help="Crops a teacher's pass.")
@device_option
@click.option(
    "--workers", default=0, show_default=True, type=click.IntRange(min=0), help="Dask processes; 0: a plain loop."
)
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A running Dask cluster, which sees these folders.")
@click.option("--max-rmse", type=float, help="Refuse a codec error at the peaks above this.")
@click.option("--expect-ap", type=float, help="Refuse a teacher whose AP (percent, annotated boxes) is below this.")
@click.option("--tolerance", default=0.2, show_default=True, help="Of --expect-ap.")
@click.option("--expect-images", type=click.Path(path_type=Path), help="Photos for --expect-ap; default --images.")
@click.option("--expect-annotations", type=click.Path(path_type=Path), help="Labels for it; default --annotations.")
@click.option("--receipt", type=click.Path(path_type=Path), help="Write the finished store's receipt here as well.")
def command(
    store: str,
    teacher: str,
    images: Path,
    annotations: Path,
    unlabelled: bool,
    part: tuple[int, int] | None,
    codec: str,
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

    Killed at any moment, the same command goes on where it stopped; on a finished store it does nothing.
    """
    from pipeline.building.build import build, write_receipt
    from pipeline.building.job import BuildJob, Expectation

    if (expect_images is None) != (expect_annotations is None):
        raise click.UsageError("--expect-images and --expect-annotations belong together")
    job = BuildJob(
        store, teacher, images, annotations, codec, flip, crops, views, shard_rows, batch_size, device,
        labelled=not unlabelled, part=part,
    )  # fmt: skip
    expectation = None
    if expect_ap is not None:
        if expect_ap <= 1:
            raise click.UsageError(f"--expect-ap {expect_ap:g}: give AP in percent, as in 75.8")
        expectation = Expectation(expect_ap, tolerance, expect_images or images, expect_annotations or annotations)
    signal.signal(signal.SIGTERM, terminate)
    try:
        made = build(job, workers=workers, scheduler=scheduler, max_rmse=max_rmse, expectation=expectation)
    except (KeyboardInterrupt, SystemExit):
        click.echo(progress(store), err=True)
        raise
    if receipt is not None:
        write_receipt(made, receipt)
    click.echo(summary(store, made))


def part_of(text: str | None) -> tuple[int, int] | None:
    """(I, N) of "I/N"."""
    if text is None:
        return None
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise click.BadParameter(f"{text!r}: expected I/N with I from 1 to N, as in 1/4")
    return int(index), int(count)


def terminate(number: int, frame: FrameType | None) -> None:
    """What SIGTERM does: stop as Ctrl-C would, with the exit code that a shell expects."""
    raise SystemExit(128 + number)


def progress(store: str) -> str:
    """How far an interrupted build has come."""
    from pipeline.building.build import existing_store

    opened = existing_store(store)
    done, shards = (opened.shards - len(opened.pending()), opened.shards) if opened else (0, 0)
    return f"stopped: {done} of {shards} shards are done and kept; run the same command again to go on"


def summary(store: str, receipt: dict) -> str:
    """A finished store in three lines."""
    spec, error = receipt["spec"], receipt["error"]
    megabytes = sum(receipt["bytes"].values()) / 1e6
    parts = ", ".join(f"{part} {size:,.0f}" for part, size in receipt["bytes_per_row"].items() if size)
    shift = f"{error['shift_median']:.3f} cells (median; 99 %: {error['shift_p99']:.2f})"
    return "\n".join(
        [
            f"{store}: {receipt['rows']} persons by {spec['teacher']['name']}, {megabytes:,.1f} MB",
            f"bytes a person: {parts}",
            f"{spec['codec']}: RMSE {error['rmse_at_peaks']:.4f} at peaks, which move by {shift}; of {error['rows']}",
        ]
    )

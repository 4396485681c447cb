"""Run a teacher over a data set and cache its heatmaps.

    annotations -> instance table -> spec -> store with pending shards
    each pending shard: photos -> crops -> teacher -> store      (pipeline/shard_maker.py)
    nothing pending -> every object verified -> receipt

The shard is the unit of work, of writing and of recovery: whatever is killed, the next `build` makes what is missing.
"""

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cache_tools.crops import CropPolicy
from cache_tools.instances import Instances, read_coco
from cache_tools.progress import progress_bar
from cache_tools.store.spec import CropsSpec, FrameSpec, StoreSpec, TeacherSpec, make_spec
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import SHARDS_AT_ONCE, BuildJob, Expectation
from pipeline.building.shard_maker import ShardMaker
from pipeline.teachers.load import load_network
from student.pose_network import PoseNetwork, digest_of

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def build(
    job: BuildJob,
    *,
    workers: int = 0,
    scheduler: str | None = None,
    max_rmse: float | None = None,
    expectation: Expectation | None = None,
) -> dict[str, Any]:
    """Make every shard that is missing and return the receipt; does nothing where the store is finished.

    workers: Dask worker processes on this host, 0 for a plain loop; scheduler: a running Dask cluster instead.
    max_rmse: refuse a codec error above it, as rmse_at_peaks.
    Raises CacheMismatch where the store holds something else, FileNotFoundError where photos are missing.
    """
    teacher = load_network(job.teacher, job.device, job.flip, job.threads)
    persons, source = read_persons(job)
    spec = spec_of(job, teacher, persons, source)
    store = existing_store(job.store)
    if store is not None:
        spec.check(store.spec, job.store)
    if store is None or store.pending():
        check_photos(job.images, persons)
    if expectation is not None:
        ap = accepted_ap(teacher, expectation, None if store is None else store.spec.teacher.ap)
        spec = spec_of(job, teacher, persons, source, ap)
    if store is None or not store.is_finished():
        with full_disk_told():
            store = HeatmapStore.open_or_create(job.store, spec, persons)
            make_pending(job, store, teacher, workers, scheduler, max_rmse)
        refuse_damage(store)
    refuse_error(store, max_rmse)
    with full_disk_told():
        return store.finalize()


@contextlib.contextmanager
def full_disk_told() -> Iterator[None]:
    """Adds to a full disk's error what to do about it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise OSError(
            error.errno, f"{os.strerror(error.errno)}: make room and run the same command again; what is done is kept"
        ) from error


def read_persons(job: BuildJob) -> tuple[Instances, str]:
    """The instance table and its source. A store made of the same file has the table already: COCO's takes seconds."""
    if not job.annotations.is_file():
        raise FileNotFoundError(f"there is no annotation file {job.annotations.absolute()}")
    source = f"{job.annotations.name}, sha256 {digest_of(job.annotations)}"
    store = existing_store(job.store)
    if store is not None:
        read = store.spec.annotations
        if (read.source, read.labelled, read.part) == (source, job.labelled, job.part):
            return store.instances, source
    return read_coco(job.annotations, labelled=job.labelled, part=job.part), source


def existing_store(url: str) -> HeatmapStore | None:
    """The store at `url`; None where there is none, or where the creation of one was interrupted."""
    return HeatmapStore.open(url) if HeatmapStore.exists(url) else None


def spec_of(job: BuildJob, teacher: PoseNetwork, persons: Instances, source: str, ap: float | None = None) -> StoreSpec:
    """The spec of the store that the job makes."""
    policy = CropPolicy(input_size=teacher.input_size)
    crops = CropsSpec(policy.region, policy.quality, zoom=policy.zoom, rotation=policy.rotation, shift=policy.shift)
    return make_spec(
        persons,
        TeacherSpec(teacher.name, teacher.digest, teacher.licence, flip=job.flip, ap=ap),
        source=source,
        labelled=job.labelled,
        part=job.part,
        frame=FrameSpec(teacher.frame, teacher.input_size, teacher.heatmap_size, sigma=teacher.sigma),
        codec=job.codec,
        shard_rows=job.shard_rows,
        crops=crops if job.crops else None,
        views=job.views,
    )


def check_photos(images: Path, persons: Instances) -> None:
    """FileNotFoundError where photos are missing: better now than hours into the teacher's work."""
    names = sorted(set(persons.file_name))
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(names)} photos are not in {images.absolute()}, {missing[0]} first: "
            "give the folder that the annotations' file names are relative to, or fetch what is missing"
        )


def accepted_ap(teacher: PoseNetwork, expectation: Expectation, recorded: float | None) -> float:
    """The teacher's AP in percent, measured where a store has not recorded it; ValueError where it falls short."""
    ap, labels = recorded, "the labels that it was built with"
    if ap is None:
        from pipeline.evaluation.evaluation import evaluate
        from student.inference import Inference

        inference = Inference(flip=False)
        metrics = evaluate(teacher, expectation.annotations, expectation.images, inference=inference).metrics
        ap, labels = round(metrics.percent("AP") or 0, 2), expectation.annotations.name
    if ap < expectation.ap - expectation.tolerance:
        raise ValueError(
            f"{teacher.name} reaches AP {ap:.1f} on {labels}, expected {expectation.ap:g} "
            f"(tolerance {expectation.tolerance:g}): its heatmaps are not cached. Are its weights and its frame "
            f"({teacher.frame}) the right ones? Boxes are the annotated ones, as `kdcache evaluate --teacher` has them"
        )
    return ap


def make_pending(
    job: BuildJob,
    store: HeatmapStore,
    teacher: PoseNetwork,
    workers: int,
    scheduler: str | None,
    max_rmse: float | None,
) -> None:
    """Make every pending shard, here or on a cluster, and say at the end how long it took."""
    pending = store.pending()
    if not pending:
        return
    rows = sum(len(store.shard_rows(shard)) for shard in pending)
    start, teacher_share = time.perf_counter(), ""
    with progress_bar(store.rows, "build", "row", done=store.rows - rows) as bar:
        if workers or scheduler:
            from pipeline.building.cluster import make_on_cluster

            for made in make_on_cluster(job, pending, workers, scheduler):
                bar.update(made)
                refuse_error(store, max_rmse)
        else:
            maker = ShardMaker(
                store, teacher, job.images, batch_size=job.batch_size, readers=job.threads, progress=bar.update
            )
            make_here(maker, pending, max_rmse)
            share = maker.seconds_in_teacher / (time.perf_counter() - start)
            teacher_share = f"; the teacher worked {share:.0%} of the time"
    seconds = time.perf_counter() - start
    tqdm.write(f"{rows} rows in {seconds:.1f} s, {rows / seconds:.1f} a second{teacher_share}")


def make_here(maker: ShardMaker, shards: list[int], max_rmse: float | None) -> None:
    """Make shards in this process; whatever stops it drops the shards in flight."""
    with ThreadPoolExecutor(SHARDS_AT_ONCE, "shard") as pool:
        try:
            for shard in as_completed([pool.submit(maker.make, shard) for shard in shards]):
                shard.result()
                refuse_error(maker.store, max_rmse)
        except BaseException:  # Ctrl-C and SIGTERM as well: nobody waits for a shard that is not wanted
            maker.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def refuse_damage(store: HeatmapStore) -> None:
    """ValueError where something that was written does not read as it was written; no receipt is given for that."""
    found = verify_store(store, receipt=False)
    if found:
        raise ValueError(
            f"{store.url} is damaged in {len(found)} places:\n" + "\n".join(f"  {damage}" for damage in found[:8])
        )


def refuse_error(store: HeatmapStore, max_rmse: float | None) -> None:
    """ValueError where the codec's error on the rows measured so far is above `max_rmse`."""
    if max_rmse is None:
        return
    error = store.measured_error()
    if error["rmse_at_peaks"] > max_rmse:
        raise ValueError(
            f"the codec {store.spec.codec!r} is off by {error['rmse_at_peaks']:.4f} at the peaks of {error['rows']} "
            f"measured rows, more than --max-rmse {max_rmse:g}: build elsewhere with --codec exact8 or float16"
        )


def write_receipt(receipt: dict[str, Any], path: Path) -> None:
    """Copy the receipt to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(receipt, indent=2) + "\n")
    os.replace(temporary, path)

"""Run a teacher over a data set and cache its heatmaps.

    annotations -> instance table -> spec -> store with pending shards
    each pending shard: photos -> crops -> teacher -> store      (pipeline/building/shard_maker.py)
    nothing pending -> every object verified -> receipt

The shard is the unit of work, of writing and of recovery: after a kill, the next `build` makes the missing shards.
"""

import contextlib
import gc
import logging
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cache_tools.annotations.annotation_file import EXPECTED, read_annotation_file
from cache_tools.codec.windows import WindowsCodec
from cache_tools.crops import ENCODING, CropPolicy
from cache_tools.full_disk import full_disk_explained
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, read_image
from cache_tools.input_file import read_input
from cache_tools.instances import Instances
from cache_tools.progress import progress_bar
from cache_tools.skeletons import Skeleton, load_skeleton
from cache_tools.store.build_lock import build_lock
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import FrameSpec, StoreSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.building.conditions import check_ap, check_codec_error, check_undamaged
from pipeline.building.job import SHARDS_AT_ONCE, BuildJob, Expectation
from pipeline.building.resumed_photos import check_resumed
from pipeline.building.shard_maker import ShardMaker
from pipeline.building.stop_request import LOOK_SECONDS, StopRequest
from pipeline.building.window_basis import find_basis, stated_basis
from pipeline.persons.photo_check import check_photos
from pipeline.teachers.load import load_network
from pipeline.teachers.probe import probe_network, rows_to_probe
from pipeline.teachers.translated import log_translation
from student.pose_network import Crops, PoseNetwork, digest_of

logger = logging.getLogger(__name__)


def build(
    job: BuildJob,
    *,
    workers: int = 0,
    scheduler: str | None = None,
    max_rmse: float | None = None,
    expectation: Expectation | None = None,
) -> dict[str, Any]:
    """Make every missing shard and return the receipt; do nothing where the store is finished.

    workers: Dask worker processes on this host, 0 for a plain loop; scheduler: address of a running Dask cluster,
    which is used instead. max_rmse: largest codec error, as rmse_at_peaks. expectation: an AP that the teacher must
    reach; it is recorded in a new store.
    Before a shard is made, the teacher is run on a few persons: what it returns must be heatmaps between 0 and 1, of
    the shape that it states (pipeline/teachers/probe.py).
    Raises CacheMismatch where the store holds something else, FileNotFoundError where photos are missing, ValueError
    where the teacher or the codec does not meet its condition and where the store is damaged, BlockingIOError where
    another process builds the same store.
    """
    store = HeatmapStore.open(job.store, mode="r+") if HeatmapStore.exists(job.store) else None
    people = read_people(job, store)
    teacher = load_network(job.teacher, job.device, job.flip, job.threads, people.skeleton, dict(job.joints))
    log_translation(teacher)
    persons, codec = people.persons, stated_basis(job, store)
    if store is not None:
        store_spec(job, teacher, people, codec, store).check(store.spec, job.store)
    if store is None or store.pending():
        check_photos(
            job.images,
            persons.file_name,
            persons.image_size,
            job.photo_options,
            checksums=job.checksums,
            threads=job.threads,
        )
        probed = persons.take(rows_to_probe(len(persons)))
        logger.info("%s", probe_network(teacher, teacher_crops(job, probed, teacher)).text())
        if store is not None and (compared := check_resumed(store, teacher, job.images, job.threads)):
            logger.info("the photos are those of the finished shards, on %d rows that were compared", compared)
    ap = None
    if expectation is not None:
        ap = check_ap(teacher, expectation, None if store is None else store.spec.teacher.ap)
    if store is not None and store.is_finished():
        check_codec_error(store, max_rmse)
        return store.finalize()
    if store is None and job.codec == WindowsCodec.name:
        codec = find_basis(job, persons, teacher, codec, partial(teacher_crops, job, teacher=teacher))
    spec = store_spec(job, teacher, people, codec, store)
    spec = replace(spec, teacher=replace(spec.teacher, ap=ap))
    # Each worker loads its own. This one would keep its memory for the whole build, on a GPU beside a worker.
    own_teacher = None if workers or scheduler else teacher
    del teacher
    with full_disk_explained("what is done is kept"), build_lock(job.store):
        if store is None:
            store = HeatmapStore.open_or_create(job.store, spec, persons, codec)
        make_pending(job, store, own_teacher, workers=workers, scheduler=scheduler, max_rmse=max_rmse)
        check_undamaged(store)
        check_codec_error(store, max_rmse)
        return store.finalize()


@dataclass(frozen=True, kw_only=True)
class People:
    """The persons of a store, and what their annotation file says of them."""

    persons: Instances
    #: name and sha256 of the file
    source: str
    skeleton: Skeleton
    categories: tuple[int, ...]


def read_people(job: BuildJob, store: HeatmapStore | None) -> People:
    """Return the persons that the job caches; log what the annotation file leaves out.

    A store that was made from the same file has the table already, and parsing COCO's takes seconds.
    """
    if not job.annotations.is_file():
        # raises what is wrong with it
        read_input(job.annotations, EXPECTED)
    source = f"{job.annotations.name}, sha256 {digest_of(job.annotations)}"
    stated = None if job.skeleton is None else load_skeleton(job.skeleton)
    if store is not None and not job.category:
        made_from, skeleton = store.spec.annotations, store.spec.skeleton
        same_rule = (made_from.source, made_from.labelled, made_from.part) == (source, job.labelled, job.part)
        if same_rule and stated in (None, skeleton):
            return People(persons=store.instances, source=source, skeleton=skeleton, categories=made_from.categories)
    file = read_annotation_file(job.annotations, skeleton=stated, category=job.category)
    persons = file.instances(labelled=job.labelled, part=job.part)
    for remark in file.persons.remarks:
        logger.warning("%s: %s", job.annotations.name, remark)
    logger.info(
        "%s: %d persons of %s; left out: %s",
        job.annotations.name,
        len(persons),
        file.skeleton.name,
        file.left_out_text(job.labelled),
    )
    return People(persons=persons, source=source, skeleton=file.skeleton, categories=file.categories)


def teacher_crops(job: BuildJob, persons: Instances, teacher: PoseNetwork) -> Crops:
    """Return crops (B, H, W, 3) of persons, as the teacher is to see them."""
    to_image = crop_to_image(persons.box, teacher.frame, teacher.input_size)
    photo_options = job.photo_options.stated()
    crops = [
        cut(read_image(job.images / name, (int(height), int(width)), photo_options), matrix, teacher.input_size)
        for name, (height, width), matrix in zip(persons.file_name, persons.image_size, to_image, strict=True)
    ]
    return np.stack(crops)


def store_spec(
    job: BuildJob, teacher: PoseNetwork, people: People, codec: WindowsCodec | None, store: HeatmapStore | None
) -> StoreSpec:
    """Return the spec of the store that the job makes.

    codec: with a basis; None where it has none. store: what is there of it.
    """
    # a store that an earlier kdcache began goes on as it began
    begun = None if store is None else store.spec.crops
    policy = CropPolicy(input_size=teacher.input_size, encoding=ENCODING if begun is None else begun.encoding)
    return make_spec(
        people.persons,
        TeacherSpec(teacher.name, teacher.digest, teacher.licence, flip=job.flip, joints=teacher.joints),
        skeleton=people.skeleton,
        source=people.source,
        categories=people.categories,
        labelled=job.labelled,
        part=job.part,
        frame=FrameSpec(teacher.frame, teacher.input_size, teacher.heatmap_size, sigma=teacher.sigma),
        codec=job.codec,
        basis=None if codec is None else codec.digest,
        shard_rows=job.shard_rows,
        crops=CropsSpec.of(policy) if job.crops else None,
        views=job.views,
        photos=job.photo_options.stated(),
    )


def make_pending(
    job: BuildJob,
    store: HeatmapStore,
    teacher: PoseNetwork | None,
    *,
    workers: int,
    scheduler: str | None,
    max_rmse: float | None,
) -> None:
    """Make every pending shard, here or on a cluster; log how long it took, or how far it came when it is stopped.

    teacher: None where workers load it.
    """
    pending = store.pending()
    if not pending:
        return
    rows = sum(len(store.shard_rows(shard)) for shard in pending)
    start, teacher_share = time.perf_counter(), ""
    stop = StopRequest()
    try:
        with stop, progress_bar(store.rows, "build", "row", done=store.rows - rows) as bar:
            if teacher is None:
                free_memory()
                # Dask takes half a second to import
                from pipeline.building.cluster import make_on_cluster

                with contextlib.closing(make_on_cluster(job, store, pending, stop, workers, scheduler)) as finished:
                    for made in finished:
                        bar.update(made)
                        check_codec_error(store, max_rmse)
            else:
                maker = ShardMaker(
                    store, teacher, job.images, batch_size=job.batch_size, readers=job.threads, progress=bar.update
                )
                make_here(maker, pending, max_rmse, stop)
                share = maker.seconds_in_teacher / (time.perf_counter() - start)
                teacher_share = f"; the teacher worked {share:.0%} of the time"
    except (KeyboardInterrupt, SystemExit):
        done = store.shards - len(store.pending())
        logger.info(f"stopped: {done} of {store.shards} shards are done and kept; run the same command again to go on")
        raise
    seconds = time.perf_counter() - start
    logger.info(f"{rows} rows in {seconds:.1f} s, {rows / seconds:.1f} a second{teacher_share}")


def free_memory() -> None:
    """Give back what networks took that are not needed any more: cycles of objects, and what CUDA's allocator keeps."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def make_here(maker: ShardMaker, shards: list[int], max_rmse: float | None, stop: StopRequest) -> None:
    """Make shards in this process; an error and a request to stop drop the shards in flight."""
    with ThreadPoolExecutor(SHARDS_AT_ONCE, "shard") as pool:
        pending = {pool.submit(maker.make, shard) for shard in shards}
        try:
            while pending:
                made, pending = wait(pending, LOOK_SECONDS, FIRST_COMPLETED)
                stop.check()
                for shard in made:
                    shard.result()
                    check_codec_error(maker.store, max_rmse)
        except BaseException:
            maker.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

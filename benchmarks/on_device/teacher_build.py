"""A build: rows a second of ViTPose+ from photos to a store with crops, and the teacher's share of the time."""

import time
from collections.abc import Iterator

from measured import Row, at_least
from on_device.context import Context
from on_device.samples import RandomVitPose, draw_persons, empty_store, random_crops

from pipeline.building.build import make_here
from pipeline.building.shard_maker import ShardMaker
from pipeline.building.stop_request import StopRequest
from pipeline.costs.estimate import PERSONS_OF

SHARE = 97.0
COCO_PERSONS = PERSONS_OF["person_keypoints_train2017.json"]


def measure(context: Context) -> Iterator[Row]:
    """Yield the pace of the build of one store."""
    size = context.size
    teacher = RandomVitPose(size.build_teacher, context.device)
    photos = context.folder / "build-photos"
    persons = draw_persons(photos, size.build_persons)
    # kernels are chosen and memory is taken before the clock starts
    teacher(random_crops(size.build_batch, teacher.input_size))
    store = empty_store(context.folder / "build.zarr", persons, teacher.name, crops=True)
    maker = ShardMaker(store, teacher, photos, batch_size=size.build_batch)
    start = time.perf_counter()
    make_here(maker, store.pending(), None, StopRequest())
    seconds = time.perf_counter() - start
    rate = len(persons) / seconds
    yield Row(f"{teacher.name}, crops of {size.build_batch}", rate, "rows/s")
    share = 100 * maker.seconds_in_teacher / seconds
    yield at_least("the teacher's share of the time", share, SHARE, "%", judged=context.on_gpu)
    yield Row(f"{COCO_PERSONS:,} persons of COCO train2017", COCO_PERSONS / rate / 3600, "h")

"""What a Dask worker opens for a build, in its own process: the store, the photos and the teacher."""

import logging
from pathlib import Path

from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import BuildJob
from pipeline.building.shard_maker import ShardMaker
from pipeline.teachers.load import load_network
from student.pose_network import PoseNetwork


def open_maker(job: BuildJob, photo: str, number: int, threads: int) -> ShardMaker:
    """Return what makes the job's shards on this worker, of the persons that come with each of them.

    photo: name of one, which this worker must see. number: of the worker among those of its host. threads: CPU threads
    where the job states none.
    Raises ValueError, whose text goes on after the worker's name, for what the worker does not have.
    """
    threads = job.threads or threads
    try:
        store = HeatmapStore.open(job.store, mode="r+", table=False)
    except (ValueError, OSError, ImportError) as error:
        raise ValueError(f"cannot open the store: {error}") from error
    check_photo(job.images / photo)
    # the process that started the build has loaded the same teacher and shown its warnings
    logging.getLogger("pipeline.teachers").setLevel(logging.ERROR)
    device = worker_device(job.device, number)
    try:
        teacher = load_network(job.teacher, device, job.flip, threads, store.spec.skeleton, dict(job.joints))
        digest = teacher.digest
    except (ValueError, OSError, ImportError) as error:
        raise ValueError(f"cannot load the teacher {job.teacher}: {error}") from error
    check_same_teacher(teacher, digest, store)
    return ShardMaker(store, teacher, job.images, batch_size=job.batch_size, readers=threads)


def check_photo(path: Path) -> None:
    """Raise ValueError where a photo of the store cannot be read here."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(
            f"does not see the photos: {path}: {error.strerror}; every worker needs them under the same path"
        ) from error


def check_same_teacher(teacher: PoseNetwork, digest: str, store: HeatmapStore) -> None:
    """Raise ValueError where this worker has another copy of the teacher than the process that began the store."""
    expected = store.spec.teacher.digest
    if digest != expected:
        raise ValueError(
            f"has another teacher of the name {teacher.name}: digest {digest[:16]}, expected {expected[:16]}, the "
            "store's; give every host the same files and versions"
        )


def worker_device(device: str, number: int) -> str:
    """Return `device`, or `cuda:N` where the workers of a host share several GPUs, by the worker's number.

    A worker that joins a running build has number 0: start such workers each with its own CUDA_VISIBLE_DEVICES.
    """
    if device not in ("auto", "cuda") or not Path("/dev/nvidia0").exists():
        return device
    # 3 s and 300 MB, which only hosts with a GPU need
    import torch

    gpus = torch.cuda.device_count()
    return f"cuda:{number % gpus}" if gpus else device

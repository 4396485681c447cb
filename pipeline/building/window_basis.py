"""The basis of a store with the codec `windows`: the store's, that of another store, or learnt from the teacher."""

import logging
from collections.abc import Callable

import numpy as np

from cache_tools.codec.fit_windows import fit_windows, measure_fit, rows_to_fit
from cache_tools.codec.windows import WindowsCodec
from cache_tools.instances import Instances
from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import AUTO_BASIS, BuildJob
from student.network_output import heatmaps_of
from student.pose_network import Crops, PoseNetwork

logger = logging.getLogger(__name__)


def stated_basis(job: BuildJob, store: HeatmapStore | None) -> WindowsCodec | None:
    """Return the codec whose basis the job names, else the store's; None where there is none yet.

    Raises ValueError where the store that the job names has no basis, and where parts of one data set would be given
    bases that differ.
    """
    if job.codec != WindowsCodec.name:
        if job.basis != AUTO_BASIS:
            raise ValueError(f"--basis {job.basis} has no effect with --codec {job.codec}: leave it out")
        return None
    if job.basis != AUTO_BASIS:
        codec = HeatmapStore.codec_at(job.basis)
        if not isinstance(codec, WindowsCodec):
            raise ValueError(f"--basis {job.basis}: a store of {codec.name}: expected one of {WindowsCodec.name}")
        return codec
    if store is not None:
        return store.codec if isinstance(store.codec, WindowsCodec) else None
    if job.part is not None and job.part[0] > 1:
        raise ValueError(
            f"part {job.part[0]} of {job.part[1]} with --codec {job.codec}: give the store of part 1 as --basis, "
            "because only stores of one basis can be merged"
        )
    return None


def find_basis(
    job: BuildJob,
    persons: Instances,
    teacher: PoseNetwork,
    stated: WindowsCodec | None,
    read_crops: Callable[[Instances], Crops],
) -> WindowsCodec:
    """Return the codec of a new store; log its error on some of the rows and how many of their maps do not fit.

    stated: the codec that the job names; None: its basis is learnt. read_crops: returns the teacher's crops of persons.
    Raises ValueError where more maps do not fit than the codec is made for.
    """
    rows = rows_to_fit(len(persons), persons.keypoints.shape[1])
    maps = np.concatenate(
        [
            heatmaps_of(teacher, read_crops(persons.take(part)), finite=True)
            for part in np.split(rows, range(job.batch_size, len(rows), job.batch_size))
        ]
    )
    fit = fit_windows(maps, teacher.sigma) if stated is None else measure_fit(stated, maps)
    fit.check()
    logger.info("%s", fit.text())
    return fit.codec

"""Run the teacher again and compare its heatmaps with the stored ones: the check that no checksum can make."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.error import error_of_row, summarize_errors
from cache_tools.geometry import Matrix
from cache_tools.images import Image, cut, read_image
from cache_tools.store.reader import StoreReader
from cache_tools.store.spec import CacheMismatch
from student.network_output import heatmaps_of
from student.pose_network import Maps, PoseNetwork

BATCH_SIZE = 32
#: a store disagrees above this multiple of its recorded error and this margin: the rounding of another device is
#: below, another photo is above
FACTOR, MARGIN = 2.0, 0.005


def recompute_rows(
    store: StoreReader, teacher: PoseNetwork, images: Path, rows: int | NDArray[np.int64], *, seed: int = 0
) -> dict[str, Any]:
    """Return the error of the store against the teacher's heatmaps of some rows, or of a number of random ones.

    teacher: the one that made the store, averaged with its mirror where the store's is.
    The keys are those of summarize_errors, `recorded_rmse_at_peaks`, and `views`: summarize_errors of the rows' stored
    views, cut by their matrices, or None where there are none.
    Raises CacheMismatch where the teacher is another, ValueError where the heatmaps differ by much more than the
    codec's recorded error.
    """
    spec = store.spec.teacher
    if teacher.digest != spec.digest:
        raise CacheMismatch(
            f"{store.url} was made by another teacher:\n  teacher.name: found {spec.name}, given {teacher.name}\n"
            f"  teacher.digest: found {spec.digest}, given {teacher.digest}\n"
            "Give the teacher that made the store: `kdcache info` names it."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(store.rows)[:rows]) if isinstance(rows, int) else rows
    recorded = store.measured_error()["rmse_at_peaks"]
    errors: list[dict[str, Any]] = []
    view_errors: list[dict[str, Any]] = []
    for part in np.split(chosen, range(BATCH_SIZE, len(chosen), BATCH_SIZE)):
        photos = [_photo(store, images, row) for row in part]
        errors += _errors(teacher, photos, store.crop_to_image[part], store.read(part))
        if store.spec.views:
            views = store.read_views(part)
            for k in range(store.spec.views):
                view_errors += _errors(teacher, photos, views.crop_to_image[:, k], views.maps[:, k])
    found, of_views = summarize_errors(errors), summarize_errors(view_errors) if view_errors else None
    for what, error in (("plain crops", found), ("stored views", of_views)):
        if error is not None and error["rmse_at_peaks"] > FACTOR * recorded + MARGIN:
            raise ValueError(
                f"the teacher disagrees with the {what} of {store.url}: RMSE at peaks {error['rmse_at_peaks']:.4f} on "
                f"{len(chosen)} rows, recorded {recorded:.4f}; are the photos in {images} the ones it was built from?"
            )
    return found | {"recorded_rmse_at_peaks": recorded, "views": of_views}


def _photo(store: StoreReader, images: Path, row: int) -> Image:
    height, width = store.instances.image_size[row].tolist()
    return read_image(images / store.instances.file_name[row], (height, width), store.spec.photos)


def _errors(teacher: PoseNetwork, photos: list[Image], crop_to_image: Matrix, decoded: Maps) -> list[dict[str, Any]]:
    """Return error_of_row of stored maps (B, 17, h, w) of the crops that matrices (B, 2, 3) cut from the photos."""
    crops = np.stack([cut(photo, m, teacher.input_size) for photo, m in zip(photos, crop_to_image, strict=True)])
    live = heatmaps_of(teacher, crops, finite=True)
    return [error_of_row(exact, maps) for exact, maps in zip(live, decoded, strict=True)]

"""Ask the teacher again and compare with what the store says: the check that no checksum can make."""

from pathlib import Path
from typing import Any

import numpy as np

from cache_tools.error import error_of_row, summary
from cache_tools.images import cut, read_image
from cache_tools.spec import CacheMismatch
from cache_tools.store import HeatmapStore
from pipeline.teachers import load_teacher

BATCH = 32
FACTOR, MARGIN = 2.0, 0.005  # of the recorded error: another device's rounding is within, another picture is not


def recompute_rows(
    url: str, teacher: str, images: Path, rows: int, seed: int = 0, device: str = "auto"
) -> dict[str, Any]:
    """Error of the store against the teacher's maps of `rows` random rows: error.summary and `recorded_rmse_at_peaks`.

    Raises CacheMismatch for another teacher than the store's, ValueError where the maps differ by much more than the
    codec's recorded error.
    """
    store = HeatmapStore.open(url)
    spec = store.spec.teacher
    live = load_teacher(teacher, device, spec.flip)
    if live.digest != spec.digest:
        raise CacheMismatch(
            f"{store.url} was made by another teacher:\n  teacher.name: found {spec.name}, given {live.name}\n"
            f"  teacher.digest: found {spec.digest}, given {live.digest}"
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(store.rows)[:rows])
    errors, size = [], store.spec.frame.input_size
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        crops = [cut(read_image(images / store.instances.file_name[r]), store.crop_to_image[r], size) for r in part]
        for exact, decoded in zip(live(np.stack(crops)), store.read(part), strict=True):
            errors.append(error_of_row(exact, decoded))
    found, recorded = summary(errors), store.measured_error()["rmse_at_peaks"]
    if found["rmse_at_peaks"] > FACTOR * recorded + MARGIN:
        raise ValueError(
            f"the teacher disagrees with {store.url}: RMSE at peaks {found['rmse_at_peaks']:.4f} on {len(chosen)} "
            f"rows, recorded {recorded:.4f}; are the photos in {images} the ones it was built from?"
        )
    return found | {"recorded_rmse_at_peaks": recorded}

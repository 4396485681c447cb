"""COCO's keypoint AP and AR, by pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.metrics_file import METRICS

if TYPE_CHECKING:
    from pycocotools.coco import COCO


def coco_numbers(
    coco: "COCO",
    results: list[dict[str, Any]],
    *,
    categories: Sequence[int],
    sigmas: Sequence[float],
    images: NDArray[np.int64] | None = None,
) -> tuple[dict[str, float | None], list[str]]:
    """Return pycocotools' ten keypoint numbers, and remarks on those that do not exist (None).

    coco: index of the labels. results: COCO results. categories: ids of those that count; AP is the mean over them.
    sigmas: of OKS, one for each keypoint. images: ids of the images that count, by default all.
    """
    from pycocotools.cocoeval import COCOeval

    # loadRes writes into the results that it is given
    copies = [dict(result) for result in results]
    # pycocotools prints its progress and a table
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(copies), "keypoints")
        evaluation.params.catIds = list(categories)
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        if images is not None:
            evaluation.params.imgIds = images.tolist()
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers: dict[str, float | None] = {
        name: None if value < 0 else float(value) for name, value in zip(METRICS, evaluation.stats, strict=True)
    }
    absent = [name for name, value in numbers.items() if value is None]
    if not absent:
        return numbers, []
    return numbers, [f"{', '.join(absent)}: no labelled person of that size in the annotations, so there is no number"]

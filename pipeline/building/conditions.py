"""Conditions of a build: the teacher reaches its AP, the codec is exact enough, nothing is damaged."""

from cache_tools.skeletons import load_skeleton
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import Expectation
from student.inference import Inference
from student.pose_network import PoseNetwork

DAMAGES_SHOWN = 8


def check_ap(teacher: PoseNetwork, expectation: Expectation, recorded: float | None) -> float:
    """Return the teacher's AP in percent, measured where none is recorded; ValueError where it falls short."""
    ap, labels = recorded, "the labels that it was built with"
    if ap is None:
        # torch and pycocotools: seconds that a build without expectation does not spend
        from pipeline.evaluation.evaluation import evaluate
        from pipeline.persons.coco_labels import CocoLabels

        stated = None if expectation.skeleton is None else load_skeleton(expectation.skeleton)
        # whether a teacher is wired up rightly, not whether it knows every joint
        result = evaluate(
            teacher,
            CocoLabels(expectation.annotations, skeleton=stated, category=expectation.category),
            expectation.images,
            inference=Inference(flip=False),
            photo_options=expectation.photo_options,
            checksums=expectation.checksums,
            common=True,
        )
        ap, labels = round(result.metrics.percent("AP") or 0, 2), expectation.annotations.name
    if ap < expectation.ap - expectation.tolerance:
        raise ValueError(
            f"{teacher.name} reaches AP {ap:.1f} on {labels}, expected {expectation.ap:g} "
            f"(tolerance {expectation.tolerance:g}): its heatmaps are not cached. Are its weights and its frame "
            f"({teacher.frame}) the right ones? Boxes are the annotated ones, as in `kdcache evaluate --teacher`"
        )
    return ap


def check_codec_error(store: HeatmapStore, max_rmse: float | None) -> None:
    """Raise ValueError where the codec's error on the rows measured so far is above `max_rmse`."""
    if max_rmse is None:
        return
    error = store.measured_error()
    if error["rmse_at_peaks"] > max_rmse:
        raise ValueError(
            f"the codec {store.spec.codec!r} is off by {error['rmse_at_peaks']:.4f} at the peaks of {error['rows']} "
            f"measured rows, more than --max-rmse {max_rmse:g}: build elsewhere with --codec exact8 or float16"
        )


def check_undamaged(store: HeatmapStore) -> None:
    """Raise ValueError where an object of the store does not read as it was written."""
    found = verify_store(store, receipt=False)
    if found:
        lines = "\n".join(f"  {damage}" for damage in found[:DAMAGES_SHOWN])
        raise ValueError(f"{store.url} is damaged in {len(found)} places:\n{lines}")

"""Estimate what a configuration will cost before anything of it runs: rows, bytes, FLOPs, GPU-hours.

FLOPs are twice the multiply-accumulates of the networks themselves, counted on the meta device. A training step is
three forward passes: one forward, two backward. Evaluations during training are left out.
"""

from dataclasses import dataclass
from typing import Literal

from cache_tools.skeletons import COCO, load_skeleton
from pipeline.config import Config
from pipeline.configured_skeleton import configured_skeleton
from pipeline.costs.network_flop import student_flop, teacher_flop
from pipeline.persons.boxes import detected
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.names import kind_of
from student.models.backbones import resolve_backbone

#: forward passes that a training step costs
STEP_PASSES = 3
#: published numbers of labelled persons
PERSONS_OF = {"person_keypoints_train2017.json": 149_813, "person_keypoints_val2017.json": 6_352}
#: boxes of the usual detector file on val2017
DETECTOR_BOXES = 104_125
#: bytes a row of real heatmaps (TinyPose) of COCO's 17 joints by codec, on 716 persons of COCO train2017
HEATMAP_BYTES = {"compact": 696, "compact80": 567, "windows": 424, "exact8": 2_839, "float16": 58_882, "compact6": 597}
#: bytes a row of real crops, on the same persons
CROP_BYTES = 46_377
Stage = Literal["cache", "train", "live", "evaluate"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Forward passes through one network, for one purpose."""

    stage: Stage
    #: of the network
    name: str
    #: of one image; None: the network cannot be counted here
    flop_each: float | None
    #: number of images
    passes: float

    @property
    def flop(self) -> float | None:
        """Return the FLOP of all passes."""
        return None if self.flop_each is None else self.flop_each * self.passes


@dataclass(frozen=True, kw_only=True)
class CostEstimate:
    """The estimates of one configuration."""

    #: persons to train on
    rows: int
    #: persons to evaluate on
    val_persons: int
    #: where the two numbers come from
    counted: tuple[str, str]
    #: heatmaps of a person
    joints: int
    heatmap_bytes: int
    crop_bytes: int
    works: tuple[Work, ...]
    #: FLOP of a live teacher for one student and for all students; None: unknown
    live_alternative: tuple[float, float] | None

    def flop(self, *stages: str) -> float:
        """Return the FLOP of some stages, or of all; networks that cannot be counted are left out."""
        return sum(work.flop or 0.0 for work in self.works if not stages or work.stage in stages)

    @property
    def uncounted(self) -> list[str]:
        """Return the names of networks that cannot be counted."""
        return sorted({work.name for work in self.works if work.flop is None})


def estimate_costs(config: Config, rows: int | None = None, val_persons: int | None = None) -> CostEstimate:
    """Estimate what the workflow of `config` costs.

    rows, val_persons: persons to train on and to evaluate, for data that is neither there nor COCO 2017.
    Raises ValueError when they are needed and not given, and for a teacher or a backbone that does not exist.
    """
    _check_references(config)
    labels = _labels(config, "val")
    rows, rows_from = _training_persons(config, rows)
    val_persons, val_from = _validation_persons(config, labels, val_persons)
    boxes = _evaluation_boxes(config, labels, val_persons)
    stores = len(config.cached_teachers)
    joints = len(configured_skeleton(config) if labels is None else labels.skeleton)
    return CostEstimate(
        rows=rows,
        val_persons=val_persons,
        counted=(rows_from, val_from),
        joints=joints,
        heatmap_bytes=round(stores * rows * bytes_per_row(config.store.codec, joints) * (1 + config.store.views)),
        crop_bytes=stores * rows * CROP_BYTES if config.store.crops else 0,
        works=(*_caching(config, rows), *_training(config, rows, joints), *_evaluation(config, boxes, joints)),
        live_alternative=_live_alternative(config, rows),
    )


def bytes_per_row(codec: str, joints: int) -> float:
    """Return the bytes of a person's heatmaps in a store; they grow with the joints (docs/results.md)."""
    return HEATMAP_BYTES[codec] * joints / len(COCO)


def _labels(config: Config, split: Literal["train", "val"]) -> CocoLabels | None:
    """Return the labels of a split, None where they are not there yet."""
    path, stated = config.data.path(split, "annotations"), config.data.skeleton
    if not path.is_file():
        return None
    return CocoLabels(path, skeleton=None if stated is None else load_skeleton(stated), category=config.data.category)


def _check_references(config: Config) -> None:
    """Raise ValueError for a misspelt teacher or backbone; files and modules are looked at when they are used."""
    for teacher in config.teachers:
        kind_of(teacher.reference)
    for run in config.runs.values():
        resolve_backbone(run.model.backbone)


def _training_persons(config: Config, given: int | None) -> tuple[int, str]:
    """Return the number of persons to train on, and where it comes from."""
    if given is None and (labels := _labels(config, "train")) is not None:
        return len(labels.instances(labelled=not config.store.unlabelled)), f"counted in {labels.path}"
    return _uncounted_persons(config, "train", given)


def _validation_persons(config: Config, labels: CocoLabels | None, given: int | None) -> tuple[int, str]:
    """Return the number of persons to evaluate on, and where it comes from."""
    if given is None and labels is not None:
        return len(labels.persons), f"counted in {labels.path}"
    return _uncounted_persons(config, "val", given)


def _uncounted_persons(config: Config, split: Literal["train", "val"], given: int | None) -> tuple[int, str]:
    """Return a number of persons that needs no annotation file, and where it comes from."""
    if given is not None:
        return given, "as given"
    if config.data.rendered:
        rendered = config.data.rendered
        return rendered.persons if split == "train" else rendered.val_persons, "to be rendered"
    path = config.data.path(split, "annotations")
    if path.name in PERSONS_OF:
        return PERSONS_OF[path.name], f"published; {path} is not there yet"
    option = "--rows" if split == "train" else "--val-persons"
    raise ValueError(f"there is no {path} to count persons in: put the data there, or give their number by {option}")


def _evaluation_boxes(config: Config, labels: CocoLabels | None, val_persons: int) -> int:
    """Return the number of boxes that each evaluation looks into."""
    if config.evaluate.boxes == "gt":
        return val_persons
    path = config.data.root / config.evaluate.boxes
    if path.is_file() and labels is not None:
        return len(detected(path, labels, score_threshold=config.evaluate.score_threshold))
    return max(val_persons, DETECTOR_BOXES)


def _caching(config: Config, rows: int) -> list[Work]:
    """Return the teachers' passes over the rows of their stores."""
    if all(run.distill.mode != "cached" for run in config.runs.values()):
        return []
    passes = rows * (1 + config.store.views) * (2 if config.store.flip else 1)
    return [
        Work(stage="cache", name=teacher.name, flop_each=teacher_flop(teacher.reference), passes=passes)
        for teacher in config.cached_teachers
    ]


def _training(config: Config, rows: int, joints: int) -> list[Work]:
    """Return the students' training passes, and those of a live teacher beside them."""
    works = []
    for name, run in config.runs.items():
        images = min(rows, run.train.max_rows or rows) * run.train.epochs
        flop = student_flop(run.model, joints)
        works.append(Work(stage="train", name=name, flop_each=flop, passes=STEP_PASSES * images))
        if run.distill.mode == "live":
            teacher = config.teachers[0]
            each = teacher_flop(teacher.reference)
            works.append(Work(stage="live", name=teacher.name, flop_each=each, passes=images))
    return works


def _evaluation(config: Config, boxes: int, joints: int) -> list[Work]:
    """Return the passes of every teacher and student over the boxes of the validation split."""
    passes = boxes * (2 if config.evaluate.flip else 1)
    flop_of: dict[str, float | None] = {teacher.name: teacher_flop(teacher.reference) for teacher in config.teachers}
    flop_of |= {name: student_flop(run.model, joints) for name, run in config.runs.items()}
    return [Work(stage="evaluate", name=name, flop_each=each, passes=passes) for name, each in flop_of.items()]


def _live_alternative(config: Config, rows: int) -> tuple[float, float] | None:
    """Return the FLOP of the published teacher on each augmented crop, for one cached student and for all of them."""
    each = teacher_flop(config.teachers[0].reference, folded=False)
    epochs = [run.train.epochs for run in config.runs.values() if run.distill.mode == "cached"]
    if each is None or not epochs:
        return None
    return each * rows * epochs[0], each * rows * sum(epochs)

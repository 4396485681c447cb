"""What a configuration will cost before anything of it runs: rows, bytes, FLOPs, GPU-hours. Estimates, every one.

FLOPs are twice the multiply-accumulates of the networks themselves, counted on the meta device. A training step is
three forward passes: one forward, two backward. The short evaluations while training are left out. GPU-hours come
from a speed that the user gives and that the GPU must sustain; small networks and their input pipelines sustain far
less of a data sheet's number than a huge teacher does.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from cache_tools.instances import read_coco
from pipeline.config import Config, TeacherConfig
from pipeline.persons.annotation_file import AnnotationFile
from pipeline.persons.boxes import detected
from pipeline.teachers.names import VITPOSE_HUB, VITPOSE_NOT_ON_HUB, unknown_teacher
from student.models.backbones import resolve
from student.models.flops import count_costs
from student.models.student import create_student
from student.settings import ModelSettings

STEP_PASSES = 3  # forward passes that a training step costs
ROWS_OF = {"person_keypoints_train2017.json": 149_813, "person_keypoints_val2017.json": 6_352}  # published persons
DETECTIONS = 104_125  # boxes of the usual detector file on val2017
# Bytes a row of real heatmaps (TinyPose) and of real crops, on the same 716 persons of COCO train2017.
BYTES_OF = {"compact": 696, "compact6": 597, "exact8": 2_839, "float16": 58_882}
CROP_BYTES = 46_377


@dataclass(frozen=True)
class Work:
    """Forward passes through one network, for one purpose."""

    stage: Literal["cache", "train", "live", "evaluate"]
    name: str
    flop_each: float | None  # of one image; None: the network cannot be counted here
    passes: float

    @property
    def flop(self) -> float | None:
        """All of it."""
        return None if self.flop_each is None else self.flop_each * self.passes


@dataclass(frozen=True)
class Plan:
    """The estimates of one configuration."""

    rows: int
    val_persons: int
    counted: tuple[str, str]  # where the two numbers come from
    heatmap_bytes: int
    crop_bytes: int
    works: tuple[Work, ...]
    live_alternative: tuple[float, float] | None  # FLOP of a live teacher for one student and for all; None: unknown

    def flop(self, *stages: str) -> float:
        """FLOP of the stages, or of everything; networks that cannot be counted are left out."""
        return sum(work.flop or 0.0 for work in self.works if not stages or work.stage in stages)

    @property
    def uncounted(self) -> list[str]:
        """Networks of unknown cost."""
        return sorted({work.name for work in self.works if work.flop is None})


def plan(config: Config, rows: int | None = None, val_persons: int | None = None) -> Plan:
    """Estimate what the workflow of `config` costs.

    rows, val_persons: persons to train on and to evaluate, for data that is neither there nor COCO 2017.
    Raises ValueError when they are needed and not given, and for a teacher or a backbone that does not exist.
    """
    _check_names(config)
    rows, rows_from = _persons(config, "train", rows)
    val_persons, val_from = _persons(config, "val", val_persons)
    stores = len(config.cached_teachers)
    works = [*_caching(config, rows), *_training(config, rows), *_evaluation(config, val_persons)]
    return Plan(
        rows,
        val_persons,
        (rows_from, val_from),
        stores * rows * BYTES_OF[config.store.codec] * (1 + config.store.views),
        stores * rows * CROP_BYTES if config.store.crops else 0,
        tuple(works),
        _live(config, rows),
    )


def _check_names(config: Config) -> None:
    """ValueError, with names that are near, for what a typo made; files and modules are asked when they are used."""
    for reference in (teacher.reference for teacher in config.teachers):
        if ":" not in reference and reference not in (*VITPOSE_HUB, "none"):
            known = [*VITPOSE_HUB, "student:demo"]
            raise ValueError(VITPOSE_NOT_ON_HUB.get(reference) or unknown_teacher(reference, known))
    for run in config.runs.values():
        resolve(run.model.backbone)


def _caching(config: Config, rows: int) -> list[Work]:
    if all(run.distill.mode != "cached" for run in config.runs.values()):
        return []
    passes = rows * (1 + config.store.views) * (2 if config.store.flip else 1)
    return [Work("cache", t.name, teacher_flop(t.reference), passes) for t in config.cached_teachers]


def _training(config: Config, rows: int) -> list[Work]:
    works = []
    for name, run in config.runs.items():
        seen = min(rows, run.train.max_rows or rows) * run.train.epochs
        works.append(Work("train", name, student_flop(run.model), STEP_PASSES * seen))
        if run.distill.mode == "live":
            teacher = config.teachers[0]
            works.append(Work("live", teacher.name, teacher_flop(teacher.reference), seen))
    return works


def _evaluation(config: Config, val_persons: int) -> list[Work]:
    passes = _boxes(config, val_persons) * (2 if config.evaluate.flip else 1)
    teachers = [Work("evaluate", t.name, teacher_flop(t.reference), passes) for t in config.teachers]
    return teachers + [Work("evaluate", name, student_flop(run.model), passes) for name, run in config.runs.items()]


def _boxes(config: Config, val_persons: int) -> int:
    """How many boxes each evaluation looks into."""
    if config.evaluate.boxes == "gt":
        return val_persons
    path, annotations = config.data.root / config.evaluate.boxes, config.data.path("val", "annotations")
    if path.is_file() and annotations.is_file():
        return len(detected(path, AnnotationFile(annotations), score_threshold=config.evaluate.score_threshold))
    return max(val_persons, DETECTIONS)


def _live(config: Config, rows: int) -> tuple[float, float] | None:
    """What the cached students would cost more, were the teacher run as its authors ship it, on each augmented crop."""
    teacher: TeacherConfig = config.teachers[0]
    each = teacher_flop(teacher.reference, folded=False)
    distilled = [run for run in config.runs.values() if run.distill.mode == "cached"]
    if each is None or not distilled:
        return None
    return each * rows * distilled[0].train.epochs, each * rows * sum(run.train.epochs for run in distilled)


def _persons(config: Config, split: Literal["train", "val"], given: int | None) -> tuple[int, str]:
    """How many persons a split has, and how that is known."""
    if given is not None:
        return given, "as given"
    path = config.data.path(split, "annotations")
    if path.is_file():
        labelled = split == "val" or not config.store.unlabelled
        return len(read_coco(path, labelled=labelled)), f"counted in {path}"
    if config.data.rendered:
        rendered = config.data.rendered
        return rendered.persons if split == "train" else rendered.val_persons, "to be rendered"
    if path.name in ROWS_OF:
        return ROWS_OF[path.name], f"published; {path} is not there yet"
    option = "--rows" if split == "train" else "--val-persons"
    raise ValueError(f"there is no {path} to count persons in: put the data there, or give their number by {option}")


def student_flop(settings: ModelSettings) -> float:
    """FLOP of one forward pass of a student."""
    return _student_flop(settings.model_copy(update={"weights": "none"}).model_dump_json())


@cache
def _student_flop(settings: str) -> float:
    import torch

    model = ModelSettings.model_validate_json(settings)
    with torch.device("meta"):
        return 2.0 * count_costs(create_student(model), model.input_size).macs


@cache
def teacher_flop(reference: str, folded: bool = True) -> float | None:
    """FLOP of one pass of a teacher; None for one that no counter looks into, or that is not there yet.

    folded: a mixture of experts as it is run here, dense for COCO; False: with all its experts, as it is published.
    """
    kind, _, rest = reference.partition(":")
    size = reference.partition("?")[0].removeprefix("vitpose-plus-")
    if reference.startswith("vitpose-plus-"):
        return _vitpose_flop(size, folded)
    if kind == "student" and rest:
        from pipeline.teachers.student_run import StudentTeacher

        try:
            return student_flop(StudentTeacher(rest, "cpu").model_settings)
        except FileNotFoundError:
            return None
    return None


def _vitpose_flop(size: str, folded: bool) -> float:
    import torch

    from pipeline.teachers.vitpose import fold, plus_network

    network = plus_network(size)
    if folded:
        with torch.device("meta"):
            network.model = fold(network.model)
    return 2.0 * count_costs(network, (256, 192)).macs


def as_text(estimate: Plan, config: Config, tflops: float) -> str:
    """The plan for reading; `tflops` is the speed that a GPU is taken to sustain."""

    def cost(flop: float | None) -> str:
        return "not known" if flop is None else f"{scaled(flop, 'FLOP'):>12}  {flop / tflops / 3.6e15:10.2f} GPU-h"

    codec = config.store.codec
    lines = [
        f"ESTIMATES for {tflops:g} TFLOP/s sustained; nothing was run or measured",
        f"persons to train on {estimate.rows:>10,}  ({estimate.counted[0]})",
        f"persons to evaluate {estimate.val_persons:>10,}  ({estimate.counted[1]})",
        f"store, heatmaps     {scaled(estimate.heatmap_bytes, 'B'):>10}  ({BYTES_OF[codec]} bytes a row in {codec})",
    ]
    if estimate.crop_bytes:
        lines.append(f"store, crops        {scaled(estimate.crop_bytes, 'B'):>10}  ({CROP_BYTES} bytes a row)")
    titles = {"cache": "teacher, once", "live": "teacher, live", "train": "students", "evaluate": "evaluation"}
    for stage, title in titles.items():
        works = [work for work in estimate.works if work.stage == stage]
        if not works:
            continue
        lines += ["", f"{title:30} {'GFLOP each':>10} {'passes':>14}"]
        for work in works if stage != "evaluate" else []:
            each = "-" if work.flop_each is None else f"{work.flop_each / 1e9:.2f}"
            lines.append(f"  {work.name:28} {each:>10} {work.passes:14,.0f}  {cost(work.flop)}")
        if len(works) > 1:
            lines.append(f"  {f'all {len(works)}':28} {'':>10} {'':>14}  {cost(estimate.flop(stage))}")
    lines += ["", f"{'everything':56}  {cost(estimate.flop())}"]
    if estimate.live_alternative is not None:
        one, every = estimate.live_alternative
        first = f"without the cache: {config.teachers[0].name}, all experts, on each augmented crop"
        lines += [first, f"{'  more for one student':56}  {cost(one)}", f"{'  more for all of them':56}  {cost(every)}"]
    if estimate.uncounted:
        lines.append(f"not counted, because their FLOPs are not known here: {', '.join(estimate.uncounted)}")
    return "\n".join(lines)


def scaled(value: float, unit: str) -> str:
    """A number with a decimal prefix: 37.7 PFLOP."""
    prefixes = ("", "k", "M", "G", "T", "P", "E", "Z")
    step = 0
    while value >= 999.5 and step < len(prefixes) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {prefixes[step]}{unit}"

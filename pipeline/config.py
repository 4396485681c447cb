"""The workflow's configuration: one YAML file, checked before anything runs. config/README.md explains every key."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from student.augment_recipes import recipe
from student.batches.stream import stream_of
from student.settings import Name, Settings, StudentSettings, list_mistakes


class SplitConfig(Settings):
    """Photos and annotations of one split, relative to `data.root`."""

    images: Path
    annotations: Path


class RenderedConfig(Settings):
    """Have `kdcache demo-data` make the data set: `persons` labelled training persons."""

    persons: int = Field(3000, gt=0)
    val_persons: int = Field(500, gt=0)
    seed: int = 0


class DataConfig(Settings):
    """Where the persons are. `rendered` makes them, `download` fetches COCO 2017, neither: they are there."""

    root: Path
    train: SplitConfig
    val: SplitConfig
    rendered: RenderedConfig | None = None
    download: bool = False

    def path(self, split: Literal["train", "val"], what: Literal["images", "annotations"]) -> Path:
        """Full path of a split's photos or annotations."""
        return self.root / getattr(getattr(self, split), what)


class TeacherConfig(Settings):
    """A teacher: `reference` as in `kdcache build --teacher`; `paper` names its row of the paper's Table 1."""

    name: Name
    reference: str
    paper: str | None = None
    expect_ap: float | None = Field(None, gt=1, le=100)  # percent on the val split: below it, nothing is cached
    tolerance: float = Field(0.2, ge=0)  # of expect_ap


class StoreConfig(Settings):
    """How heatmaps are cached, and whose: students learn from the average of `teachers`."""

    teachers: list[Name] = Field(default_factory=list)  # names; none: the first teacher
    codec: Literal["compact", "compact6", "exact8", "float16"] = "compact"
    flip: bool = False  # cache the average of the crop's and the mirrored crop's heatmaps
    crops: bool = True
    views: int = Field(0, ge=0)
    unlabelled: bool = False  # every person with a box, not only those with labelled keypoints
    max_rmse: float | None = Field(None, gt=0)  # refuse a codec error at the peaks above this
    shard_rows: int = Field(2048, gt=0)
    workers: int = Field(0, ge=0)  # 0: a plain loop; n: n Dask worker processes
    batch_size: int = Field(32, gt=0)


class StudentConfig(StudentSettings):
    """A student, and whether the same network is trained without a teacher beside it."""

    paper: str | None = None
    control: bool = True

    def runs(self) -> dict[str, StudentSettings]:
        """Run name -> settings: the student, and `NAME-control` that sees the ground truth alone."""
        own = StudentSettings(**{name: getattr(self, name) for name in StudentSettings.model_fields})
        if not self.control or own.distill.mode == "none":
            return {own.name: own}
        distill = own.distill.model_copy(update={"mode": "none"})
        name = f"{own.name}-control"
        return {own.name: own, name: own.model_copy(update={"name": name, "distill": distill})}


class EvaluateConfig(Settings):
    """The protocol of every AP in the report."""

    boxes: str = "gt"  # or a detector's file, relative to data.root
    score_threshold: float = 0.0  # leave out a detector's boxes below it
    flip: bool = True
    batch_size: int = Field(32, gt=0)


class ReportConfig(Settings):
    """What the panels show, and how long each speed measurement lasts."""

    students: list[Name] = Field(default_factory=list)  # runs in heatmaps and angles; none: the first four students
    predictions_student: Name | None = None  # the run whose poses are drawn on photos; none: the last student
    persons: int = Field(4, gt=0)  # rows of the heatmap panel, drawn evenly from the validation split
    person_ids: list[int] = Field(default_factory=list)  # annotation ids of the rows instead
    benchmark_seconds: float = Field(5, gt=0)
    benchmark_batch_size: int = Field(32, gt=0)
    hka_rendered: int = Field(60, gt=0)  # rendered standing persons, each drawn at three sizes


class Config(Settings):
    """One workflow. `defaults` lies under every student."""

    out: Path
    device: Literal["cpu", "cuda", "auto"] = "auto"
    data: DataConfig
    teachers: list[TeacherConfig] = Field(min_length=1)
    store: StoreConfig = StoreConfig()
    defaults: dict[str, Any] = Field(default_factory=dict)
    students: list[StudentConfig] = Field(min_length=1)
    one_stream: bool = False  # train every run in one job, on the same batches
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="before")
    @classmethod
    def _lay_defaults_under_students(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("students"), list):
            under = data.get("defaults") or {}
            data = {**data, "students": [merge(under, s) if isinstance(s, dict) else s for s in data["students"]]}
        return data

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Config":
        names = [name for student in self.students for name in student.runs()] + [t.name for t in self.teachers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names are folders, so each may stand once; found twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _what_is_named_exists(self) -> "Config":
        teachers = [teacher.name for teacher in self.teachers]
        shown = [*self.report.students, *filter(None, [self.report.predictions_student])]
        _check_names("store.teachers", self.store.teachers, teachers)
        _check_names("report", shown, self.runs)
        return self

    @model_validator(mode="after")
    def _one_stream_suits_all(self) -> "Config":
        if self.one_stream:
            stream_of([*self.runs.values()])
        return self

    @property
    def cached_teachers(self) -> list[TeacherConfig]:
        """The teachers whose heatmaps the students learn from."""
        names = self.store.teachers or [self.teachers[0].name]
        return [teacher for teacher in self.teachers if teacher.name in names]

    @property
    def shown(self) -> list[str]:
        """Runs in the heatmap panel and in the angles."""
        return self.report.students or [student.name for student in self.students[:4]]

    @property
    def runs(self) -> dict[str, StudentSettings]:
        """Run name -> settings of every training, controls included."""
        return {name: settings for student in self.students for name, settings in student.runs().items()}


def _check_names(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    """ValueError for a name that is not known, with those that are near it."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ValueError(f"{where} names {name!r}: {hint}expected one of {', '.join(known)}")


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`, mapping by mapping; anything else is replaced. A mapping changes the recipe of
    augmentation that is named under it."""
    both = {**under, **over}
    for key in under.keys() & over.keys():
        below = under[key]
        if key == "augment" and isinstance(below, str) and isinstance(over[key], dict):
            below = recipe(below).model_dump()
        if isinstance(below, dict) and isinstance(over[key], dict):
            both[key] = merge(below, over[key])
    return both


def parse_config(data: dict[str, Any], source: str = "the configuration") -> Config:
    """A checked Config; ValueError lists each wrong key with its path."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"{source} is not valid:\n{list_mistakes(error)}") from None


def load_config(path: str | Path) -> Config:
    """The Config of a YAML file."""
    try:
        data = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a {type(data).__name__}: expected a mapping with data, teachers and students")
    return parse_config(data, str(path))

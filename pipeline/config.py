"""The workflow's configuration: one YAML file, checked before anything runs."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from cache_tools.input_file import kind_of, read_input_text
from cache_tools.local_path import check_local
from cache_tools.skeletons import load_skeleton
from cache_tools.skeletons.keypoint_names import require_name
from pipeline.data_config import DataConfig, LocalPath
from student.augment_recipes import recipe
from student.batches.stream import stream_of
from student.settings import Name, Settings, StudentSettings, list_mistakes


class TeacherConfig(Settings):
    """A teacher. All teachers are evaluated; those of `store.teachers` are cached."""

    name: Name = Field(description="Name of its row and of its files.")
    reference: str = Field(description="The network, as in `kdcache build --teacher`.")
    paper: str | None = Field(None, description="Row of the paper's Table 1 that is shown beside it.")
    expect_ap: float | None = Field(
        None,
        gt=1,
        le=100,
        description="Cache it only where its AP on the val split (percent, annotated boxes, flip test) reaches this.",
    )
    tolerance: float = Field(0.2, ge=0, description="How far below `expect_ap` the AP may be, in percent.")
    joints: dict[str, str] = Field(
        default_factory=dict,
        description="What it calls keypoints that differ in more than spelling, as `{OURS: ITS}`: "
        "`{femoral_head_l: left_hip}`.",
    )


class StoreConfig(Settings):
    """How heatmaps are cached."""

    teachers: list[Name] = Field(
        default_factory=list,
        description="Teachers to cache, each in `stores/NAME.zarr`; by default the first. Students learn from the "
        "average of several, whose sizes must agree.",
    )
    codec: Literal["compact", "compact80", "windows", "exact8", "float16", "compact6"] = Field(
        "compact",
        description="How heatmaps are encoded: `windows` takes fewest bytes where "
        "they are narrow peaks, `compact80` for all others, `float16` has the smallest error; "
        "`compact6` finishes stores of version 0.1.",
    )
    flip: bool = Field(False, description="Cache the average of the heatmaps of a crop and of its mirror image.")
    crops: bool = Field(
        True, description="Keep each person's crop in the store, so that training reads only the store."
    )
    views: int = Field(0, ge=0, description="Augmented views of each person that are cached with their geometry.")
    unlabelled: bool = Field(
        False, description="Cache every person with a box, not only those with labelled keypoints."
    )
    max_rmse: float | None = Field(None, gt=0, description="Refuse a codec whose error at the peaks is above this.")
    shard_rows: int = Field(2048, gt=0, description="Rows of a shard: the unit of work, of writing and of recovery.")
    workers: int = Field(0, ge=0, description="Dask worker processes; 0 builds in the process of the command.")
    batch_size: int = Field(32, gt=0, description="Crops that the teacher gets at once.")


class StudentConfig(StudentSettings):
    """A student, with or without a control: the same network trained without a teacher."""

    paper: str | None = Field(None, description="Row of the paper's Table 1 that is shown beside it.")
    control: bool = Field(
        True, description="Train the same network on the ground truth only as well, as `NAME-control`."
    )
    seeds: int = Field(
        1,
        ge=1,
        description="Train it, and its control, with so many seeds: `train.seed` and those after it, as `NAME-seed1`, "
        "... The table shows means, and the lowest and highest gain.",
    )

    def repeats(self) -> list[tuple[StudentSettings, StudentSettings | None]]:
        """Return the student and its control of each seed; None where it has no control."""
        student = StudentSettings(**{name: getattr(self, name) for name in StudentSettings.model_fields})
        has_control = self.control and student.distill.mode != "none"
        seeded = [student, *(self._with_seed(student, student.train.seed + more) for more in range(1, self.seeds))]
        return [(settings, _without_teacher(settings) if has_control else None) for settings in seeded]

    def runs(self) -> dict[str, StudentSettings]:
        """Return the settings of each run by its name: the student and its control, of every seed."""
        return {run.name: run for pair in self.repeats() for run in pair if run is not None}

    @staticmethod
    def _with_seed(student: StudentSettings, seed: int) -> StudentSettings:
        train = student.train.model_copy(update={"seed": seed})
        return student.model_copy(update={"name": f"{student.name}-seed{seed}", "train": train})


def _without_teacher(student: StudentSettings) -> StudentSettings:
    distill = student.distill.model_copy(update={"mode": "none"})
    return student.model_copy(update={"name": f"{student.name}-control", "distill": distill})


class EvaluateConfig(Settings):
    """The protocol of every AP in the report."""

    boxes: str = Field("gt", description="`gt` for the annotated boxes, or a detector's file relative to `data.root`.")
    score_threshold: float = Field(0.0, description="Leave out boxes of a detector whose score is below this.")
    flip: bool = Field(True, description="Average the heatmaps of a crop and of its mirror image.")
    batch_size: int = Field(32, gt=0, description="Crops that a network gets at once.")

    @field_validator("boxes")
    @classmethod
    def _boxes_are_local(cls, boxes: str) -> str:
        return check_local(boxes)


class ReportConfig(Settings):
    """What the panels show, and how long each speed is measured."""

    students: list[Name] = Field(
        default_factory=list,
        description="Runs in the heatmap panel and in the table of angles, controls (`NAME-control`) included; by "
        "default the first four students. A panel waits only for the runs that it shows.",
    )
    predictions_student: Name | None = Field(
        None, description="Run whose poses are drawn on photos; by default the last student."
    )
    persons: int = Field(4, gt=0, description="Rows of the heatmap panel, sampled evenly from the val split.")
    person_ids: list[int] = Field(
        default_factory=list, description="Annotation ids of the rows of the heatmap panel, in place of `persons`."
    )
    benchmark_seconds: float = Field(5, gt=0, description="Seconds that each speed is measured for.")
    benchmark_batch_size: int = Field(32, gt=0, description="Crops of a batch while speed is measured.")
    hka: bool | None = Field(
        None,
        description="Measure hip-knee-ankle angles. By default where the data have hip, knee and ankle, or their true "
        "centres, of both legs.",
    )
    hka_rendered: int = Field(
        60, gt=0, description="Standing persons that are rendered for the angles, each at three sizes."
    )


class Config(Settings):
    """One workflow."""

    out: LocalPath = Field(description="Folder of everything that the workflow makes.")
    device: Literal["cpu", "cuda", "auto"] = Field(
        "auto",
        description="`auto` is CUDA where there is a GPU. Except with `cpu`, each job asks Snakemake for one `gpu`.",
    )
    data: DataConfig = Field(description="Photos and annotations.")
    teachers: list[TeacherConfig] = Field(min_length=1, description="Teachers, all of which are evaluated.")
    store: StoreConfig = Field(StoreConfig(), description="How heatmaps are cached.")
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="Values for every student that does not set them: `model`, `distill`, ..."
    )
    students: list[StudentConfig] = Field(min_length=1, description="Students to train.")
    one_stream: bool = Field(
        False,
        description="Train all runs in one job, which decodes and augments each batch once. They must agree on seed, "
        "batch size, epochs, sizes, sigma, augmentation, and on `cached` or `live`.",
    )
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="The protocol of every AP.")
    report: ReportConfig = Field(ReportConfig(), description="What the report shows.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("students"), list):
            defaults = data.get("defaults") or {}
            students = [
                merge(defaults, student) if isinstance(student, dict) else student for student in data["students"]
            ]
            data = {**data, "students": students}
        return data

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Config":
        names = [name for student in self.students for name in student.runs()] + [t.name for t in self.teachers]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"names of folders must differ; found twice: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        teachers = [teacher.name for teacher in self.teachers]
        shown = [*self.report.students, *filter(None, [self.report.predictions_student])]
        _check_names("store.teachers", self.store.teachers, teachers)
        _check_names("report", shown, self.runs)
        return self

    @model_validator(mode="after")
    def _joints_exist(self) -> "Config":
        if self.data.skeleton is not None:
            names = load_skeleton(self.data.skeleton).names
            for teacher in self.teachers:
                for name in teacher.joints:
                    require_name(name, names)
        return self

    @model_validator(mode="after")
    def _runs_agree_on_one_stream(self) -> "Config":
        if self.one_stream:
            stream_of([*self.runs.values()])
        return self

    @property
    def cached_teachers(self) -> list[TeacherConfig]:
        """Return the teachers whose heatmaps the students learn from."""
        names = self.store.teachers or [self.teachers[0].name]
        return [teacher for teacher in self.teachers if teacher.name in names]

    @property
    def shown(self) -> list[str]:
        """Return the runs in the heatmap panel and in the table of angles."""
        return self.report.students or [student.name for student in self.students[:4]]

    @property
    def runs(self) -> dict[str, StudentSettings]:
        """Return the settings of every run by its name, controls included."""
        return {name: settings for student in self.students for name, settings in student.runs().items()}


def _check_names(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for a name that is not known, with those that are near it."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ValueError(f"{where} names {name!r}: {hint}expected one of {', '.join(known)}")


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`: mappings are merged key by key, anything else is replaced.

    A mapping under `augment` changes the augmentation recipe that `base` names.
    """
    merged = {**base, **changes}
    for key in base.keys() & changes.keys():
        before, after = base[key], changes[key]
        if key == "augment" and isinstance(before, str) and isinstance(after, dict):
            before = recipe(before).model_dump()
        if isinstance(before, dict) and isinstance(after, dict):
            merged[key] = merge(before, after)
    return merged


def parse_config(data: dict[str, Any], source: str = "the configuration") -> Config:
    """Return a checked Config. ValueError lists each wrong key with its path."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"{source} is not valid:\n{list_mistakes(error)}") from None


def load_config(path: str | Path) -> Config:
    """Return the Config of a YAML file. ValueError where it is not YAML, no mapping, or not valid."""
    try:
        data = yaml.safe_load(read_input_text(path, "the configuration of a workflow in YAML"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds {kind_of(data)}: expected a mapping with data, teachers and students")
    return parse_config(data, str(path))

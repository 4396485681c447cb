"""Options of the `kdcache` commands that the workflow runs: functions of the checked configuration.

Those that change no result, only its speed, are of functions named `..._execution`: Snakemake runs a job again where
one of the others changes.
"""

import json
from collections.abc import Iterable
from typing import Literal

from pipeline.config import Config, TeacherConfig
from pipeline.data_config import RenderedConfig
from pipeline.workflow import paths
from student.run_record import FREE_SETTINGS
from student.settings import StudentSettings

#: of `train`: change no result. What AP is measured on, and when, decides which weights are the best.
TRAIN_EXECUTION = [name.removeprefix("train.") for name in FREE_SETTINGS if not name.startswith("train.evaluate_")]


def _strings(parts: Iterable[object]) -> list[str]:
    return [str(part) for part in parts]


def _photos(cfg: Config, split: Literal["train", "val"], prefix: str = "") -> list[object]:
    """Return the options that name the photos and the annotations of a split."""
    images, annotations = cfg.data.path(split, "images"), cfg.data.path(split, "annotations")
    return [f"--{prefix}images", images, f"--{prefix}annotations", annotations]


def _keypoints(cfg: Config) -> list[object]:
    """Return the options that say what the annotations' keypoints are."""
    stated = [] if cfg.data.skeleton is None else ["--skeleton", cfg.data.skeleton]
    return [*stated, *(part for one in cfg.data.category for part in ("--category", one))]


def _joints(teacher: TeacherConfig) -> list[object]:
    """Return the options that say what a teacher calls keypoints."""
    return [part for ours, its in teacher.joints.items() for part in ("--joint", f"{ours}={its}")]


def _pixels(cfg: Config) -> list[object]:
    """Return the options of how photos become pixels."""
    exif, depth = cfg.data.exif, cfg.data.depth
    turned = [] if exif is None else ["--exif" if exif else "--no-exif"]
    return [*turned, *([] if depth is None else ["--depth", depth])]


def _checksums(cfg: Config) -> list[object]:
    """Return the options that name the files of checksums."""
    return [part for path in paths.checksum_files(cfg) for part in ("--checksums", path)]


def build_execution(cfg: Config) -> list[str]:
    """Return the options of `kdcache build` that change no result."""
    return _strings(["--workers", cfg.store.workers, "--batch-size", cfg.store.batch_size, "--device", cfg.device])


def evaluate_execution(cfg: Config) -> list[str]:
    """Return the options of `kdcache evaluate` that change no result."""
    return _strings(["--batch-size", cfg.evaluate.batch_size, "--device", cfg.device])


def panel_execution(cfg: Config) -> list[str]:
    """Return the options of panels and angles that change no result."""
    return ["--device", cfg.device]


def train_execution(cfg: Config, training: str) -> list[str]:
    """Return the options of `kdcache train` that change no result.

    The file of its settings has them as they were when it was written; where its students agree, these are laid over.
    """
    options: list[object] = ["--device", cfg.device]
    for name in TRAIN_EXECUTION:
        first, *others = [getattr(settings.train, name) for settings in paths.trainings(cfg)[training]]
        if all(other == first for other in others):
            options += ["--set", f"train.{name}={_yaml(first)}"]
    return _strings(options)


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def settings_of_results(students: Iterable[StudentSettings]) -> str:
    """Return the settings of students on which their results depend, as JSON."""
    return json.dumps([one.model_dump(mode="json", exclude={"train": set(TRAIN_EXECUTION)}) for one in students])


def rows_of_table(cfg: Config) -> str:
    """Return the rows of the table and of the chart, as JSON."""
    return json.dumps([row.model_dump(mode="json") for row in paths.table_rows(cfg)])


def demo_data_options(cfg: Config) -> list[str]:
    """Return the options of `kdcache demo-data`. ValueError where the configuration has no rendered persons."""
    rendered = cfg.data.rendered
    if rendered is None:
        raise ValueError("data.rendered is missing: expected the number of persons to render")
    people: list[object] = [
        "--persons",
        rendered.persons,
        "--val-persons",
        rendered.val_persons,
        "--seed",
        rendered.seed,
    ]
    default = RenderedConfig()
    for name in ("level", "boxes", "knees"):
        if getattr(rendered, name) != getattr(default, name):
            people += [f"--{name}", getattr(rendered, name)]
    if not rendered.noise:
        people += ["--no-noise"]
    if rendered.size != default.size:
        people += ["--size", *rendered.size]
    return _strings([*people, *([] if cfg.data.skeleton is None else ["--skeleton", cfg.data.skeleton])])


def check_options(cfg: Config, split: Literal["train", "val"]) -> list[str]:
    """Return the arguments of `kdcache check` for a split.

    Photos of training are decoded by the build, before any training; those of validation only after it.
    """
    annotations, images = cfg.data.path(split, "annotations"), cfg.data.path(split, "images")
    options: list[object] = [annotations, "--images", images, *_pixels(cfg), *_checksums(cfg), *_keypoints(cfg)]
    if split == "train":
        return _strings([*options, *(["--unlabelled"] if cfg.store.unlabelled else [])])
    if cfg.evaluate.boxes != "gt":
        options += ["--boxes", paths.boxes_source(cfg), "--score-threshold", cfg.evaluate.score_threshold]
    if paths.compares_splits(cfg):
        options += ["--same-as", cfg.data.path("train", "annotations")]
    return _strings([*options, "--decode"])


def build_options(cfg: Config, teacher: str) -> list[str]:
    """Return the options of `kdcache build` for the store of one teacher."""
    store, chosen = cfg.store, paths.teacher_named(cfg, teacher)
    options: list[object] = ["--teacher", chosen.reference, *_photos(cfg, "train"), *_pixels(cfg), *_checksums(cfg)]
    options += [*_keypoints(cfg), *_joints(chosen)]
    if store.unlabelled:
        options += ["--unlabelled"]
    options += ["--codec", store.codec]
    options += ["--flip" if store.flip else "--no-flip", "--crops" if store.crops else "--no-crops"]
    options += ["--views", store.views, "--shard-rows", store.shard_rows]
    if store.max_rmse:
        options += ["--max-rmse", store.max_rmse]
    if chosen.expect_ap:
        options += ["--expect-ap", chosen.expect_ap, "--tolerance", chosen.tolerance, *_photos(cfg, "val", "expect-")]
    return _strings(options)


def train_options(cfg: Config, training: str) -> list[str]:
    """Return the stores and the options of `kdcache train` for one job, besides its settings and its receipt."""
    options: list[object] = [paths.store_folder(cfg, teacher.name) for teacher in cfg.cached_teachers]
    options += ["--out", cfg.out / "runs"]
    if not cfg.store.crops:
        options += ["--images", cfg.data.path("train", "images")]
    if cfg.data.skeleton is not None:
        options += ["--skeleton", cfg.data.skeleton]
    if paths.needs_teacher(cfg, training):
        options += ["--teacher", cfg.teachers[0].reference]
    if paths.measures_ap(cfg, training):
        options += [*_photos(cfg, "val", "val-"), *_pixels(cfg)]
        options += [part for one in cfg.data.category for part in ("--val-category", one)]
    if paths.measures_ap(cfg, training) or not cfg.store.crops:
        options += _checksums(cfg)
    return _strings(options)


def network_argument(cfg: Config, network: str) -> list[str]:
    """Return how a command is told which network to take: `--teacher REFERENCE`, or the folder of a run."""
    kind, name = network.split("/")
    if kind == "teachers":
        return ["--teacher", paths.teacher_named(cfg, name).reference]
    return [str(paths.run_folder(cfg, name))]


def evaluate_options(cfg: Config, network: str) -> list[str]:
    """Return the protocol of every AP in the report, and a teacher's names, as options of `kdcache evaluate`."""
    options = [*_photos(cfg, "val"), *_pixels(cfg), *_checksums(cfg), *_keypoints(cfg)]
    options += ["--boxes", paths.boxes_source(cfg)]
    kind, name = network.split("/")
    if kind == "teachers":
        options += _joints(paths.teacher_named(cfg, name))
    if cfg.evaluate.boxes != "gt":
        options += ["--score-threshold", cfg.evaluate.score_threshold]
    return _strings([*options, "--flip" if cfg.evaluate.flip else "--no-flip"])


def benchmark_options(cfg: Config) -> list[str]:
    """Return the options of `kdcache benchmark`, whose result depends on the device."""
    report = cfg.report
    options = ["--seconds", report.benchmark_seconds, "--batch-size", report.benchmark_batch_size]
    return _strings([*options, "--device", cfg.device])


def heatmaps_options(cfg: Config) -> list[str]:
    """Return the options of `kdcache report heatmaps`."""
    teacher = cfg.teachers[0]
    options = [*_photos(cfg, "val"), *_pixels(cfg), *_keypoints(cfg)]
    options += ["--teacher", teacher.reference, *_joints(teacher)]
    for name in cfg.shown:
        options += ["--run", paths.run_folder(cfg, name)]
    for annotation_id in cfg.report.person_ids:
        options += ["--person", annotation_id]
    if not cfg.report.person_ids:
        options += ["--persons", cfg.report.persons]
    return _strings(options)


def predictions_options(cfg: Config) -> list[str]:
    """Return the options of `kdcache report predictions`."""
    run = paths.run_folder(cfg, paths.predictions_run(cfg))
    options = [*_photos(cfg, "val"), *_pixels(cfg), *_keypoints(cfg), "--run", run]
    return _strings(options)


def hka_options(cfg: Config) -> list[str]:
    """Return the options of the evaluation of hip-knee-ankle angles."""
    options: list[object] = ["--teacher", cfg.teachers[0].reference]
    for name in cfg.shown:
        options += ["--student", paths.run_folder(cfg, name)]
    options += [*_photos(cfg, "val"), *_keypoints(cfg), *_pixels(cfg), *_checksums(cfg)]
    options += ["--rendered", cfg.report.hka_rendered]
    return _strings(options)

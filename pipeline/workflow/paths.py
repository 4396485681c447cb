"""Where the workflow's files are, and which files a job waits for: functions of the checked configuration.

A name may be a Snakemake wildcard: `store_receipt(cfg, "{teacher}")` is the pattern of a rule's output, and
`store_receipt(cfg, "vit")` is the file of one job.

A network is named by the folder that its files are in: `teachers/NAME`, or `students/RUN`.
"""

from pathlib import Path
from typing import Literal

from cache_tools.skeletons import built_in_names
from pipeline.config import Config, StudentConfig, TeacherConfig
from pipeline.configured_skeleton import configured_skeleton
from pipeline.download import DETECTIONS
from pipeline.hka.definition import define_angle
from pipeline.report.rows import RepeatFiles, RowFiles
from pipeline.workflow.reference_files import initial_weights, reference_files
from student.settings import StudentSettings

WORKFLOW = Path(__file__).parent  #: folder of main.smk, its rules, captions, environments, profiles and configurations
ONE_STREAM = "one_stream"  #: name of the only training job where all runs share one stream of batches


def skeleton_file(cfg: Config) -> list[Path]:
    """Return the file of a stated skeleton, the input of jobs that write or read labels by it.

    Nothing where it is built in. A store does not wait for it: with the same names, another mirror order or other
    halves need no second pass of the teacher, because `kdcache train --skeleton` takes them.
    """
    stated = cfg.data.skeleton
    return [] if stated is None or stated in built_in_names() else [Path(stated)]


def measures_angles(cfg: Config) -> bool:
    """Return whether hip-knee-ankle angles are measured: as configured, else where the data have both legs."""
    if cfg.report.hka is not None:
        return cfg.report.hka
    skeleton = configured_skeleton(cfg)
    try:
        define_angle(skeleton)
    except ValueError:
        return False
    return True


def split_ready(cfg: Config, split: str) -> Path:
    """Return the input of every rule that uses a split: the receipt of `kdcache check`."""
    return cfg.out / f"receipts/check/{split}.json"


def check_inputs(cfg: Config, split: Literal["train", "val"]) -> list[Path]:
    """Return what the check of a split waits for: its annotations, and boxes where it is evaluated by a file of them.

    Where students are evaluated while they are trained, labels of validation are compared with those of training.
    """
    if split == "train":
        return [annotations_ready(cfg, "train"), *checksum_files(cfg)]
    labels = [annotations_ready(cfg, "train")] if compares_splits(cfg) else []
    # both splits of a download have the same receipt
    return [*dict.fromkeys([*labels, annotations_ready(cfg, "val")]), *boxes_ready(cfg), *checksum_files(cfg)]


def checksum_files(cfg: Config) -> list[Path]:
    """Return the files with checksums of the photos."""
    return [cfg.data.root / path for path in cfg.data.checksums]


def compares_splits(cfg: Config) -> bool:
    """Return whether both splits must have the same keypoints, because a student is evaluated while it is trained."""
    return any(measures_ap(cfg, training) for training in trainings(cfg))


def annotations_ready(cfg: Config, split: Literal["train", "val"]) -> Path:
    """Return what says that annotations and photos are there: the annotation file, or the receipt of its download."""
    return download_receipt(cfg) if cfg.data.download else cfg.data.path(split, "annotations")


def download_receipt(cfg: Config) -> Path:
    """Return the receipt of `kdcache download coco`."""
    return cfg.out / "receipts/download.json"


def boxes_source(cfg: Config) -> str:
    """Return what `kdcache evaluate --boxes` gets: `gt`, or a detector's file."""
    return "gt" if cfg.evaluate.boxes == "gt" else str(cfg.data.root / cfg.evaluate.boxes)


def detections_are_downloaded(cfg: Config) -> bool:
    """Return whether the detector's file is the one that `kdcache download detections` fetches."""
    return cfg.data.download and cfg.evaluate.boxes == DETECTIONS.name


def boxes_ready(cfg: Config) -> list[Path]:
    """Return the detector's file, or the receipt of its download; nothing where boxes are those of the annotations."""
    if cfg.evaluate.boxes == "gt":
        return []
    if detections_are_downloaded(cfg):
        return [cfg.out / "receipts/detections.json"]
    return [cfg.data.root / cfg.evaluate.boxes]


def store_folder(cfg: Config, teacher: str) -> Path:
    """Return the store of a teacher's heatmaps. It is never an output: Snakemake would delete it before a job."""
    return cfg.out / f"stores/{teacher}.zarr"


def store_receipt(cfg: Config, teacher: str) -> Path:
    """Return the receipt that is written when a store is finished."""
    return cfg.out / f"receipts/stores/{teacher}.json"


def run_folder(cfg: Config, name: str) -> Path:
    """Return the folder of a trained student. It is never an output, as a store is not."""
    return cfg.out / f"runs/{name}"


def run_receipt(cfg: Config, name: str) -> Path:
    """Return the receipt that is written when a run is finished."""
    return cfg.out / f"receipts/train/{name}.json"


def metrics_file(cfg: Config, network: str) -> Path:
    """Return the AP of a network."""
    return cfg.out / f"metrics/{network}.json"


def cost_file(cfg: Config, network: str) -> Path:
    """Return the parameters, FLOPs and speed of a network."""
    return cfg.out / f"costs/{network}.json"


def teacher_named(cfg: Config, name: str) -> TeacherConfig:
    """Return the teacher of that name. KeyError where there is none."""
    return {teacher.name: teacher for teacher in cfg.teachers}[name]


def networks(cfg: Config) -> list[str]:
    """Return every network that can be evaluated: the teachers, the students and their controls."""
    return [f"teachers/{teacher.name}" for teacher in cfg.teachers] + [f"students/{name}" for name in cfg.runs]


def network_ready(cfg: Config, network: str) -> list[Path]:
    """Return the receipt of a student's run; of a teacher the files that its reference names."""
    kind, name = network.split("/")
    if kind == "students":
        return [run_receipt(cfg, name)]
    return reference_files(teacher_named(cfg, name).reference)


def first_teacher_files(cfg: Config) -> list[Path]:
    """Return the files of the teacher that live training, the heatmap panel and the angles use."""
    return reference_files(cfg.teachers[0].reference)


def build_inputs(cfg: Config, teacher: str) -> list[Path]:
    """Return what makes a store again when it changes; validation only where the teacher's AP is measured on it."""
    ready = [split_ready(cfg, "train")]
    if teacher_named(cfg, teacher).expect_ap:
        ready.append(split_ready(cfg, "val"))
    return ready + reference_files(teacher_named(cfg, teacher).reference)


def build_conditions(cfg: Config, teacher: str) -> list[Path]:
    """Return what must be there before a store is built: the check of validation data, which finds mistakes early."""
    return [] if teacher_named(cfg, teacher).expect_ap else [split_ready(cfg, "val")]


def trainings(cfg: Config) -> dict[str, list[StudentSettings]]:
    """Return the jobs that train: one a run, or ONE_STREAM with all of them."""
    if cfg.one_stream:
        return {ONE_STREAM: [*cfg.runs.values()]}
    return {name: [settings] for name, settings in cfg.runs.items()}


def students_file(cfg: Config, training: str) -> Path:
    """Return the file with the settings of the students that one job trains."""
    return cfg.out / f"settings/{training}.json"


def needs_teacher(cfg: Config, training: str) -> bool:
    """Return whether a student of this job learns from the teacher itself, on each augmented batch."""
    return any(settings.distill.mode == "live" for settings in trainings(cfg)[training])


def measures_ap(cfg: Config, training: str) -> bool:
    """Return whether a student of this job is evaluated while it is trained."""
    return any(settings.train.evaluate_epochs for settings in trainings(cfg)[training])


def train_inputs(cfg: Config, training: str) -> list[Path]:
    """Return what a training waits for besides its settings.

    Stores, labels where AP is measured meanwhile, and the files of a live teacher and of initial weights.
    """
    ready = [store_receipt(cfg, teacher.name) for teacher in cfg.cached_teachers]
    if measures_ap(cfg, training):
        ready.append(split_ready(cfg, "val"))
    if needs_teacher(cfg, training):
        ready += first_teacher_files(cfg)
    return ready + initial_weights(trainings(cfg)[training]) + skeleton_file(cfg)


def rows_file(cfg: Config) -> Path:
    """Return the file that lists the rows of the table and of the chart."""
    return cfg.out / "settings/rows.json"


def table_rows(cfg: Config) -> list[RowFiles]:
    """Return the rows of the table: each teacher, and each student with its control."""
    return [_teacher_row(cfg, teacher) for teacher in cfg.teachers] + [_student_row(cfg, s) for s in cfg.students]


def _teacher_row(cfg: Config, teacher: TeacherConfig) -> RowFiles:
    network = f"teachers/{teacher.name}"
    return RowFiles(
        name=teacher.name,
        role="teacher",
        paper=teacher.paper,
        metrics=metrics_file(cfg, network),
        cost=cost_file(cfg, network),
    )


def _student_row(cfg: Config, student: StudentConfig) -> RowFiles:
    first, *others = [_repeat(cfg, *pair) for pair in student.repeats()]
    return RowFiles(
        name=student.name,
        role="student",
        paper=student.paper,
        metrics=first.metrics,
        control=first.control,
        repeats=others,
        cost=cost_file(cfg, f"students/{student.name}"),
    )


def _repeat(cfg: Config, student: StudentSettings, control: StudentSettings | None) -> RepeatFiles:
    return RepeatFiles(
        metrics=metrics_file(cfg, f"students/{student.name}"),
        control=metrics_file(cfg, f"students/{control.name}") if control else None,
    )


def measurements(cfg: Config) -> list[Path]:
    """Return the metrics and costs that the table and the chart wait for."""
    return [path for row in table_rows(cfg) for path in row.files().values()]


def predictions_run(cfg: Config) -> str:
    """Return the run whose poses are drawn on photos."""
    return cfg.report.predictions_student or cfg.students[-1].name

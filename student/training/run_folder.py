"""A run's folder at its beginning and at its end: run.json, what an earlier run left, the message that it starts."""

import logging
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cache_tools.files import remove_temporaries
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import COCO_CATEGORIES
from cache_tools.store.writer import HeatmapStore
from cache_tools.version import version_of
from student.device import device_name
from student.pose_network import PoseNetwork
from student.run_record import (
    RunData,
    RunRecord,
    State,
    damaged_weights,
    is_marked_finished,
    read_record,
    resolved,
    run_state,
    write_record,
)
from student.settings import StudentSettings
from student.training.distributed import ProcessContext
from student.training.learner import Learner
from student.training.metric_logger import LOG, cut_log

logger = logging.getLogger(__name__)
# Files of a run besides run.json and TensorBoard's.
OUTPUTS = ("best.safetensors", "last.safetensors", "resume.pt", LOG)


def run_data(
    stores: Sequence[HeatmapStore],
    teacher: PoseNetwork | None,
    photos: str | Path | None,
    process: ProcessContext,
    skeleton: Skeleton | None,
) -> RunData:
    """Return what a run depends on besides its settings.

    teacher: the live one; photos: in place of stored crops; skeleton: in place of the stores'.
    """
    # the store's own skeleton, stated, is no other run
    stated = {} if skeleton in (None, stores[0].spec.skeleton) else {"skeleton": skeleton.to_json()}
    return RunData(
        **stated,
        stores=[store.spec.digest for store in stores],
        live_teacher=None if teacher is None else teacher.digest,
        pixels="crops" if photos is None else "photos",
        processes=process.world,
    )


def run_states(
    folders: Sequence[Path], students: Sequence[StudentSettings], data: RunData, *, overwrite: bool, resume: bool
) -> list[State]:
    """Return how far the run of each student has come in its folder, as `run_state` does.

    Raises FileNotFoundError where `resume` requires a run and there is none.
    """
    states = [run_state(f, s, data, overwrite=overwrite) for f, s in zip(folders, students, strict=True)]
    if resume and "new" in states:
        absent = [str(folder) for folder, state in zip(folders, states, strict=True) if state == "new"]
        raise FileNotFoundError(f"nothing to resume in {', '.join(absent)}: without --resume, a run begins there")
    return states


def start_run(learner: Learner, stores: Sequence[HeatmapStore], data: RunData, rows: int) -> None:
    """Write run.json, at step 0 in place of what the folder holds of another run; log settings and size of the run."""
    remove_temporaries(learner.run)
    settings = resolved(learner.settings)
    record = RunRecord(
        name=settings.name,
        finished=False,
        settings=settings,
        data=data,
        **_joints(learner.model.skeleton, stores),
        teachers=[{"store": store.url, **store.spec.to_json()["teacher"]} for store in stores],
        rows=rows,
        parameters=sum(p.numel() for p in learner.model.parameters()),
        steps=learner.steps,
        device=device_name(learner.process.device),
        versions={"python": platform.python_version()}
        | {name: version_of(name) for name in ("kdcache", "torch", "timm", "numpy")},
    )
    if learner.step == 0:
        restart(learner.run, record)
    else:
        write_record(learner.run, record)
        cut_log(learner.run, learner.step)
    _log_start(learner, record)


def _joints(skeleton: Skeleton, stores: Sequence[HeatmapStore]) -> dict[str, Any]:
    """Return skeleton and categories as run.json has them; nothing where they are COCO's."""
    categories = stores[0].spec.annotations.categories
    joints: dict[str, Any] = {} if skeleton == COCO else {"skeleton": skeleton.to_json()}
    return joints if categories == COCO_CATEGORIES else joints | {"categories": list(categories)}


def restart(run: Path, record: RunRecord) -> None:
    """Put a new run in place of what the folder holds of another; remove nothing that no run wrote.

    Killed between any two lines, the folder holds the old run without its last save, or the new one at its start.
    """
    (run / "resume.pt").unlink(missing_ok=True)
    write_record(run, record)
    for name in OUTPUTS:
        (run / name).unlink(missing_ok=True)
    tensorboard = run / "tensorboard"
    for events in tensorboard.glob("events.out.*"):
        events.unlink()
    if tensorboard.is_dir() and not any(tensorboard.iterdir()):
        tensorboard.rmdir()


def log_damage(folders: Sequence[Path], states: Sequence[State]) -> None:
    """Warn of finished runs whose weights are missing or damaged, and say what is done about it."""
    for folder, state in zip(folders, states, strict=True):
        if state == "finished" or not is_marked_finished(folder):
            continue
        for damage in damaged_weights(folder):
            done = "the run goes on from its last save" if state == "unfinished" else "the student is trained again"
            logger.warning(f"{folder}: {damage}, although the run was finished; {done}")


def remove_saves(folders: Sequence[Path], states: Sequence[State]) -> None:
    """Remove the last saves of finished runs: their processes were killed in the moment before they did."""
    for folder, state in zip(folders, states, strict=True):
        if state == "finished":
            (folder / "resume.pt").unlink(missing_ok=True)


def finish_run(learner: Learner) -> None:
    """Save the final weights, then say in run.json that the run is finished: only then all of it is there.

    The last save goes last. Raises OSError where weights are not what was written.
    """
    learner.save_final_weights()
    if damaged := damaged_weights(learner.run):
        raise OSError(f"{learner.run}: {', '.join(damaged)} right after it was written: check the disk, then run again")
    ended = {"finished": True, "seconds": round(learner.seconds, 1), "best": learner.best}
    write_record(learner.run, read_record(learner.run).model_copy(update=ended))
    (learner.run / "resume.pt").unlink(missing_ok=True)


def _log_start(learner: Learner, record: RunRecord) -> None:
    settings = record.settings.model_dump(mode="json")
    logger.info(yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=120).rstrip())
    steps = f"step {learner.step} of {learner.steps}" if learner.step else f"{learner.steps} steps"
    parameters = (record.parameters or 0) / 1e6
    logger.info(
        f"{record.name}: {parameters:.3f} M parameters, {steps} ({learner.warmup} of warm-up), {record.rows} rows, "
        f"{record.device}, {learner.process.world} process(es), into {learner.run}"
    )

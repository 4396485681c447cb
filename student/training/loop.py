"""Train students from a store.

    train(["coco.zarr"], [settings], ["runs/b0"])                  # one student
    train(["coco.zarr"], [small, large], ["runs/s", "runs/l"])     # several, from one stream of batches
    torchrun --nproc-per-node 4 ...                                # DDP: each process takes its share of a batch

Students that share a stream get exactly what each would get in a training of its own: the stream depends on the
settings they have in common, and every student has its own network, optimiser, schedule, average and folder. A batch
and the random numbers of a step depend only on the number of the step: a run that was killed goes on from its last save
and ends with the same weights.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import torch

from cache_tools.full_disk import full_disk_explained
from cache_tools.progress import progress_bar
from cache_tools.skeletons import Skeleton
from cache_tools.store.writer import HeatmapStore
from student.batches.crop_coverage import beyond_crops
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.pose_network import PoseNetwork
from student.run_record import RunRecord, State, read_record
from student.settings import StudentSettings
from student.training.distributed import ProcessContext, gather_from, join, mean_labelled_joints, wait_for_all
from student.training.freed_memory import keep_freed_memory
from student.training.known_results import known_to_lose
from student.training.learner import Evaluate, Learner
from student.training.metric_logger import MetricLogger
from student.training.run_folder import finish_run, log_damage, remove_saves, run_data, run_states, start_run
from student.training.run_lock import run_locks
from student.training.step import take_step
from student.training.stop_signals import StopSignals

logger = logging.getLogger(__name__)
#: after a full disk
KEPT = "it goes on from the last save"


def train(
    stores: Sequence[str | os.PathLike[str] | HeatmapStore],
    students: Sequence[StudentSettings],
    runs: Sequence[str | os.PathLike[str]],
    *,
    photos: str | Path | None = None,
    teacher: PoseNetwork | None = None,
    evaluate: Evaluate | None = None,
    device: str | torch.device = "auto",
    overwrite: bool = False,
    resume: bool = False,
    skeleton: Skeleton | None = None,
) -> list[RunRecord]:
    """Train each student into its folder and return each run's record.

    An unfinished run of the same settings is resumed, and a finished one is left as it is.

    stores: caches of the same rows, whose heatmaps are averaged. photos: folder of the photos, in place of stored
    crops. teacher: for `distill.mode: live`. evaluate: called every `train.evaluate_epochs` and at the end.
    skeleton: in place of the stores', with the same names: another mirror order, halves, edges or sigmas.
    overwrite: replace another run, or a damaged one. resume: require a run that can be resumed, or that is finished.

    Raises ValueError where a folder holds another run, settings do not fit each other or the loss is not finite any
    more; FileNotFoundError where `resume` finds no run; BlockingIOError where another process trains into a folder;
    SystemExit 143 or 130 after SIGTERM or Ctrl-C, saved.
    """
    opened = [store if isinstance(store, HeatmapStore) else HeatmapStore.open(store) for store in stores]
    folders = [Path(run) for run in runs]
    stream = stream_of(students)
    with ExitStack() as stack, full_disk_explained(KEPT), join(device) as process, StopSignals() as stop:
        if process.device.type == "cpu":
            keep_freed_memory()
        data = run_data(opened, teacher if stream.live else None, photos, process, skeleton)
        states = run_states(folders, students, data, overwrite=overwrite, resume=resume)
        stack.enter_context(run_locks([f for f, s in zip(folders, states, strict=True) if s != "finished"], process))
        # again: a run may have ended before its lock was ours
        states = run_states(folders, students, data, overwrite=overwrite, resume=resume)
        wait_for_all(process)  # every process has read the states before the first one changes the folders
        if process.first:
            log_damage(folders, states)
            remove_saves(folders, states)
        if all(state == "finished" for state in states):
            if process.first:
                logger.info(f"nothing to do: {', '.join(map(str, folders))} finished already")
            return [read_record(folder) for folder in folders]
        with TrainLoader(
            opened, stream, photos=photos, teacher=teacher,
            device=process.device, rank=process.rank, world=process.world, skeleton=skeleton,
            gather=gather_from(process),
        ) as loader:  # fmt: skip
            # before the runs' folders exist
            loader.probe_teacher()
            learners = _create_learners(students, folders, states, loader, process, overwrite=overwrite)
            wait_for_all(process)  # and has read resume.pt
            if process.first:
                _warn_beyond_crops(loader)
                for unknown in loader.skeleton.unknown():
                    logger.warning(f"skeleton {loader.skeleton.name} has {unknown}")
                logger.info(str(loader.views.choice))
                _warn_of_losers(students, opened, loader)
                for learner in learners:
                    start_run(learner, opened, data, loader.sampler.rows)
            _run_loop(learners, loader, evaluate, stop)
        wait_for_all(process)  # the first process has written the records
        return [read_record(folder) for folder in folders]


def _run_loop(learners: Sequence[Learner], loader: TrainLoader, evaluate: Evaluate | None, stop: StopSignals) -> None:
    """Take the steps that are left; log, evaluate, save and stop between them."""
    process, steps = learners[0].process, learners[0].steps
    start = min(learner.step for learner in learners)
    title = "train " + ", ".join(learner.settings.name for learner in learners)
    images_per_step = loader.settings.batch_size * process.world
    saved_at = time.monotonic()
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar(steps, title, "step", done=start, quiet=not process.first))
        logs = [stack.enter_context(MetricLogger(x.run, x.step, enabled=process.first)) for x in learners]
        stack.enter_context(_others_saved(learners, process))
        for step, batch in enumerate(loader.batches(start, steps), start + 1):
            labelled_joints = mean_labelled_joints(batch.target_weight, process)
            for learner, log in zip(learners, logs, strict=True):
                if learner.step >= step:
                    continue  # it was saved a little later than the others
                began = time.perf_counter()
                take_step(learner, batch, labelled_joints)
                if step == start + 1 and process.first:
                    _log_first_step(learner, began)
                if step % learner.settings.train.log_steps == 0 or step == steps:
                    entry = learner.report(images_per_step)  # the only place where the host waits for the device
                    log.write(entry)
                    bar.set_postfix_str(f"{learner.settings.name} loss {entry['loss']:.4f}", refresh=False)
                if evaluate is not None and process.first and _evaluation_is_due(learner):
                    log.write(learner.evaluate(evaluate))
                if step == steps and process.first:
                    finish_run(learner)
            bar.update()
            if step == steps:
                break
            stop_signal = stop.stops_after(step, process)
            if stop_signal or _save_is_due(learners, saved_at):
                _save(learners, process)
                saved_at = time.monotonic()
            if stop_signal:
                _stop(step, steps, stop_signal, process)


@contextmanager
def _others_saved(learners: Sequence[Learner], process: ProcessContext) -> Iterator[None]:
    """Save the other students where the numbers of one are not finite any more, and raise ValueError."""
    try:
        yield
    except FloatingPointError as error:
        for learner in learners if process.first else ():
            with suppress(FloatingPointError):
                if learner.step < learner.steps:
                    learner.save()
        raise ValueError(str(error)) from error


def _log_first_step(learner: Learner, began: float) -> None:
    """Log whether the student is compiled, and how long this made its first step."""
    if learner.process.device.type == "cuda":
        torch.cuda.synchronize(learner.process.device)
    elif learner.compilation.mode is None:
        return
    seconds = time.perf_counter() - began
    steps = "; whole steps are CUDA graphs" if learner.whole_steps else ""
    logger.info(f"{learner.settings.name}: {learner.compilation}{steps}; the first step took {seconds:.0f} s")


def _create_learners(
    students: Sequence[StudentSettings],
    folders: Sequence[Path],
    states: Sequence[State],
    loader: TrainLoader,
    process: ProcessContext,
    *,
    overwrite: bool,
) -> list[Learner]:
    """Return a learner for each run that is not finished, at the step where the run was saved last."""
    learners = []
    for settings, folder, state in zip(students, folders, states, strict=True):
        if state == "finished":
            continue
        sampler = loader.sampler
        learner = Learner(
            settings,
            folder,
            skeleton=loader.skeleton,
            steps=sampler.steps(settings.train.epochs),
            steps_per_epoch=sampler.steps_per_epoch,
            process=process,
        )
        if state == "unfinished":
            learner.resume(overwrite=overwrite)
        learners.append(learner)
    return learners


def _warn_beyond_crops(loader: TrainLoader) -> None:
    """Warn where random views show more than the stored crops hold."""
    if loader.pixels.stored:
        warning = beyond_crops(loader.pixels.store.spec, loader.settings.augment, loader.settings.input_size)
        if warning:
            logger.warning(warning)


def _warn_of_losers(students: Sequence[StudentSettings], stores: Sequence[HeatmapStore], loader: TrainLoader) -> None:
    """Warn of settings that are known to lose."""
    teacher_maps = all(store.spec.teacher.digest != "none" for store in stores)
    for student in students:
        reason = known_to_lose(student, loader.instances, teacher_maps=teacher_maps)
        if reason is not None:
            logger.warning(reason)


def _evaluation_is_due(learner: Learner) -> bool:
    """Return whether this is the last step, or the first one after a multiple of `train.evaluate_epochs`."""
    every = learner.settings.train.evaluate_epochs * learner.steps_per_epoch  # steps; 0: only the last one
    return learner.step == learner.steps or (every > 0 and learner.step // every > (learner.step - 1) // every)


def _save_is_due(learners: Sequence[Learner], saved_at: float) -> bool:
    """Return whether the shortest `train.checkpoint_minutes` have passed since the time `saved_at`."""
    minutes = min(learner.settings.train.checkpoint_minutes for learner in learners)
    return time.monotonic() - saved_at > 60 * minutes


def _save(learners: Sequence[Learner], process: ProcessContext) -> None:
    if process.first:
        for learner in learners:
            learner.save()


def _stop(step: int, steps: int, stop_signal: signal.Signals, process: ProcessContext) -> NoReturn:
    """End the process with the exit code that a shell gives to one that the signal ended."""
    if process.first:
        logger.info(f"stopped at step {step} of {steps} and saved; the same command resumes from there")
    raise SystemExit(128 + stop_signal)

"""Train students from a store.

    train(["coco.zarr"], [settings], [Path("runs/b0")])                    # one student
    train(["coco.zarr"], [small, large], [Path("runs/s"), Path("runs/l")])  # several, from one stream of batches
    torchrun --nproc-per-node 4 ...                                         # DDP: each process takes its share

Students that share a stream get exactly what each would get alone: the stream depends on the settings they agree about,
and every student has its own model, optimiser, schedule, average and folder. A batch and the chance in a step depend on
the number of the step alone, so a run that was killed goes on from its last save as if nothing had been.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from cache_tools.progress import progress_bar
from cache_tools.store.writer import HeatmapStore
from student import checkpoint
from student.batches.crop_coverage import beyond_crops
from student.batches.loader import Batch, TrainLoader
from student.batches.stream import stream_of
from student.pose_network import PoseNetwork
from student.settings import StudentSettings
from student.training import run_log as journal
from student.training.distributed import any_process, join, mean_labelled_joints, wait_for_all
from student.training.learner import Evaluate, Learner
from student.training.losses import distillation_loss
from student.training.stop_signals import StopSignals


def train(
    stores: Sequence[str | os.PathLike[str] | HeatmapStore],
    students: Sequence[StudentSettings],
    runs: Sequence[Path],
    *,
    photos: str | Path | None = None,
    teacher: PoseNetwork | None = None,
    evaluate: Evaluate | None = None,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train each student into its folder and return what stands in each run.json.

    Goes on where an unfinished run of the same settings stopped; does nothing to a finished one; begins again in
    place of another or a damaged run with `overwrite` alone. resume: FileNotFoundError where there is none to go on
    with. stores: caches of the same rows, whose maps are averaged. photos: their folder, in place of stored crops.
    teacher: for `distill.mode: live`. evaluate(model, settings) -> {"AP": ...}: asked every `train.evaluate_epochs`
    and at the end.

    Raises ValueError where a folder holds another run, settings clash or the loss is no number; SystemExit 143 or 130
    after SIGTERM or Ctrl-C, saved.
    """
    opened = [s if isinstance(s, HeatmapStore) else HeatmapStore.open(s) for s in stores]
    stream = stream_of(students)
    with join(device) as place, StopSignals() as stop:
        if not place.first:
            say = _nothing
        data = journal.data_of(opened, teacher if stream.live else None, photos is not None, place)
        states = [checkpoint.state_of(run, s, data, overwrite) for run, s in zip(runs, students, strict=True)]
        if resume and (new := [str(run) for run, state in zip(runs, states, strict=True) if state == "new"]):
            raise FileNotFoundError(f"nothing to resume in {', '.join(new)}: without --resume a new run begins there")
        wait_for_all(place)
        if all(state == "finished" for state in states):
            say(f"nothing to do: {', '.join(map(str, runs))} finished already")
            return [checkpoint.read_record(run) for run in runs]
        with TrainLoader(
            opened,
            stream,
            photos=photos,
            teacher=teacher,
            device=place.device,
            rank=place.rank,
            world=place.world,
        ) as loader:
            steps, per_epoch = loader.sampler.steps(stream.epochs), loader.sampler.steps_per_epoch
            learners = []
            for student, run, state in zip(students, runs, states, strict=True):
                if state != "finished":
                    learners.append(Learner(student, run, steps, per_epoch, place))
                if state == "unfinished":
                    learners[-1].resume(overwrite)
            wait_for_all(place)
            spec = loader.pixels.store.spec
            if loader.pixels.stored and (warning := beyond_crops(spec, stream.augment, stream.input_size)):
                say(f"warning: {warning}")
            if place.first:
                for learner in learners:
                    journal.begin(learner, opened, data, loader.sampler.rows, say)
            _loop(learners, loader, steps, evaluate, stop, say)
        wait_for_all(place)
        return [checkpoint.read_record(run) for run in runs]


def _loop(
    learners: Sequence[Learner],
    loader: TrainLoader,
    steps: int,
    evaluate: Evaluate | None,
    stop: StopSignals,
    say: Callable[[str], None],
) -> None:
    place = learners[0].place
    images = loader.settings.batch_size * place.world
    start = min(learner.step for learner in learners)
    saved = time.monotonic()
    names = ", ".join(learner.settings.name for learner in learners)
    bar = progress_bar(steps, f"train {names}", "step", done=start, quiet=not place.first)
    with ExitStack() as ends:
        ends.enter_context(bar)
        boards = [ends.enter_context(closing(journal.Board(learner))) for learner in learners]
        for step, batch in enumerate(loader.batches(start, steps), start + 1):
            joints = mean_labelled_joints(batch.target_weight, place)
            for learner, board in zip(learners, boards, strict=True):
                if learner.step >= step:
                    continue  # it was saved a little later than the others
                learn(learner, batch, joints)
                train = learner.settings.train
                if step % train.log_steps == 0 or step == steps:
                    entry = learner.report(images)  # the one place where the host waits for the device
                    board.write(entry)
                    bar.set_postfix_str(f"{learner.settings.name} loss {entry['loss']:.4f}", refresh=False)
                if (
                    evaluate is not None
                    and place.first
                    and _due(step, steps, train.evaluate_epochs * learner.steps_per_epoch)
                ):
                    board.write(learner.evaluate(evaluate))
                if step == steps and place.first:
                    journal.finish(learner)
            bar.update()
            if step == steps:
                break
            # processes must stop at the same step, and asking each other at every one would hold up the device
            asked = stop.asked
            if place.world > 1:
                asked = (asked or 15) if step % 10 == 0 and any_process(asked is not None, place) else None
            minutes = min(learner.settings.train.checkpoint_minutes for learner in learners)
            if asked or time.monotonic() - saved > 60 * minutes:
                if place.first:
                    for learner in learners:
                        learner.save()
                saved = time.monotonic()
            if asked:
                say(f"stopped at step {step} of {steps} and saved; the same command goes on from there")
                raise SystemExit(128 + asked)


def learn(learner: Learner, batch: Batch, labelled_joints: torch.Tensor | None = None) -> None:
    """One step of one student: total = (1 - alpha) * L(ground truth) + alpha * L(teacher)   (paper, equation 1)."""
    settings, place = learner.settings, learner.place
    # Dropout is a function of (seed, step, process): nothing of it needs saving, and no student disturbs another.
    torch.manual_seed((settings.train.seed * 1_000_003 + learner.step) * 4099 + place.rank)
    learner.set_rate(learner.step)
    bfloat16 = settings.train.amp and place.device.type == "cuda"  # needs no loss scaling
    with torch.autocast(place.device.type, torch.bfloat16, enabled=bfloat16):
        heatmaps = learner.network(batch.images)  # (B, 17, h, w)
    teacher = None if settings.distill.mode == "none" else batch.teacher_maps
    loss, parts = distillation_loss(
        heatmaps, batch.targets, batch.target_weight, teacher, settings.distill, learner.alpha, labelled_joints
    )
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings.train.clip_grad is not None:
        clip_grad_norm_(learner.parameters, settings.train.clip_grad)
    learner.optimizer.step()
    learner.step += 1
    if learner.ema is not None:
        learner.ema.update(learner.model, step=learner.step)
    learner.note(loss=loss.detach(), **parts)


def _nothing(line: str) -> None:
    """What processes other than the first have to say."""


def _due(step: int, steps: int, every: float) -> bool:
    """Whether a multiple of `every` steps has just been passed, or the end been reached."""
    return step == steps or (every > 0 and step // every > (step - 1) // every)

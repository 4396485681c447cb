"""One student in training: network, optimiser, schedule, weight average and folder."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2

from cache_tools.skeletons import Skeleton
from student import checkpoint
from student.compilation import choose_compilation
from student.cuda_graph import GraphedFunction
from student.models.student import PoseStudent, create_student
from student.settings import StudentSettings, TrainSettings
from student.training.distributed import ProcessContext, data_parallel
from student.training.finite import is_finite
from student.training.losses import joint_losses
from student.training.running_means import RunningMeans
from student.training.weight_average import WeightAverage

WARMUP_START = 0.01  # of the learning rate, at the first step
WARMUP_EPOCHS = 5.0  # where the settings state none
FUSED = ("adam", "adamw")  # optimisers that PyTorch runs as one kernel, on a CPU as well
#: metrics of a student in evaluation mode, "AP" among them
Evaluate = Callable[[PoseStudent, StudentSettings], Mapping[str, Any]]


class Learner:
    """A student that takes steps on batches that it may share with others. `step` is the number of steps taken."""

    def __init__(
        self,
        settings: StudentSettings,
        run: Path,
        *,
        skeleton: Skeleton,
        steps: int,
        steps_per_epoch: float,
        process: ProcessContext,
    ) -> None:
        """Create the student.

        skeleton: of its heatmaps. steps: of the whole run; steps_per_epoch: a fraction where batches span two epochs.
        """
        train = settings.train
        self.settings, self.run, self.process = settings, run, process
        self.steps, self.steps_per_epoch = steps, steps_per_epoch
        self.step = 0
        self.seconds = 0.0
        self.best: dict[str, Any] | None = None
        #: step of the last save; None before there is one
        self.saved_at: int | None = None
        self.model = _create_model(settings, skeleton, process)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = create_optimizer(self.model, train)
        self.warmup = warmup_steps(train.warmup_epochs, steps, steps_per_epoch)
        self.set_rate = _create_schedule(self.optimizer, train.lr, steps, self.warmup)
        self.ema = WeightAverage(self.model, train.ema_decay) if train.ema_decay else None
        #: whether steps are replayed whole; they then differ only in what a graph reads from memory that stays
        self.whole_steps = _whole_steps(settings, process)
        self.compilation = choose_compilation(
            train.compile, process.device, steps, processes=process.world, whole_steps=self.whole_steps
        )
        self.network = data_parallel(self.compilation.network(self.model), process)
        self.joint_losses = self.compilation.elementwise(joint_losses)
        self.losses = RunningMeans()
        #: of the step, with the rates (a parameter group) that it reads; None where there is none yet
        self.graph: GraphedFunction | None = None
        self.rates: list[torch.Tensor] = []
        self._seconds_at_report = 0.0
        self._clock = time.perf_counter()

    @property
    def averaged(self) -> PoseStudent:
        """Return the model that is saved and evaluated."""
        return self.model if self.ema is None else self.ema.module

    @property
    def alpha(self) -> float:
        """Return the teacher's share of the loss at this step."""
        start, end = self.settings.distill.alpha, self.settings.distill.alpha_end
        return start if end is None else start + (end - start) * self.step / max(self.steps - 1, 1)

    def report(self, images_per_step: int) -> dict[str, Any]:
        """Return the mean losses and the pace since the last report; waits for the device.

        Raises FloatingPointError when the loss is not finite any more.
        """
        steps = self.losses.count
        means = self.losses.take()
        self._add_seconds()
        seconds, self._seconds_at_report = self.seconds - self._seconds_at_report, self.seconds
        if not all(math.isfinite(value) for value in means.values()):
            raise self._diverged(f"the loss of the last {steps} steps is {means['loss']}")
        return {
            "step": self.step,
            "epoch": round(self.step / self.steps_per_epoch, 4),
            **means,
            "lr": self.optimizer.param_groups[0]["lr"],
            "images_per_second": round(steps * images_per_step / seconds, 2),
        }

    def evaluate(self, evaluate: Evaluate) -> dict[str, Any]:
        """Return the metrics of the averaged model; where it is the best so far, save its weights.

        Raises FloatingPointError where its weights are not finite any more.
        """
        self._check_finite(self.averaged.state_dict(), "weights")
        self._add_seconds()
        training = self.averaged.training
        metrics = dict(evaluate(self.averaged.eval(), self.settings))
        self.averaged.train(training)
        self._clock = time.perf_counter()  # `seconds` and the pace are of training only
        entry = {"step": self.step, **metrics}
        if self.best is None or (metrics.get("AP") or 0.0) > (self.best.get("AP") or 0.0):
            checkpoint.save_weights(self.run / "best.safetensors", self.averaged)
            self.best = entry
        return entry

    def save(self) -> None:
        """Save everything that the next step depends on. There is no random state: it is a function of the step.

        Raises FloatingPointError, and leaves the last save as it is, where weights or losses are not finite any more.
        """
        self._add_seconds()
        state = self._state()
        self._check_finite(_numbers(state), "weights or losses")
        checkpoint.save_resume(self.run, state)
        self.saved_at = self.step

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "sums": self.losses.sums,
            "summed": self.losses.count,
            "reported": self._seconds_at_report,
        }

    def resume(self, *, overwrite: bool = False) -> None:
        """Load what `save` saved last; start at step 0 where there is no save, or, with `overwrite`, a damaged one."""
        path = self.run / "resume.pt"
        try:
            state = checkpoint.load_resume(self.run, self.process.device)
            if state is not None:
                _check_save(path, state, self._state())
        except ValueError:
            if not overwrite:
                raise
            return
        if state is not None:
            self._load(state)

    def _load(self, state: Mapping[str, Any]) -> None:
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        self.losses.sums, self.losses.count = state["sums"], state["summed"]
        self._seconds_at_report = state["reported"]
        self.saved_at = self.step

    def save_final_weights(self) -> None:
        """Save the weights at the end; they are the best as well where AP was not measured.

        Raises FloatingPointError where they are not finite any more.
        """
        self._check_finite(self.averaged.state_dict(), "weights")
        checkpoint.save_weights(self.run / "last.safetensors", self.averaged)
        if self.best is None:
            checkpoint.save_weights(self.run / "best.safetensors", self.averaged)

    def _check_finite(self, state: object, what: str) -> None:
        if not is_finite(state):
            raise self._diverged(f"{what} are not finite")

    def _diverged(self, what: str) -> FloatingPointError:
        """Return the error of a run whose numbers are not finite any more: what there is of it, and what to try."""
        kept = "nothing was saved before"
        if self.saved_at is not None:
            kept = f"{self.run / 'resume.pt'} is as it was saved after step {self.saved_at}"
        return FloatingPointError(
            f"{self.settings.name} ended at step {self.step} of {self.steps}: {what}; {kept}. Lower train.lr, lengthen "
            "train.warmup_epochs or set train.clip_grad, with another --out, or with --overwrite to begin again"
        )

    def _add_seconds(self) -> None:
        now = time.perf_counter()
        self.seconds, self._clock = self.seconds + now - self._clock, now


def _check_save(path: Path, found: object, new: Mapping[str, Any]) -> None:
    """Raise ValueError where a save is not one of the run that `new` is the beginning of, or is not finite."""
    advice = "begin again with --overwrite"
    if not isinstance(found, Mapping) or found.keys() != new.keys():
        raise ValueError(f"{path} is no save of this version of kdcache: {advice}")
    for part in ("model", "ema"):
        if _shapes(found[part]) != _shapes(new[part]):
            raise ValueError(f"{path} is of another network: {advice}")
    if not is_finite(_numbers(found)):
        raise ValueError(f"{path} holds numbers that are not finite, because the loss had diverged: {advice}")


def _shapes(weights: Mapping[str, torch.Tensor] | None) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in (weights or {}).items()}


def _numbers(state: Mapping[str, Any]) -> list[Any]:
    """Return what a save has of numbers that training changes; options of optimisers may be infinite."""
    return [state["model"], state["optimizer"]["state"], state["ema"], state["sums"]]


def _whole_steps(settings: StudentSettings, process: ProcessContext) -> bool:
    """Return whether each step is one CUDA graph."""
    # gradients of several processes are averaged by the host; the fused optimisers read the rate from the device
    one_gpu = process.device.type == "cuda" and process.world == 1
    fixed = settings.train.optimizer in FUSED and settings.distill.alpha_end is None
    return settings.train.cuda_graphs and one_gpu and fixed


def warmup_steps(epochs: float | None, steps: int, steps_per_epoch: float) -> int:
    """Return the steps in which the rate rises: of `epochs`, or by default of WARMUP_EPOCHS and at most a tenth."""
    if epochs is None:
        return round(min(WARMUP_EPOCHS * steps_per_epoch, steps / 10))
    return min(round(epochs * steps_per_epoch), steps - 1)


def _create_model(settings: StudentSettings, skeleton: Skeleton, process: ProcessContext) -> PoseStudent:
    # initial weights depend only on the seed, not on the other students in this process
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.train.seed)
        model = create_student(settings.model, skeleton)
    layout = torch.channels_last if settings.train.channels_last else torch.contiguous_format
    return model.to(process.device).to(memory_format=layout)


def create_optimizer(model: PoseStudent, train: TrainSettings) -> torch.optim.Optimizer:
    """Return the optimiser of a network; it is one kernel a step where PyTorch has it."""
    fused: dict[str, Any] = {"fused": True} if train.optimizer in FUSED else {}
    return create_optimizer_v2(model, opt=train.optimizer, lr=train.lr, weight_decay=train.weight_decay, **fused)


def _create_schedule(optimizer: torch.optim.Optimizer, rate: float, steps: int, warmup: int) -> Callable[[int], None]:
    """Return a function of the step that sets the rate: a linear warm-up, then a cosine to 0 at the last step."""
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=steps - warmup,
        warmup_epochs=warmup,
        warmup_lr=rate * WARMUP_START,
        warmup_prefix=True,  # without it timm drops the rate at the end of the warm-up
        step_on_epochs=False,
        updates_per_epoch=1,
    )
    set_rate: Callable[[int], None] = scheduler.step_update
    return set_rate

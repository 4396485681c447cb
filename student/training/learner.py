"""One student in training: model, optimiser, schedule, average and folder. Its step stands in train.py."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import Tensor

from student import checkpoint
from student.models.student import PoseStudent, create_student
from student.settings import StudentSettings
from student.training.distributed import Place, network_of

WARMUP_START = 0.01  # of the learning rate, at the first step
WARMUP_EPOCHS = 5.0  # where none are stated
FUSED = ("adam", "adamw")  # optimisers that PyTorch runs as one kernel, on a CPU too
Evaluate = Callable[[PoseStudent, StudentSettings], Mapping[str, Any]]


class Learner:
    """A student that takes its own steps on batches that it may share. `step` is the number of steps taken."""

    def __init__(self, settings: StudentSettings, run: Path, steps: int, steps_per_epoch: float, place: Place) -> None:
        self.settings, self.run, self.steps, self.steps_per_epoch, self.place = (
            settings,
            run,
            steps,
            steps_per_epoch,
            place,
        )
        self.step, self.seconds = 0, 0.0
        self.best: dict[str, Any] | None = None
        with torch.random.fork_rng(devices=[]):  # its start is its own, whoever trains beside it
            torch.manual_seed(settings.train.seed)
            model = create_student(settings.model)
        layout = torch.channels_last if settings.train.channels_last else torch.contiguous_format
        self.model = model.to(place.device, memory_format=layout)  # type: ignore[call-overload]
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        train = settings.train
        one_kernel: dict[str, Any] = {"fused": True} if train.optimizer in FUSED else {}
        self.optimizer = create_optimizer_v2(
            self.model, opt=train.optimizer, lr=train.lr, weight_decay=train.weight_decay, **one_kernel
        )
        self.warmup = warmup_steps(train.warmup_epochs, steps, steps_per_epoch)
        self.set_rate = _schedule(self.optimizer, train.lr, steps, self.warmup)
        decay = settings.train.ema_decay
        self.ema = ModelEmaV3(self.model, decay=decay, use_warmup=True) if decay else None
        compiled: Any = torch.compile(self.model) if train.compile else self.model
        self.network = network_of(compiled, place)
        self._sums: dict[str, Tensor] = {}
        self._summed, self._reported, self._since = 0, 0.0, time.perf_counter()

    @property
    def averaged(self) -> PoseStudent:
        """The model that is saved and measured."""
        return self.model if self.ema is None else self.ema.module

    @property
    def alpha(self) -> float:
        """The teacher's share of the loss at this step."""
        start, end = self.settings.distill.alpha, self.settings.distill.alpha_end
        return start if end is None else start + (end - start) * self.step / max(self.steps - 1, 1)

    def note(self, **losses: Tensor) -> None:
        """Add to the means that `report` gives, without waiting for the device."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._summed += 1

    def report(self, images_per_step: int) -> dict[str, Any]:
        """Means since the last report; ValueError when the loss is no number any more."""
        means = {name: float(value) / self._summed for name, value in self._sums.items()}
        self._tick()
        took, self._reported = self.seconds - self._reported, self.seconds
        entry = {
            "step": self.step,
            "epoch": round(self.step / self.steps_per_epoch, 4),
            **means,
            "lr": self.optimizer.param_groups[0]["lr"],
            "images_per_second": round(self._summed * images_per_step / took, 2),
        }
        if not all(value == value and abs(value) != float("inf") for value in means.values()):
            raise ValueError(
                f"{self.settings.name}: the loss is {means['loss']} at step {self.step}: "
                "lower train.lr or lengthen train.warmup_epochs"
            )
        self._sums, self._summed = {}, 0
        return entry

    def evaluate(self, evaluate: Evaluate) -> dict[str, Any]:
        """Measure the averaged model; where it is the best so far, keep its weights."""
        self._tick()
        training = self.averaged.training
        metrics = dict(evaluate(self.averaged.eval(), self.settings))
        self.averaged.train(training)
        self._since = time.perf_counter()  # `seconds` and the pace are training's
        entry = {"step": self.step, **metrics}
        if self.best is None or (metrics.get("AP") or 0.0) > (self.best.get("AP") or 0.0):
            checkpoint.save_weights(self.run / "best.safetensors", self.averaged)
            self.best = entry
        return entry

    def save(self) -> None:
        """Everything that the next step depends on, and no random state: chance is a function of the step."""
        self._tick()
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "sums": self._sums,
            "summed": self._summed,
            "reported": self._reported,
        }
        checkpoint.save_resume(self.run, state)

    def resume(self, overwrite: bool = False) -> None:
        """Go on where `save` was called last; from the start when it never was, or when that is damaged and may be
        overwritten."""
        try:
            state = checkpoint.load_resume(self.run, self.place.device)
        except ValueError:
            if not overwrite:
                raise
            return
        if state is None:
            return
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        self._sums, self._summed, self._reported = state["sums"], state["summed"], state["reported"]

    def finish(self) -> None:
        """Save the weights at the end; they are the best, too, where AP was not measured."""
        checkpoint.save_weights(self.run / "last.safetensors", self.averaged)
        if self.best is None:
            checkpoint.save_weights(self.run / "best.safetensors", self.averaged)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now


def warmup_steps(epochs: float | None, steps: int, steps_per_epoch: float) -> int:
    """Steps in which the rate rises: so many epochs, or by default WARMUP_EPOCHS and a tenth of the run at most."""
    if epochs is None:
        return round(min(WARMUP_EPOCHS * steps_per_epoch, steps / 10))
    return min(round(epochs * steps_per_epoch), steps - 1)


def _schedule(optimizer: torch.optim.Optimizer, rate: float, steps: int, warmup: int) -> Callable[[int], None]:
    """Linear warm-up, then a cosine to nothing at the last step; call with the number of the step."""
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
    return scheduler.step_update

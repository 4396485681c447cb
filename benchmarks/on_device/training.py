"""A student in training with its own loader: only the loader, only the step, and both."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from types import TracebackType

import torch
from on_device.timing import BusyShare, wait

from cache_tools.store.writer import HeatmapStore
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.pose_network import PoseNetwork
from student.settings import StudentSettings
from student.training.distributed import ProcessContext
from student.training.learner import Learner
from student.training.step import take_step

#: a graph is captured in the fourth
WARM_UPS = 5
#: of the schedule; more than any measurement takes
STEPS = 100_000


class Training:
    """One student and its loader on a device. Use it in a `with` block."""

    def __init__(
        self,
        store: HeatmapStore,
        settings: StudentSettings,
        device: torch.device,
        folder: Path,
        teacher: PoseNetwork | None = None,
    ) -> None:
        """Start at step 0. teacher: the live one, where `settings` want one."""
        self.device, self._store = device, store
        self.loader = self._open(settings, teacher)
        self.learner = Learner(
            settings,
            folder,
            skeleton=self.loader.skeleton,
            steps=STEPS,
            steps_per_epoch=self.loader.sampler.steps_per_epoch,
            process=ProcessContext(device),
        )

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.loader.close()
        self.learner.graph = None

    def use(self, settings: StudentSettings, teacher: PoseNetwork | None = None) -> None:
        """Go on by other settings of the same student, which stays as it is, and so does its compiled code."""
        self.loader.close()
        self.loader = self._open(settings, teacher)
        self.learner.settings, self.learner.graph = settings, None

    def _open(self, settings: StudentSettings, teacher: PoseNetwork | None) -> TrainLoader:
        return TrainLoader([self._store], stream_of([settings]), teacher=teacher, device=self.device)

    def train(self, steps: int, inside: AbstractContextManager[None] | None = None) -> None:
        """Take steps on the loader's batches. inside: entered around all but the first ones."""
        start = self.learner.step
        batches = self.loader.batches(start, start + WARM_UPS + steps)
        for batch in islice(batches, WARM_UPS):
            take_step(self.learner, batch)
        with inside or nullcontext():
            for batch in batches:
                take_step(self.learner, batch)

    def loader_seconds(self, steps: int) -> float:
        """Return the seconds of a batch that nothing uses."""
        return self._seconds(steps, step=False)

    def step_seconds(self, steps: int) -> float:
        """Return the seconds of a step on a batch that is on the device."""
        (batch,) = self.loader.batches(0, 1)
        for _ in range(WARM_UPS):
            take_step(self.learner, batch)
        wait(self.device)
        start = time.perf_counter()
        for _ in range(steps):
            take_step(self.learner, batch)
        wait(self.device)
        return (time.perf_counter() - start) / steps

    def both_seconds(self, steps: int) -> float:
        """Return the seconds of a step in training."""
        return self._seconds(steps, step=True)

    def busy_in_steps(self, steps: int) -> float | None:
        """Return the share of the time of steps on one batch in which the GPU works; None without one."""
        (batch,) = self.loader.batches(0, 1)
        share = BusyShare(self.device)
        share.start()
        for _ in range(steps):
            take_step(self.learner, batch)
        return share.stop()

    def busy_in_training(self, steps: int) -> float | None:
        """Return the share of the time of training in which the GPU works, once batches are ready; None without one."""
        share = BusyShare(self.device)
        for number, batch in enumerate(self.loader.batches(0, WARM_UPS + steps)):
            if number == WARM_UPS:
                share.start()
            take_step(self.learner, batch)
        return share.stop()

    def _seconds(self, steps: int, *, step: bool) -> float:
        # the first epoch also decodes what is kept
        start, warm_ups = 0.0, max(WARM_UPS, math.ceil(self.loader.sampler.steps_per_epoch))
        for number, batch in enumerate(self.loader.batches(0, warm_ups + steps)):
            if number == warm_ups:
                wait(self.device)
                start = time.perf_counter()
            if step:
                take_step(self.learner, batch)
        wait(self.device)
        return (time.perf_counter() - start) / steps

"""What every section gets: device, size, the persons and their store, and the time it may take."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from on_device.samples import draw_persons, gaussian_store
from on_device.sizes import Size
from on_device.timing import profile_tables

from cache_tools.instances import Instances
from cache_tools.prefetch import usable_cpus
from cache_tools.store.writer import HeatmapStore
from student.compilation import missing_for_triton
from student.settings import StudentSettings


@dataclass
class Context:
    """The setting of a run; `deadline` is that of the section that runs, on the monotonic clock."""

    device: torch.device
    size: Size
    #: temporary folder
    folder: Path
    #: what the profiler saw where a target was missed
    profiles: Path
    deadline: float = float("inf")

    @property
    def on_gpu(self) -> bool:
        """Return whether targets are judged: they are for a GPU."""
        return self.device.type == "cuda"

    @property
    def compiles(self) -> bool:
        """Return whether compiled code is measured as well."""
        return self.size.compiled and self.on_gpu and not missing_for_triton(self.device)

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the section's deadline."""
        return self.deadline - time.monotonic()

    @cached_property
    def persons(self) -> Instances:
        """Return drawn persons; their photos are in `photos`."""
        return draw_persons(self.photos, self.size.persons)

    @property
    def photos(self) -> Path:
        """Return the folder of the photos."""
        return self.folder / "photos"

    @cached_property
    def store(self) -> HeatmapStore:
        """Return a store of the persons."""
        return gaussian_store(self.folder / "store.zarr", self.persons, self.photos)

    def keep_profile(self, what: str, call: Callable[[], object]) -> None:
        """Add to the profiles what takes the time of a call on the device, and of the host."""
        text = profile_tables(call, self.device)
        with self.profiles.open("a", encoding="utf-8") as file:
            file.write(f"## {what}\n\n{text}\n")

    def settings(self, name: str, **changes: Any) -> StudentSettings:
        """Return the settings of a student of this size. changes: fields of `train`, and `mode` of `distill`."""
        mode = changes.pop("mode", "cached")
        model: Mapping[str, Any] = self.size.students[name]
        train = {"batch_size": self.size.batch, "workers": max(1, usable_cpus() - 1), "compile": False, **changes}
        return StudentSettings.model_validate(
            {"name": f"{name}-{mode}", "model": dict(model), "distill": {"mode": mode}, "train": train}
        )

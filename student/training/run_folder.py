"""What a run says about itself: run.json, log.jsonl, TensorBoard, and the settings it prints when it starts."""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import yaml

from cache_tools.store.writer import HeatmapStore
from student import checkpoint
from student.device import device_name
from student.pose_network import PoseNetwork
from student.training.distributed import Place
from student.training.learner import Learner


def data_of(stores: Sequence[HeatmapStore], teacher: PoseNetwork | None, photos: bool, place: Place) -> dict[str, Any]:
    """What a run depends on beside its settings: another value of it makes another run."""
    return {
        "stores": [store.spec.digest for store in stores],
        "live_teacher": None if teacher is None else getattr(teacher, "digest", type(teacher).__name__),
        "pixels": "photos" if photos else "crops",
        "processes": place.world,
    }


def begin(
    learner: Learner, stores: Sequence[HeatmapStore], data: Mapping[str, Any], rows: int, say: Callable[[str], None]
) -> None:
    """Write run.json and say what is about to happen."""
    checkpoint.sweep(learner.run)
    settings = checkpoint.resolved(learner.settings)
    parameters = sum(p.numel() for p in learner.model.parameters())
    device = device_name(learner.place.device)
    record = {
        "name": learner.settings.name,
        "finished": False,
        "settings": settings,
        "data": dict(data),
        "teachers": [{"store": s.url, **s.spec.to_json()["teacher"]} for s in stores],
        "rows": rows,
        "parameters": parameters,
        "steps": learner.steps,
        "device": device,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("kdcache", "torch", "timm", "numpy")},
    }
    if learner.step == 0:
        checkpoint.begin_again(learner.run, record)
    else:
        checkpoint.write_record(learner.run, record)
        checkpoint.cut_log(learner.run, learner.step)
    steps = f"step {learner.step} of {learner.steps}" if learner.step else f"{learner.steps} steps"
    say(yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=120).rstrip())
    say(
        f"{learner.settings.name}: {parameters / 1e6:.3f} M parameters, {steps} ({learner.warmup} of warm-up), "
        f"{rows} rows, {device}, "
        f"{learner.place.world} process(es), into {learner.run}"
    )


def finish(learner: Learner) -> None:
    """Weights first, the record after them: a run is finished when all of it is there."""
    learner.finish()
    record = checkpoint.read_record(learner.run)
    record |= {"finished": True, "seconds": round(learner.seconds, 1), "best": learner.best}
    checkpoint.write_record(learner.run, record)
    (learner.run / "resume.pt").unlink(missing_ok=True)


class Board:
    """Where numbers go: log.jsonl and TensorBoard; nowhere in processes other than the first."""

    def __init__(self, learner: Learner) -> None:
        self.run, self.writer = learner.run, None
        if learner.place.first:
            from torch.utils.tensorboard import SummaryWriter  # a second of imports

            self.writer = SummaryWriter(str(learner.run / "tensorboard"), purge_step=learner.step or None)

    def write(self, entry: Mapping[str, Any]) -> None:
        """One entry, with its step."""
        if self.writer is None:
            return
        checkpoint.append_log(self.run, entry)
        for name, value in entry.items():
            if isinstance(value, float) and name != "epoch":
                self.writer.add_scalar(name, value, entry["step"])

    def close(self) -> None:
        """Write what is still held back for TensorBoard."""
        if self.writer is not None:
            self.writer.close()

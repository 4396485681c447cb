"""What a stream of batches depends on, and the one thing that students who share a stream must agree about."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from student.augment_recipes import recipe
from student.settings import AugmentSettings, Size, StudentSettings

Replay = Literal["peaks", "warp", "views"]


@dataclass(frozen=True)
class StreamSettings:
    """The settings on which batches depend; students with equal ones see equal batches, together or apart."""

    input_size: Size
    heatmap_size: Size
    sigma: float
    augment: AugmentSettings
    replay: Replay | None  # how a teacher's maps become the student's; None: nobody wants them
    live: bool  # the teacher is asked about every batch, no cache
    batch_size: int
    epochs: float
    seed: int
    max_rows: int | None
    workers: int = 2
    memory_gib: float = 4.0


# where each stands in StudentSettings, for the message
_PATHS = {
    "input_size": "model.input_size",
    "heatmap_size": "model.heatmap_size",
    "sigma": "model.sigma",
    "augment": "augment",
    "batch_size": "train.batch_size",
    "epochs": "train.epochs",
    "seed": "train.seed",
    "max_rows": "train.max_rows",
    "memory_gib": "train.memory_gib",  # rows of a store that does not fit come in another order
}


def stream_of(students: Sequence[StudentSettings]) -> StreamSettings:
    """The stream for these students; ValueError names the setting in which two of them ask for different batches.

    Students without a teacher may join those with one; students of a cached and of a live teacher may not meet.
    """
    first = _alone(students[0])
    for student in students[1:]:
        other = _alone(student)
        for name, path in _PATHS.items():
            mine, theirs = getattr(first, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(
                    f"students {students[0].name} and {student.name} cannot share one stream: "
                    f"{path} is {mine} and {theirs}; make them equal, or train apart"
                )
    alone = [_alone(student) for student in students]
    wanted = {(s.live, s.replay) for s in alone if s.replay is not None}
    if len(wanted) > 1:
        found = sorted(f"{'live' if live else 'cached'} {replay}" for live, replay in wanted)
        raise ValueError(
            f"these students cannot share one stream: distill.mode and distill.replay ask for {' and '.join(found)}; "
            "make them equal, or train apart"
        )
    values = {f.name: getattr(first, f.name) for f in fields(StreamSettings)}
    live, replay = next(iter(wanted), (False, None))
    return StreamSettings(**(values | {"replay": replay, "live": live, "workers": max(s.workers for s in alone)}))


def _alone(student: StudentSettings) -> StreamSettings:
    model, distill, train = student.model, student.distill, student.train
    live = distill.mode == "live"
    shown: Replay = "peaks" if live and distill.replay == "views" else distill.replay  # live, there are no stored views
    return StreamSettings(
        input_size=model.input_size,
        heatmap_size=model.heatmap_size,
        sigma=model.sigma,
        augment=recipe(student.augment),
        replay=None if distill.mode == "none" else shown,
        live=live,
        batch_size=train.batch_size,
        epochs=train.epochs,
        seed=train.seed,
        max_rows=train.max_rows,
        workers=train.workers,
        memory_gib=train.memory_gib,
    )

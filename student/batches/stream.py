"""The settings on which a stream of batches depends, and whether several students can share one stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal

from student.augment_recipes import recipe
from student.settings import AugmentSettings, DistillSettings, Pixels, Replay, Size, StudentSettings


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """The settings on which batches depend: students with equal ones see equal batches, together or apart.

    `path` is where StudentSettings has the field; students who share a stream must agree about it.
    """

    input_size: Size = field(metadata={"path": "model.input_size"})
    heatmap_size: Size = field(metadata={"path": "model.heatmap_size"})
    #: of the target's Gaussian, in heatmap cells
    sigma: float = field(metadata={"path": "model.sigma"})
    augment: AugmentSettings = field(metadata={"path": "augment"})
    #: of one process
    batch_size: int = field(metadata={"path": "train.batch_size"})
    epochs: float = field(metadata={"path": "train.epochs"})
    seed: int = field(metadata={"path": "train.seed"})
    max_rows: int | None = field(metadata={"path": "train.max_rows"})
    #: rows of a store that does not fit come in another order
    memory_gib: float = field(default=4.0, metadata={"path": "train.memory_gib"})
    #: persons whose labels are used, drawn by `seed`; None: all who have some
    labelled: int | None = field(default=None, metadata={"path": "train.labelled"})
    #: whether persons without labels are shown; undecided: the students disagree, and there may be none
    unlabelled: Literal["shown", "left out", "undecided"] = "shown"
    #: where decoded pixels are kept
    pixels: Pixels = field(default="auto", metadata={"path": "train.pixels"})
    pixels_gib: float | None = field(default=None, metadata={"path": "train.pixels_gib"})
    #: how a teacher's maps become the student's; None: no student uses them
    replay: Replay | None
    #: the teacher runs on every batch, and no cache is read
    live: bool
    #: threads that decode, the largest number of any student; None: as many as the device needs
    workers: int | None = None
    #: whether a GPU makes a batch by one graph: where all students have switched this on
    cuda_graphs: bool = False

    @property
    def replay_mode(self) -> Literal["peaks", "warp"]:
        """How maps of a view other than the student's are replayed."""
        return "warp" if self.replay == "warp" else "peaks"


#: field of StreamSettings -> its path in StudentSettings
SHARED_PATHS: dict[str, str] = {f.name: f.metadata["path"] for f in fields(StreamSettings) if "path" in f.metadata}


def stream_of(students: Sequence[StudentSettings]) -> StreamSettings:
    """Return the settings of the stream that these students share.

    Students without a teacher may share a stream with those that have one. Raises ValueError that names the setting in
    which two students need different batches, or where one needs a cached teacher and another a live one.
    """
    shared = _shared_settings(students[0])
    for student in students[1:]:
        for name, value in _shared_settings(student).items():
            if value != shared[name]:
                raise ValueError(
                    f"students {students[0].name} and {student.name} cannot share one stream: "
                    f"{SHARED_PATHS[name]} is {shared[name]} and {value}; make them equal, or train apart"
                )
    sources = {_teacher_source(s.distill) for s in students if s.distill.mode != "none"}
    if len(sources) > 1:
        found = sorted(f"{'live' if live else 'cached'} {replay}" for live, replay in sources)
        raise ValueError(
            f"these students cannot share one stream: distill.mode and distill.replay need {' and '.join(found)}; "
            "make them equal, or train apart"
        )
    live, replay = next(iter(sources), (False, None))
    return StreamSettings(
        **shared,
        unlabelled=_unlabelled(students),
        live=live,
        replay=replay,
        workers=max((s.train.workers for s in students if s.train.workers is not None), default=None),
        cuda_graphs=all(s.train.cuda_graphs for s in students),
    )


def _shared_settings(student: StudentSettings) -> dict[str, Any]:
    values = {name: attrgetter(path)(student) for name, path in SHARED_PATHS.items()}
    return values | {"augment": recipe(student.augment)}


def _unlabelled(students: Sequence[StudentSettings]) -> Literal["shown", "left out", "undecided"]:
    """Return whether persons without labels are shown. ValueError where the students disagree about such persons."""
    shown = {s.distill.mode != "none" and s.distill.unlabelled: s for s in students}
    if len(shown) == 1:
        return "shown" if True in shown else "left out"
    if students[0].train.labelled is not None:
        raise ValueError(
            f"students {shown[True].name} and {shown[False].name} cannot share one stream: with train.labelled, only "
            "the first is shown persons without labels (distill.mode, distill.unlabelled); train apart"
        )
    return "undecided"


def _teacher_source(distill: DistillSettings) -> tuple[bool, Replay | None]:
    """Return whether the teacher is live, and the replay; `views` is `peaks` for a live one, which stores none."""
    live = distill.mode == "live"
    return live, "peaks" if live and distill.replay == "views" else distill.replay

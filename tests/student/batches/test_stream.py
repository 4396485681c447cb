"""Which students can share one stream of batches, and with which settings."""

from typing import Any

import pytest

from student.augment_recipes import RECIPES
from student.batches.stream import SHARED_PATHS, stream_of
from student.settings import StudentSettings


def student(name: str, **sections: dict[str, Any]) -> StudentSettings:
    """Return settings with the defaults, except for the sections given."""
    return StudentSettings.model_validate({"name": name, **sections})


def test_the_stream_has_the_students_settings() -> None:
    stream = stream_of(
        [
            student(
                "a",
                model={"input_size": [128, 96], "sigma": 1.5},
                distill={"replay": "warp"},
                train={"batch_size": 8, "epochs": 3, "seed": 4, "max_rows": 50, "memory_gib": 1, "workers": 3},
            )
        ]
    )
    assert (stream.input_size, stream.heatmap_size, stream.sigma) == ((128, 96), (32, 24), 1.5)
    assert (stream.batch_size, stream.epochs, stream.seed, stream.max_rows) == (8, 3, 4, 50)
    assert (stream.memory_gib, stream.workers) == (1, 3)
    assert (stream.replay, stream.replay_mode, stream.live) == ("warp", "warp", False)
    assert stream.augment == RECIPES["vitpose"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"batch_size": 32}}, "train.batch_size is 64 and 32"),
        ({"train": {"memory_gib": 1.0}}, "train.memory_gib is 4.0 and 1.0"),
        ({"model": {"sigma": 3.0}}, "model.sigma is 2.0 and 3.0"),
        ({"model": {"input_size": [128, 96]}}, r"model.input_size is \(256, 192\) and \(128, 96\)"),
    ],
)
def test_students_that_need_different_batches_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"students one and other cannot share one stream: {message}"):
        stream_of([student("one"), student("other", **changes)])


def test_the_name_and_the_numbers_of_a_recipe_are_equal() -> None:
    by_number = StudentSettings(name="numbers", augment=RECIPES["light"])
    by_name = StudentSettings(name="name", augment="light")
    assert stream_of([by_number, by_name]) == stream_of([by_name])


def test_cached_and_live_teachers_do_not_share_a_stream() -> None:
    with pytest.raises(ValueError, match="need cached peaks and live peaks"):
        stream_of([student("one"), student("live", distill={"mode": "live"})])


def test_students_without_a_teacher_share_any_stream() -> None:
    control = student("control", distill={"mode": "none"}, train={"lr": 1.0, "workers": 4})
    both = stream_of([control, student("one")])
    assert (both.replay, both.live, both.workers) == ("peaks", False, 4)
    assert stream_of([control]).replay is None
    live = stream_of([control, student("live", distill={"mode": "live", "replay": "views"})])
    # a live teacher has no stored views
    assert (live.replay, live.live) == ("peaks", True)


def test_shared_paths_are_paths_of_student_settings() -> None:
    one = student("one").model_dump()
    for path in SHARED_PATHS.values():
        section, _, name = path.rpartition(".")
        assert name in (one[section] if section else one)

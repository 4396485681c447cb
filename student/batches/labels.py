"""Which persons have labels, and which of a store's rows are shown: with few labels, a teacher shows what to learn."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from student.batches.stream import StreamSettings

# distinguishes the choice of labelled persons from all else that is drawn by the same seed
CHOICE_SEED = 17


def usable_labels(instances: Instances, settings: StreamSettings) -> Instances:
    """Return the table with the labels of only `settings.labelled` persons; the visibility of all others is 0.

    They are drawn by `settings.seed` among the labelled persons that are trained on, so that runs of one seed use the
    same labels. Raises ValueError where fewer have labels.
    """
    if settings.labelled is None:
        return instances
    rows = np.flatnonzero(has_labels(instances)[: settings.max_rows])
    if len(rows) < settings.labelled:
        raise ValueError(f"train.labelled is {settings.labelled}: expected at most {len(rows)}, who have labels")
    chosen = np.random.default_rng([settings.seed, CHOICE_SEED]).permutation(rows)[: settings.labelled]
    visibility = np.zeros_like(instances.visibility)
    visibility[chosen] = instances.visibility[chosen]
    return replace(instances, visibility=visibility)


def shown_rows(instances: Instances, settings: StreamSettings) -> NDArray[np.int64] | None:
    """Return the rows that are shown to the students, or None for all: those without labels need a teacher.

    Raises ValueError where nobody has labels and no teacher teaches, and where students that would be shown different
    persons share a stream.
    """
    labelled = has_labels(instances)[: settings.max_rows]
    if labelled.all() or settings.unlabelled == "shown":
        return None
    missing = int(np.count_nonzero(~labelled))
    if settings.unlabelled == "undecided":
        raise ValueError(
            f"{missing} of {len(labelled)} persons have no labels, and only some of these students are to be shown "
            "them: those that learn from a teacher, with distill.unlabelled; train the others apart"
        )
    if not labelled.any():
        raise ValueError(f"none of {len(labelled)} persons has labels, without which only a teacher teaches")
    return np.flatnonzero(labelled)


def has_labels(instances: Instances) -> NDArray[np.bool_]:
    """Return which persons have at least one labelled joint (N,)."""
    labelled: NDArray[np.bool_] = np.any(instances.visibility > 0, axis=1)
    return labelled

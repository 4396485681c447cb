"""What measured runs say of a setting before it costs a training: docs/explain/cached-teacher.md has the numbers."""

import numpy as np

from cache_tools.instances import Instances
from student.batches.labels import has_labels
from student.settings import StudentSettings


def known_to_lose(settings: StudentSettings, instances: Instances, *, teacher_maps: bool) -> str | None:
    """Return why a student is known to lose against another setting; None where nothing is known.

    instances: of the stores, with the labels that are used (`usable_labels`). teacher_maps: whether the stores hold
    heatmaps of a teacher.
    """
    unlabelled = int(np.count_nonzero(~has_labels(instances)[: settings.train.max_rows]))
    taught = settings.distill.mode != "none" and settings.distill.unlabelled
    if not unlabelled or taught or not teacher_maps:
        return None
    return (
        f"{settings.name}: {unlabelled} of {len(instances)} persons have no labels and are left out, though the store "
        "has a teacher's heatmaps of them. Taught by these (distill.mode cached, distill.unlabelled true), students "
        "were better at equal steps where few persons had labels: docs/explain/cached-teacher.md"
    )

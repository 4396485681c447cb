"""What a build is made of, for the process that runs it and for the workers that share it."""

from dataclasses import dataclass
from pathlib import Path

SHARDS_AT_ONCE = 2  # of one process: one with the teacher, one being written


@dataclass(frozen=True)
class BuildJob:
    """What a build is made of: the same for every process that takes part."""

    store: str  # a path or a url
    teacher: str
    images: Path
    annotations: Path
    codec: str = "compact"
    flip: bool = False
    crops: bool = True
    views: int = 0
    shard_rows: int = 2048
    batch_size: int = 32
    device: str = "auto"
    threads: int | None = None  # of the CPU, for the teacher and for reading photos; None: all there are
    labelled: bool = True  # False: every person with a box, for students that learn from the teacher alone
    part: tuple[int, int] | None = None  # (i, n): the i-th of n parts of the persons, to be merged later


@dataclass(frozen=True)
class Expectation:
    """A teacher must reach `ap` percent, less `tolerance`, on labelled data before its heatmaps are believed."""

    ap: float
    tolerance: float
    images: Path
    annotations: Path

"""What a build is made of, for the process that runs it and for the workers that share it."""

from dataclasses import dataclass
from pathlib import Path

from cache_tools.photos.options import NOT_STATED, PhotoOptions

#: shards that a process works on: the teacher is busy with one while another is compressed and written
SHARDS_AT_ONCE = 2
#: of `BuildJob.basis`
AUTO_BASIS = "auto"


@dataclass(frozen=True, kw_only=True)
class BuildJob:
    """Settings of a build, the same for every process that takes part."""

    #: a path or a url
    store: str
    #: reference of the teacher (pipeline/teachers/names.py)
    teacher: str
    #: folder of the photos
    images: Path
    #: COCO keypoint file
    annotations: Path
    codec: str = "compact"
    #: path or url of a store whose basis the codec `windows` takes; AUTO_BASIS: learnt from the teacher
    basis: str = AUTO_BASIS
    #: average each heatmap with the mirrored crop's
    flip: bool = False
    #: keep each person's crop beside the heatmaps
    crops: bool = True
    #: augmented views a person
    views: int = 0
    #: persons a shard
    shard_rows: int = 2048
    #: crops a pass of the teacher
    batch_size: int = 32
    device: str = "auto"
    #: CPU threads for the teacher and for reading photos; None: as many as there are CPUs
    threads: int | None = None
    #: False: every person with a box, for students that learn from the teacher only
    labelled: bool = True
    #: (i, n): only the i-th of n parts of the persons, to be merged later
    part: tuple[int, int] | None = None
    #: name of a built-in skeleton or a YAML file; None: as the annotation file names its keypoints
    skeleton: str | None = None
    #: names or ids of the annotations' categories; none: all with the same keypoints
    category: tuple[str, ...] = ()
    #: (name in the store, the teacher's name) of joints that are not found by name
    joints: tuple[tuple[str, str], ...] = ()
    #: how the photos are read
    photo_options: PhotoOptions = NOT_STATED
    #: files with a checksum of each photo, as md5sum or sha256sum writes them
    checksums: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """The AP that a teacher must reach on labelled data before its heatmaps are cached."""

    #: percent
    ap: float
    #: points of AP that it may fall short
    tolerance: float
    images: Path
    annotations: Path
    #: how these photos are read
    photo_options: PhotoOptions = NOT_STATED
    #: as `BuildJob` has them
    skeleton: str | None = None
    category: tuple[str, ...] = ()
    #: files with a checksum of each of these photos
    checksums: tuple[Path, ...] = ()

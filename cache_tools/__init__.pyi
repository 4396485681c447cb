from .annotations.annotation_file import read_annotation_file as read_annotation_file
from .annotations.annotation_file import read_coco as read_coco
from .instances import Instances as Instances
from .skeletons.skeleton import Skeleton as Skeleton
from .skeletons.skeleton_file import load_skeleton as load_skeleton
from .store import CacheMismatch as CacheMismatch
from .store import HeatmapStore as HeatmapStore
from .store import open_store as open_store
from .version import __version__ as __version__

__all__ = [
    "CacheMismatch",
    "HeatmapStore",
    "Instances",
    "Skeleton",
    "__version__",
    "load_skeleton",
    "open_store",
    "read_annotation_file",
    "read_coco",
]

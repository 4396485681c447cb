from .instances import Instances as Instances
from .instances import read_coco as read_coco
from .store import CacheMismatch as CacheMismatch
from .store import HeatmapStore as HeatmapStore
from .store import open_store as open_store
from .version import __version__ as __version__

__all__ = ["CacheMismatch", "HeatmapStore", "Instances", "__version__", "open_store", "read_coco"]

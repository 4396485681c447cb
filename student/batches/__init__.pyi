from .augment import AugmentedViews as AugmentedViews
from .augment import sample_views as sample_views
from .augment import view_matrix as view_matrix
from .cached_maps import CachedMaps as CachedMaps
from .crop_coverage import beyond_crops as beyond_crops
from .live_maps import LiveMaps as LiveMaps
from .loader import Batch as Batch
from .loader import TrainLoader as TrainLoader
from .pixel_source import PixelSource as PixelSource
from .plan import BatchPlan as BatchPlan
from .plan import plan_batch as plan_batch
from .sampler import Sampler as Sampler
from .stream import StreamSettings as StreamSettings
from .stream import stream_of as stream_of

__all__ = [
    "AugmentedViews",
    "Batch",
    "BatchPlan",
    "CachedMaps",
    "LiveMaps",
    "PixelSource",
    "Sampler",
    "StreamSettings",
    "TrainLoader",
    "beyond_crops",
    "plan_batch",
    "sample_views",
    "stream_of",
    "view_matrix",
]

"""A teacher's heatmaps on disk or behind a url: one row a person, small, checked and self-describing.

`HeatmapStore` makes, writes and reads one. How bytes lie in it is described in docs/store-format.md.
"""

from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.merge import merge_stores
from cache_tools.store.objects import Url
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.spec import (
    AnnotationsSpec,
    CacheMismatch,
    FrameSpec,
    StoreSpec,
    TeacherSpec,
    make_spec,
)
from cache_tools.store.stored_views import StoredViews
from cache_tools.store.verify import Damage, forget_damaged, verify_store
from cache_tools.store.writer import HeatmapStore, open_store

__all__ = [
    "AnnotationsSpec",
    "CacheMismatch",
    "CropsSpec",
    "Damage",
    "FrameSpec",
    "HeatmapStore",
    "ShardContent",
    "StoreSpec",
    "StoredViews",
    "TeacherSpec",
    "Url",
    "forget_damaged",
    "make_spec",
    "merge_stores",
    "open_store",
    "verify_store",
]

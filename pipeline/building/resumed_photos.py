"""The photos of a build that goes on are those of the shards that are done.

Photos replaced in place would otherwise make a store of old photos and new ones, of which no checksum tells.
"""

from pathlib import Path

import numpy as np

from cache_tools.store.photo_comparison import choose_rows, find_differing
from cache_tools.store.reader import StoreReader
from pipeline.fidelity.recompute import recompute_rows
from student.pose_network import PoseNetwork

#: rows whose stored crops are compared
ROWS = 32
#: rows where the teacher has to run, because the store holds no crops
TAUGHT_ROWS = 8
#: photos that an error names
NAMED = 5


def check_resumed(store: StoreReader, teacher: PoseNetwork, images: Path, threads: int | None = None) -> int:
    """Raise ValueError where photos are not those that the finished shards of a store were made from.

    Compares stored crops of ROWS rows, or, where the store holds none, the teacher's heatmaps of a few. Returns
    the number of rows that were compared.
    """
    done = [shard for shard in range(store.shards) if store.is_written(shard)]
    if not done:
        return 0
    rows = np.concatenate([np.array(store.shard_rows(shard)) for shard in done])
    if store.spec.crops is None:
        chosen = choose_rows(store, images, rows, TAUGHT_ROWS)
        recompute_rows(store, teacher, images, chosen)
        return len(chosen)
    chosen = choose_rows(store, images, rows, ROWS)
    if differing := find_differing(store, images, chosen, threads):
        raise ValueError(
            f"{', '.join(differing[:NAMED])}: not the photos that the {len(done)} finished shards of {store.url} were "
            f"made from ({len(differing)} of {len(chosen)} rows that were compared differ); give the folder of those "
            "photos as --images, or build another store from these"
        )
    return len(chosen)

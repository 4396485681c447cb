"""The cache and its data contract: instances, geometry, codec, store. numpy and zarr; never torch.

    import cache_tools

    store = cache_tools.open_store("coco.zarr")
    heatmaps = store.read([5, 0, 7])         # (3, 17, 64, 48) float32
    persons = store.instances                # or cache_tools.read_coco("person_keypoints_val2017.json")

Each name is imported when it is first used.
"""

import lazy_loader as lazy

# zarr takes half a second to import, and most modules here do without it
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

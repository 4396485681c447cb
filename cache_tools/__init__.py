"""The cache and its data contract: instances, geometry, codec, store. numpy and zarr; never torch."""

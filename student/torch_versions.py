"""What differs between the versions of torch that kdcache runs with: the only place that knows them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Create tensors on the meta device inside the block: shapes without values, enough to count costs.

    torch 2.8 imports its compiler at the first random initialisation, and that import fails on the meta device.
    """
    import torch._dynamo  # before the block, on the CPU

    with torch.device("meta"):
        yield

"""How a network is run over persons: the settings that `predict`, `evaluate`, `hka`, `fidelity` and the panels share.

It imports nothing heavy: a command's options can make one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Settings of one pass of a network over person crops."""

    #: average with the mirrored crop's heatmaps (the flip test)
    flip: bool = True
    #: crops a forward pass
    batch_size: int = 32
    #: threads that read and cut photos
    workers: int = 2
    #: auto, cpu, cuda or cuda:N
    device: str = "auto"

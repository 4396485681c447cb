"""Means of the losses of several steps, summed on the device."""

from torch import Tensor


class RunningMeans:
    """Sums of losses since the last `take`; adding does not wait for the device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        #: steps in the sums
        self.count = 0

    def add(self, **losses: Tensor) -> None:
        """Add the losses of one step."""
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1

    def take(self) -> dict[str, float]:
        """Return the mean of each loss and start again; waits for the device."""
        means = {name: float(value) / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

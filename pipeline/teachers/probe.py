"""Probe a network with one batch of real crops, before anything is made of its heatmaps.

What it returns is compared with what it states (student/network_output.py), and its values with the range of heatmaps:
a store holds values between 0 and 1, and a student learns from cells above 0.05. Another range is refused with the
option that changes it.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.error import GREATEST, LEAST, PEAK_VALUE
from pipeline.teachers.blank import BlankTeacher
from pipeline.teachers.wrapped import WrappedNetwork, innermost
from student.network_output import check_finite, heatmaps_of
from student.pose_network import Crops, Maps, PoseNetwork

if TYPE_CHECKING:
    from torch import Tensor

#: persons whose crops are enough: they have 136 of COCO's joints
PERSONS = 8
#: sums of maps that are probabilities, each of them
ONE = (0.9, 1.1)
#: probabilities of so few cells are no wider than a Gaussian of sigma 0.7, and could be heatmaps
FEW_CELLS = 3.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one batch of crops shows of a network."""

    name: str
    #: of crops and heatmaps: "float32 (B, 3, H, W), ..." where the network says it
    interface: str
    input_size: tuple[int, int]
    frame: str
    maps: Maps

    @property
    def least(self) -> float:
        """Return the lowest value."""
        return float(self.maps.min())

    @property
    def greatest(self) -> float:
        """Return the highest value."""
        return float(self.maps.max())

    def text(self) -> str:
        """Return the findings in one line."""
        rows, joints, height, width = self.maps.shape
        peaks = np.median(self.maps.max(axis=(2, 3)))
        return (
            f"{self.name}: crops {_size(self.input_size)}{self.interface}, {joints} heatmaps {_size((height, width))} "
            f"({self.frame}), values {self.least:.2g} to {self.greatest:.2g} on {rows} persons, median peak {peaks:.2g}"
        )

    def check_range(self) -> None:
        """Raise ValueError, with what to do, where the values are logits, probabilities or of another scale.

        LEAST and GREATEST leave room for the noise and the overshoots of regressions, which are clamped.
        """
        found = f"{self.name} returns values from {self.least:.4g} to {self.greatest:.4g}"
        expected = "expected heatmaps between 0 and 1"
        # noise below 0 grows with the scale; logits lie as far below 0 as above
        if self.greatest > GREATEST and self.least >= LEAST * self.greatest:
            raise ValueError(f"{found}: {expected}. State ?scale={_scale(self.greatest)}, {_or(self.interface)}")
        if self.least < LEAST or self.greatest > GREATEST:
            raise ValueError(
                f"{found}: {expected}. Values so far below 0 are logits: state ?activation=sigmoid (trained with "
                "binary cross-entropy) or ?activation=softmax (cross-entropy over the cells)"
            )
        if sigma := self._sigma_of_probabilities():
            raise ValueError(
                f"{found}, and each heatmap sums to 1, as probabilities do: expected heatmaps with peaks up to 1. "
                "State ?scale=gaussian, which multiplies by 2 pi sigma^2, and the sigma of its peaks in cells where it "
                f"is not 2, as in ?scale=gaussian&sigma=1.5; a Gaussian as high as these peaks has {sigma:.2g}"
            )

    def check_height(self) -> None:
        """Raise ValueError where no value is high enough to teach anything."""
        if self.greatest <= PEAK_VALUE:
            raise ValueError(
                f"{self.name} returns values from {self.least:.4g} to {self.greatest:.4g} on {len(self.maps)} persons: "
                f"no student learns from values below {PEAK_VALUE:g}. Are its weights and its preprocessing the right "
                "ones? If its values are only small, state ?scale=FACTOR"
            )

    def _sigma_of_probabilities(self) -> float | None:
        """Return the sigma, in cells, of Gaussians as high as these maps that sum to one; None for other maps."""
        # joints that the network does not know are blank
        maps = self.maps[self.maps.any(axis=(2, 3))]
        if not len(maps):
            return None
        sums, peaks = maps.sum(axis=(1, 2)), maps.max(axis=(1, 2))
        if not (ONE[0] < sums.min() and sums.max() < ONE[1] and np.median(peaks) < 1 / FEW_CELLS):
            return None
        return math.sqrt(1 / (2 * math.pi * float(np.median(peaks))))


class Probed(WrappedNetwork):
    """A network whose first batch is probed; only its range can be wrong, because low peaks are a result, too."""

    def __init__(self, network: PoseNetwork) -> None:
        """Probe the first batch of `network`."""
        super().__init__(network)
        self._probed = False

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3); ValueError as `Probe.check_range` says."""
        maps = heatmaps_of(self.wrapped, crops)
        if not self._probed:
            check_finite(self.name, maps)
            _probe(self.wrapped, maps).check_range()
            self._probed = True
        return maps


class ProbedOnDevice(Probed):
    """The same for a network that leaves its heatmaps on its device (student/torch_network.py), where they stay."""

    def maps_on_device(self, crops: "Tensor") -> "Tensor":
        """Return heatmaps (B, K, h, w), float32, on its device, of uint8 crops (B, H, W, 3) on any device."""
        import torch

        if not self._probed:
            return torch.from_numpy(self(crops.cpu().numpy())).to(self.device)
        maps: Tensor = self.wrapped.maps_on_device(crops)  # type: ignore[attr-defined]  # as `probed_network` finds
        return maps


def probed_network(network: PoseNetwork) -> Probed:
    """Return a network whose first batch is probed, with heatmaps on the device where `network` has them there."""
    # OnDevice, without importing torch for an ONNX file
    on_device = hasattr(network, "maps_on_device") and hasattr(network, "device")
    return ProbedOnDevice(network) if on_device else Probed(network)


def probe_network(network: PoseNetwork, crops: Crops) -> Probe:
    """Return what a network makes of crops (B, H, W, 3) of persons.

    Raises ValueError where its heatmaps are not those that it states, not finite, of another range than 0 to 1, or too
    low to teach anything.
    """
    probe = _probe(network, heatmaps_of(network, crops, finite=True))
    if not isinstance(innermost(network), BlankTeacher):
        probe.check_range()
        probe.check_height()
    return probe


def _probe(network: PoseNetwork, maps: Maps) -> Probe:
    interface = str(getattr(innermost(network), "interface", ""))
    return Probe(
        name=network.name,
        interface=f" {interface}" if interface else "",
        input_size=network.input_size,
        frame=network.frame,
        maps=maps,
    )


def rows_to_probe(persons: int) -> NDArray[np.int64]:
    """Return the rows of PERSONS persons at even distances, or of all."""
    return np.unique(np.linspace(0, persons - 1, min(persons, PERSONS)).round().astype(np.int64))


def _scale(greatest: float) -> str:
    """Return the factor that brings the highest value to about 1, 1/255 for bytes."""
    return "1/255" if 128 <= greatest <= 1.2 * 255 else f"1/{greatest:.3g}"


def _or(interface: str) -> str:
    if "SimCC" in interface:
        return "or ?activation=softmax&beta=10, which makes probabilities of RTMPose's vectors"
    return "or ?activation=sigmoid or softmax where they are logits"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

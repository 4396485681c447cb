"""How the values of a network become heatmaps between 0 and 1: options of a reference, applied to every batch.

?scale=1/255           values times a factor, a number or a fraction
?scale=gaussian        maps that sum to one, times the sum of a Gaussian, 2 pi sigma^2: one of that sigma is 1 high
?activation=sigmoid    logits of one cell each (binary cross-entropy)
?activation=softmax    logits over the cells of a map (cross-entropy); times 2 pi sigma^2, as they sum to one then
  &beta=10             logits are multiplied by it before the softmax
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.teachers.wrapped import WrappedNetwork
from student.network_output import heatmaps_of
from student.pose_network import Crops, Maps, PoseNetwork, digest_of

Activation = Literal["sigmoid", "softmax"]
VALUE_OPTIONS = ("scale", "activation", "beta")
GAUSSIAN = "gaussian"


@dataclass(frozen=True, kw_only=True)
class Values:
    """An activation, then a factor; by default values stay as they are."""

    activation: Activation | None = None
    #: inverse temperature of the softmax
    beta: float = 1.0
    #: factor, or "gaussian" for the sum of a Gaussian
    scale: float | Literal["gaussian"] = 1.0

    @classmethod
    def of(cls, reference: str, options: Mapping[str, str]) -> "Values":
        """Return what the options of a reference state; ValueError for what is no number or no activation."""
        activation = options.get("activation")
        if activation not in (None, "sigmoid", "softmax"):
            raise ValueError(f"teacher {reference}: activation is {activation!r}: expected sigmoid or softmax")
        if "beta" in options and activation != "softmax":
            raise ValueError(f"teacher {reference}: beta belongs to activation=softmax: state both, or neither")
        scale = options.get("scale", "1")
        if scale == GAUSSIAN and activation is not None:
            raise ValueError(
                f"teacher {reference}: scale=gaussian is for maps that sum to one as they are; activation=softmax "
                "scales its own, and sigmoid needs none: state one of the two"
            )
        return cls(
            activation=activation,  # type: ignore[arg-type]  # one of the two, as checked above
            beta=_factor(reference, "beta", options.get("beta", "1")),
            scale=GAUSSIAN if scale == GAUSSIAN else _factor(reference, "scale", scale),  # type: ignore[arg-type]  # a literal
        )

    def text(self) -> str:
        """Return the options that differ from the default, as a reference has them; "" where none does."""
        texts = []
        if self.activation is not None:
            texts.append(f"activation={self.activation}")
        if self.beta != 1:
            texts.append(f"beta={self.beta!r}")
        if self.scale != 1:
            texts.append(f"scale={self.scale if self.scale == GAUSSIAN else repr(self.scale)}")
        return "&".join(texts)

    def digest_parts(self, sigma: float) -> tuple[str, ...]:
        """Return what belongs into a teacher's digest: nothing where values stay as they are."""
        text = self.text()
        if not text:
            return ()
        scaled = self.scale == GAUSSIAN or self.activation == "softmax"
        return (f"values {text}", *((f"sigma {sigma!r}",) if scaled else ()))

    def apply(self, maps: Maps, sigma: float) -> Maps:
        """Return heatmaps of values (..., h, w). sigma: of a peak, in cells."""
        if not self.text():
            return maps
        gaussian = 2 * math.pi * sigma**2
        if self.activation == "sigmoid":
            maps = sigmoid(maps)
        elif self.activation == "softmax":
            maps = softmax(maps, self.beta, axes=(-2, -1)) * np.float32(gaussian)
        factor = gaussian if self.scale == GAUSSIAN else float(self.scale)
        return maps if factor == 1 else maps * np.float32(factor)


class Rescaled(WrappedNetwork):
    """A network whose values are changed to heatmaps between 0 and 1."""

    def __init__(self, network: PoseNetwork, values: Values) -> None:
        """Apply `values` to what `network` returns."""
        super().__init__(network)
        self.values = values
        self.name = named(network.name, values)

    @property
    def digest(self) -> str:
        """Return the digest of the network and of how its values are changed."""
        parts = self.values.digest_parts(self.sigma)
        return digest_of(self.wrapped.digest, *parts) if parts else self.wrapped.digest

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        return self.values.apply(heatmaps_of(self.wrapped, crops), self.sigma)


def named(name: str, values: Values) -> str:
    """Return the name of a network with the options that change its values, which a store records."""
    text = values.text()
    return f"{name}?{text}" if text else name


def sigmoid(values: NDArray[Any]) -> Maps:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(values, np.float32))), np.float32)


def softmax(values: NDArray[Any], beta: float, axes: tuple[int, ...]) -> Maps:
    """Return exp(beta x) by its sum over `axes`, without overflow."""
    logits = np.float32(beta) * np.asarray(values, np.float32)
    powers = np.exp(logits - logits.max(axis=axes, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axes, keepdims=True), np.float32)


def _factor(reference: str, name: str, text: str) -> float:
    """Return the number or the fraction that an option states; ValueError where it is none above 0."""
    over = re.fullmatch(r"([^/]+)/([^/]+)", text)
    try:
        value = float(over[1]) / float(over[2]) if over else float(text)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        also = ", or gaussian" if name == "scale" else ""
        raise ValueError(
            f"teacher {reference}: {name} is {text!r}: expected a number above 0, as in 0.5 or 1/255{also}"
        )
    return value

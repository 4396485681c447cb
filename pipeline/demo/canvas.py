"""A photo while it is drawn, back to front: its colours, and which of the drawn things is seen at each pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats
from pipeline.demo.camera import Camera
from pipeline.demo.sprite import FAR, Sprite


@dataclass(frozen=True)
class Canvas:
    """A photo of H x W pixels; its arrays are drawn into."""

    camera: Camera
    colour: Floats  #: (H, W, 3) RGB 0..255
    layer: NDArray[np.int16]  #: (H, W) 0 for the background, layer_of(n) for person n, odd numbers for things
    depth: Floats  #: (H, W) metres, of persons

    @classmethod
    def over(cls, background: Floats, camera: Camera) -> "Canvas":
        """Return a canvas with nobody in front of a background (H, W, 3)."""
        size = background.shape[:2]
        return cls(camera, background, np.zeros(size, np.int16), np.full(size, FAR, np.float32))

    def add(self, sprite: Sprite, number: int) -> None:
        """Draw person `number`, who is in front of all that has been drawn."""
        window, solid = sprite.window, sprite.alpha > 0.5
        self.colour[window] = self.colour[window] * (1 - sprite.alpha[..., None]) + sprite.colour
        self.layer[window][solid] = layer_of(number)
        self.depth[window][solid] = sprite.depth[solid]

    def cover(self, where: Any, colour: Floats, layer: int) -> None:
        """Draw a thing between two persons; where: its pixels, as a mask or as slices; colour: theirs."""
        self.colour[where] = colour
        self.layer[where] = layer


def layer_of(number: int) -> int:
    """Return the layer of person `number`; things behind that person have one less, things in front one more."""
    return 2 * number + 2

"""Which outputs of an ONNX graph are the heatmaps, in which layout, found by their shapes."""

from collections.abc import Mapping
from dataclasses import dataclass

from cache_tools.skeletons import COCO

#: shape of an output, the batch first
Shape = tuple[int, ...]
SIMCC = "simcc"


@dataclass(frozen=True, kw_only=True)
class HeatmapOutput:
    """One output of heatmaps, or two of SimCC vectors."""

    #: of the output; of the vectors over the height and over the width
    names: tuple[str, ...]
    joints: int
    #: (height, width) of a heatmap in cells; lengths of the vectors over height and width
    size: tuple[int, int]
    #: (B, h, w, K) in place of (B, K, h, w)
    joints_last: bool = False

    @property
    def is_simcc(self) -> bool:
        """Return whether these are two vectors a joint."""
        return len(self.names) == 2


def find_output(
    shapes: Mapping[str, Shape], input_size: tuple[int, int], joints: int | None, requested: str | None
) -> HeatmapOutput:
    """Return the outputs that are heatmaps: the requested ones, or those that can be nothing else.

    shapes: of every output of floating point numbers, by name. input_size: (height, width) of a crop. joints: how many
    the network is known to have; None: not known, and then 17 go first. requested: name of an output, or "simcc".
    Raises ValueError, with all names and shapes, where no output or more than one is meant.
    """
    vectors = _simcc(shapes, input_size)
    if requested == SIMCC:
        if vectors is None:
            height, width = input_size
            raise ValueError(
                f"output=simcc: expected two outputs (B, K, bins) over the {width} pixels of the width and the "
                f"{height} of the height, with as many bins a pixel; its outputs are {_listed(shapes)}"
            )
        return vectors
    if requested is not None:
        if requested not in shapes:
            raise ValueError(f"it has no output {requested!r}: its outputs are {_listed(shapes)}")
        found = _heatmaps(requested, shapes[requested], input_size)
        if found is None:
            raise ValueError(f"output={requested} has shape {shapes[requested]}: expected heatmaps (B, K, h, w)")
        return found
    maps = [found for name, shape in shapes.items() if (found := _heatmaps(name, shape, input_size)) is not None]
    if len(maps) > 1:
        maps = [one for one in maps if one.size[0] * input_size[1] == one.size[1] * input_size[0]] or maps
        maps = [one for one in maps if one.joints == (joints or len(COCO))] or maps
    found_all = [*maps, *([vectors] if vectors is not None else [])]
    if len(found_all) == 1:
        return found_all[0]
    if found_all:
        options = [f"?output={SIMCC if one.is_simcc else one.names[0]}" for one in found_all]
        raise ValueError(
            f"several of its outputs may be the heatmaps: {_listed(shapes)}. State one with {' or '.join(options)}"
        )
    raise ValueError(
        f"none of its outputs is heatmaps (B, K, h, w), or SimCC vectors (B, K, bins) over width and height: "
        f"{_listed(shapes)}. Export the network without its decoder"
    )


def _heatmaps(name: str, shape: Shape, input_size: tuple[int, int]) -> HeatmapOutput | None:
    """Return an output that can be heatmaps, None for another. Joints come last where only so the sides fit."""
    if len(shape) != 4:
        return None
    first, second, third = shape[1:]
    height, width = input_size
    as_usual, joints_last = second * width == third * height, first * width == second * height
    if joints_last and not as_usual:
        return HeatmapOutput(names=(name,), joints=third, size=(first, second), joints_last=True)
    return HeatmapOutput(names=(name,), joints=first, size=(second, third))


def _simcc(shapes: Mapping[str, Shape], input_size: tuple[int, int]) -> HeatmapOutput | None:
    """Return the two outputs that are vectors over width and height, None where there are none or more than two.

    On a square crop both are as long: then the names tell (simcc_x, simcc_y), else the width comes first, as MMPose
    exports them.
    """
    height, width = input_size
    vectors = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    pairs = [
        (y, x)
        for x, x_shape in vectors.items()
        for y, y_shape in vectors.items()
        if x != y and x_shape[1] == y_shape[1] and x_shape[2] * height == y_shape[2] * width and x_shape[2] >= width
    ]
    by_name = [pair for pair in pairs if pair[0].endswith("y") and pair[1].endswith("x")]
    if len(by_name) == 1:
        pairs = by_name
    elif len(pairs) == 2 and pairs[0] == pairs[1][::-1]:
        # in the file's order
        pairs = pairs[:1]
    if len(pairs) != 1:
        return None
    y, x = pairs[0]
    return HeatmapOutput(names=(y, x), joints=vectors[x][1], size=(vectors[y][2], vectors[x][2]))


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none of floating point numbers"

"""How far a student's views reach, against how far the stored crops do: beyond them a view is black."""

import numpy as np

from cache_tools.crops import CropPolicy
from cache_tools.store.spec import StoreSpec
from student.augment_recipes import recipe
from student.settings import AugmentSettings

FAR = 2.0  # deviations of a shift that count: one shifted view in twenty reaches farther, mostly by little
FARTHEST_TURN = 4.0  # deviations of a rotation, where its limit is not nearer


def beyond_crops(spec: StoreSpec, augment: AugmentSettings | str, input_size: tuple[int, int]) -> str | None:
    """One line of warning where views by these settings show more than the store's crops hold; None where they don't.

    input_size: (height, width) of the student's views; a view of another aspect than the teacher's shows more. A store
    that does not say how wide its crops are gets no warning. Half-body views count as whole ones, which are larger for
    whoever stands or sits.
    """
    crops, settings = spec.crops, recipe(augment)
    if crops is None or crops.zoom is None or crops.rotation is None or crops.shift is None:
        return None
    stored = CropPolicy(crops.zoom, crops.rotation, crops.shift, input_size=spec.frame.input_size)
    zoom = settings.scale_range[1] if settings.scale_sd else float(np.clip(1, *settings.scale_range))
    rotation = min(settings.rotate_limit, FARTHEST_TURN * settings.rotate_sd) if settings.rotate else 0.0
    shift = FAR * settings.shift_sd if settings.shift else 0.0
    view = CropPolicy(zoom, rotation, shift, input_size=input_size)
    # a person's box, grown to the student's aspect, is at most so much larger than grown to the teacher's
    aspect = (input_size[0] / input_size[1]) / (spec.frame.input_size[0] / spec.frame.input_size[1])
    more = max(1.0, aspect), max(1.0, 1 / aspect)
    needed = [side * times for side, times in zip(view.reach, more, strict=True)]
    if all(side <= have * 1.001 for side, have in zip(needed, stored.reach, strict=True)):
        return None
    sizes = [f"{reach[0]:.2f} x {reach[1]:.2f}" for reach in (needed, stored.reach)]
    return (
        f"views reach {sizes[0]} times the height and width of a person's padded box, the stored crops "
        f"{sizes[1]} (zoom {crops.zoom:g}, rotation {crops.rotation:g}, shift {crops.shift:g}): the rest is black. "
        "Narrow the augmentation, or train from the photos with --images"
    )

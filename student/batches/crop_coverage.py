"""Whether the student's views show more of the image than the stored crops hold; what is missing is black."""

import numpy as np

from cache_tools.crops import CropPolicy
from cache_tools.store.spec import StoreSpec
from student.augment_recipes import recipe
from student.settings import AugmentSettings

# standard deviations of a shift that count: one shifted view in twenty is shifted farther, mostly by little
SHIFT_DEVIATIONS = 2.0
# standard deviations of a rotation that count, where its limit is not smaller
ROTATION_DEVIATIONS = 4.0


def beyond_crops(spec: StoreSpec, augment: AugmentSettings | str, input_size: tuple[int, int]) -> str | None:
    """Return one line of warning where views by these settings show more than the store's crops hold, else None.

    input_size: (height, width) of the student's views; a view of another aspect than the teacher's shows more. A store
    that does not record how wide its crops are gets no warning. Half-body views count as whole ones, which are larger
    for a person who stands or sits.
    """
    crops, settings = spec.crops, recipe(augment)
    if crops is None or crops.zoom is None or crops.rotation is None or crops.shift is None:
        return None
    stored = CropPolicy(zoom=crops.zoom, rotation=crops.rotation, shift=crops.shift, input_size=spec.frame.input_size)
    zoom = settings.scale_range[1] if settings.scale_sd else float(np.clip(1, *settings.scale_range))
    rotation = min(settings.rotate_limit, ROTATION_DEVIATIONS * settings.rotate_sd) if settings.rotate else 0.0
    shift = SHIFT_DEVIATIONS * settings.shift_sd if settings.shift else 0.0
    view = CropPolicy(zoom=zoom, rotation=rotation, shift=shift, input_size=input_size)
    # a person's box, grown to the student's aspect, is at most so much larger than grown to the teacher's
    aspect = (input_size[0] / input_size[1]) / (spec.frame.input_size[0] / spec.frame.input_size[1])
    growth = max(1.0, aspect), max(1.0, 1 / aspect)
    needed = [side * times for side, times in zip(view.coverage, growth, strict=True)]
    if all(side <= available * 1.001 for side, available in zip(needed, stored.coverage, strict=True)):
        return None
    return (
        f"views cover {needed[0]:.2f} x {needed[1]:.2f} times the height and width of a person's padded box, the "
        f"stored crops {stored.coverage[0]:.2f} x {stored.coverage[1]:.2f} (zoom {crops.zoom:g}, rotation "
        f"{crops.rotation:g}, shift {crops.shift:g}): the rest is black. "
        "Narrow the augmentation, or train from the photos with --images"
    )

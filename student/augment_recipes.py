"""Named augmentation settings: `vitpose`, `paper`, `light` and `none`."""

from student.settings import AugmentSettings

NO_AUGMENTATION = AugmentSettings(flip=0, half_body=0, scale_sd=0, rotate=0, shift=0, colour=0)
RECIPES = {
    # ViTPose's own training: the recipe of most 256x192 results, and of the teacher.
    "vitpose": AugmentSettings(
        flip=0.5, half_body=0.3, half_body_joints=8, scale_sd=0.5, scale_range=(0.5, 1.5), rotate=0.6, rotate_sd=40.0,
        rotate_limit=80.0, shift=0.3, shift_sd=0.05, colour=0.0,
    ),
    # The paper names no augmentation: only mirrored persons, which leave every cached heatmap exact.
    "paper": NO_AUGMENTATION.model_copy(update={"flip": 0.5}),
    # For short runs and small networks, which ViTPose's range of zooms and rotations slows down.
    "light": AugmentSettings(
        flip=0.5, half_body=0.0, half_body_joints=8, scale_sd=0.2, scale_range=(0.7, 1.4), rotate=0.6, rotate_sd=22.0,
        rotate_limit=45.0, shift=1.0, shift_sd=0.03, colour=0.3,
    ),
    "none": NO_AUGMENTATION,
}  # fmt: skip


def recipe(augment: AugmentSettings | str) -> AugmentSettings:
    """Return the settings of a recipe by its name; settings are returned unchanged.

    Raises ValueError for an unknown name.
    """
    if isinstance(augment, AugmentSettings):
        return augment
    if augment not in RECIPES:
        raise ValueError(f"unknown augmentation recipe {augment!r}: expected one of {', '.join(RECIPES)}, or settings")
    return RECIPES[augment]

"""Augmentation recipes by name."""

import pytest

from student.augment_recipes import RECIPES, recipe
from student.settings import AugmentSettings


def test_recipes_are_found_by_name_and_settings_are_returned_unchanged() -> None:
    assert recipe("vitpose") == AugmentSettings()
    assert recipe(RECIPES["light"]) is RECIPES["light"]


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown augmentation recipe 'strong': expected one of vitpose, paper, light"):
        recipe("strong")

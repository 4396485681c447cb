"""Sphinx: `make docs` builds the site into docs/_build/html; warnings are errors."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "kdcache"
author = "the kdcache authors"
copyright = "the kdcache authors, Apache-2.0"
release = version = installed_version("kdcache")

extensions = [
    "myst_parser",
    "settings_table",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
nitpicky = False

html_theme = "furo"
html_title = "kdcache"
copybutton_exclude = ".linenos, .gp, .go"

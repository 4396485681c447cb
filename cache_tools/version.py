"""The installed version of kdcache."""

from importlib.metadata import version

__version__ = version("kdcache")

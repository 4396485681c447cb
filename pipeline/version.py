"""Version of the installed distribution."""

from cache_tools.version import __version__ as __version__

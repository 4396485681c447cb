"""A student as one web page that measures hip-knee-ankle angles in a browser, without a network.

A research tool, not a medical device.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

"""Hip-knee-ankle angles from keypoints: measured in photos, with their uncertainty, and compared with the truth.

A research tool, not a medical device.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

"""Train pose students, and find keypoints with them.

    import student

    pose = student.load_student("runs/mine")
    keypoints = pose.predict("photo.jpg")    # (1, 17, 3): x, y in image pixels, score

What needs torch is imported when it is first used.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

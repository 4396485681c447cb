"""Run what the workflow and the command line run: teachers, builds, evaluations, costs, reports.

    import pipeline

    network = pipeline.load_network("student:runs/mine")
    result = pipeline.evaluate(network, "person_keypoints_val2017.json", "coco/val2017")
    result.metrics.AP                        # a share; result.metrics.protocol says how it was measured

Importing this package costs nothing: what needs torch is imported when it is first used.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

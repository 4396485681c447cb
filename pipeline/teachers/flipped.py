"""The flip test as a network."""

from pipeline.teachers.wrapped import WrappedNetwork
from student.pose_network import Crops, Maps


class Flipped(WrappedNetwork):
    """A network whose heatmaps are averaged with the mirrored crop's heatmaps, mirrored back."""

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3), by two passes of the network."""
        from student.prediction import predict_heatmaps

        return predict_heatmaps(self.wrapped, crops, flip=True)

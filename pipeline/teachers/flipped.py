"""The flip test as a network."""

from student.pose_network import Crops, Maps, PoseNetwork


class Flipped:
    """A network whose heatmaps are averaged with the mirrored crop's heatmaps, mirrored back."""

    def __init__(self, network: PoseNetwork) -> None:
        """Average the heatmaps of `network`."""
        self.unflipped = network
        self.name, self.licence = network.name, network.licence
        self.input_size, self.heatmap_size = network.input_size, network.heatmap_size
        self.frame, self.sigma, self.skeleton = network.frame, network.sigma, network.skeleton

    @property
    def digest(self) -> str:
        """Return the digest of the network itself; a store records beside it whether maps are averaged."""
        return self.unflipped.digest

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3), by two passes of the network."""
        from student.prediction import predict_heatmaps

        return predict_heatmaps(self.unflipped, crops, flip=True)

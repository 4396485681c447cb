"""A network around another one."""

from cache_tools.skeletons import Skeleton
from student.pose_network import PoseNetwork


class WrappedNetwork:
    """States what the network in it states; base of networks that change the heatmaps of another one."""

    def __init__(self, network: PoseNetwork) -> None:
        """Wrap a network."""
        #: the network whose heatmaps are changed
        self.wrapped = network
        self.name, self.licence = network.name, network.licence
        self.input_size, self.heatmap_size = network.input_size, network.heatmap_size
        self.frame, self.sigma = network.frame, network.sigma
        self.skeleton: Skeleton | None = network.skeleton
        self.joints = network.joints

    @property
    def digest(self) -> str:
        """Return the digest of the network itself; a store records beside it how its heatmaps are changed."""
        return self.wrapped.digest

    @property
    def dtype(self) -> str:
        """Return the precision of the network, "unstated" where it does not say."""
        return str(getattr(self.wrapped, "dtype", "unstated"))

    @property
    def device(self) -> str:
        """Return the device of the network, "unstated" where it does not say."""
        return str(getattr(self.wrapped, "device", "unstated"))

    @property
    def categories(self) -> tuple[int, ...]:
        """Return the ids of the categories that a student was trained on; (1,), COCO's persons, for other networks."""
        return tuple(getattr(self.wrapped, "categories", (1,)))


def innermost(network: PoseNetwork) -> PoseNetwork:
    """Return the network that does the work, without what is around it."""
    while isinstance(network, WrappedNetwork):
        network = network.wrapped
    return network

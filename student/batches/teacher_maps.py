"""The teacher's maps of a batch: of one cache, of several, or of a live teacher; and which joints they know."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cache_tools.skeletons import Skeleton
from student.batches.cached_maps import CachedMaps
from student.batches.live_maps import LiveMaps
from student.heatmaps.mirror import shown_joints


class TeacherMaps:
    """Maps of all teachers as one: for each joint, the mean over the teachers that know it.

    A network of bodies and one of faces make one of whole bodies.
    """

    def __init__(
        self, caches: Sequence[CachedMaps], live: LiveMaps | None, skeleton: Skeleton, device: torch.device
    ) -> None:
        """Take the caches, or a live teacher in place of them."""
        self.caches, self.live, self.skeleton = caches, live, skeleton
        known = [cache.store.spec.known_joints for cache in caches] if live is None else [live.known_joints]
        # these teachers ran on the student's view itself, mirrored crops included
        self._same_view = live is not None or any(cache.views for cache in caches)
        #: (T, K), 1 or 0; None where all teachers know all joints
        self._known: Tensor | None = None
        if not all(all(joints) for joints in known):
            self._known = torch.tensor(known, dtype=torch.float32, device=device)

    def maps(self, arrays: Mapping[str, Tensor], host: Mapping[str, Tensor]) -> Tensor | None:
        """Return the maps (B, K, h, w) of a batch; None without a teacher.

        arrays: the batch's arrays on the device; host: the same on the CPU, from which a live teacher that is no torch
        network takes its pixels.
        """
        if self.live is not None:
            return self.live.maps((arrays if self.live.on_device else host)["teacher_pixels"])
        if not self.caches:
            return None
        maps = [
            cache.maps(
                arrays["rows"],
                arrays.get(f"codes_{i}"),
                arrays.get(f"peaks_{i}"),
                arrays[f"student_to_teacher_{i}"],
                arrays["flipped"],
            )
            for i, cache in enumerate(self.caches)
        ]
        if len(maps) == 1:
            return maps[0]
        known = self._shown_known(arrays["flipped"])
        if known is None:
            return torch.stack(maps).mean(0)
        weight = known[..., None, None]  # (T, B, K, 1, 1)
        return (torch.stack(maps) * weight).sum(0) / weight.sum(0).clamp(min=1)

    def weight(self, flipped: Tensor) -> Tensor | None:
        """Return 1 where some teacher knows the joint that the view shows, else 0 (B, K); None where all know all."""
        known = self._shown_known(flipped)
        return None if known is None else known.amax(0)

    def _shown_known(self, flipped: Tensor) -> Tensor | None:
        """Return which of the joints that the views show each teacher knows (T, B, K); flipped (B,)."""
        if self._known is None:
            return None
        if self._same_view:
            return self._known[:, None].expand(-1, len(flipped), -1)
        shown = shown_joints(flipped, len(self.skeleton), self.skeleton.mirror)  # (B, K)
        return self._known[:, shown]

from .decode import dark_decode as dark_decode
from .decode import find_peaks as find_peaks
from .device_codec import DeviceCodec as DeviceCodec
from .device_codec import decode_codes as decode_codes
from .mirror import mirror_maps as mirror_maps
from .mirror import mirrored_joints as mirrored_joints
from .patches import PatchCodec as PatchCodec
from .patches import replay_codes as replay_codes
from .replay import ReplayMode as ReplayMode
from .replay import replay_maps as replay_maps
from .sampling import sampling_grid as sampling_grid
from .targets import render_targets as render_targets
from .targets import target_weight as target_weight

__all__ = [
    "DeviceCodec",
    "PatchCodec",
    "ReplayMode",
    "dark_decode",
    "decode_codes",
    "find_peaks",
    "mirror_maps",
    "mirrored_joints",
    "render_targets",
    "replay_codes",
    "replay_maps",
    "sampling_grid",
    "target_weight",
]

"""Text for what a store's receipt says, as `build`, `info` and `verify` print it."""

from typing import Any


def error_text(error: dict[str, Any]) -> str:
    """Return the codec's error, by the keys of cache_tools.codec.error.summarize_errors."""
    return (
        f"RMSE at peaks {error['rmse_at_peaks']:.4f}, max {error['max_error']:.3f}, peaks shifted by "
        f"{error['shift_median']:.3f} cells (99 %: {error['shift_p99']:.3f})"
    )


def part_sizes(receipt: dict[str, Any]) -> str:
    """Return the bytes a row of each part of a finished store."""
    return ", ".join(f"{part} {size:,.0f}" for part, size in receipt["bytes_per_row"].items() if size)

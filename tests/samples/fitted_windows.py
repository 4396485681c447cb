"""A codec `windows` whose basis is learnt from a few rendered persons."""

from functools import cache

from cache_tools.codec.fit_windows import fit_windows
from cache_tools.codec.windows import WindowsCodec
from tests.samples.small_store import peaks, persons


@cache
def fitted_codec(size: tuple[int, int] = (64, 48), seed: int = 5) -> WindowsCodec:
    """Return the codec for peaks of sigma 2 at this heatmap size; another seed gives another basis."""
    return fit_windows(peaks(persons(24, seed=seed, first_id=1000 * seed), size), 2.0).codec

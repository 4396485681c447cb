"""Photos known by their paths, never by the last part only: video1/0001.jpg and video2/0001.jpg are two photos."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

Parts = tuple[str, ...]


def relative_names(photos: Sequence[Path], folder: Path | None = None) -> tuple[str, ...]:
    """Return each photo's path, with forward slashes, relative to `folder`, or to the deepest that holds all."""
    if not photos:
        return ()
    absolute = [photo.absolute() for photo in photos]
    folder = folder or Path(os.path.commonpath([photo.parent for photo in absolute]))
    return tuple(photo.relative_to(folder).as_posix() for photo in absolute)


class PhotoNames:
    """Which of some photos the names in a file mean.

    A name means the photo whose path it is, or whose path ends with it: "video1/0001.jpg" is /data/video1/0001.jpg.
    Only where no name of the file does, names may have folders before the photo's path: "val2017/0001.jpg" is then
    0001.jpg. A name without a suffix means the photo whatever its suffix is, as an image id that is text does.
    """

    def __init__(self, names: Sequence[str], paths: Sequence[str] | None = None) -> None:
        """Index the photos. names: relative paths. paths: the same with all folders above them, if there are any."""
        self._names = [_parts(name) for name in names]
        self._paths = self._names if paths is None else [_parts(path) for path in paths]
        self._by_last: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self._names):
            stem = os.path.splitext(name[-1])[0]
            for key in {name[-1], stem}:
                self._by_last[key].append(place)

    def find(self, stated: Sequence[str | None]) -> list[int | None]:
        """Return the number of the photo that each name means, None where it means none of them.

        Raises ValueError where a name may mean several photos, or where two different names mean the same photo.
        """
        distinct = {name: self._matching(_parts(name)) for name in dict.fromkeys(stated) if name is not None}
        if not any(distinct.values()):
            distinct = {name: self._ending(_parts(name)) for name in distinct}
        meant: dict[int, str] = {}
        for name, places in distinct.items():
            if len(places) > 1:
                raise ValueError(
                    f"{name!r} may be {self._shown(places[0])} or {self._shown(places[1])}: state the path of the "
                    "photo with its folders"
                )
            for place in places:
                other = meant.setdefault(place, name)
                if _parts(other) != _parts(name):
                    raise ValueError(
                        f"{other!r} and {name!r} both may be {self._shown(place)}: give photos in the folder that the "
                        "names are relative to"
                    )
        return [distinct[name][0] if name is not None and distinct[name] else None for name in stated]

    def _matching(self, stated: Parts) -> list[int]:
        """Return the photos whose path is `stated`, or else those whose path ends with it."""
        candidates = self._candidates(stated)
        exact = [place for place in candidates if self._same(self._names[place], stated)]
        return exact or [place for place in candidates if self._same(self._paths[place][-len(stated) :], stated)]

    def _ending(self, stated: Parts) -> list[int]:
        """Return the photos with whose relative path `stated` ends: those with the longest path."""
        found = [
            place
            for place in self._candidates(stated)
            if len(self._names[place]) < len(stated)
            and self._same(self._names[place], stated[-len(self._names[place]) :])
        ]
        longest = max((len(self._names[place]) for place in found), default=0)
        return [place for place in found if len(self._names[place]) == longest]

    def _candidates(self, stated: Parts) -> list[int]:
        return self._by_last.get(stated[-1], []) if stated else []

    @staticmethod
    def _same(path: Parts, stated: Parts) -> bool:
        if len(path) != len(stated) or path[:-1] != stated[:-1]:
            return False
        return stated[-1] in (path[-1], os.path.splitext(path[-1])[0])

    def _shown(self, place: int) -> str:
        return "/".join(self._names[place])


def _parts(path: str) -> Parts:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))

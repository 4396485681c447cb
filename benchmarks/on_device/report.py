"""What was measured, each number beside its target, in gpu.json and gpu.md; both are written again after every row."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from measured import HEADS, Row
from tabulate import tabulate

from cache_tools.files import write_json, write_text


@dataclass
class Section:
    """The rows of one question, and how its measurement ended."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    #: "done", "out of time", or "failed"
    ended: str = "running"
    error: str = ""


class Report:
    """All sections of a run, in two files of a folder."""

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        """Begin with the header: card, driver, versions, date."""
        self.folder, self.header = folder, dict(header)
        self.sections: list[Section] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def failed(self) -> list[str]:
        """Return the names of the sections that ended with an error."""
        return [section.name for section in self.sections if section.ended == "failed"]

    @property
    def missed(self) -> list[str]:
        """Return the measurements that did not meet their target."""
        return [f"{s.name}: {row.what}" for s in self.sections for row in s.rows if row.met is False]

    def write(self) -> None:
        """Write both files."""
        write_json(self.folder / "gpu.json", {**self.header, "sections": [asdict(s) for s in self.sections]})
        write_text(self.folder / "gpu.md", self.markdown())

    def markdown(self) -> str:
        """Return the report as Markdown: the header, what was missed, a table a section."""
        lines = ["# On this machine", ""]
        lines += [f"- {name}: {value}" for name, value in self.header.items() if not isinstance(value, (dict, list))]
        lines += ["", f"Targets missed: {len(self.missed)}.", *(f"- {what}" for what in self.missed)]
        for section in self.sections:
            lines += ["", f"## {section.title}", "", f"{section.name}: {section.ended}, {section.seconds:.0f} s", ""]
            cells = [row.cells() for row in section.rows]
            if cells:
                lines += [tabulate(cells, HEADS, tablefmt="pipe", disable_numparse=True)]
            if section.error:
                lines += ["", "```", section.error.strip(), "```"]
        return "\n".join(lines) + "\n"

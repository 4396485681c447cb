"""The JSON files that one command writes and another reads: one pydantic model for both sides."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cache_tools.files import write_json
from cache_tools.json_file import read_json
from student.settings import list_mistakes


class ResultPart(BaseModel):
    """Part of a result file; keys that it does not know are ignored, because later versions may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ResultFile(ResultPart):
    """A result file as a whole."""

    #: name of such a file and of the command that writes it, for messages
    kind: ClassVar[str]

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file; ValueError where it is another kind of file, FileNotFoundError where there is none."""
        document = read_json(path, f"a {cls.kind}")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise ValueError(f"{path} is not a {cls.kind}:\n{list_mistakes(error)}") from None

    def to_json(self) -> dict[str, Any]:
        """Return the document with the keys that the writer set."""
        return self.model_dump(mode="json", exclude_unset=True)

    def write(self, path: str | Path) -> None:
        """Write the document as JSON, whole or not at all."""
        write_json(path, self.to_json())

"""The page's JavaScript as two scripts: its own modules joined to one, and the runtime with its worker.

Modules of `source/js` follow one rule, which makes a bundler of twenty lines enough: imports are named ones, of files
in the same folder, `import { a, b } from "./file.js";`, and no two files declare the same name or import each other.
"""

import re
from importlib.resources.abc import Traversable

IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class))", re.MULTILINE)
DECLARED = re.compile(r"^(?:async )?(?:function|const|let|class) (\{[^}]*\}|\[[^\]]*\]|[\w$]+)", re.MULTILINE)


def joined_modules(folder: Traversable, entry: str) -> str:
    """Return the modules that `entry` needs as one module, each after those that it imports.

    Raises ValueError where two files import each other or declare the same name.
    """
    parts: dict[str, str] = {}
    _add_module(folder, entry, parts, importing=())
    declared: dict[str, str] = {}
    for name, text in parts.items():
        for found in DECLARED.findall(text):
            for word in re.findall(r"[\w$]+", found):
                other = declared.setdefault(word, name)
                if other != name:
                    raise ValueError(f"{other} and {name} both declare {word}: one page has one of each name")
    return "\n".join(f"// {name}\n{text.strip()}\n" for name, text in parts.items())


def _add_module(folder: Traversable, name: str, parts: dict[str, str], importing: tuple[str, ...]) -> None:
    if name in importing:
        raise ValueError(f"modules import each other: {' -> '.join((*importing, name))}")
    if name in parts:
        return
    text = (folder / name).read_text(encoding="utf-8")
    for needed in IMPORT.findall(text):
        _add_module(folder, needed, parts, (*importing, name))
    parts[name] = EXPORT.sub("", IMPORT.sub("", text))


def worker_script(runtime: str, worker: str) -> str:
    """Return ONNX Runtime Web and the worker as one classic script; in it the runtime's exports are the object `ort`.

    In a page opened from a disk, Chromium starts no worker that is a module, and in WebKit no worker may import.
    Raises ValueError for a runtime that is no module with exports at its end.
    """
    exports = re.search(r"export\{([^}]*)\};\s*$", runtime)
    if exports is None:
        raise ValueError("the runtime does not end in its exports: expected ort.wasm.bundle.min.mjs of onnxruntime-web")
    pairs = [pair.split(" as ") for pair in exports[1].split(",")]
    names = ",".join(f"{alias}:{name}" for name, alias in pairs)
    body = runtime[: exports.start()].replace("import.meta.url", "self.location.href")
    return f"{body}const ort={{{names}}};\n{worker}"

"""A student as one web page that measures hip-knee-ankle angles in a browser, without a network.

`index.html` holds everything: the ONNX file, ONNX Runtime Web, the program. It opens from a disk by a double click, and
from any static server as an application that can be installed. Its policy forbids the browser to connect to anything.
"""

import base64
import gzip
import hashlib
import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import onnx

from cache_tools.files import write_text
from pipeline.teachers.onnx_file import OnnxTeacher
from pipeline.web.page_settings import page_settings
from pipeline.web.script import joined_modules, worker_script
from student.export.half import with_half_weights

SOURCE = importlib.resources.files("pipeline.web") / "source"
#: version of onnxruntime-web in source/vendor
RUNTIME = "1.30.0"


def write_page(
    folder: Path,
    file: Path,
    *,
    digest: str | None = None,
    evaluation: Path | None = None,
    calibrate: bool = False,
    half: bool = True,
) -> Path:
    """Write the page of an exported student, `file`, into `folder` and return the path of its index.html.

    digest: of the run, which evaluations know the student by; by default that of the file.
    evaluation: what `kdcache hka evaluate --out` wrote, for the page to state the network's error.
    calibrate: correct angles by the evaluation's line.
    half: store large weights in float16; the browser computes in float32 all the same.
    Raises ValueError for a network that the page cannot run or that sees nobody, and for an evaluation of another one.
    """
    network = OnnxTeacher(str(file), device="cpu")
    if not network.takes_bytes:
        raise ValueError(f"{file} takes normalised floats: expected uint8 crops, as `kdcache export` writes it")
    model = with_half_weights(file) if half else onnx.load(file)
    packed = model.SerializeToString()
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    name, digest = metadata.get("name", network.name), digest or network.digest
    settings, jpeg = page_settings(network, name, digest, evaluation, calibrate=calibrate)
    settings["weights"] = {"kind": _weights(model, half=half), "bytes": len(packed)}
    script = joined_modules(SOURCE / "js", "app.js")
    page = _filled(
        _text("index.html"),
        {
            "policy": _policy(script),
            "icon": f"data:image/svg+xml;base64,{_base64(_bytes('icons/icon.svg'))}",
            "style": _text("style.css"),
            "runtime": RUNTIME,
            "licences": _text("vendor/LICENSE").replace("<", "&lt;"),
            "settings": _json_in_script(settings),
            "strings": _json_in_script(_strings()),
            "example": _packed(jpeg),
            "network": _packed(packed),
            "worker": _packed(_worker().encode()),
            "runtime_wasm": _base64(_bytes("vendor/ort-wasm-simd-threaded.wasm.gz")),
            "script": script,
        },
    )
    _write_beside(folder, page)
    write_text(folder / "index.html", page)
    return folder / "index.html"


def _write_beside(folder: Path, page: str) -> None:
    """Write what an installed page needs: service worker, manifest, licences."""
    digest = hashlib.sha256(page.encode()).hexdigest()[:16]
    write_text(folder / "sw.js", _filled(_text("sw.js"), {"digest": digest}))
    icons = {f"icon_{n}": f"data:image/png;base64,{_base64(_bytes(f'icons/icon-{n}.png'))}" for n in (192, 512)}
    write_text(folder / "manifest.webmanifest", _filled(_text("manifest.webmanifest"), icons))
    notices = (importlib.resources.files("onnxruntime") / "ThirdPartyNotices.txt").read_text(encoding="utf-8")
    write_text(folder / "licences.txt", f"{_text('vendor/LICENSE')}\n{notices}")


def _policy(script: str) -> str:
    """Return what the browser lets the page do: run this script and the runtime inside it, and connect to nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{digest}' 'wasm-unsafe-eval'",
            "style-src 'unsafe-inline'",
            "img-src blob: data:",
            "media-src blob:",
            "manifest-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _worker() -> str:
    return worker_script(_text("vendor/ort.wasm.bundle.min.mjs"), _text("js/worker.js"))


def _strings() -> dict[str, dict[str, str]]:
    """Return language -> key -> sentence."""
    return {code: json.loads(_text(f"strings/{code}.json")) for code in ("en", "fr", "sw")}


def _weights(model: onnx.ModelProto, *, half: bool) -> str:
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        return "int8"
    return "float16" if half else "float32"


def _filled(template: str, values: dict[str, str]) -> str:
    """Return the template with {{name}} replaced; KeyError for a name without a value."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _json_in_script(value: Any) -> str:
    """Return JSON that may be in a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text(name: str) -> str:
    return _bytes(name).decode()


def _bytes(name: str) -> bytes:
    return (SOURCE / name).read_bytes()


def _packed(data: bytes) -> str:
    return _base64(gzip.compress(data, 9, mtime=0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()

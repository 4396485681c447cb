"""The files that an ONNX file reads: its weights may lie beside it, as recent exporters of torch write them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def files_of(path: Path) -> tuple[Path, ...]:
    """Return an ONNX file and the files of its external data, each once, in the order of their names.

    Raises FileNotFoundError naming a file that is missing, ValueError for a file that is no ONNX file and for one whose
    weights lie outside its folder.
    """
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        # protobuf's DecodeError
        raise ValueError(f"{path} is not an ONNX file that onnxruntime runs: {error}") from error
    locations = sorted({location for tensor in _tensors(model) if (location := _location(tensor))})
    outside = [location for location in locations if Path(location).is_absolute() or ".." in Path(location).parts]
    if outside:
        raise ValueError(f"{path} keeps weights in {outside[0]!r}, outside its folder: expected files beside it")
    beside = tuple(path.parent / location for location in locations)
    missing = [file for file in beside if not file.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{path} keeps weights in {', '.join(locations)} beside it, and {missing[0].absolute()} does not exist: "
            "copy it with the ONNX file, under the same name"
        )
    return (path, *beside)


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model: of its graph, of graphs within nodes, and of functions."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            # protobuf returns empty messages for fields that are not set
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield sparse.values
                yield sparse.indices
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors_of_graph(graph)


def _location(tensor: Any) -> str | None:
    """Return the name of the file that holds a tensor's values, None where the ONNX file itself does."""
    if tensor.data_location != tensor.EXTERNAL:
        return None
    return next((str(entry.value) for entry in tensor.external_data if entry.key == "location"), None)

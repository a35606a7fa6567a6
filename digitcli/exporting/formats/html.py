"""A web page in one file that reads the digit one draws, without network: the model, and all that runs it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from digitcli.exporting.browser import Browser
from digitcli.exporting.formats import onnx
from digitcli.exporting.material import Material

SUFFIX = ".html"
SNIPPET = """
Open {file} in any browser, from disk or from a server; it needs no network.
"""
PARTS = Path(__file__).parents[1] / "page"


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`, as a page that runs it in JavaScript.

    Raises ModelError without a browser to prove it in, MissingExtraError without tf2onnx.
    """
    import jinja2

    Browser.find()
    page = jinja2.Environment(autoescape=True).from_string(_part("page.html.jinja"))
    text = page.render(
        about=material.about,
        about_json=_json(material.about),
        graph_json=_json(graph(onnx.folded(onnx.convert(material, batch=1)))),
        css=_part("page.css"),
        network=_part("network.js"),
        geometry=_part("geometry.js"),
        page=_part("page.js"),
    )
    path.write_text(text, encoding="utf-8")


load = Browser
"""What was written, in the browser."""


def graph(proto: Any) -> dict[str, Any]:
    """An onnx.ModelProto as network.js takes it."""
    from onnx import helper, numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    (given,), (answer,) = proto.graph.input, proto.graph.output
    return {
        "nodes": [
            {
                "op": node.op_type,
                "inputs": list(node.input),
                "outputs": list(node.output),
                "attributes": {
                    each.name: _plain(helper.get_attribute_value(each)) for each in node.attribute
                },
            }
            for node in proto.graph.node
        ],
        "constants": {name: _constant(value) for name, value in constants.items()},
        "input": given.name,
        "shape": [each.dim_value for each in given.type.tensor_type.shape.dim],
        "output": answer.name,
    }


def _constant(value: Any) -> dict[str, Any]:
    whole = np.issubdtype(value.dtype, np.integer)
    data = value.astype("<i8" if whole else "<f4").tobytes()
    return {
        "shape": list(value.shape),
        "type": "int64" if whole else "float32",
        "data": base64.b64encode(data).decode(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, int | float) else list(value)


def _json(value: Any) -> str:
    # Nothing in it may close the script element that it stands in, or open another.
    return json.dumps(value).replace("<", "\\u003c")


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")

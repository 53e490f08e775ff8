"""Writer: a typed declaration as dictionaries and texts, and as the YAML of a graph file.

The law is ``loads(to_yaml(graph)) == graph``. Only what differs from a default is written, and what
must outlive one: the scale of an anti-causal edge, and the options of an image that the declaration
states. Every text that YAML or the reader could take for something else is quoted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any

from causalflow.equations.equation import Equation
from causalflow.equations.term import term_text
from causalflow.graph.cause import Cause, raw_cause
from causalflow.graph.checks import QueryCheck, nested_answer
from causalflow.graph.conditional import nested_rows
from causalflow.graph.declaration import Declaration
from causalflow.graph.latent_options import Latent
from causalflow.graph.node import (
    Edge,
    Exogenous,
    Family,
    Finite,
    Image,
    Level,
    Neural,
    Node,
    images_of,
    is_node,
)
from causalflow.graph.node_reader import SUPPORTS
from causalflow.names import written
from causalflow.values.variable import UNTYPED

__all__ = ["declaration_yaml", "flow", "point", "raw", "sections_yaml"]

WIDTH = 100
"""Characters of a line beyond which a table is written on several."""


def raw(thing: Any) -> Any:
    """The dictionaries, lists and texts that the reader takes for an object of the schema.

    Example:
        >>> raw(Finite(p=(Fraction(1, 4), Fraction(3, 4))))
        {'p': [Fraction(1, 4), Fraction(3, 4)]}
    """
    match thing:
        case Edge():
            return _raw_edge(thing)
        case Finite():
            return {"p": list(thing.p)}
        case Family():
            return {"type": thing.name, **dict(thing.parameters)}
        case QueryCheck():
            return _changed(thing)
        case _:
            return _raw_node(thing) if is_node(thing) else thing


def _raw_node(node: Node) -> dict[str, Any]:
    """The fields of a node; those of its type where they are not the node's own."""
    if node.type is UNTYPED:
        return {}
    fields = _changed(node)
    if fields.pop("type", None) is not None:
        fields |= _changed(node.type)
    if (node.noise,) == node.type.noises[:1]:
        fields.pop("noise", None)
    for image in images_of({"": node}).values():
        fields |= _raw_options(image)
    return {"type": node.type.word, **fields}


def _raw_edge(edge: Edge) -> Any:
    links = f"{written(edge.source)} -> {written(edge.target)}"
    if isinstance(edge.kind, Neural):
        return links
    return {links: {"kind": "anticausal", "scale": edge.kind.scale}}


def _raw_arc(pair: tuple[str, str], cause: Cause | None) -> Any:
    links = " <-> ".join(map(written, pair))
    return links if cause is None else {links: raw_cause(cause)}


def _raw_options(image: Image) -> dict[str, Any]:
    """The options of an image, if it has any to be written."""
    options = _changed(image.diffusion, image.stated)
    return {"diffusion": options} if options else {}


def _changed(thing: Any, stated: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, or are stated, in raw form."""
    fields = {}
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if field.compare and (value != default or field.name in stated):
            fields[field.name] = _raw_value(field.name, value)
    return fields


def _raw_value(name: str, value: Any) -> Any:
    match value:
        case Equation():
            texts = [term_text(component) for component in value.components]
            return texts if value.vector else texts[0]
        case tuple() if name == "support":
            names = [word for word, ends in SUPPORTS.items() if ends == value]
            return names[0] if names else list(value)
        case tuple() if name == "levels" and value == tuple(range(len(value))):
            return len(value)
        case tuple() if name == "table":
            return nested_rows(value)
        case tuple() if name == "answer":
            return nested_answer(value)
        case tuple():
            return list(value)
        case Latent() if value == Latent(autoencoder=value.autoencoder) != Latent():
            return value.autoencoder
        case _:
            return _changed(value) if dataclasses.is_dataclass(value) else value


def declaration_yaml(declaration: Declaration) -> str:
    """The YAML text of a declaration."""
    return "\n".join(_lines(declaration)) + "\n"


def _lines(declaration: Declaration) -> Iterator[str]:
    nodes = declaration.nodes
    yield f"graph: {flow(declaration.name)}"
    yield from _mapping("exogenous", declaration.exogenous)
    links = [raw(edge) for edge in declaration.edges if nodes[edge.target].equation is None]
    causes = dict(declaration.causes)
    links += [_raw_arc(pair, causes.get(pair)) for pair in declaration.bidirected]
    if not any(node.type is UNTYPED for node in nodes.values()):
        yield from _mapping("nodes", nodes)
        yield from (f"  {flow(name)}: {{}}" for name in declaration.latent)
    elif declaration.latent or tuple(nodes) != _order(declaration):
        yield f"nodes: {flow([*nodes, *declaration.latent])}"
    yield from _list("edges", links)
    if declaration.latent:
        yield f"latent: {flow(list(declaration.latent))}"
    yield from _list("queries", [raw(query) for query in declaration.queries])
    if declaration.layout:
        yield "layout:"
        yield from (f"  {flow(name)}: {point(*centre)}" for name, centre in declaration.layout)


def sections_yaml(sections: Mapping[str, Any]) -> str:
    """The YAML text of a graph file's sections in raw form; those that say nothing are left out.

    Example:
        >>> print(sections_yaml({"edges": ["u -> x"], "latent": ["u"], "queries": []}), end="")
        edges:
          - u -> x
        latent: [u]
    """
    lines = []
    for section, content in sections.items():
        if isinstance(content, dict) and content:
            rows = (f"  {flow(name)}: {flow(_listed(each))}" for name, each in content.items())
            lines += [f"{section}:", *rows]
        elif section in ("edges", "queries"):
            lines += _list(section, content)
        elif content:
            lines.append(f"{section}: {flow(content)}")
    return "\n".join(lines) + "\n"


def _listed(value: Any) -> Any:
    """Numbers as a file says them; positions come as pairs."""
    return (
        [int(each) if each.is_integer() else each for each in value]
        if isinstance(value, tuple)
        else value
    )


def point(x: float, y: float) -> str:
    """A position as a file says it.

    Example:
        >>> point(12.0, 0.5)
        '[12, 0.5]'
    """
    return flow([int(each) if float(each).is_integer() else float(each) for each in (x, y)])


def _order(declaration: Declaration) -> tuple[str, ...]:
    """The nodes in the order in which the written edges name them."""
    pairs = [(edge.source, edge.target) for edge in declaration.edges]
    return tuple(dict.fromkeys(end for pair in [*pairs, *declaration.bidirected] for end in pair))


def _mapping(section: str, entries: Mapping[str, Node] | Mapping[str, Exogenous]) -> Iterator[str]:
    if entries:
        yield f"{section}:"
        for name, entry in entries.items():
            fields = raw(entry)
            if "table" in fields and len(flow(fields)) > WIDTH:
                yield from _block(name, fields, "  ")
            else:
                yield f"  {flow(name)}: {flow(fields)}"


def _block(name: Level, content: Any, indent: str) -> Iterator[str]:
    """A field with a mapping that is too wide for one line on several."""
    line = f"{indent}{flow(name)}: {flow(content)}"
    if isinstance(content, dict) and len(line) > WIDTH:
        yield f"{indent}{flow(name)}:"
        for key, part in content.items():
            yield from _block(key, part, f"{indent}  ")
    else:
        yield line


def _list(section: str, entries: list[Any]) -> Iterator[str]:
    if entries:
        yield f"{section}:"
        yield from (f"  - {_entry(entry)}" for entry in entries)


def _entry(entry: Any) -> str:
    """An edge without quotes and braces, anything else in flow style."""
    if isinstance(entry, dict) and len(entry) == 1 and "ask" not in entry:
        ((links, kind),) = entry.items()
        return f"{flow(links)}: {flow(kind)}"
    return flow(entry)


def flow(value: Any) -> str:
    """The value in YAML's flow style, on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value)
        case dict():
            return f"{{{', '.join(f'{flow(k)}: {flow(v)}' for k, v in value.items())}}}"
        case list():
            return f"[{', '.join(map(flow, value))}]"
        case int() | Fraction():
            return str(value)
        case _:
            return repr(float(value))


_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_+*/().<>=^|~%-]*(?: [A-Za-z0-9_+*/().<>=^|~%&-]+)*")
_WORDS = frozenset({"null", "true", "false"})


def _quoted(text: str) -> str:
    """The text itself where YAML reads it back as it is, else in quotes that need no escapes."""
    if _SAFE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )

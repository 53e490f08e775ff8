"""Node reader: the entries of ``nodes:`` and ``exogenous:`` as objects of `causalflow.graph.node`.

A node's ``type:`` is a name of `causalflow.plugins.NODE_TYPES`. It decides which other fields there
are: those of its declaration where it has one, or those of the type's own dataclass.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from causalflow.equations.equation import Equation, parse_equation
from causalflow.equations.law import FAMILIES
from causalflow.errors import one_of
from causalflow.graph.conditional import probabilities
from causalflow.graph.indicator import completed_fields
from causalflow.graph.latent_options import PIXELS
from causalflow.graph.node import (
    Class,
    Continuous,
    Diffusion,
    Exogenous,
    Family,
    Finite,
    Image,
    Latent,
    Level,
    Node,
    Variable,
)
from causalflow.graph.tree import (
    Fields,
    Items,
    Place,
    Read,
    Scalar,
    Value,
    choice,
    count,
    declared_fields,
    described,
    field_names,
    integer,
    interval,
    is_null,
    items,
    number,
    reader,
    real,
    record,
    text,
    trusted,
)
from causalflow.limits import IMAGE_PIXELS, LEVELS, REPRESENTATION_LENGTH
from causalflow.options import Names, rules
from causalflow.plugins import CLASS_NOISES, CONTINUOUS_NOISES, NODE_TYPES, TABLE_NOISES
from causalflow.values.variable import NodeType

__all__ = ["SUPPORTS", "read_exogenous", "read_node"]

SUPPORTS: Mapping[str, tuple[float, float]] = {
    "real": (-math.inf, math.inf),
    "positive": (0.0, math.inf),
    "unit": (0.0, 1.0),
}


def read_node(value: Value, place: Place) -> Node:
    """A typed node from its fields.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    if not isinstance(value, Fields):
        bare = isinstance(value, Scalar) and value.empty
        hint = "; without types, list the names: [x, y]" if bare else ""
        form = "a mapping such as {type: class, levels: 2}"
        place.fail(f"expected {form}, not {described(value)}{hint}", value)
    value = completed_fields(value)
    kind = _node_type(value, place)
    node = _declared(kind, value, place) if kind in _READERS else _variable(kind, value, place)
    _check_equation(node, value.get("equation"), place)
    return node


def _declared(kind: type[Any], value: Fields, place: Place) -> Node:
    """A node of a type with a declaration of its own."""
    record(value, place, ("type", *field_names(kind)))
    fields = declared_fields(kind, value, place, _READERS[kind])
    if isinstance(options := value.get("diffusion"), Fields):
        fields["stated"] = frozenset(options.keys())
    node: Node = kind(**fields)
    return node


def _variable(kind: type[NodeType], value: Fields, place: Place) -> Node:
    """A node of a type whose dataclass says what a file can say of it."""
    noise = ["noise"] if kind.noises else []
    record(value, place, ("type", *field_names(kind), *noise, "equation"))
    readers = {name: reader(rule) for name, rule in rules(kind).items()}
    made: NodeType = kind(**declared_fields(kind, value, place, readers))
    given: dict[str, Any] = {
        name: read(content, place.within(name))
        for name, read in (("noise", choice(kind.noises)), ("equation", _equation))
        if (content := value.get(name)) is not None
    }
    return Variable(type=made, **{"noise": next(iter(kind.noises), None), **given})


def _node_type(value: Fields, place: Place) -> type[Any]:
    declared = value.get("type")
    if declared is None:
        place.fail(f"the field 'type' is missing; {one_of('', NODE_TYPES)}", value)
    if not isinstance(declared, Scalar) or declared.text not in NODE_TYPES:
        given = declared.text if isinstance(declared, Scalar) else ""
        place.fail(f"unknown type {described(declared)}; {one_of(given, NODE_TYPES)}", declared)
    found: type[Any] = NODE_TYPES.get(declared.text)
    return found


def _check_equation(node: Node, value: Value | None, place: Place) -> None:
    """A value with axes has one equation an entry; a level or a number a single expression."""
    equation = node.equation
    if equation is None:
        return
    if node.type.scalar:
        if equation.vector:
            place.fail("a list of equations is for images; expected one equation", value)
        return
    entries = math.prod(node.type.shape)
    if not equation.vector or len(equation.components) != entries:
        given = len(equation.components) if equation.vector else "a single one"
        shape = list(node.type.shape)
        place.fail(f"expected a list of {entries} equations for shape {shape}, not {given}", value)


def _levels(value: Value, place: Place) -> tuple[Level, ...]:
    """``levels: 10`` or ``levels: [green, red]``; integers but 0..K-1 are names, as if quoted."""
    if isinstance(value, Scalar):
        if integer(value) is None:
            place.fail(
                f"expected a number of levels or a list of names, not {described(value)}", value
            )
        return tuple(range(count(value, place, most=LEVELS)))
    listed = items(value, place, "names")
    if len(listed) > LEVELS:
        place.fail(f"{len(listed):,} levels; at most {LEVELS:,}", value)
    names = tuple(_level(item, place) for item in listed)
    if not names:
        place.fail("expected at least one level", value)
    if len(set(map(str, names))) < len(names):
        twice = Counter(map(str, names)).most_common(1)[0][0]
        place.fail(f"the level '{twice}' is given twice", value)
    return names if names == tuple(range(len(names))) else tuple(map(str, names))


def _level(value: Value, place: Place) -> Level:
    whole = integer(value) if isinstance(value, Scalar) and value.plain else None
    name = text(value, place)
    return name if whole is None or str(whole) != name else whole


def _shape(value: Value, place: Place) -> tuple[int, int, int]:
    sizes = [integer(item) or 0 for item in items(value, place, "[channels, height, width]")]
    if len(sizes) != 3 or min(sizes) < 1 or math.prod(sizes) > IMAGE_PIXELS:
        parts = items(value, place, "sizes")[:5]
        shown = ", ".join(part.text if isinstance(part, Scalar) else "..." for part in parts)
        place.fail(
            f"expected three positive integers [channels, height, width], not [{shown}]", value
        )
    channels, height, width = sizes
    return channels, height, width


def _support(value: Value, place: Place) -> tuple[float, float]:
    if isinstance(value, Scalar):
        return SUPPORTS[choice(SUPPORTS)(value, place)]
    ends: tuple[float, float] = interval(-math.inf, math.inf)(value, place)
    return ends


def _equation(value: Value, place: Place) -> Equation:
    """One text, or a list with one text a pixel."""
    if isinstance(value, Items):
        parts = [_component(item, place) for item in value.values]
        if not parts:
            place.fail("expected at least one equation", value)
        return Equation(tuple(part.components[0] for part in parts), vector=True)
    return _parsed(text(value, place), value, place)


def _parsed(content: str, value: Value, place: Place) -> Equation:
    """The parsed text; the parser's error starts with the word "equation" itself."""
    outer = Place(place.label.removesuffix(": equation"))
    parsed: Equation = trusted(lambda: parse_equation(content), outer, value)
    return parsed


def _component(value: Value, place: Place) -> Equation:
    content = text(value, place)
    if isinstance(value, Scalar) and value.plain and content.count("(") != content.count(")"):
        place.fail(
            f"brackets do not match in {described(value)}; "
            "an equation with commas inside [ ] needs quotes",
            value,
        )
    part = _parsed(content, value, place)
    return part if not part.vector else place.fail("a list inside a list of equations", value)


def _no_table(value: Value, place: Place) -> None:
    """Tables are read by `causalflow.graph.conditional`, once the parents are known."""


def _diffusion(value: Value, place: Place) -> Diffusion:
    fields = record(value, place, field_names(Diffusion))
    return Diffusion(**declared_fields(Diffusion, fields, place, _DIFFUSION))


def _latent(value: Value, place: Place) -> Latent:
    """``latent: {factor: 8}``, or the name of an autoencoder, "none" for the pixels."""
    if is_null(value):
        return Latent(autoencoder=PIXELS)
    if isinstance(value, Scalar):
        return Latent(autoencoder=_LATENT["autoencoder"](value, place))
    fields = record(value, place, field_names(Latent))
    given = declared_fields(Latent, fields, place, _LATENT)
    outer = Place(place.label.removesuffix(": latent"))
    found: Latent = trusted(lambda: Latent(**given), outer, value)
    return found


def _length(value: Value, place: Place) -> int | None:
    """The length of a representation."""
    return None if is_null(value) else count(value, place, most=REPRESENTATION_LENGTH)


_DIFFUSION = {name: reader(rule) for name, rule in rules(Diffusion).items()}
_LATENT = {name: reader(rule) for name, rule in rules(Latent).items()}
_READERS: Mapping[type, Mapping[str, Read]] = {
    Class: {
        "levels": _levels,
        "noise": choice(Names(CLASS_NOISES, TABLE_NOISES)),
        "equation": _equation,
        "table": _no_table,
        "representation": _length,
        "missing": text,
    },
    Continuous: {
        "support": _support,
        "unit": text,
        "noise": choice(CONTINUOUS_NOISES),
        "equation": _equation,
        "representation": _length,
    },
    Image: {
        "shape": _shape,
        "levels": lambda value, place: count(value, place, least=2, most=LEVELS),
        "diffusion": _diffusion,
        "latent": _latent,
        "equation": _equation,
    },
}


def read_exogenous(value: Value, place: Place, rough: list[str]) -> Exogenous:
    """``{p: [...]}``, ``{levels: K}`` (uniform), ``normal`` or ``{type: gamma, shape: 10}``.

    Args:
        value: the tree of the entry.
        place: where the tree stands in the file.
        rough: gets a line where probabilities do not quite sum to one.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    if isinstance(value, Scalar):
        return _family(value, Fields((), value.line), place)
    if not isinstance(value, Fields):
        place.fail(f"expected {{p: [...]}} or a distribution, not {described(value)}", value)
    if families := [key for key, _ in value.pairs if key.text in FAMILIES]:
        place.fail(f"a distribution is written {_form(families[0].text)}", families[0])
    if (family := value.get("type")) is not None:
        rest = tuple(pair for pair in value.pairs if pair[0].text != "type")
        return _family(family, Fields(rest, value.line), place)
    record(value, place, ("p", "levels", "type"))
    if (p := value.get("p")) is not None and value.get("levels") is None:
        if len(items(p, place.within("p"), "probabilities")) > LEVELS:
            place.fail(f"more than {LEVELS:,} probabilities", p)
        return Finite(p=probabilities(p, place, rough))
    if (levels := value.get("levels")) is not None and p is None:
        size = count(levels, place.within("levels"), most=LEVELS)
        return Finite(p=(Fraction(1, size),) * size)
    return place.fail("expected exactly one of the fields ['p', 'levels', 'type']", value)


def _form(name: str) -> str:
    """How a file writes a distribution of that family."""
    parameters = [f"{parameter.name}: ..." for parameter in FAMILIES.get(name).parameters]
    return f"{{{', '.join([f'type: {name}', *parameters])}}}"


def _family(value: Value, parameters: Fields, place: Place) -> Exogenous:
    name = value.text if isinstance(value, Scalar) else ""
    if (called := name.partition("(")[0]) != name and called in FAMILIES:
        place.fail(f"a distribution is written {_form(called)}, not {described(value)}", value)
    if name not in FAMILIES:
        place.fail(f"unknown distribution {described(value)}; {one_of(name, FAMILIES)}", value)
    family = FAMILIES.get(name)
    record(parameters, place, [p.name for p in family.parameters], "parameter")
    given = {key.text: real(content, place.within(key.text)) for key, content in parameters.pairs}
    values: dict[str, Any] = trusted(lambda: family.complete(given), place, parameters)
    if name == "bernoulli":
        p = number(parameters.get("p") or Scalar("1/2")) or Fraction(0)
        return Finite(p=(1 - p, p))
    return Family(name=name, parameters=tuple(values.items()))

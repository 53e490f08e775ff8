"""YAML: the text of a graph file becomes the located tree of `causalflow.graph.tree`.

A YAML 1.2 parser tells of a file as *events* (a list begins, a scalar, ...), from which the tree is
built with an explicit stack: no object is ever constructed, no tag or alias is followed, and depth
and size are limited, so that hostile files meet an error and nothing worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from causalflow.graph.tree import DeclarationError, Fields, Items, Scalar, Value, described
from causalflow.limits import GRAPH_BYTES, NESTING

__all__ = ["events", "from_yaml"]


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen; a mapping's keys and values alternate."""

    mapping: bool
    line: int
    parts: list[Value] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)

    def add(self, value: Value) -> None:
        if self.mapping and len(self.parts) % 2 == 0:
            self._check_key(value)
        elif self.mapping and isinstance(value, Scalar) and value.empty:
            # The parser puts a value that is not there at the next token, lines further on.
            value = replace(value, line=self.parts[-1].line)
        self.parts.append(value)

    def _check_key(self, key: Value) -> None:
        if not isinstance(key, Scalar):
            raise DeclarationError(f"a key must be a text, not {described(key)}", key.line)
        if key.text in self.keys:
            first = self.keys[key.text]
            raise DeclarationError(
                f"duplicate key {described(key)}; first on line {first}", key.line
            )
        self.keys[key.text] = key.line or 0

    def close(self) -> Value:
        if not self.mapping:
            return Items(tuple(self.parts), self.line)
        pairs = zip(self.parts[::2], self.parts[1::2], strict=True)
        return Fields(tuple((k, v) for k, v in pairs if isinstance(k, Scalar)), self.line)


def from_yaml(text: str, first_line: int = 1) -> Value | None:
    """The tree of a YAML 1.2 text that begins on ``first_line``; None if it holds no document.

    Raises:
        DeclarationError: bad syntax, a feature the language has no use for, or a text beyond the
            limits.
    """
    if len(text.encode("utf-8", "surrogatepass")) > GRAPH_BYTES:
        raise DeclarationError(f"the file is larger than {GRAPH_BYTES >> 20} MiB", 1)
    root: Value | None = None
    stack: list[_Open] = []
    for event in events(text, first_line):
        line = event.start_mark.line + first_line
        if root is not None and type(event).__name__ == "DocumentStartEvent":
            raise DeclarationError("a second document starts; a file holds one graph", line)
        done = _step(type(event).__name__, event, line, stack)
        if done is None:
            continue
        if stack:
            stack[-1].add(done)
        else:
            root = done
    return root


def _step(kind: str, event: Any, line: int, stack: list[_Open]) -> Value | None:
    """The value that the event completes, if any; what starts goes on the stack."""
    if kind == "AliasEvent" or getattr(event, "anchor", None) is not None:
        hint = "quote a text that starts with '&' or '*'"
        raise DeclarationError(f"YAML anchors and aliases are not allowed; {hint}", line)
    if getattr(event, "tag", None) is not None:
        raise DeclarationError("YAML tags are not allowed; quote a text that starts with '!'", line)
    if kind == "ScalarEvent":
        return Scalar(event.value, event.style is None or event.style == "", line)
    if kind in ("SequenceEndEvent", "MappingEndEvent"):
        return stack.pop().close()
    if kind in ("SequenceStartEvent", "MappingStartEvent"):
        if len(stack) == NESTING:
            raise DeclarationError(f"nested deeper than {NESTING} levels", line)
        stack.append(_Open(kind == "MappingStartEvent", line))
    return None


# What the parser itself raises on some bad escapes and directives, found by fuzzing; it wraps
# nothing of ours, as the consumer of a generator raises outside of it.
_PARSER_SLIPS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def events(text: str, first_line: int = 1) -> Iterator[Any]:
    """What a YAML 1.2 parser tells of a text, each event with the marks where it begins and ends.

    Raises:
        DeclarationError: bad syntax.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    line = first_line
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.end_mark.line + first_line
            yield event
    except YAMLError as error:
        _fail_yaml(text, error, first_line)
    except _PARSER_SLIPS as error:
        raise DeclarationError(f"not YAML: {' '.join(str(error).split())}", line) from None


def _fail_yaml(text: str, error: Any, first_line: int) -> NoReturn:
    begin = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or begin
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    problem = " ".join(str(reason).split())
    if "end of stream" in problem:
        mark = begin or mark
    row = text.count("\n", 0, getattr(error, "position", 0)) if mark is None else mark.line
    hint = _yaml_hint(problem, begin.line + first_line if begin is not None else None)
    raise DeclarationError(f"not YAML: {problem}{hint}", row + first_line) from None


def _yaml_hint(problem: str, begin: int | None) -> str:
    """What usually mends the commonest mistakes; ``begin`` is the line of the open bracket."""
    if "found '<scalar>'" in problem:
        return """; quote an edge with quoted names as a whole: '"warm up" -> x'"""
    if "'\\t'" in problem:
        return "; indent with spaces, not tabs"
    if "expected ',' or" in problem:
        return f" in the bracket of line {begin}; quote a text with commas, brackets or quotes"
    return ""

from __future__ import annotations

import dataclasses
import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.equations.equation import (
    NUMPY,
    OPERATIONS,
    Equation,
    evaluate,
    parse_equation,
)
from causalflow.equations.term import FUNCTIONS
from causalflow.errors import GraphError
from causalflow.limits import EQUATION_DEPTH, EQUATION_LETTERS

VALUES = {"a": 3, "b": 5, "c": 0, "d": 1}
BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "//": operator.floordiv,
    "%": operator.mod,
}
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
LIMIT = 10**9  # intermediate values stay far below 64 bits, where Python and numpy agree


def integer_terms() -> st.SearchStrategy[tuple[str, int]]:
    """Fully bracketed texts with the value that Python's own operators give them."""
    leaves = st.one_of(
        st.sampled_from(sorted(VALUES)).map(lambda name: (name, VALUES[name])),
        st.integers(0, 9).map(lambda n: (str(n), n)),
    )

    def grow(children: st.SearchStrategy[tuple[str, int]]) -> st.SearchStrategy[tuple[str, int]]:
        def binary(symbol: str, left: tuple[str, int], right: tuple[str, int]) -> tuple[str, int]:
            if symbol in ("//", "%") and right[1] == 0:
                right = ("7", 7)
            value = BINARY[symbol](left[1], right[1])
            if abs(value) > LIMIT:
                return left
            return f"({left[0]}) {symbol} ({right[0]})", value

        def compare(symbol: str, left: tuple[str, int], right: tuple[str, int]) -> tuple[str, int]:
            return f"({left[0]}) {symbol} ({right[0]})", int(COMPARE[symbol](left[1], right[1]))

        def where(x: tuple[str, int], y: tuple[str, int], z: tuple[str, int]) -> tuple[str, int]:
            return f"where({x[0]}, {y[0]}, {z[0]})", y[1] if x[1] else z[1]

        return st.one_of(
            st.builds(binary, st.sampled_from(sorted(BINARY)), children, children),
            st.builds(compare, st.sampled_from(sorted(COMPARE)), children, children),
            st.builds(
                lambda x, y: (f"({x[0]}) and ({y[0]})", int(bool(x[1] and y[1]))),
                children,
                children,
            ),
            st.builds(
                lambda x, y: (f"({x[0]}) or ({y[0]})", int(bool(x[1] or y[1]))), children, children
            ),
            children.map(lambda x: (f"not ({x[0]})", int(not x[1]))),
            children.map(lambda x: (f"~({x[0]})", ~x[1])),
            children.map(lambda x: (f"-({x[0]})", -x[1])),
            st.builds(where, children, children, children),
            st.builds(lambda x, y: (f"max({x[0]}, {y[0]})", max(x[1], y[1])), children, children),
        )

    return st.recursive(leaves, grow, max_leaves=12)


@given(integer_terms())
@settings(deadline=None)
def test_integer_expressions_have_the_value_of_pythons_operators(term: tuple[str, int]) -> None:
    text, expected = term
    assert int(evaluate(parse_equation(text), VALUES)) == expected


SYMBOLS = [*BINARY, *COMPARE, "and", "or", "**", "<<", ">>"]


@st.composite
def flat_texts(draw: st.DrawFn) -> str:
    """Operands joined by operators without brackets, so that precedence alone decides."""
    names = st.sampled_from(["a", "b", "c", "d", "2", "-a", "~b", "1"])
    text = draw(names)
    for _ in range(draw(st.integers(1, 5))):
        text += f" {draw(st.sampled_from(SYMBOLS))} {draw(names)}"
    return draw(st.sampled_from(["", "not "])) + text


@given(flat_texts())
@settings(deadline=None)
def test_precedence_and_association_are_pythons(text: str) -> None:
    """Python's own parser is the oracle of the tree's shape; nothing is evaluated."""
    import ast

    assert shape_of_equation(text) == shape_of_python(ast.parse(text, mode="eval").body)


def shape_of_python(node: object) -> object:
    import ast

    names = {
        "Add": "+", "Sub": "-", "Mult": "*", "FloorDiv": "//", "Mod": "%", "Pow": "**",
        "BitAnd": "&", "BitOr": "|", "BitXor": "^", "LShift": "<<", "RShift": ">>",
        "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=",
        "And": "and", "Or": "or", "USub": "negate", "Invert": "~", "Not": "not",
    }  # fmt: skip
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return name
        case ast.UnaryOp(op, operand):
            return (names[type(op).__name__], shape_of_python(operand))
        case ast.BinOp(left, op, right):
            return (names[type(op).__name__], shape_of_python(left), shape_of_python(right))
        case ast.Compare(left, ops, comparators):
            parts = [shape_of_python(part) for part in [left, *comparators]]
            return ("compare", [names[type(op).__name__] for op in ops], parts)
        case ast.BoolOp(op, values):
            shape = shape_of_python(values[0])
            for value in values[1:]:
                shape = (names[type(op).__name__], shape, shape_of_python(value))
            return shape
    raise AssertionError(node)


def shape_of_equation(text: str) -> object:
    from causalflow.equations.term import Binary, Comparison, Name, Number, Unary

    def shape(term: object) -> object:
        match term:
            case Number(value) | Name(value):
                return value
            case Unary(symbol, operand):
                return (symbol, shape(operand))
            case Binary(symbol, left, right):
                return (symbol, shape(left), shape(right))
            case Comparison(symbols, operands):
                return ("compare", list(symbols), [shape(operand) for operand in operands])
        raise AssertionError(term)

    return shape(parse_equation(text).components[0])


@given(integer_terms(), flat_texts())
@settings(deadline=None)
def test_canonical_text_parses_back_to_an_equal_equation(term: tuple[str, int], flat: str) -> None:
    for equation in (
        parse_equation(term[0]),
        parse_equation(flat),
        parse_equation([term[0], flat, "1e-07", "2.50"]),
    ):
        assert parse_equation(str(equation)) == equation


@given(st.text(max_size=60) | st.text("ab12.+-*/%<>=!&|^~(),[] andornot", max_size=60))
@settings(deadline=None, max_examples=400)
def test_any_text_is_an_equation_or_a_graph_error_on_one_line(text: str) -> None:
    try:
        equation = parse_equation(text)
    except GraphError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert parse_equation(str(equation)) == equation


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000 + "x" + ")" * 4000,
        "-" * 9000 + "x",
        "x" + "+x" * 4000,
        "f(" * 3000,
        "x<" * 4000 + "x",
    ],
)
def test_hostile_texts_meet_a_limit_and_not_the_stack(text: str) -> None:
    try:
        equation = parse_equation(text)
    except GraphError:
        return
    assert parse_equation(str(equation)) == equation


def test_the_limits_are_inclusive() -> None:
    assert parse_equation("-" * (EQUATION_DEPTH - 1) + "x").names == {"x"}
    with pytest.raises(GraphError, match="nested deeper than 100 levels"):
        parse_equation("-" * EQUATION_DEPTH + "x")
    assert parse_equation("x" * EQUATION_LETTERS).names == {"x" * EQUATION_LETTERS}
    with pytest.raises(GraphError, match="at most 10000 are allowed"):
        parse_equation("x" * (EQUATION_LETTERS + 1))


def test_every_operation_of_the_grammar_has_a_meaning() -> None:
    assert set(FUNCTIONS) <= OPERATIONS == set(NUMPY)
    assert {*SYMBOLS, "/", "negate", "~", "not"} == OPERATIONS - set(FUNCTIONS)


@given(st.floats(-30, 30))
@settings(deadline=None)
def test_functions_are_those_of_the_math_module(x: float) -> None:
    """Tolerance: numpy and the C library differ by a few units in the last place."""
    references = {
        "exp": math.exp, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
        "abs": abs, "floor": math.floor, "round": round,
        "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    }  # fmt: skip
    for name, reference in references.items():
        value = float(evaluate(parse_equation(f"{name}(x)"), {"x": x}))
        assert value == pytest.approx(reference(x), rel=1e-12, abs=1e-300)
    positive = abs(x) + 0.5
    for name, reference in {"log": math.log, "sqrt": math.sqrt}.items():
        value = float(evaluate(parse_equation(f"{name}(x)"), {"x": positive}))
        assert value == pytest.approx(reference(positive), rel=1e-12, abs=1e-15)


def test_logit_is_the_inverse_of_sigmoid() -> None:
    p = np.array([1e-6, 0.2, 0.5, 0.9])
    assert evaluate(parse_equation("sigmoid(logit(p))"), {"p": p}) == pytest.approx(p, rel=1e-12)


def test_booleans_count_as_zero_and_one_in_arithmetic_and_bits() -> None:
    values = {"x": np.array([0.2, 0.7]), "y": np.array([True, True])}
    for text, expected in {
        "(x > 0.5) + y": [1, 2],
        "(x > 0.5) ^ y": [1, 0],
        "y - (x > 0.5)": [1, 0],
        "-(x > 0.5)": [0, -1],
        "(x > 0.5) * 3": [0, 3],
        "0 < x < 0.5": [True, False],
    }.items():
        assert evaluate(parse_equation(text), values).tolist() == expected


def test_bit_operators_refuse_real_values_and_take_whole_ones() -> None:
    equation = parse_equation("x & 1")
    assert evaluate(equation, {"x": np.array([2.0, 3.0])}).tolist() == [0, 1]
    with pytest.raises(GraphError, match="operator '&' needs integers or booleans"):
        evaluate(equation, {"x": np.array([0.5])})


def test_the_branch_that_where_does_not_choose_may_be_undefined() -> None:
    values = {"x": np.array([0, 2])}
    assert evaluate(parse_equation("where(x == 0, 0, 1 / x)"), values).tolist() == [0, 0.5]
    assert evaluate(parse_equation("where(x == 0, 0, 4 // x)"), values).tolist() == [0, 2]


def test_division_of_integers_by_zero_is_not_silently_zero() -> None:
    assert not np.isfinite(evaluate(parse_equation("1 // x"), {"x": np.array([0])})).any()
    assert np.isnan(evaluate(parse_equation("1 % x"), {"x": np.array([0])})).all()


def test_integer_powers_are_exact_and_never_wrap() -> None:
    assert int(evaluate(parse_equation("3 ** 39"), {})) == 3**39
    assert float(evaluate(parse_equation("10 ** 30"), {})) == pytest.approx(1e30, rel=1e-12)
    assert float(evaluate(parse_equation("2 ** -1"), {})) == 0.5


def test_a_vector_equation_gives_one_array_a_component() -> None:
    equation = parse_equation(["x", "x ^ 1", 1])
    assert isinstance(equation, Equation)
    assert equation.vector
    assert equation == parse_equation("[x, x ^ 1, 1]")
    assert [np.asarray(v).tolist() for v in evaluate(equation, {"x": [0, 1]})] == [
        [0, 1],
        [1, 0],
        1,
    ]


def test_equations_are_frozen_and_hashable() -> None:
    equation = parse_equation("x + 1")
    assert hash(equation) == hash(parse_equation("(x) + 1"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        equation.vector = True  # type: ignore[misc]

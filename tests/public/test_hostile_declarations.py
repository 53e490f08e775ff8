"""Graphs, queries and equations that would flood or hang end in one line."""

import pytest

import causalflow as cf

ITEMS = [f"a{i}" for i in range(100)], [f"b{i}" for i in range(100)]
TYPED = (
    "nodes: {{x: {{type: class, levels: {0}}}, y: {{type: class, levels: 2}}}}\nedges: [x -> y]\n"
)
IMAGE = "nodes: {{i: {{type: image, shape: {0}, diffusion: {{{1}}}}}}}\n"
ALIASES = "nodes:\n  a0: &a0 [z, z]\n" + "".join(
    f"  a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30)
)


def products(count):
    """Entries of 10,000 different edges each."""
    return [
        f"{', '.join(f'a{i % 14}_{n}' for n in range(100))} -> "
        f"{', '.join(f'b{i // 14}_{n}' for n in range(100))}"
        for i in range(count)
    ]


def one_line(error):
    text = str(error)
    assert 0 < len(text) < 500
    assert text.isprintable()
    return text


GRAPHS = {
    "190,000 edges": "edges:\n" + "".join(f"- '{edge}'\n" for edge in products(19)),
    "a chain of groups": "edges: ['" + " -> ".join([", ".join(ITEMS[0])] * 20) + "']\n",
    "a million levels": TYPED.format(10**6),
    "levels in scientific notation": TYPED.format("1e9"),
    "levels of forty digits": TYPED.format(10**40),
    "11,000 names of levels": TYPED.format([f"l{i}" for i in range(11_000)]),
    "a huge image": IMAGE.format("[3, 100000, 100000]", ""),
    "a U-Net of 100 levels": IMAGE.format("[3, 8, 8]", f"multipliers: {[1] * 100}"),
    "10**12 blocks": IMAGE.format("[3, 8, 8]", f"blocks: {10**12}"),
    "an alias bomb": ALIASES,
    "brackets": "nodes: " + "[" * 2_000,
    "a key of 200 kB": "nodes: {" + "k" * 200_000 + ": 1}\n",
    "a Python tag": "nodes: !!python/object/apply:os.system ['touch RAN']\n",
    "an edge of 200 kB": "edges: ['a -> " + "b" * 200_000 + "']\n",
    "an escape and a mark of direction": 'nodes: ["a\\u202e\\u001b[31m"]\n',
    "1,001 queries": "edges: [x -> y]\nqueries:\n" + "- P(y)\n" * 1_001,
    "5,000 digits": "nodes: {x: {type: class, levels: 2, table: [" + "1" * 5_000 + ", 0]}}\n",
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_hostile_graph_is_one_line_from_python_and_the_command(cli, tmp_path, name):
    with pytest.raises(cf.CausalflowError) as error:
        cf.loads(GRAPHS[name])
    one_line(error.value)
    (tmp_path / "g.yaml").write_text(GRAPHS[name])
    ran = cli("identify", "g.yaml", "P(y | do(x))")
    assert ran.code == 2
    assert one_line(ran.err.removesuffix("\n")).startswith("g.yaml:")


def itself():
    whole = []
    whole.append(whole)
    return whole


@pytest.mark.parametrize(
    "given",
    [
        {"edges": products(11)},
        {"edges": itself()},
        {"nodes": {"x": {"type": "class", "levels": range(10**9)}}},
        {"nodes": {"x": {"type": "class", "levels": 10**5_000}}},
        {"nodes": {"x": {"type": "class", "levels": 2, "table": [float("nan"), 1]}}},
        {"nodes": {"x": {"type": "continuous", "equation": 10**5_000}}},
        {"nodes": [f"n{i}" for i in range(30_000)]},
        {"nodes": ["\udcff"]},
        {"nodes": 7},
    ],
)
def test_the_same_content_in_python_is_one_line(given):
    with pytest.raises(cf.CausalflowError) as error:
        cf.Graph(**given)
    one_line(error.value)


def test_a_network_beyond_the_limit_is_refused_before_it_is_made():
    wide = cf.loads(IMAGE.format("[3, 64, 64]", "width: 10000, multipliers: [1000]"))
    with pytest.raises(cf.CompileError, match="weights") as error:
        cf.compile(wide)
    one_line(error.value)


REAL = "exogenous: {{u: normal}}\nnodes: {{x: {{type: continuous, equation: '{0}'}}}}\n"
CLASS = (
    "exogenous: {{u: {{levels: 3}}}}\nnodes: {{x: {{type: class, levels: 4, equation: '{0}'}}}}\n"
)


@pytest.mark.parametrize(
    "equation",
    [
        "u + floor(exp(exp(20)))",
        "u + round(exp(exp(20)))",
        "u + floor(exp(exp(20 + 0 * u)))",
        "u + (exp(exp(exp(20))) > u)",
        "u + floor(10**10**10)",
        "u + 2**2**2**2**2**2",
        "u + (1 << 10**9)",
        "u + 1e308 * 10",
        "u / 0",
        "u % 0",
        "log(-1 - u**2)",
        "sqrt(-1 - u**2)",
        "(-1 - u**2)**0.5",
        "where(u > 0, u, log(-1))",
        "u + " + "7" * 5_000,
        "+".join(["u"] * 50_000),
        "exp(" * 2_000 + "u" + ")" * 2_000,
        "u.__class__",
    ],
)
@pytest.mark.parametrize("form", [REAL, CLASS])
def test_an_equation_that_has_no_value_or_no_end_is_refused(form, equation):
    with pytest.raises(cf.CausalflowError) as error:
        cf.loads(form.format(equation))
    assert "x" in one_line(error.value)


@pytest.mark.parametrize(
    "equation",
    ["u + 9000000000000000000 + 9000000000000000000", "(u + 1) << 62", "(u + 3)**40 * 3**30"],
)
def test_a_whole_number_does_not_wrap_around_at_64_bits(equation):
    """The first wraps to u - 446744073709551616: no level; another sum would be one."""
    with pytest.raises(cf.CausalflowError):
        cf.compile(cf.loads(CLASS.format(equation))).ask("P(x)")


@pytest.mark.parametrize(
    "equation", ["u + floor(exp(exp(u - u + 20)))", "log(u - u)", "1 / (u - u)"]
)
def test_what_is_infinite_only_when_computed_is_refused_when_it_is_drawn(equation):
    model = cf.compile(cf.loads(REAL.format(equation)))
    with pytest.raises(cf.CausalflowError) as error:
        model.sample(8)
    one_line(error.value)


@pytest.mark.parametrize(
    "query", ["P(" * 10_000, "P(y" + "[x" * 10_000, "P(y | z\n\x1b[31m\u202e)", "", None, b"P(y)"]
)
def test_a_hostile_query_is_one_line(query):
    with pytest.raises(cf.CausalflowError) as error:
        cf.identify(cf.Graph(edges=["x -> y"]), query)
    one_line(error.value)


def test_the_place_of_a_mistake_in_a_query_is_in_its_line():
    with pytest.raises(cf.QueryError) as error:
        cf.identify(cf.Graph(edges=["x -> y"]), "P(y | do(x), z)")
    assert "⟨here⟩z)" in one_line(error.value)
    assert (error.value.text, error.value.position) == ("P(y | do(x), z)", 13)

"""A CSV file of another spreadsheet: read where there is one way to, said so, else refused."""

import numpy as np
import pytest

import causalflow as cf

GRAPH = cf.loads(
    "nodes:\n  Größe: {type: continuous}\n  dose: {type: continuous}\n"
    '  drug given: {type: class, levels: ["no; never", "yes, daily"]}\nedges: [dose -> Größe]\n'
)
COMMAS = 'Größe,dose,drug given\n1.5,2,no; never\n2.25,3,"yes, daily"\n'
MARKED = 'Größe;dose;drug given\n1,5;2;"no; never"\n2,25;3;yes, daily\n'


def columns(path):
    found = cf.data.read(path, GRAPH).columns
    return {name: list(map(str, found[name])) for name in GRAPH.nodes}


@pytest.fixture
def usual(tmp_path):
    (tmp_path / "usual.csv").write_text(COMMAS, encoding="utf-8")
    return columns(tmp_path / "usual.csv")


@pytest.mark.parametrize(
    ("text", "encoding", "taken"),
    [
        (MARKED, "utf-8", "semicolons between cells, decimal commas$"),
        (MARKED, "utf-8-sig", "semicolons between cells, decimal commas$"),
        (MARKED.replace(";", "\t").replace("no\t", "no;"), "utf-8", "tabs between cells, decimal"),
        (MARKED.replace(";", "|").replace("no|", "no;"), "utf-8", r"bars \| between cells, dec"),
        (MARKED, "cp1252", r"commas, encoding cp1252 \('Größe'\)$"),
        (COMMAS, "latin-1", r": read with encoding cp1252 \('Größe'\)$"),
    ],
)
def test_another_way_of_writing_is_read_alike_and_said_in_a_line(
    tmp_path, usual, text, encoding, taken
):
    (tmp_path / "rows.csv").write_bytes(text.encode(encoding))
    with pytest.warns(cf.CausalflowWarning, match=taken) as told:
        assert columns(tmp_path / "rows.csv") == usual
    assert len(told) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a;b,c\n1;2,3\n4;5,6\n", ":1: .*commas and semicolons both cut every row alike; quote"),
        (b"a;b|c\n1;2|3\n", ":1: .*semicolons and bars | both cut every row alike"),
        (b"a;b\n1,234;x\n79,002;y\n", ":1: .*'.*' in column 'a' may have thousands or decimals"),
        (b"a;b\n1,5;2.5\n", ":1: .*with a comma, '1,5' in column 'a', and with a point, '2.5' in"),
        (b"a;b\n0;1.234\n1;2.345\n", ":1: .*'1.234' in column 'b' may have thousands or decimals"),
        (b"a\tb\n0\t1.234\n1\t2.345\n", ":1: .*'1.234' in column 'b' may have thousands or dec"),
        (b"a;b\n1;2\n3;4;5\n", ":3: .*3 cells; the header names 2 columns"),
        (b"sep=;\na;b\n1;2\n", ":1: .*the line 'sep=;' is no header; delete it"),
        ("a,b\nEskişehir,1\n".encode("cp1254"), ":2: .*byte 0xfe is not UTF-8; save the file as"),
        ("a,b\nKöln,1\n".encode("mac-roman"), ":2: .*byte 0x9a is not UTF-8; save the file as"),
        ("a,b\nм,1\nж,2\n".encode("cp1251"), ":2: .*byte 0xec is not UTF-8; save the file as"),
        ("a,b\nŁódź,1\n".encode("iso-8859-2"), ":2: .*byte 0xa3 is not UTF-8; save the file as"),
        ("a,é\nétá,ßц\n".encode() + b"\xff\xff\n", ":3: .*byte 0xff is not UTF-8; save the"),
        ("a,b\nмосква,1\n".encode("cp1251"), ":2: .*byte 0xec is not UTF-8; save the file as"),
        ("a,b\n1,\N{LATIN SMALL LETTER E WITH ACUTE}t\xe9\n".encode("mac-roman"), ":2: .*not UTF"),
        ("a,b\nŁódź,1\n".encode("cp1250"), ":2: .*byte 0xa3 is not UTF-8; save the file as UTF-8"),
        ("a,b\nKöln,1\n".encode("cp437"), ":2: .*byte 0x94 is not UTF-8; save the file as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), ":1: .*UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_could_be_read_in_two_ways_is_refused_in_a_line(tmp_path, content, said):
    (tmp_path / "rows.csv").write_bytes(content)
    graph = cf.loads("nodes:\n  a: {type: continuous}\n  b: {type: continuous}\n")
    with pytest.raises(cf.CausalflowError, match=said) as refused:
        cf.data.read(tmp_path / "rows.csv", graph)
    assert "\n" not in str(refused.value)


def test_a_name_with_marks_in_quotes_is_no_cut(tmp_path):
    (tmp_path / "rows.csv").write_text('"a;b",c\n1,2\n3,4\n')
    graph = cf.loads('nodes:\n  "a;b": {type: continuous}\n  c: {type: continuous}\n')
    assert list(cf.data.read(tmp_path / "rows.csv", graph).columns) == ["a;b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        'a,b,"c; d"\n1,2,"e;f"\n3,4,"g;h"\n',
        'a,b,"c ""d;"""\n1,2,"e;f ""g"""\n3,4,"h;i"\n',
    ],
)
def test_marks_in_quoted_cells_of_a_usual_file_cut_nothing(tmp_path, text, recwarn):
    (tmp_path / "rows.csv").write_text(text)
    graph = cf.loads("nodes:\n  a: {type: continuous}\n  b: {type: continuous}\n")
    assert cf.data.read(tmp_path / "rows.csv", graph).columns["b"].tolist() == [2, 4]
    assert not recwarn.list


@pytest.mark.parametrize("before", [196, 198, 199])
def test_a_quoted_cell_of_many_lines_is_one_cell_where_marks_are_looked_for(tmp_path, before):
    rows = [f'{k};"note {k}"' for k in range(before)]
    rows += ['199;"of\nsome\nmore\nlines; long"', "200;end"]
    (tmp_path / "rows.csv").write_text("x;note\n" + "\n".join(rows) + "\n")
    graph = cf.loads("nodes:\n  x: {type: continuous}\n")
    with pytest.warns(cf.CausalflowWarning, match="semicolons between cells$"):
        assert len(cf.data.read(tmp_path / "rows.csv", graph).columns["x"]) == before + 2


def test_levels_with_commas_are_names_by_every_door(tmp_path, cli):
    (tmp_path / "g.yaml").write_text(
        'nodes:\n  dose: {type: class, levels: ["1,5", "2,5"]}\n  y: {type: continuous}\n'
        "edges: [dose -> y]\n"
    )
    rows = [f"{'1,5' if k % 2 else '2,5'};{k % 7}" for k in range(40)]
    (tmp_path / "rows.csv").write_text("dose;y\n" + "\n".join(rows) + "\n")
    ran = cli("fit", "g.yaml", "--data", "rows.csv", "-o", "m.safetensors", "--no-report")
    assert ran.code == 0, ran.err
    for door in ("--data", "--evidence"):
        ran = cli("counterfactual", "m.safetensors", door, "rows.csv", "--do", "dose=2,5", "--json")
        assert ran.code == 0, ran.err


def test_a_name_that_looks_like_a_place_moves_no_line(tmp_path, cli):
    (tmp_path / "rows.csv").write_text('"x, row 99",y\n1,2\n?,3\n')
    nodes = 'nodes:\n  "x, row 99": {type: continuous}\n  y: {type: continuous}\n'
    (tmp_path / "g.yaml").write_text(nodes)
    ran = cli("data", "g.yaml", "--data", "rows.csv")
    assert ran.code == 2
    assert ran.err.startswith("rows.csv:3: node 'x, row 99', row 1: not a number: '?'")


def test_signs_alone_show_no_word_of_an_encoding(tmp_path, cli):
    (tmp_path / "rows.csv").write_bytes(b"x,y\n1,2\n1\xa0234,3\n")
    (tmp_path / "g.yaml").write_text("nodes: {x: {type: continuous}, y: {type: continuous}}\n")
    ran = cli("data", "g.yaml", "--data", "rows.csv")
    assert ran.code == 2
    said, refused = ran.err.splitlines()
    assert said == "warning: rows.csv: read with encoding cp1252"
    assert refused.startswith("rows.csv:3: node 'x', row 1: not a number")


def test_every_command_names_the_file_and_line_of_a_cell_that_is_no_number(tmp_path, cli):
    rows = [f"{x},{x + 1}" for x in range(20)]
    rows[4] = "?,5"
    (tmp_path / "bad.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    (tmp_path / "good.csv").write_text("x,y\n" + "\n".join(rows[:4]) + "\n")
    text = "nodes:\n  x: {type: continuous}\n  y: {type: continuous, noise: linear}\n"
    (tmp_path / "g.yaml").write_text(text + "edges: [x -> y]\n")
    fitted = cli("fit", "g.yaml", "--data", "good.csv", "-o", "m.safetensors", "--no-report")
    assert fitted.code == 0, fitted.err
    for words in (
        ("data", "g.yaml", "--data", "bad.csv"),
        ("fit", "g.yaml", "--data", "bad.csv", "-o", "other.safetensors"),
        ("estimate", "g.yaml", "E[y | do(x=1)]", "--data", "bad.csv"),
        ("evaluate", "m.safetensors", "--data", "bad.csv"),
        ("counterfactual", "m.safetensors", "--data", "bad.csv", "--do", "x=1"),
        ("counterfactual", "m.safetensors", "--evidence", "bad.csv", "--do", "x=1"),
    ):
        ran = cli(*words)
        assert ran.code == 2, words
        assert ran.err.startswith("bad.csv:6: "), ran.err
        assert "'x', row 4: not a number: '?'; leave the cell empty" in ran.err
        assert ran.err.count("\n") == 1
    (tmp_path / "short.csv").write_text("x\n1\n2\n")
    ran = cli("evaluate", "m.safetensors", "--data", "short.csv")
    assert ran.err.startswith("short.csv: node 'y': no such column")


def test_numbers_with_decimal_commas_are_estimated_as_numbers(tmp_path, cli):
    random = np.random.default_rng(0)
    x = random.integers(0, 2, 60)
    y = x + random.normal(size=60)
    cells = [f"{a};{b:.2f}".replace(".", ",") for a, b in zip(x, y, strict=True)]
    (tmp_path / "rows.csv").write_text("x;y\n" + "\n".join(cells) + "\n")
    (tmp_path / "g.yaml").write_text("edges: [x -> y]\n")
    ran = cli("estimate", "g.yaml", "ATE(x -> y)", "--data", "rows.csv", "--learners", "linear")
    assert ran.code == 0, ran.err
    assert ran.err == "warning: rows.csv: read with semicolons between cells, decimal commas\n"

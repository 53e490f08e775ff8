"""The command line as somebody meets it: help by task, completion, a first graph file, JSON."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

import causalflow as cf

TABLE = """id,age,sex,"dose, mg",smoker,note,site,score
""" + "\n".join(
    f"{row},{20 + 3 * row % 47}.5,{'mf'[row % 2]},{row / 7:.3f},{['yes', 'no', ''][row % 3]},"
    f"n{row},A,{[1, 2, 5][row % 3]}"
    for row in range(40)
)


def test_help_lists_every_command_once_by_task_with_an_example_each(cli):
    shown = cli("--help").out
    tasks = shown.split("Options:")[1].split("\n\n")[1:]
    examples = [block for block in tasks if "\n  $ causalflow " in block]
    assert len(examples) == 5
    names = re.findall(r"^  (\w+)  ", "\n".join(tasks), re.MULTILINE)
    assert len(names) == len(set(names))
    assert {"check", "identify", "ask", "fit", "counterfactual", "new", "completion"} <= set(names)
    for example in re.findall(r"\$ causalflow (\w+)", shown):
        assert example in names
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_the_shell_runs(cli, shell):
    ran = cli("completion", shell)
    assert ran.code == 0
    assert f"_CAUSALFLOW_COMPLETE={shell}_complete" in ran.out
    assert cli("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("causalflow ide", ["plain,identify"]),
        ("causalflow identify --expl", ["plain,--explain"]),
        ("causalflow identify gra", ["file,gra"]),
        ("causalflow completion z", ["plain,zsh"]),
        ("causalflow estimate g.yaml Q --method p", ["plain,plug-in"]),
        ("causalflow estimate g.yaml Q --learners linear,b", ["plain,linear,boosting"]),
        ("causalflow evaluate m --metrics PSNR,true-e", ["plain,PSNR,true-error"]),
        ("causalflow evaluate morpho", ["plain,morpho_mnist", "file,morpho"]),
        ("causalflow fit g.yaml --schedule cos", ["plain,cosine"]),
        ("causalflow fit g.yaml --data scene_b", ["plain,scene_ball", "file,scene_b"]),
        ("causalflow fit g.yaml --resize c", ["plain,cover", "plain,contain"]),
        ("causalflow sample m -O solver=h", ["plain,solver=heun"]),
        ("causalflow sample m -O guidance_i", ["plain,guidance_interval="]),
    ],
)
def test_a_shell_completes_commands_options_choices_and_files(words, options):
    asked = {"_CAUSALFLOW_COMPLETE": "bash_complete", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(len(words.split()) - 1)
    command = [sys.executable, "-m", "causalflow"]
    ran = subprocess.run(
        command, env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == options


def test_new_guesses_types_says_so_and_its_file_checks(cli, tmp_path):
    (tmp_path / "my rows.csv").write_text(TABLE)
    ran = cli("new", "my rows.csv")
    assert ran.code == 0, ran.err
    text = (tmp_path / "my rows.yaml").read_text()
    assert text.count("# guessed: ") == 5
    assert cli("check", "my rows.yaml").code == 0
    graph = cf.load(tmp_path / "my rows.yaml")
    assert list(graph.nodes) == ["age", "sex", "dose, mg", "smoker", "score"]
    assert graph.nodes["smoker"].type.levels == ("no", "yes")
    assert graph.nodes["score"].type.levels == ("1", "2", "5")
    for name, why in (
        ("id", "numbers the rows"),
        ("note", "different texts"),
        ("site", "the same"),
    ):
        assert re.search(rf"# left out: {name}: .*{why}", text)
    # what is written as an example is one, when it is no comment any more
    added = text.replace("  # - ", "  - ").replace("#   - ", "  - ")
    assert len(cf.loads(added.replace("# queries:", "queries:")).edges) == 1


def test_new_says_which_texts_keep_a_column_from_being_one_of_numbers(cli, tmp_path):
    cells = [str(80 + 0.5 * k) for k in range(60)] + ["?"] * 4
    (tmp_path / "rows.csv").write_text("\n".join(["pressure,x", *(f"{c},{c}" for c in cells)]))
    ran = cli("new", "rows.csv")
    assert ran.code == 2 or 'numbers, 80 to 109.5, but for "?" in 4 cells' in ran.out, ran.err


def test_edges_are_added_to_the_file_that_new_writes(cli, tmp_path):
    (tmp_path / "rows.csv").write_text(TABLE)
    assert cli("new", "rows.csv").code == 0
    text = (tmp_path / "rows.yaml").read_text()
    added = cf.edit.edited(text, cf.edit.AddEdge("age", "sex"), cf.edit.AddEdge("age", "smoker"))
    assert [line for line in added.splitlines() if line not in text.splitlines()] == [
        "  - age -> sex",
        "  - age -> smoker",
    ]


def test_new_reads_a_graph_that_a_fit_takes(cli, tmp_path):
    (tmp_path / "rows.csv").write_text(TABLE)
    assert cli("new", "rows.csv").code == 0
    ran = cli(
        "fit", "rows.yaml", "--data", "rows.csv", "-o", "m.safetensors", "--steps", 2, "--json"
    )
    assert ran.code == 0, ran.err


def test_new_reads_numbers_and_gaps_as_a_fit_does(cli, tmp_path):
    cells = ["1", "1.0", "NA", " 2", "nan", "", "2.0", "None"]
    rows = [f"{cell},{0.5 * i},79 002" for i, cell in enumerate(cells * 3)]
    (tmp_path / "rows.csv").write_text("\n".join(["grade,weight,zip", *rows, "1,7e400,12 %"]))
    told = json.loads(cli("new", "rows.csv", "--json").out)
    assert told["nodes"]["grade"]["entry"] == "{type: class, levels: [1, 2]}"
    assert "12 cells empty" in told["nodes"]["grade"]["why"]
    assert cli("data", "rows.yaml", "--data", "rows.csv").code == 0


def test_new_writes_names_of_any_language_plainly_and_an_example_question(cli, tmp_path):
    levels = {
        "sé jour": ["court", "long"],
        "âge": ["élevé", "bas"],
        "entrée": ["2019-05-19", "2020-1-2"],
    }
    levels["sortie"] = ["19/05/2019", "02.06.2020"]
    rows = [",".join(each[i % 2] for each in levels.values()) for i in range(12)]
    (tmp_path / "hôpital.csv").write_text("\n".join([",".join(levels), *rows]), encoding="utf-8")
    assert cli("new", "hôpital.csv").code == 0
    text = (tmp_path / "hôpital.yaml").read_text(encoding="utf-8")
    assert "graph: hôpital\n" in text
    assert "  âge: {type: class, levels: [bas, élevé]}" in text
    assert len(re.findall(r"# left out: (?:entrée|sortie): dates; days since", text)) == 2
    asked = text.replace("# queries:", "queries:").replace("#   - {ask", "  - {ask")
    (query,) = cf.loads(asked).queries
    assert (query.ask, query.identifiable) == ('P(âge | do("sé jour"))', True)


def test_new_keeps_what_is_there(cli, tmp_path):
    (tmp_path / "rows.csv").write_text(TABLE)
    (tmp_path / "rows.yaml").write_text("mine")
    ran = cli("new", "rows.csv")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "rows.yaml: is there already, and is kept; name another by --output\n"
    assert (tmp_path / "rows.yaml").read_text() == "mine"


def pictures(folder, names, size):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB" if len(size) == 3 else "L", size[:2]).save(file)


def test_new_reads_pictures_with_labels_and_a_folder_a_level(cli, tmp_path):
    pictures(tmp_path / "named", [f"{i}.png" for i in range(8)], (10, 12))
    table = "path,digit\n" + "\n".join(f"{i}.png,{i % 3}" for i in range(8))
    (tmp_path / "named" / "labels.csv").write_text(table)
    pictures(tmp_path / "tree", ["cat/1.png", "guinea pig/1.png"], (9, 7, 3))
    for folder, edge, shape in (
        ("named", ("digit", "image"), (1, 12, 10)),
        ("tree", ("label", "image"), (3, 7, 9)),
    ):
        told = json.loads(cli("new", folder, "--json").out)
        assert list(told["nodes"]) == [edge[0], "image"]
        graph = cf.load(tmp_path / told["file"])
        assert [(each.source, each.target) for each in graph.edges] == [edge]
        assert tuple(graph.nodes["image"].type.shape) == shape
        assert cli("data", told["file"], "--data", folder).code == 0


def test_new_writes_names_of_several_words_plainly_and_the_fit_that_takes_all_sizes(cli, tmp_path):
    pictures(tmp_path / "skin", ["a.png", "b.png"], (20, 20, 3))
    pictures(tmp_path / "skin", ["c.png"], (30, 20, 3))
    rows = "path,sun exposure,size mm\na.png,low,3.5\nb.png,high,4.5\nc.png,low,5.5\n"
    (tmp_path / "skin" / "labels.csv").write_text(rows)
    file = tmp_path / "skin.yaml"
    cli("new", tmp_path / "skin", "-o", file)
    lines = file.read_text().splitlines()
    assert any(line.endswith("--resize cover -o model.safetensors") for line in lines)
    assert any("""- '"sun exposure", "size mm" -> image'""" in line for line in lines)
    assert {edge.source for edge in cf.load(file).edges} == {"sun exposure", "size mm"}


def test_new_says_what_it_cannot_read(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n1\n")
    for source in ("empty", "bad.csv", "nowhere"):
        ran = cli("new", source)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.glob("*.yaml")) == []


def test_a_hostile_header_makes_no_other_file(cli, tmp_path):
    (tmp_path / "rows.csv").write_text('"x: {\ny",a#b,"nodes",true\n' + "1,2,3,x\n2,3,1,y\n" * 9)
    assert cli("new", "rows.csv").code == 0
    assert list(cf.load(tmp_path / "rows.yaml").nodes) == ["a#b", "nodes", "true"]


def test_draw_says_its_verdict_as_json(cli, tmp_path):
    (tmp_path / "bow.yaml").write_text("edges: [x -> y, x <-> y]\n")
    told = json.loads(cli("draw", "bow.yaml", "--query", "P(y | do(x))", "--json").out)
    assert told["picture"] == "bow.png"
    assert told["verdict"]["identifiable"] is False
    assert json.loads(cli("draw", "bow.yaml", "--json").out)["verdict"] is None


@pytest.fixture
def table_graph(tmp_path):
    path = tmp_path / "dose.yaml"
    path.write_text(
        "exogenous:\n  u: {p: [0.5, 0.5]}\n  e: {p: [0.25, 0.75]}\nnodes:\n"
        "  x: {type: class, levels: [low, high], equation: u}\n"
        "  y: {type: class, levels: 2, equation: x & e}\n"
    )
    return path


@pytest.fixture
def said(cli, monkeypatch):
    """What the prompt says to lines that are typed."""

    def talk(*words, lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
        return cli("ask", *words)

    return talk


def test_the_prompt_answers_one_question_after_the_other(said, table_graph):
    ran = said(table_graph, "-i", lines=["P(y=1 | do(x=high))", "", "nodes", "quit", "P(y)"])
    assert ran.code == 0
    assert ran.out.splitlines()[:2] == ["> P(y=1 | do(x=high))", "3/4"]
    assert "x: low | high" in ran.out
    assert "P(y)" not in ran.out


def test_the_prompt_marks_a_mistake_at_its_place_and_goes_on(said, table_graph):
    ran = said(table_graph, "-i", lines=["P(y | do(z=1))", "P(y=1 | x=high)"])
    assert ran.code == 0
    mark, message = ran.err.splitlines()
    assert mark.index("^") == "> P(y | do(z=1))".index("z")
    assert message == "query: unknown node 'z'; expected one of ['x', 'y', 'u', 'e']"
    assert "3/4" in ran.out


def test_the_prompt_prints_json_and_a_question_may_come_first(said, table_graph):
    ran = said(table_graph, "P(x)", "-i", "--json", lines=["P(y)"])
    shown = ran.out.replace("> P(y)\n", "")
    first, end = json.JSONDecoder().raw_decode(shown)
    second = json.loads(shown[end:])
    assert [each["table"][0]["p"] for each in (first, second)] == [0.5, 0.625]


def test_without_a_question_ask_says_what_is_missing(cli, table_graph):
    ran = cli("ask", table_graph)
    assert ran.code == 2
    assert ran.err == "causalflow ask: Missing argument 'QUERY'. (see 'causalflow ask --help')\n"


@pytest.mark.skipif(os.name == "nt", reason="terminals of a POSIX system")
def test_the_tab_key_completes_what_is_typed(table_graph):
    pytest.importorskip("readline", reason="Python without readline")
    import pty

    main, other = pty.openpty()
    command = [sys.executable, "-m", "causalflow", "ask", str(table_graph), "-i"]
    ran = subprocess.Popen(command, stdin=other, stdout=other, stderr=other)
    os.close(other)
    seen = b""
    while b"> " not in seen:
        seen += os.read(main, 1000)
    os.write(main, b"P(y=1 | do(x=hi\t))\nquit\n")
    while chunk := _read(main):
        seen += chunk
    os.close(main)
    assert ran.wait(60) == 0
    assert b"do(x=high))" in seen
    assert b"3/4" in seen


def _read(terminal):
    """What is there to be read; nothing when the other end is closed."""
    try:
        return os.read(terminal, 1000)
    except OSError:
        return b""


@pytest.mark.parametrize("command", ["check", "identify", "draw", "new", "evaluate", "sample"])
def test_what_prints_prints_json(cli, command):
    assert re.search(r"--json +Print JSON", cli(command, "--help").out)

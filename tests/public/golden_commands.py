"""Commands: the help of each, what some of them print, and the mistakes of users, word by word."""

import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

from golden_files import command, workplace

TOLERANCE = 0.0
COMMANDS = (
    "",
    *("check", "draw", "identify", "enumerate", "ask", "describe"),
    *("fit", "sample", "counterfactual", "evaluate", "demo"),
)
FILES = {
    "sizes.yaml": "graph: sizes\nnodes:\n  color: {type: class, levels: [green, red]}\n"
    "  size: {type: continuous, unit: px, noise: linear}\nedges: [color -> size]\n",
    "rows.csv": "color,size\ngreen,1.0\nred,3.1\ngreen,0.9\nred,2.9\ngreen,1.1\nred,3.0\n",
    "blue.csv": "color,size\nred,1\nblue,2\n",
    "gap.csv": "color,size\nred,\n",
    "empty.csv": "",
    "headers.csv": "color,size\n",
    "cycle.yaml": "edges: [a -> b, b -> a]\n",
    "field.yaml": "nodes:\n  x: {type: class, levls: 2}\n",
    "type.yaml": "nodes:\n  x: {type: clas, levels: 2}\n",
    "solver.yaml": "nodes:\n  x: {type: class, levels: 2}\n"
    "  image: {type: image, shape: [1, 8, 8], diffusion: {solver: hein}}\nedges: [x -> image]\n",
    "option.yaml": "nodes:\n  image: {type: image, shape: [1, 8, 8], diffusion: {stepz: 3}}\n",
    "section.yaml": "node:\n  x: {type: class, levels: 2}\n",
    "query.yaml": "edges: [a -> b]\nqueries:\n  - {ask: 'P(c | do(a))', identifiable: true}\n",
    "verdict.yaml": "edges: [a -> b]\nqueries:\n  - {ask: 'P(b | do(a))', identifiable: false}\n",
    "answer.yaml": "nodes:\n  x: {type: class, levels: 2, table: [1/4, 3/4]}\n"
    "queries:\n  - {ask: 'P(x=1)', answer: 1/4}\n",
    "table.yaml": "nodes:\n  x: {type: class, levels: 2, table: [1/4, 1/4]}\n",
    "equation.yaml": "nodes:\n  x: {type: class, levels: 2, equation: u +}\n",
    "broken.yaml": "nodes: {x: {type: class\n",
    "model.safetensors": "no model",
}
PRINTED = """
check graphs/ascm_xy.yaml graphs/classics/monty_hall.yaml
check graphs/literature/bow.yaml
check --json verdict.yaml
check --json graphs/literature/front_door.yaml query.yaml cycle.yaml
identify graphs/literature/napkin.yaml "P(y | do(x))" --explain --proof
identify graphs/literature/bow.yaml "P(y | do(x))" --json --explain
identify graphs/literature/bow.yaml "P(y | do(x))" --data "P(v)" --data "P(v | do(x))"
identify graphs/literature/mediation.yaml "NDE(x -> y)" --explain
ask graphs/ascm_xy.yaml "P(i[x=1] | i=5)"
ask graphs/ascm_xy.yaml "P(i[x=1] | i=5)" --json
ask graphs/ascm_xy.yaml "P(y[x=1]=1 | x, i)" --given x=0 --given i=6
ask graphs/classics/firing_squad.yaml "PN(a=yes/no -> dead=yes/no)"
identify graphs/ascm_xy.yaml "P(i | do(x=1))"
ask graphs/ascm_xy.yaml "P(x, y)"
enumerate graphs/ascm_xy.yaml
enumerate graphs/ascm_xy.yaml --json
describe graphs/digits_demo_frontdoor.yaml
describe graphs/morphomnist_scm.yaml --json
sample graphs/ascm_xy.yaml -n 5 --do x=1
sample graphs/ascm_xy.yaml -n 3 --json --seed 4
fit sizes.yaml --data rows.csv -o fitted.safetensors --no-progress
sample fitted.safetensors -n 3 --do color=red
counterfactual fitted.safetensors --given color=red --given size=3 --do color=green
counterfactual fitted.safetensors --evidence rows.csv --do size+=1 --json
ask fitted.safetensors "E[size | do(color)]" --given color=red --draws 200
describe fitted.safetensors
draw sizes.yaml -o sizes.dot
"""
MISTAKES = """
chek
check
check --jsn graphs/ascm_xy.yaml
check none.yaml
check cycle.yaml field.yaml query.yaml
check verdict.yaml
check answer.yaml
check type.yaml
check solver.yaml
check option.yaml
check section.yaml
check table.yaml
check equation.yaml
check broken.yaml
check empty.csv
identify none.yaml "P(y | do(x))"
identify graphs/literature/bow.yaml "P(y | do(x)"
identify graphs/literature/bow.yaml "P(y | do(q))"
identify graphs/literature/bow.yaml "Q(y)"
identify graphs/literature/bow.yaml ""
identify graphs/literature/bow.yaml "NDF(x -> y)"
identify graphs/literature/bow.yaml "P(y | do(x))" --data experimentl
identify graphs/literature/bow.yaml
ask graphs/ascm_xy.yaml "P(x | i=1)"
ask graphs/ascm_xy.yaml "P(x=2)"
ask graphs/ascm_xy.yaml "P(y | x=0)" --given x=1
ask graphs/ascm_xy.yaml "P(y | x)" --given x=1 --given x=0
ask graphs/ascm_xy.yaml "P(y | x)" --given x+=1
ask graphs/ascm_xy.yaml "P(y | x)" --given x
ask graphs/bar_mnist_frontdoor.yaml "P(bar)"
ask none.safetensors "P(y)"
ask none.yaml "P(y)"
ask model.safetensors "P(y)"
ask graphs/ascm_xy.yaml "P(y)" --draws 0
enumerate graphs/morphomnist_scm.yaml
draw sizes.yaml -o g.gif
draw sizes.yaml -o /dev/null/g.png
draw cycle.yaml
describe rows.csv
describe graphs/literature/bow.yaml
fit sizes.yaml --data rows.csv
fit sizes.yaml --data nix.csv -o m.safetensors
fit sizes.yaml --data morfo_mnist -o m.safetensors
fit sizes.yaml --data blue.csv -o m.safetensors
fit sizes.yaml --data headers.csv -o m.safetensors
fit sizes.yaml --data rows.csv -o m.safetensors --steps 0
fit sizes.yaml --data rows.csv -o m.safetensors --steps x
fit sizes.yaml --data rows.csv -o m.safetensors --schedule cosin
fit sizes.yaml --data rows.csv -o m.safetensors --precision 8
fit sizes.yaml --data rows.csv -o m.safetensors --device tpu
fit sizes.yaml --data rows.csv -o rows.csv/m.safetensors
sample none.safetensors
sample sizes.yaml
sample graphs/ascm_xy.yaml --do z=1
sample graphs/ascm_xy.yaml --do x=7
sample graphs/ascm_xy.yaml --do x
sample graphs/ascm_xy.yaml --do x+=1
sample graphs/ascm_xy.yaml --do x=1 --do x=0
sample graphs/ascm_xy.yaml --node q
sample graphs/ascm_xy.yaml -n 0
sample graphs/ascm_xy.yaml --device gpu
sample fitted.safetensors --do size=big
sample fitted.safetensors --do size=nan
sample fitted.safetensors --do colr=red
sample rows.csv
sample fitted.safetensors -o a.png
counterfactual fitted.safetensors --do color=red
counterfactual fitted.safetensors --given color=red
counterfactual fitted.safetensors --given size+=1 --do color=red
counterfactual fitted.safetensors --image a.png --do color=red
counterfactual fitted.safetensors --given color=red --do color=0 -o a.png
counterfactual fitted.safetensors --evidence empty.csv --do color=red
counterfactual fitted.safetensors --evidence headers.csv --do color=red
counterfactual fitted.safetensors --evidence rows.csv --given a=1 --do color=1
counterfactual fitted.safetensors --evidence rows.csv --given color=1 --do color=1
counterfactual fitted.safetensors --evidence gap.csv --do colr=red
evaluate fitted.safetensors --data rows.csv
evaluate fitted.safetensors
evaluate graphs/ascm_xy.yaml
demo --images 0
"""


def lines(text):
    """One string for each line, click's quotes of an unknown option left out."""
    return text.rstrip("\n").replace("'--jsn'", "--jsn").split("\n")


def of_help(name):
    """In an interpreter of its own: a help names methods, and other tests register theirs."""
    words = [sys.executable, "-m", "causalflow", *filter(None, [name]), "--help"]
    place = os.environ | {"COLUMNS": "100", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(words, env=place, capture_output=True, text=True, check=False)
    return [done.returncode, " ".join(done.stdout.split()), done.stderr]


def of_lines(text, shown):
    """What each command line does, one after the other in one folder."""
    with workplace() as folder:
        for name, content in FILES.items():
            Path(name).write_text(content, encoding="utf-8")
        fit = "fit sizes.yaml --data rows.csv -o fitted.safetensors --no-progress"
        assert command(*shlex.split(fit))[0] == 0
        Path("fitted.safetensors").rename("kept.safetensors")
        found = {}
        for line in filter(None, text.splitlines()):
            if not line.startswith("fit"):
                Path("kept.safetensors").replace("fitted.safetensors")
            code, out, err = command(*shlex.split(line))
            if not line.startswith("fit"):
                Path("fitted.safetensors").replace("kept.safetensors")
            found[line] = {
                "code": code,
                "out": shown(out),
                "err": lines(err.replace(str(folder), "FOLDER")),
            }
        return found


CASES = {
    **{f"help {name or 'of all'}": partial(of_help, name) for name in COMMANDS},
    "printed": partial(of_lines, PRINTED, lines),
    "mistakes": partial(of_lines, MISTAKES, lines),
}

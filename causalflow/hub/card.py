"""Card: what a model says of itself to people, in Markdown: README.md of its folder.

It says what the model knows, in the words of those who know it: the declaration, what follows from
the graph alone and what does not (`causalflow.identify`), the ranges that were learned
(`causalflow.model.experience`), scores with their intervals (`cf.evaluate`), and what they rest on.
What nobody has measured is said to be so. The head is read by model hubs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from causalflow.errors import CausalflowError
from causalflow.evaluation.bench import INTERVALS
from causalflow.evaluation.evaluation import Evaluation
from causalflow.evaluation.page import columns
from causalflow.evaluation.table_report import TableReport
from causalflow.graph.node import images_of
from causalflow.hub.model_folder import ranges
from causalflow.hub.specimens import Specimen
from causalflow.identify.identify import identify
from causalflow.model.model import Model
from causalflow.model.storage import frozen_networks

__all__ = ["Account", "card"]

MOST_QUESTIONS = 12
TIME = "time"
"""The metric that is the machine's, not the model's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Account:
    """What a card tells.

    Attributes:
        model: the model.
        name: what the reader calls it.
        place: the text from which a reader has it, as ``cf.from_pretrained`` takes it.
        about: what it is for, in its author's words.
        limits: what it is not for, in its author's words.
        license: the terms on which the weights are given.
        evaluation: how good it is, if that was measured.
        command: the command that measures the same again; "": none does.
        specimens: its pictures.
    """

    model: Model
    name: str
    place: str
    about: str = ""
    limits: str = ""
    license: str = ""
    evaluation: Evaluation | TableReport | None = None
    command: str = ""
    specimens: Sequence[Specimen] = field(default_factory=tuple)


def card(account: Account) -> str:
    """The whole text."""
    parts = (
        _head(account),
        _opening(account),
        _use(account),
        _nodes(account.model),
        _known(account),
        _learned(account.model),
        _scores(account),
        _limits(account),
        ["## License", account.license or "Not stated: ask before you use it."],
    )
    return "\n\n".join(line for part in parts for line in part) + "\n"


def _head(account: Account) -> Iterator[str]:
    """What hubs sort models by, YAML: JSON's texts are texts of YAML too."""
    tags = ["causal-inference", "counterfactual", "structural-causal-model"]
    if images_of(account.model.graph.nodes):
        tags += ["diffusion", "image"]
    fields = {"library_name": "causalflow", "tags": tags}
    fields |= {"license": account.license} if account.license else {}
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    yield "\n".join(["---", *lines, "---"])


def _opening(account: Account) -> Iterator[str]:
    yield f"# {_plain(account.name)}"
    yield (
        f"A structural causal model: a mechanism for every node of the graph "
        f"`{_code(account.model.graph.name)}`, made with causalflow. It draws under "
        "interventions, and says what would have been."
    )
    if account.about:
        yield account.about
    for each in account.specimens:
        yield f"![{_plain(each.about)}]({each.file})"
        yield f"*{_plain(each.about)}*"


def _use(account: Account) -> Iterator[str]:
    yield "## Use"
    yield "\n".join(
        [
            "```python",
            "import causalflow as cf",
            "",
            f"model = cf.from_pretrained({json.dumps(account.place, ensure_ascii=False)})",
            "world = model.sample(8)",
            "print(model.describe())",
            "```",
        ]
    )
    yield (
        "`graph.yaml` is the declaration, `model.safetensors` the weights, and `config.json` has "
        "the digests of both, which are checked when the model is read. No file is executed."
    )


def _nodes(model: Model) -> Iterator[str]:
    yield "## The model"
    rows = model.scm.describe()
    yield _table(
        ("node", "type", "parents", "mechanism", "numbers"),
        ([*(str(row[name]) for name in _COLUMNS), f"{row['parameters']:,}"] for row in rows),
    )
    missing = [name for name in model.graph.nodes if name not in model.fitted]
    if missing:
        yield f"Not fitted yet: {', '.join(map(_plain, missing))}."


_COLUMNS = ("node", "type", "parents", "mechanism")


def _known(account: Account) -> Iterator[str]:
    """The graph's questions, and what decides each."""
    yield "## What data can tell"
    yield (
        "Whether the graph and the law of the data, P(v), decide a question, whatever the "
        "mechanisms are. What they do not decide rests on the mechanisms chosen here: another "
        "model with the same law of the data may answer otherwise."
    )
    rows = [_verdict(account.model, question) for question in _questions(account)]
    yield _table(("question", "decided", "why"), rows[:MOST_QUESTIONS])
    if (more := len(rows) - MOST_QUESTIONS) > 0:
        yield f"And {more} more in `graph.yaml`."


def _questions(account: Account) -> list[str]:
    """Those that the graph file asks, and those of the pictures shown."""
    graph = account.model.graph
    own = [each.ask for each in graph.queries]
    return list(dict.fromkeys([*own, *(each.asked for each in account.specimens if each.asked)]))


def _verdict(model: Model, question: str) -> tuple[str, str, str]:
    try:
        verdict = identify(model.graph, question)
    except CausalflowError as mistake:
        return question, "-", str(mistake)
    first, *rest = str(verdict).splitlines()
    if verdict.identifiable:
        return question, "yes", str(verdict.estimand)
    decided = "no" if verdict.identifiable is False else "unknown"
    return question, decided, "; ".join(" ".join(each.split()) for each in rest or [first])


def _learned(model: Model) -> Iterator[str]:
    """The ranges, and whatever else the model keeps of its rows."""
    yield "## What it was fitted to"
    kept, types = model.experience, model.scm.types
    if learned := ranges(model):
        ends = learned.items()
        rows = ((n, types[n].words, f"{low:.4g}", f"{high:.4g}") for n, (low, high) in ends)
        yield "Between these values it has learned; outside it extrapolates, and warns."
        yield _table(("node", "type", "least", "largest"), rows)
    elif not any(kept.pictures.values()):
        yield "The model keeps nothing of its rows."
    for name, pictures in kept.pictures.items():
        yield f"`{_code(name)}`: {pictures.rows:,} pictures."
    if kept.distances:
        yield "Distance of its draws from the rows, 0 to 1 (Kolmogorov-Smirnov):"
        found = ((name, f"{apart:.2g}") for name, apart in kept.distances.items())
        yield _table(("node", "distance"), found)
    for name, share in kept.gaps.items():
        yield f"`{_code(name)}`: {share:.1%} of the rows did not show it."


def _scores(account: Account) -> Iterator[str]:
    """The numbers, but for those of the machine that they were measured on."""
    found, command = account.evaluation, account.command
    yield "## Scores"
    match found:
        case None:
            if len(images_of(account.model.graph.nodes)) > 1:
                yield "Not measured: `causalflow evaluate` measures models of one image."
            else:
                yield "Not measured: no rows were given when this folder was written."
        case TableReport():
            yield f"Judged by {found.rows:,} rows."
            yield f"```text\n{found.table()}\n```"
            yield _list(found.record()["notes"])
        case Evaluation():
            bench = found.bench
            again = f" `{_code(command)}` measures it again." if command else ""
            yield f"{len(bench.subject):,} pictures of {_plain(bench.subject.about)}.{again}"
            kept = [each for each in found.measures if each.name != TIME]
            shown = columns(kept, bench.subject.kind)
            cells = (map(str, each) for each in shown.values())
            yield _table(list(shown), zip(*cells, strict=True))
            judges = (f"judge of {name}: {judge.how}" for name, judge in bench.judges.items())
            yield _list([INTERVALS, *found.rests_on, *bench.notes, *judges])


def _limits(account: Account) -> Iterator[str]:
    yield "## Limits"
    said = [
        "What the graph says is assumed, not tested here; if an edge is wrong, so are the answers.",
        "A counterfactual of one row is decided by data only where the table above says yes.",
        *(sentence for each in account.specimens for sentence in each.rests_on),
    ]
    for name in frozen_networks(account.model.scm):
        said.append(f"'{name}' needs the folder of a network trained elsewhere beside these files.")
    yield _list(dict.fromkeys(said))
    if account.limits:
        yield account.limits


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(each)}" for each in items)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|") or " "


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    marked = "".join(f"\\{letter}" if letter in _MARKS else letter for letter in text)
    return " ".join(escape(marked, quote=False).split())


_MARKS = "\\`*_[]#"


def _code(text: str) -> str:
    """A text between backticks."""
    return " ".join(text.replace("`", "'").split())

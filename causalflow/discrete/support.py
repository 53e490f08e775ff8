"""Support: the cells on which an estimand conditions and that a finite model never fills.

There P(v) does not tell the answer, however identifiable the graph makes it (positivity).
"""

from __future__ import annotations

import math

from causalflow.discrete.scm import ExactModel
from causalflow.errors import CausalflowError
from causalflow.graph.schema import Class, Image, Node
from causalflow.identify.verdict import Verdict
from causalflow.limits import SUPPORT_CELLS
from causalflow.symbolic.expression import variables
from causalflow.symbolic.positivity import empty_cells

__all__ = ["missing_support"]


def missing_support(model: ExactModel, verdict: Verdict) -> tuple[str, ...]:
    """A sentence for each denominator of the estimand that is zero somewhere.

    Nothing is said of estimands over many variables, or from experiments.

    Example:
        >>> from causalflow.graph.reader import loads
        >>> from causalflow.identify.identify import identify
        >>> graph = loads('''
        ... exogenous: {u: {p: [1/2, 1/2]}}
        ... nodes:
        ...   z: {type: class, levels: 2, equation: u}
        ...   x: {type: class, levels: 2, equation: z}
        ...   y: {type: class, levels: 2, equation: x & z}
        ... ''')
        >>> missing_support(ExactModel(graph), identify(graph, "P(y | do(x))"))
        ('P(x, z) is 0 at x=0, z=1; x=1, z=0',)
    """
    if verdict.estimand is None or verdict.data != ("P(v)",):
        return ()
    names = sorted(variables(verdict.estimand))
    if math.prod(_levels(model.graph.nodes[name]) for name in names) > SUPPORT_CELLS:
        return ()
    try:
        joint = model.joint(names)
    except CausalflowError:  # too wide a question for exact inference
        return ()
    return empty_cells(verdict.estimand, joint)


def _levels(node: Node) -> float:
    match node:
        case Class(levels=levels):
            return len(levels)
        case Image(levels=int(levels), shape=shape):
            return float(levels) ** math.prod(shape)
        case _:
            return math.inf

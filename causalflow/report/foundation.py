"""Foundation: what the numbers of an evaluation rest on.

pictures    whether the model was fitted to the pictures that it is measured on, by the digests
that it keeps of its rows; never claimed where they are not kept
outside     what the rows or the interventions give it outside of the ranges it was fitted to
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from causalflow.errors import CausalflowWarning, SupportWarning
from causalflow.model.model import Model
from causalflow.model.support import Watch
from causalflow.report.actions import Action
from causalflow.report.subject import Subject, image_node

__all__ = ["foundation"]


def foundation(model: Model, subject: Subject, actions: Sequence[Action]) -> tuple[str, ...]:
    """One sentence on the pictures, and one on each column that is outside; warns of both.

    Args:
        model: fitted.
        subject: its rows as they are kept, not brightened.
        actions: what is done to every row.
    """
    return (_pictures(model, subject), *_outside(model, subject, actions))


def _pictures(model: Model, subject: Subject) -> str:
    name, n = image_node(model.graph), len(subject)
    kept = model.experience.pictures.get(name)
    if kept is None:
        return f"whether the model was fitted to any of these {n:,} pictures is not known"
    known = kept.known(subject.rows[name])
    if known:
        least = "" if kept.whole else "at least "
        are = "is" if known == 1 else "are"
        said = (
            f"{least}{known:,} of the {n:,} pictures {are} among those the model was fitted to: "
            "the numbers say less of new ones"
        )
        warnings.warn(f"evaluate: {said}", CausalflowWarning, stacklevel=4)
        return said
    if kept.whole:
        return f"none of the {n:,} pictures is among the {kept.rows:,} the model was fitted to"
    return (
        f"none of the {n:,} pictures is among the {kept.kept:,} that are known of the "
        f"{kept.rows:,} the model was fitted to"
    )


def _outside(model: Model, subject: Subject, actions: Sequence[Action]) -> tuple[str, ...]:
    watch, every = Watch(scm=model.scm, experience=model.experience), frozenset(model.scm.order)
    watch.evidence(subject.rows, every)
    for action in actions:
        for name, values in action.values.items():
            watch.setting(name, values, every - action.values.keys())
    if watch.warning:
        warnings.warn(f"evaluate: {watch.warning}", SupportWarning, stacklevel=4)
    return watch.sentences

"""SCM: a mechanism for every node, hidden causes as roots, in engine values.

A `StructuralModel` is a structural causal model (SCM). Notation: V the nodes, U the exogenous
variables, x_i = f_i(pa_i, u_i).

Hidden roots are of two kinds: the exogenous variables that the graph file declares, and one latent
class per ``<->`` of classes. Both are values that several nodes may read; what is left of a node's
noise belongs to its mechanism, and to those who listen to it (`causalflow.graph.hearing`). A world
is computed by `predict` in topological order from a noise, the interventions overriding mechanisms:

    counterfactual = abduct (noise of the factual world), act (mutilate), predict (same noise).

What is the same in every call is found once: the order, the types, who depends on whom, and the
images under the options of a call (`configured`).

Source: Pearl (2009), Causality, section 7.1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from causalflow.admg.admg import ADMG
from causalflow.diffusion.denoiser import Denoiser
from causalflow.errors import CausalflowError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.hearing import Hearing, order
from causalflow.graph.node import Anticausal
from causalflow.graph.settings import Settings, in_force, listed, settled
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.mechanisms.latent_class import LatentClass
from causalflow.mechanisms.mechanism import (
    Likely,
    Mechanism,
    Noise,
    Values,
    labelled,
    module_key,
    snapped,
)
from causalflow.mechanisms.own_noise import column, number
from causalflow.mechanisms.policy import PolicyAction
from causalflow.nn.replay import Replay
from causalflow.query import query
from causalflow.query.policy import Policy
from causalflow.query.regime import parents_under
from causalflow.values.column import GAP

__all__ = [
    "PRECISIONS",
    "Intervention",
    "StructuralModel",
    "WorldNoise",
    "accelerate",
]

Intervention: TypeAlias = Tensor | Callable[[Tensor], Tensor] | PolicyAction
WorldNoise: TypeAlias = Mapping[str, Noise]
Kind = TypeVar("Kind", bound=nn.Module)

BY_TIMES = frozenset({"difference_times", "difference_weights"})
"""The options that a call leaves out which names the steps."""
KEPT_TOLD = "told: "
"""Before the name of what a node heard in the factual world, in its noise."""
KEPT = 16
"""How many sets of options the images are kept configured for."""


class StructuralModel(nn.Module):
    """Mechanisms by node in topological order, and the hidden roots they share.

    Args:
        graph: the declaration.
        mechanisms: one per node.
        roots: the hidden roots: declared exogenous variables and latent classes.
        hidden_parents: the roots that each node reads.
        hearings: the nodes that listen to another's own noise.

    Attributes:
        settings: what was chosen for image nodes, which the graph declares too.
        in_force: the options of image nodes that are not the package's, and where each comes from.
    """

    def __init__(
        self,
        graph: Graph,
        mechanisms: Mapping[str, nn.Module],
        roots: Mapping[str, ExogenousVariable | LatentClass],
        hidden_parents: Mapping[str, tuple[str, ...]],
        hearings: Sequence[Hearing] = (),
    ) -> None:
        super().__init__()
        self.graph = graph
        self.types = {name: node.type for name, node in graph.nodes.items()}
        self.order = order(graph)
        self.root_names = tuple(roots)
        self.hidden_parents = dict(hidden_parents)
        self.hearings = tuple(hearings)
        self._heard = {each.heard: each for each in hearings}
        self._values = frozenset(each.heard for each in hearings if each.value)
        self._parents: dict[str, tuple[str, ...]] = dict.fromkeys(roots, ())
        for name in self.order:
            above = graph.parents(name)
            observed = [other for other in self.order if other in above]
            self._parents[name] = (*observed, *hidden_parents.get(name, ()))
        self._natural: dict[str, frozenset[str]] = {}
        for name in self.order:
            told = [n for each in self.listened(name) for n in (each.heard, *each.context)]
            self._natural[name] = frozenset().union(*(self.needed([each]) for each in told))
        self._mechanisms = nn.ModuleDict({module_key(n): mechanisms[n] for n in self.order})
        self._roots = nn.ModuleDict({module_key(n): root for n, root in roots.items()})
        self.settings: Mapping[str, Settings] = {}
        self.in_force = in_force(graph, {})
        self._configured: dict[str, StructuralModel] = {}

    def mechanism(self, name: str) -> Mechanism:
        """The mechanism of a node."""
        return cast(Mechanism, self.module(name))

    def module(self, name: str) -> nn.Module:
        """The mechanism of a node, as a module."""
        return self._mechanisms[module_key(name)]

    def root(self, name: str) -> ExogenousVariable | LatentClass:
        """A hidden root."""
        return cast("ExogenousVariable | LatentClass", self._roots[module_key(name)])

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU where there are none."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    @cached_property
    def equations(self) -> dict[str, EquationMechanism]:
        """The nodes made by an equation, in topological order."""
        return self._modules_of(EquationMechanism)

    @property
    def given(self) -> frozenset[str]:
        """The nodes with nothing to fit: an equation, a table, or networks trained elsewhere."""
        tables = {n for n, table in self.tables.items() if table.is_given}
        trained = {n for n, i in self.images.items() if i.denoiser.trained and i.predictor is None}
        return frozenset(self.equations) | tables | trained

    @property
    def learned(self) -> frozenset[str]:
        """The nodes whose mechanism comes from data, here or elsewhere: no equation, no table."""
        tables = {n for n, table in self.tables.items() if table.is_given}
        return frozenset(self.order) - self.equations.keys() - tables

    @cached_property
    def tables(self) -> dict[str, Categorical]:
        """The class nodes that keep a table, given or fitted, in topological order."""
        return {n: each for n, each in self._modules_of(Categorical).items() if each.is_table}

    @cached_property
    def images(self) -> dict[str, ImageMechanism]:
        """The nodes made by a diffusion model."""
        return self._modules_of(ImageMechanism)

    @cached_property
    def exogenous(self) -> dict[str, ExogenousVariable]:
        """The declared exogenous variables."""
        roots = {name: self.root(name) for name in self.root_names}
        return {n: root for n, root in roots.items() if isinstance(root, ExogenousVariable)}

    @cached_property
    def latents(self) -> dict[str, LatentClass]:
        """The latent class of each ``<->``."""
        roots = {name: self.root(name) for name in self.root_names}
        return {n: root for n, root in roots.items() if isinstance(root, LatentClass)}

    @property
    def denoisers(self) -> list[Denoiser]:
        """The denoisers of the images, distilled ones too, whose network calls are counted."""
        return [each for image in self.images.values() for each in image.denoisers]

    def _modules_of(self, kind: type[Kind]) -> dict[str, Kind]:
        modules = {name: self.module(name) for name in self.order}
        return {name: module for name, module in modules.items() if isinstance(module, kind)}

    def configured(self, options: Mapping[str, Any]) -> StructuralModel:
        """This model under other options of its image nodes, weights shared; made once for each.

        Args:
            options: those of `ImageMechanism.configured`; none: the model itself.

        Raises:
            GraphError: a value out of range.
        """
        if not options or not self.images:
            return self
        key = repr(sorted(options.items()))
        if key not in self._configured:
            if len(self._configured) >= KEPT:
                self._configured.clear()
            images = {name: each.configured(**options) for name, each in self.images.items()}
            self._configured[key] = self._with_images(images)
            asked = {name: (value, "call") for name, value in options.items()}
            left = BY_TIMES if options.get("steps") is not None else frozenset()
            used = {
                name: {k: v for k, v in self.in_force.get(name, {}).items() if k not in left}
                | asked
                for name in images
            }
            self._configured[key].in_force = used
        return self._configured[key]

    def __getstate__(self) -> dict[str, Any]:
        """Without the models under other options, which are made again."""
        return {**self.__dict__, "_configured": {}}

    def settled(self, settings: Mapping[str, Settings]) -> StructuralModel:
        """This model with other defaults of its image nodes, weights shared.

        Raises:
            CausalflowError: settings that do not fit the graph.
        """
        graph = settled(self.graph, settings)
        images = {name: self.images[name].settled(each) for name, each in settings.items()}
        other = self._with_images(images)
        later = {n: self.settings.get(n, Settings()).then(each) for n, each in settings.items()}
        other.graph, other.settings = graph, {**self.settings, **later}
        other.in_force = in_force(graph, other.settings)
        return other

    def _with_images(self, images: Mapping[str, ImageMechanism]) -> StructuralModel:
        other = copy.copy(self)
        own = dict(self._mechanisms.items()) | {module_key(n): i for n, i in images.items()}
        other._modules = {**self._modules, "_mechanisms": nn.ModuleDict(own)}
        other.__dict__.pop("images", None)
        return other

    def describe(self) -> list[dict[str, Any]]:
        """One row a hidden root and node, roots first, nodes in topological order.

        Returns:
            Rows with the columns node, type, parents, mechanism, parameters (numbers set by
            fitting: parameters, and the tables and statistics kept as buffers).
        """
        used = self.in_force
        roots: dict[str, nn.Module] = {name: self.root(name) for name in self.root_names}
        modules = roots | {name: self.module(name) for name in self.order}
        return [
            {
                "node": name,
                "type": self._words(name),
                "parents": ", ".join(self._edge(parent, name) for parent in self.told(name)),
                "mechanism": "; ".join(
                    [cast(Any, module).description, *([listed(used[name])] if name in used else [])]
                ),
                "parameters": sum(tensor.numel() for tensor in module.state_dict().values()),
            }
            for name, module in modules.items()
        ]

    def _words(self, name: str) -> str:
        if name in self.root_names:
            return "exogenous" if name in self.exogenous else "latent class"
        length = self.graph.nodes[name].representation
        return self.types[name].words + (f", representation {length}" if length is not None else "")

    def _edge(self, parent: str, child: str) -> str:
        """A parent, and the scale of an anti-causal edge."""
        drawn = parent in self.types and self.types[child].pictured
        kind = self.graph.kind(parent, child) if drawn else None
        if isinstance(kind, Anticausal):
            return f"{parent} (anticausal, scale {kind.scale:g})"
        return parent

    def forget(self) -> None:
        """Drop what was recorded of weights that have changed or moved."""
        self._configured.clear()
        for image in self.images.values():
            image.forget()

    def parents(self, name: str) -> tuple[str, ...]:
        """What a node's law reads: parents in the graph, then hidden roots; nothing for a root.

        Where it listens to the noise of a node, that node and what its law reads come after them.
        """
        found = list(self._parents[name])
        for each in self.listened(name):
            found += (each.heard, *each.context, *(() if each.value else self.parents(each.heard)))
        return tuple(dict.fromkeys(found))

    def listened(self, name: str) -> list[Hearing]:
        """Whose noise a node listens to."""
        return [each for each in self.hearings if each.listener == name]

    def spoken_to(self, listeners: Collection[str]) -> frozenset[str]:
        """The nodes whose noise some nodes listen to."""
        return frozenset(each.heard for each in self.hearings if each.listener in listeners)

    def told(self, name: str) -> tuple[str, ...]:
        """What a mechanism is told: parents in the graph, hidden roots, and what it listens to."""
        further = (told for each in self.listened(name) for told in each.names)
        return tuple(dict.fromkeys((*self._parents[name], *further)))

    def arguments(self, name: str, values: Values) -> dict[str, Tensor]:
        """What a mechanism is told in rows of these values, which have all that its law reads."""
        heard = {each.name: each for each in self.listened(name)}
        return {
            told: values[told] if told in values else self.heard(heard[told], values)
            for told in self.told(name)
        }

    def heard(
        self, each: Hearing, values: Values, generator: torch.Generator | None = None
    ) -> Tensor:
        """The own noise of a node in rows of these values, shape (batch,).

        Without a generator the draws, where several noises give the value, are always the same.
        """
        x = each.heard
        random = generator or torch.Generator(self.device).manual_seed(0)
        above = None if each.value else self.arguments(x, values)
        return column(x, self.mechanism(x), above, values, random)

    def spoken(self, name: str, noise: Noise, natural: Tensor | None) -> dict[str, Tensor]:
        """What those who listen to a node hear of its noise; nothing where nobody does.

        Args:
            name: the node.
            noise: its own noise.
            natural: its value before any intervention on it, where that stands for the noise.
        """
        each = self._heard.get(name)
        if each is None:
            return {}
        if each.value:
            assert natural is not None
            return {each.name: natural}
        return {each.name: number(noise)}

    def needed(
        self,
        wanted: Iterable[str],
        fixed: Collection[str] = (),
        policies: Mapping[str, Policy] = MappingProxyType({}),
    ) -> frozenset[str]:
        """The nodes that ``wanted`` are computed from, themselves too.

        Args:
            wanted: nodes.
            fixed: those that are set: nothing is needed for them.
            policies: those that are set by a policy, which reads others in place of the parents.
        """
        found = set(wanted)
        frontier = [*found]
        while frontier:
            fresh = self._read(frontier.pop(), fixed, policies) - found
            found |= fresh
            frontier.extend(fresh)
        return frozenset(found.difference(self.root_names))

    def _read(self, name: str, fixed: Collection[str], policies: Mapping[str, Policy]) -> set[str]:
        if name in policies:
            own = self._parents[name] if policies[name].is_natural else ()
            return {*own, *policies[name].reads} - {name}
        if name in fixed:
            return set()
        return {*self._parents.get(name, ()), *self._natural.get(name, ())}

    def below(self, names: Iterable[str], fixed: Collection[str] = ()) -> frozenset[str]:
        """The nodes that depend on ``names``, themselves left out, where ``fixed`` are set."""
        sources = frozenset(names)
        found = set(sources)
        for name in self.order:
            if name not in fixed and not found.isdisjoint(self._parents[name]):
                found.add(name)
        return frozenset(found - sources)

    def levels(self, name: str) -> int:
        """The number of levels of a class node or latent class."""
        if name in self.latents:
            return self.latents[name].levels
        levels = self.types[name].levels
        assert levels is not None
        return len(levels)

    def log_prob(self, name: str, values: Values) -> Tensor:
        """log p(x | pa) of a node with a likelihood, or log p(u) of a latent class: (batch,).

        An equation has 0 where it gives the value, else -inf.
        """
        if name in self.latents:
            return self.latents[name].log_p[values[name]]
        module, parents = self.module(name), self.arguments(name, values)
        if isinstance(module, EquationMechanism):
            agree = module.matches(values[name], module.evaluate(parents))
            return torch.where(agree, 0.0, -torch.inf).double()
        assert isinstance(module, Likely)
        return module.log_prob(values[name], parents)

    def draw_noise(
        self, n: int, generator: torch.Generator, nodes: Iterable[str] | None = None
    ) -> dict[str, Noise]:
        """n draws of the own noise of ``nodes`` (default: all) and of every hidden root."""
        chosen = self.order if nodes is None else [name for name in self.order if name in nodes]
        noise: dict[str, Noise] = {
            name: self.root(name).draw_noise(n, generator) for name in self.root_names
        }
        return noise | {name: self.mechanism(name).draw_noise(n, generator) for name in chosen}

    def abduct(
        self,
        values: Values,
        roots: Values,
        generator: torch.Generator,
        nodes: Collection[str] | None = None,
    ) -> dict[str, Noise]:
        """The noise of the world with ``values`` and hidden ``roots``.

        Args:
            values: engine values; nodes without must have no descendant in it: nothing is known of
                their noise, and it is drawn.
            roots: the value of every hidden root.
            generator: draws.
            nodes: those whose noise is wanted; None: all.
        """
        known = {**values, **roots}
        n = len(next(iter(known.values())))
        noise: dict[str, Noise] = {name: {"value": value} for name, value in roots.items()}
        for name in self._speaking(self.order if nodes is None else nodes):
            if name in values:
                parents = {parent: known[parent] for parent in self.told(name)}
                noise[name] = self.mechanism(name).abduct(known[name], parents, generator)
                known |= self.spoken(name, noise[name], known[name])
            else:
                noise[name] = self.mechanism(name).draw_noise(n, generator)
            noise[name] = {**noise[name], **self._kept(name, known, n)}
        return noise

    def _kept(self, name: str, known: Values, rows: int) -> dict[str, Tensor]:
        """What a node hears in the factual world, and in all others; gaps where that is unknown."""
        found = {}
        for each in self.listened(name):
            for told in each.names:
                kind = self.types[each.heard if told == each.name else told]
                gap = torch.tensor(math.nan).double() if kind.levels is None else torch.tensor(GAP)
                whole = gap.to(self.device).expand(rows)
                found[KEPT_TOLD + told] = known.get(told, whole)
        return found

    def _speaking(self, nodes: Collection[str]) -> list[str]:
        """The nodes in order, and those that they listen to."""
        wanted = set(nodes)
        for name in reversed(self.order):
            if name in wanted:
                wanted.update(self._natural[name])
        return [name for name in self.order if name in wanted]

    def predict(
        self,
        noise: WorldNoise,
        do: Mapping[str, Intervention] | None = None,
        *,
        rows: int,
    ) -> dict[str, Tensor]:
        """The world of ``noise`` under ``do``; the nodes are those that ``noise`` holds.

        Args:
            noise: the noise of each node and hidden root, by name.
            do: values, functions of the value that the node would have had, or policies.
            rows: the size of the batch.
        """
        values = self._world(noise, do or {}, rows)
        return {name: values[name] for name in self.order if name in values}

    def _world(
        self, noise: WorldNoise, do: Mapping[str, Intervention], rows: int
    ) -> dict[str, Tensor]:
        """The values of a world, and what its nodes hear of one another."""
        values = {name: noise[name]["value"] for name in self.root_names if name in noise}
        for name in self._order_under(do):
            action, natural = do.get(name), None
            is_plain = isinstance(action, PolicyAction) and not action.is_natural
            fixed = isinstance(action, Tensor) or is_plain
            if name in noise and not (fixed and name not in self._values):
                told = {**values, **self._heard_in(name, values, noise, do, rows)}
                natural = self.computed(name, told, noise[name], rows)
            if name in noise:
                values |= self.spoken(name, noise[name], natural)
            if isinstance(action, Tensor):
                values[name] = action
            elif isinstance(action, PolicyAction):
                if action.reads <= values.keys() and (is_plain or natural is not None):
                    values[name] = action.act(values, natural, rows)
            elif natural is not None:
                values[name] = natural if action is None else action(natural)
        return values

    def _heard_in(
        self,
        name: str,
        values: Values,
        noise: WorldNoise,
        do: Mapping[str, Intervention],
        rows: int,
    ) -> dict[str, Tensor]:
        """What a node hears in a world: what it heard in the factual one, if anything is known.

        Else what the others are by nature there, under those interventions alone that are
        ancestors of the node: leaving out the rest changes nothing (Galles & Pearl 1998).
        """
        bows = {each.name: each for each in self.listened(name) if each.bow and each.heard in do}
        set_to = {told: self._bowed(each, values, noise, rows) for told, each in bows.items()}
        names = [told for each in self.listened(name) for told in each.names if told not in bows]
        own = {told: noise[name].get(KEPT_TOLD + told) for told in names}
        kept = {told: value for told, value in own.items() if value is not None}
        if len(kept) == len(names) and all(bool(labelled(value).all()) for value in kept.values()):
            return kept | set_to
        relevant = self._relevant(name, do)
        if len(relevant) < len(do):
            acts = {n: do[n] for n in relevant}
            read = (each.reads for each in acts.values() if isinstance(each, PolicyAction))
            part = self.needed(self._natural[name].union(*read)).union(self.root_names)
            values = self._world({n: noise[n] for n in noise if n in part}, acts, rows)
        return set_to | {
            told: torch.where(labelled(kept[told]), kept[told], values[told])
            if told in kept
            else values[told]
            for told in names
        }

    def _bowed(self, each: Hearing, values: Values, noise: WorldNoise, rows: int) -> Tensor:
        """What is heard of a bow that is set: the noise by which nature gives that value."""
        x = each.heard
        value = values[x].expand(rows)
        if each.value:
            return value
        random = torch.Generator(self.device).manual_seed(0)
        told = {p: values[p] for p in self.told(x)}
        found = number(self.mechanism(x).abduct(value, told, random))
        kept = noise[each.listener].get(KEPT_TOLD + each.name)
        return found if kept is None else snapped(found, kept)

    def _relevant(self, name: str, do: Collection[str]) -> frozenset[str]:
        """The interventions that are ancestors of a node where all of them are made."""
        found = {name}
        for other in reversed(self.order):
            if other in found and (other == name or other not in do):
                found.update(self._parents[other])
        return frozenset(found).intersection(do)

    def _order_under(self, do: Mapping[str, Intervention]) -> tuple[str, ...]:
        """The nodes in an order in which they can be computed, what policies read first.

        Raises:
            QueryError: a policy that reads what comes after its own node.
        """
        policies = {n: a.policy for n, a in do.items() if isinstance(a, PolicyAction)}
        if not policies:
            return self.order
        world = tuple(
            query.Intervention(variable=name, value=policies.get(name))
            for name in self.graph.nodes
            if name in policies or isinstance(do.get(name), Tensor)
        )
        whole = self.graph.admg
        heard = frozenset((each.heard, each.listener) for each in self.hearings)
        return tuple(parents_under(ADMG(whole.nodes, whole.directed | heard), world))

    def computed(self, name: str, values: Values, noise: Noise, rows: int) -> Tensor:
        """A node's value from its parents' and its own noise; ``rows`` of them."""
        parents = {parent: values[parent] for parent in self.told(name)}
        value = self.mechanism(name).predict(parents, noise)
        return value.expand(rows, *value.shape[1:])  # an equation without parents gives one row


PRECISIONS = ("32-true", "bf16-mixed")


def accelerate(scm: StructuralModel, precision: str, *, graphs: bool, compile: bool) -> None:
    """Set how every denoiser is run.

    Args:
        scm: the model.
        precision: a name of `PRECISIONS`.
        graphs: record and replay the launches (`causalflow.nn.replay`).
        compile: have ``torch.compile`` fuse the networks.

    Raises:
        CausalflowError: an unknown precision.
    """
    if precision not in PRECISIONS:
        allowed = one_of(precision, PRECISIONS)
        raise CausalflowError(f"accelerate: unknown precision {precision!r}; {allowed}")
    for image in scm.images.values():
        image.accelerated(Replay(graphs=graphs, precision=precision, compile=compile))
    scm.forget()

/** Marks: what of a drawing a path, a step of a proof or a hedge is about, as classes of its parts. */

import { edgeKey, nodeKey } from "./graph_view.js";

/**
 * @typedef {import("./graph_view.js").Drawing & {hidden: string[]}} Drawing with the nodes that are not observed
 * @typedef {Map<string, string>} Marks the key of a node or an edge -> its classes
 */

/** The edges of a drawing that stand for one edge of a path: its own, or those of a hidden node. */
function edgesBetween({ edges, hidden }, one, mark, other) {
  const [from, to, kind] = mark === "<-" ? [other, one, "->"] : [one, other, mark];
  const own = edges.filter((edge) => edge.kind === kind && joins(edge, from, to));
  if (own.length) return own;
  const arrow = (start, end) => edges.find((edge) => edge.kind === "->" && joins(edge, start, end));
  for (const node of hidden) {
    const through = [kind === "<->" ? arrow(node, from) : arrow(from, node), arrow(node, to)];
    if (through.every(Boolean)) return through;
  }
  return [];
}

function joins(edge, from, to) {
  return (edge.from === from && edge.to === to) || (edge.kind === "<->" && edge.from === to && edge.to === from);
}

/** What a path is, in one word. */
export function kindOf(path) {
  return path.open ? (path.causal ? "causal" : "biasing") : "blocked";
}

/** Paths: an open one hides a blocked one, one that misleads hides one that is an effect.
 * @returns {Marks}
 */
export function markPaths(drawing, paths) {
  const rank = ["blocked", "causal", "biasing"];
  const marks = new Map();
  for (const path of [...paths].sort((a, b) => rank.indexOf(kindOf(a)) - rank.indexOf(kindOf(b)))) {
    path.marks.forEach((mark, k) => {
      for (const edge of edgesBetween(drawing, path.nodes[k], mark, path.nodes[k + 1])) marks.set(edgeKey(edge), `path ${kindOf(path)}`);
    });
  }
  return marks;
}

/** A step: the edges that its graph lacks, and the nodes that it speaks of.
 * @returns {Marks}
 */
export function markStep(drawing, graph) {
  const marks = new Map(graph.nodes.map((name) => [nodeKey(name), "spoken"]));
  const into = new Set(graph.removed_in);
  const outOf = new Set(graph.removed_out);
  for (const edge of drawing.edges) {
    const isCut = into.has(edge.to) || (edge.kind === "<->" ? into.has(edge.from) : outOf.has(edge.from));
    if (isCut) marks.set(edgeKey(edge), "cut");
  }
  return marks;
}

/** A hedge: its nodes, those of its inner part, its edges and the hidden causes that join them.
 * @returns {Marks}
 */
export function markHedge(drawing, hedge) {
  const forest = new Set(hedge.forest);
  const marks = new Map(hedge.forest.map((name) => [nodeKey(name), hedge.inner.includes(name) ? "hedge inner" : "hedge"]));
  for (const [from, to] of hedge.edges) {
    for (const edge of edgesBetween(drawing, from, "->", to)) marks.set(edgeKey(edge), "hedge");
  }
  const hidden = new Set(drawing.hidden);
  const caused = (node) => drawing.edges.filter((edge) => edge.kind === "->" && edge.from === node && forest.has(edge.to));
  for (const edge of drawing.edges) {
    const isShared = hidden.has(edge.from) && caused(edge.from).length > 1;
    const joinsBoth = edge.kind === "<->" && forest.has(edge.from);
    if ((joinsBoth || isShared) && forest.has(edge.to)) marks.set(edgeKey(edge), "hedge");
  }
  return marks;
}

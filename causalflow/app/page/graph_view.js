/** Graph view: a drawing whose nodes and edges are elements that can be focused, named and picked. */

import { fill, h, s } from "./dom.js";
import { route } from "./graph_shapes.js";

/**
 * @typedef {object} Drawing what `POST api/draw` answers
 * @property {Array<{name: string, type: string, label: string, latent: boolean, exogenous: boolean, width: number, height: number}>} nodes
 * @property {Array<{from: string, to: string, kind: string, compiled: string, text: string}>} edges
 * @property {Record<string, [number, number]>} positions
 *
 * @typedef {object} Look what is shown beside the graph itself
 * @property {Record<string, string[]>} [roles] treatments, outcomes, given, adjusted
 * @property {string|null} [selected] the key of a node or an edge
 * @property {(key: string) => string} [mark] further classes of a node or an edge
 */

const MARGIN = 48;
const STEEP = 0.4; // rise of an edge, of its width, from which it comes from above or below
const ROLES = { treatments: "treatment", outcomes: "outcome", given: "given", adjusted: "adjusted" };
const CAUSED = { "->": "causes", "<->": "shares a hidden cause with" };

/** The key of a node. */
export const nodeKey = (name) => `node ${name}`;

/** The key of an edge. */
export const edgeKey = (edge) => `edge ${JSON.stringify([edge.from, edge.kind, edge.to])}`;

/** A view of a graph. It follows `draw`; what is done with it is up to its listeners.
 * @param {string} label what it is, to a screen reader
 */
export function createGraphView(label) {
  const ground = s("rect", { class: "ground", fill: "none" });
  const layer = { edges: s("g"), nodes: s("g"), above: s("g") };
  const element = s("svg", { class: "graph", role: "group", "aria-label": label }, ground, layer.edges, layer.nodes, layer.above);
  const view = { x: 0, y: 0, scale: 1, isWhole: false }; // isWhole: it was fitted, and nobody has moved it since
  let shown = { nodes: [], edges: [], positions: {} };
  let boxes = new Map();
  let bends = []; // the middles of the edges, which may lie outside of all nodes

  function resized() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!width || !height) return;
    element.setAttribute("viewBox", `${view.x} ${view.y} ${width / view.scale} ${height / view.scale}`);
  }

  function fit() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!boxes.size || !width || !height) return;
    const [left, top, right, bottom] = extent(boxes, bends, MARGIN);
    view.scale = Math.min(width / (right - left), height / (bottom - top), 1.25);
    view.x = (left + right) / 2 - width / view.scale / 2;
    view.y = (top + bottom) / 2 - height / view.scale / 2;
    view.isWhole = true;
    resized();
  }

  new ResizeObserver(() => (view.isWhole ? fit() : resized())).observe(element);

  return {
    element,
    above: layer.above,
    get boxes() { return boxes; },
    get scale() { return view.scale; },
    fit,

    /** Whether every node is in sight. */
    sees() {
      const [left, top, right, bottom] = extent(boxes, bends, 0);
      const { clientWidth: width, clientHeight: height } = element;
      return left >= view.x && top >= view.y && right <= view.x + width / view.scale && bottom <= view.y + height / view.scale;
    },

    /** Show a drawing.
     * @param {Drawing} drawing
     * @param {Look} [look]
     */
    draw(drawing, look = {}) {
      shown = drawing;
      boxes = new Map(drawing.nodes.map((node) => [node.name, boxOf(node, drawing.positions)]));
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const curves = route(drawing.edges, boxes);
      bends = curves.map((curve) => curve.middle);
      kept(layer.edges, drawing.edges.map((edge, k) => [edgeKey(edge), (old) => edgeElement(old, edge, curves[k], look)]));
      const risen = rises(drawing.edges, boxes);
      kept(layer.nodes, drawing.nodes.map((node) => [nodeKey(node.name), (old) => nodeElement(old, node, boxes.get(node.name), look, risen.get(node.name) > 0 ? 1 : -1)]));
      resized();
      if (focused && document.activeElement?.dataset?.key !== focused) this.focus(focused);
    },

    /** The place in the drawing of a pointer. */
    at(event) {
      const { left, top } = element.getBoundingClientRect();
      return { x: view.x + (event.clientX - left) / view.scale, y: view.y + (event.clientY - top) / view.scale };
    },

    /** The middle of what is in sight. */
    middle() {
      return { x: view.x + element.clientWidth / view.scale / 2, y: view.y + element.clientHeight / view.scale / 2 };
    },

    pan(dx, dy) {
      view.x -= dx / view.scale;
      view.y -= dy / view.scale;
      view.isWhole = false;
      resized();
    },

    zoom(factor, centre = this.middle()) {
      const scale = Math.min(Math.max(view.scale * factor, 0.15), 4);
      view.x = centre.x - ((centre.x - view.x) * view.scale) / scale;
      view.y = centre.y - ((centre.y - view.y) * view.scale) / scale;
      view.scale = scale;
      view.isWhole = false;
      resized();
    },

    focus(key) {
      element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
    },

    /** The drawing with a margin around it: left, top, right, bottom. */
    extent: () => extent(boxes, bends, MARGIN),
    get drawing() { return shown; },
  };
}

function boxOf(node, positions) {
  const [x, y] = positions[node.name] ?? [0, 0];
  const round = !node.type || node.type === "continuous" || node.exogenous;
  return { x, y, width: node.width, height: node.height, round };
}

function extent(boxes, bends, margin) {
  const all = [...boxes.values(), ...bends.map((point) => ({ ...point, width: 0, height: 0 }))];
  return [
    Math.min(...all.map((box) => box.x - box.width / 2)) - margin,
    Math.min(...all.map((box) => box.y - box.height / 2)) - margin,
    Math.max(...all.map((box) => box.x + box.width / 2)) + margin,
    Math.max(...all.map((box) => box.y + box.height / 2)) + margin,
  ];
}

/** What an element was last filled with; it is left alone as long as that is the same. */
const filled = new WeakMap();

function refill(element, content, make) {
  const said = JSON.stringify(content);
  if (filled.get(element) === said) return;
  filled.set(element, said);
  fill(element, make());
}

/** Elements by key in a group, each in its place, so that focus stays. */
function kept(group, wanted) {
  const old = new Map([...group.children].map((child) => [child.dataset.key, child]));
  const made = wanted.map(([key, make]) => {
    const element = make(old.get(key) ?? s("g", { "data-key": key, tabindex: "0", role: "button" }));
    old.delete(key);
    return element;
  });
  for (const gone of old.values()) gone.remove();
  made.forEach((element, k) => {
    if (group.children[k] !== element) group.insertBefore(element, group.children[k] ?? null);
  });
}

function edgeElement(group, edge, curve, look) {
  const key = edgeKey(edge);
  const words = ["edge", edge.kind === "<->" ? "hidden" : "", edge.compiled, look.selected === key ? "selected" : "", look.mark?.(key) ?? ""];
  group.setAttribute("class", words.filter(Boolean).join(" "));
  group.setAttribute("aria-label", `${edge.from} ${CAUSED[edge.kind]} ${edge.to}${edge.compiled === "equation" ? ", by its equation" : ""}`);
  refill(group, curve, () => [
    s("path", { class: "reach", d: curve.path }),
    s("path", { class: "line", d: curve.path }),
    curve.heads.map((d) => s("path", { class: "head", d })),
  ]);
  return group;
}

/** How many more edges of each node come from above than from below. */
function rises(edges, boxes) {
  const risen = new Map();
  for (const { from, to } of edges) {
    const [dx, dy] = [boxes.get(to).x - boxes.get(from).x, boxes.get(to).y - boxes.get(from).y];
    if (Math.abs(dy) < STEEP * Math.abs(dx)) continue;
    risen.set(to, (risen.get(to) ?? 0) + Math.sign(dy));
    risen.set(from, (risen.get(from) ?? 0) - Math.sign(dy));
  }
  return risen;
}

/** A node; its roles stand on the side that fewer edges come from: -1 above, 1 below. */
function nodeElement(group, node, box, look, side) {
  const key = nodeKey(node.name);
  const roles = Object.keys(ROLES).filter((role) => look.roles?.[role]?.includes(node.name));
  const words = ["node", node.type, node.latent ? "latent" : "", node.exogenous ? "exogenous" : "", ...roles, look.selected === key ? "selected" : "", look.mark?.(key) ?? ""];
  group.setAttribute("class", words.filter(Boolean).join(" "));
  const said = [node.name, node.latent ? "latent" : node.exogenous ? "exogenous" : node.type, node.label, ...roles.map((role) => ROLES[role])];
  group.setAttribute("aria-label", said.filter(Boolean).join(", "));
  group.setAttribute("transform", `translate(${box.x} ${box.y})`);
  refill(group, [said, box.width, box.height, box.round, node.type, side], () => [
    s("title", {}, said.filter(Boolean).join(", ")),
    outline(box, "rim", 9),
    node.type === "image" ? outline(box, "shape behind", 0, 4) : null,
    outline(box, "shape", 0),
    s("text", { class: "name", y: node.label ? -3 : 5 }, node.name),
    node.label ? s("text", { class: "label", y: 13 }, node.label) : null,
    roles.map((role, k) => tag(ROLES[role], role, side * (box.height / 2 + 12 + 18 * k))),
  ]);
  return group;
}

function outline({ width, height, round }, name, more, shift = 0) {
  const [rx, ry] = [width / 2 + more, height / 2 + more];
  if (round) return s("ellipse", { class: name, rx, ry });
  return s("rect", { class: name, x: shift - rx, y: shift - ry, width: 2 * rx, height: 2 * ry, rx: 9 + more });
}

function tag(word, role, y) {
  const width = 6.8 * word.length + 18;
  return s("g", { class: `tag ${role}`, transform: `translate(0 ${y})` },
    s("rect", { x: -width / 2, y: -8, width, height: 16, rx: 8 }),
    s("text", { y: 4 }, word),
  );
}

/** A key that tells what a drawing's looks stand for.
 * @param {Drawing} drawing
 */
export function legend(drawing) {
  const types = [...new Set(drawing.nodes.map((node) => (node.latent ? "latent" : node.exogenous ? "exogenous" : node.type)))].filter(Boolean);
  const lines = [];
  if (drawing.edges.some((edge) => edge.kind === "<->")) lines.push("hidden cause");
  if (drawing.edges.some((edge) => edge.compiled === "anticausal")) lines.push("anti-causal");
  return h("ul", { class: "legend" }, [...types, ...lines].map((word) => h("li", { "data-look": word }, word)));
}

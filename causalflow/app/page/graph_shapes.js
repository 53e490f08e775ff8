/** Shapes: the borders of nodes, and the curves of edges around the nodes that they do not join. */

/**
 * @typedef {{x: number, y: number, width: number, height: number, round: boolean}} Box
 *   a node's place: its centre and size; round: an ellipse
 * @typedef {{x: number, y: number}} Point
 * @typedef {{path: string, heads: string[], middle: Point}} Curve
 */

const BOWS = [0, 30, -30, 60, -60, 100, -100, 150, -150];
const STEPS = 24;
const GAP = 3; // between an arrow's head and the border it points at
const HEAD = { long: 11, wide: 5 };

/** Whether a point is in a box, or within a margin of it. */
export function contains(box, point, margin = 0) {
  const dx = Math.abs(point.x - box.x) / (box.width / 2 + margin);
  const dy = Math.abs(point.y - box.y) / (box.height / 2 + margin);
  return box.round ? dx * dx + dy * dy <= 1 : Math.max(dx, dy) <= 1;
}

/** The curves of edges, in their order.
 * @param {{from: string, to: string, kind: string}[]} edges
 * @param {Map<string, Box>} boxes
 * @returns {Curve[]}
 */
export function route(edges, boxes) {
  const taken = new Map();
  return edges.map((edge) => {
    const [a, b] = [boxes.get(edge.from), boxes.get(edge.to)];
    const others = [...boxes].filter(([name]) => name !== edge.from && name !== edge.to).map(([, box]) => box);
    const pair = [edge.from, edge.to].sort().join("\n");
    const used = taken.get(pair) ?? [];
    const turn = edge.from <= edge.to ? 1 : -1; // a bow's side is told from one end of a pair
    const bows = edge.kind === "<->" ? BOWS.slice(1) : BOWS;
    const costs = bows.map((bow) => cost(a, b, bow, others) + (used.includes(bow * turn) ? 500 : 0));
    const bow = bows[costs.indexOf(Math.min(...costs))];
    taken.set(pair, [...used, bow * turn]);
    return curve(a, b, bow, edge.kind === "<->");
  });
}

function cost(a, b, bow, others) {
  const points = samples(a, b, control(a, b, bow));
  const blocked = others.filter((box) => points.some((point) => contains(box, point, 8))).length;
  return 200 * blocked + Math.abs(bow) + (bow < 0 ? 1 : 0);
}

function control(a, b, bow) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const long = Math.hypot(dx, dy) || 1;
  return { x: (a.x + b.x) / 2 + (2 * bow * dy) / long, y: (a.y + b.y) / 2 - (2 * bow * dx) / long };
}

function at(a, c, b, t) {
  const u = 1 - t;
  return { x: u * u * a.x + 2 * u * t * c.x + t * t * b.x, y: u * u * a.y + 2 * u * t * c.y + t * t * b.y };
}

function samples(a, b, c) {
  return Array.from({ length: STEPS + 1 }, (_, k) => at(a, c, b, k / STEPS));
}

/** The line between two borders, bowed so far to the left of its way, with a head or two. */
function curve(a, b, bow, both) {
  const c = control(a, b, bow);
  const first = leaving((t) => at(a, c, b, t), a);
  const last = 1 - leaving((t) => at(a, c, b, 1 - t), b);
  if (first >= last) return { path: "", heads: [], middle: at(a, c, b, 0.5) };
  const [start, end] = [at(a, c, b, first), at(a, c, b, last)];
  const bend = tangentPoint(a, c, b, first, last);
  const heads = [head(end, bend), ...(both ? [head(start, bend)] : [])];
  const tip = (point) => shortened(point, bend, HEAD.long - 2);
  const [from, to] = [both ? tip(start) : start, tip(end)];
  const path = `M${text(from)} Q${text(bend)} ${text(to)}`;
  return { path, heads, middle: at(a, c, b, (first + last) / 2) };
}

/** Where a curve that begins in a box leaves it, as its parameter. */
function leaving(point, box) {
  let [inside, outside] = [0, 1];
  for (let k = 1; k <= STEPS; k++) {
    if (!contains(box, point(k / STEPS), GAP)) { outside = k / STEPS; break; }
    inside = k / STEPS;
  }
  for (let k = 0; k < 12; k++) {
    const middle = (inside + outside) / 2;
    if (contains(box, point(middle), GAP)) inside = middle;
    else outside = middle;
  }
  return outside;
}

/** The middle control point of the part of a quadratic curve between two parameters. */
function tangentPoint(a, c, b, s, t) {
  const mix = (p, q, k) => ({ x: p.x + (q.x - p.x) * k, y: p.y + (q.y - p.y) * k });
  return mix(mix(a, c, s), mix(c, b, s), t);
}

function shortened(point, towards, by) {
  const long = Math.hypot(towards.x - point.x, towards.y - point.y) || 1;
  return { x: point.x + ((towards.x - point.x) * by) / long, y: point.y + ((towards.y - point.y) * by) / long };
}

function head(point, from) {
  const base = shortened(point, from, HEAD.long);
  const long = Math.hypot(point.x - base.x, point.y - base.y) || 1;
  const side = { x: (-(point.y - base.y) / long) * HEAD.wide, y: ((point.x - base.x) / long) * HEAD.wide };
  const left = { x: base.x + side.x, y: base.y + side.y };
  const right = { x: base.x - side.x, y: base.y - side.y };
  return `M${text(point)} L${text(left)} L${text(right)} Z`;
}

function text({ x, y }) {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

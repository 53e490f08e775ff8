/** Gestures: what pointer and keys do to a drawing, as commands. */

import { s } from "./dom.js";
import { contains } from "./graph_shapes.js";
import { nodeKey } from "./graph_view.js";

const STILL = 4; // pixels that a pointer may move and have clicked
const STEP = 10;
const REST = 350; // milliseconds after the last arrow key at which a move is made

/**
 * @typedef {object} Commands
 * @property {(key: string|null) => void} select
 * @property {(place: {x: number, y: number}, from?: {name: string, bidirected: boolean}) => void} addNode
 * @property {(source: string, target: string, bidirected: boolean) => void} addEdge
 * @property {(name: string) => [number, number]} placeOf a node, as of the last command
 * @property {(places: Record<string, [number, number]>) => void} shift shows nodes elsewhere
 * @property {() => void} place makes it so in the file
 * @property {(key: string) => void} remove
 * @property {(key: string) => void} reverse
 * @property {(key: string) => void} bend
 * @property {(key: string) => void} open its fields
 * @property {(text: string) => void} say
 * @property {() => {on: boolean, bidirected: boolean}} joining whether a click joins nodes
 */

/** Listen to a view.
 * @param {ReturnType<typeof import("./graph_view.js").createGraphView>} view
 * @param {Commands} commands
 */
export function listen(view, commands) {
  const svg = view.element;
  const joined = createJoining(view, commands);
  let drag = null;

  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [key, place] = [keyOf(event.target), view.at(event)];
    const name = nodeOf(key);
    if (joined.from) return void joined.end(name, event.altKey, place);
    const isEdge = commands.joining().on || event.target.classList.contains("rim");
    drag = { key, name, place, x: event.clientX, y: event.clientY, moved: false, kind: name ? (isEdge ? "edge" : "node") : key ? "edge line" : "pan" };
    if (name) drag.offset = { x: place.x - view.boxes.get(name).x, y: place.y - view.boxes.get(name).y };
    svg.setPointerCapture(event.pointerId);
    document.documentElement.classList.add("dragging");
  });
  svg.addEventListener("lostpointercapture", () => document.documentElement.classList.remove("dragging"));

  svg.addEventListener("pointermove", (event) => {
    if (joined.from && !drag) return void joined.show(view.at(event));
    if (!drag) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < STILL) return;
    drag.moved = true;
    const place = view.at(event);
    if (drag.kind === "pan") {
      view.pan(event.clientX - (drag.lastX ?? drag.x), event.clientY - (drag.lastY ?? drag.y));
      [drag.lastX, drag.lastY] = [event.clientX, event.clientY];
    } else if (drag.kind === "node") {
      commands.shift({ [drag.name]: [Math.round(place.x - drag.offset.x), Math.round(place.y - drag.offset.y)] });
    } else if (drag.kind === "edge") {
      if (!joined.from) joined.begin(drag.name, commands.joining().bidirected, false);
      joined.show(place);
    }
  });

  svg.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { kind, key, moved, name } = drag;
    drag = null;
    const place = view.at(event);
    if (kind === "edge" && moved) joined.end(under(view, place), event.altKey, place);
    else if (kind === "node" && moved) commands.place();
    else if (!moved && name && commands.joining().on) joined.begin(name, commands.joining().bidirected || event.altKey);
    else if (!moved) commands.select(key);
    if (!moved && key) view.focus(key);
  });
  svg.addEventListener("pointercancel", () => { drag = null; joined.cancel(); });

  svg.addEventListener("dblclick", (event) => {
    const key = keyOf(event.target);
    if (key) commands.open(key);
    else commands.addNode(view.at(event));
  });

  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY / 300), view.at(event));
  }, { passive: false });

  svg.addEventListener("focusin", (event) => {
    const key = keyOf(event.target);
    if (key && joined.from && nodeOf(key)) joined.show(view.boxes.get(nodeOf(key)));
    else if (key && event.target.matches(":focus-visible")) commands.select(key);
  });
  svg.addEventListener("keydown", (event) => keys(event, view, commands, joined));
  return joined;
}

let resting = 0;

function keys(event, view, commands, joined) {
  if (event.ctrlKey || event.metaKey) return;
  const key = keyOf(event.target);
  const name = nodeOf(key);
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "Escape") {
    if (joined.from) joined.cancel();
    else commands.select(null);
  } else if (joined.from && name && (event.key === "Enter" || event.key === " ")) {
    joined.end(name, event.altKey);
  } else if (joined.from && (event.key === "Tab" || arrow)) {
    const back = event.key === "Tab" ? event.shiftKey : arrow[0] + arrow[1] < 0;
    view.focus(nodeBeside(view, name ?? joined.from.name, back ? -1 : 1));
  } else if (arrow && name) {
    const [x, y] = commands.placeOf(name); // which the frame that is drawn may be behind
    const step = event.shiftKey ? 5 * STEP : STEP;
    commands.shift({ [name]: [Math.round(x) + step * arrow[0], Math.round(y) + step * arrow[1]] });
    clearTimeout(resting);
    resting = setTimeout(commands.place, REST);
  } else if (arrow && !key) {
    view.pan(-40 * arrow[0], -40 * arrow[1]);
  } else if (key && event.key === "Enter") {
    commands.open(key);
  } else if (key && event.key === " ") {
    commands.select(key);
  } else if (key && (event.key === "Delete" || event.key === "Backspace")) {
    commands.remove(key);
  } else if (name && (event.key === "e" || event.key === "b")) {
    joined.begin(name, event.key === "b");
  } else if (key && !name && event.key === "r") {
    commands.reverse(key);
  } else if (key && !name && event.key === "b") {
    commands.bend(key);
  } else if (event.key === "n") {
    commands.addNode(null);
  } else if (event.key === "+" || event.key === "=") {
    view.zoom(1.25);
  } else if (event.key === "-") {
    view.zoom(0.8);
  } else if (event.key === "0") {
    view.fit();
  } else {
    return;
  }
  event.preventDefault();
}

/** The key of the node that stands some places behind another in the graph; after the last comes the first. */
function nodeBeside(view, name, places) {
  const names = [...view.boxes.keys()];
  return nodeKey(names[(names.indexOf(name) + places + names.length) % names.length]);
}

/** An edge that is being drawn: where it begins, and a line to where it leads. */
function createJoining(view, commands) {
  const line = s("path", { class: "drawn", d: "" });
  const joined = {
    from: null,
    begin(name, bidirected, spoken = true) {
      joined.from = { name, bidirected };
      view.above.append(line);
      const what = bidirected ? "Hidden cause of" : "Edge from";
      if (spoken) commands.say(`${what} ${name}: choose the other node (Tab or arrows, then Enter; or click). Escape ends it.`);
    },
    show(place) {
      const start = view.boxes.get(joined.from.name);
      line.setAttribute("d", start ? `M${start.x} ${start.y} L${place.x} ${place.y}` : "");
    },
    end(name, alt, place = null) {
      const { from } = joined;
      joined.cancel();
      const bidirected = from.bidirected || Boolean(alt);
      if (name && name !== from.name) commands.addEdge(from.name, name, bidirected);
      else if (!name && place) commands.addNode(place, { name: from.name, bidirected });
    },
    cancel() {
      joined.from = null;
      line.setAttribute("d", "");
      line.remove();
    },
  };
  return joined;
}

function keyOf(target) {
  return target.closest?.("[data-key]")?.dataset.key ?? null;
}

/** The name in a node's key; null in an edge's. */
export function nodeOf(key) {
  return key?.startsWith("node ") ? key.slice(5) : null;
}

function under(view, place) {
  return [...view.boxes].find(([, box]) => contains(box, place, 8))?.[0] ?? null;
}

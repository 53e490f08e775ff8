/** Draw: the graph as text and as a drawing, each following the other.
 *
 * The text is the graph. A gesture becomes an edit of the text (`POST api/edit`), and the text a
 * drawing (`POST api/draw`); edits are made one after another.
 */

import { h } from "./dom.js";
import { fileTools } from "./draw_files.js";
import { listen } from "./draw_gestures.js";
import { createPanel, FIELDS } from "./draw_panel.js";
import { createText } from "./draw_text.js";
import { createGraphView, edgeKey, legend, nodeKey } from "./graph_view.js";
import { blank, rolesWith } from "./store.js";

const LETTERS = "xyzabcdfghijklmnoqrstuvw";
const CHECKED = 700; // milliseconds at rest after which the file's own questions are verified

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {
  const view = createGraphView("Drawing of the graph");
  const hint = h("p", { class: "hint", role: "status" });
  const key = h("div");
  let drawing = { nodes: [], edges: [], positions: {}, placed: [] };
  let read = { text: null, yaml: "", query: "", asked: null }; // what was drawn last: the text, the YAML that edits are made of, the question and its roles
  let selected = null;
  let moved = {}; // positions that the file does not say yet
  let mode = { on: false, bidirected: false };
  let fitting = true;
  let made = null; // the text that a gesture made: what is in sight stays where it is
  let asking = false; // whether the file's own first question is still to be taken over
  let queue = Promise.resolve();
  let timers = { frame: 0, check: 0, hint: 0 };

  const text = createText({
    typed: (typed) => store.set({ text: typed }, { undo: "typing" }),
    pasted: (pasted) => opened({ text: pasted }, "paste a graph"),
  });
  const panel = createPanel({
    rename, type, role, hide, remove, reverse, bend, compile,
    leave: () => { if (selected) view.focus(selected); },
    join: (name, bidirected) => { joined.begin(name, bidirected); view.focus(nodeKey(name)); },
  });
  const joined = listen(view, {
    select, addNode, remove, reverse, bend, say, place,
    open: (opening) => { select(opening); panel.enter(); },
    joining: () => mode,
    placeOf: (name) => drawing.positions[name],
    addEdge: (source, target, bidirected) =>
      edit([{ kind: "add_edge", source, target, bidirected }], "draw an edge", () => select(null)),
    shift(places) {
      moved = { ...moved, ...places };
      drawing = { ...drawing, positions: { ...drawing.positions, ...places } };
      cancelAnimationFrame(timers.frame);
      timers.frame = requestAnimationFrame(render);
    },
  });

  // --- what is shown

  async function redraw() {
    const { text: asked, format, query } = store.get();
    let answer;
    try {
      answer = await api.post("draw", { text: asked, format, query, shown: drawing.positions }, { lane: "draw" });
    } catch (problem) {
      return text.mark([problem]);
    }
    if (!answer || asked !== store.get().text) return;
    view.element.classList.toggle("stale", !answer.drawn);
    text.mark(answer.problems);
    if (!answer.drawn) return;
    read = { text: asked, yaml: answer.text, query, asked: answer.asked ?? null };
    if (answer.text !== asked && document.activeElement !== text.area) {
      return store.set({ text: answer.text, format: "yaml" }, { undo: `read ${answer.format}` });
    }
    if (asking && answer.first) takeOver(answer.first);
    asking = false;
    const known = asked === made || drawing.nodes.some(({ name }) => name in answer.positions);
    drawing = { ...answer, positions: { ...answer.positions, ...moved } };
    if (selected && !find(selected)) selected = null;
    render();
    if (fitting || !known || !view.sees()) fit();
    if (!answer.problems.length) verify(asked);
  }

  /** The file's own first question becomes the page's. */
  function takeOver({ roles, query }) {
    read = { ...read, query, asked: query ? roles : null };
    store.set({ roles: { ...blank().roles, ...roles }, query });
  }

  /** The roles that are shown: those of the question, where one is written. */
  function rolesNow() {
    const { roles, query } = store.get();
    return rolesWith(roles, query && query === read.query ? read.asked : null);
  }

  /** The file's own questions, held against the engine when the text is at rest. */
  function verify(asked) {
    clearTimeout(timers.check);
    timers.check = setTimeout(async () => {
      const answer = await api.post("check", { text: read.yaml }, { lane: "check" }).catch(() => null);
      if (answer && asked === store.get().text) text.mark(answer.problems);
    }, CHECKED);
  }

  function render() {
    view.draw(drawing, { roles: rolesNow(), selected });
    show();
    key.replaceChildren(legend(drawing));
  }

  function show() {
    const { node, edge } = find(selected) ?? {};
    const target = edge && drawing.nodes.find(({ name }) => name === edge.to);
    panel.show({ node, edge, target, key: selected, roles: rolesNow(), empty: !drawing.nodes.length });
    text.point(read.yaml === store.get().text ? (node ?? edge)?.line ?? null : null);
  }

  function find(sought) {
    const node = drawing.nodes.find(({ name }) => nodeKey(name) === sought);
    const edge = drawing.edges.find((each) => edgeKey(each) === sought);
    return node || edge ? { node, edge } : null;
  }

  function fit() {
    if (!view.element.clientWidth) return;
    fitting = false;
    view.fit();
  }

  function select(wanted) {
    selected = wanted;
    render();
  }

  function say(said, isWrong = false) {
    clearTimeout(timers.hint);
    hint.textContent = said;
    hint.classList.toggle("problem", isWrong);
    timers.hint = setTimeout(() => say(""), 12000);
    if (!said) clearTimeout(timers.hint);
  }

  // --- what is done

  /** The edits are made of the text as it is then; where they are refused, the drawing says why. */
  function edit(edits, label, after = null, also = null) {
    queue = queue.then(async () => {
      const wasMoved = moved;
      try {
        const answer = await api.post("edit", { text: await current(), edits, query: store.get().query }, { lane: "edit" });
        if (!answer) return;
        made = answer.text;
        store.set({ text: answer.text, query: answer.query, format: "yaml", ...also?.(store.get()) }, { undo: label });
        say("");
      } catch ({ message }) {
        say(message, true);
      }
      if (moved === wasMoved) moved = {};
      await redraw();
      after?.();
    });
    return queue;
  }

  /** The text as YAML; what is no graph stays as it is, and an edit of it says why. */
  async function current() {
    if (read.text !== store.get().text) await redraw();
    return read.text === store.get().text ? read.yaml : store.get().text;
  }

  /** All positions: as soon as one is chosen by hand, the file keeps them. */
  function places(more = {}) {
    const known = new Set(drawing.placed ?? []);
    const all = drawing.nodes.every(({ name }) => known.has(name)) ? moved : drawing.positions;
    return { kind: "place_nodes", positions: { ...all, ...more } };
  }

  function place() {
    if (Object.keys(moved).length) edit([places()], "move");
  }

  function addNode(wanted, from = null) {
    const taken = new Set(drawing.nodes.map(({ name }) => name));
    const name = [...LETTERS, ...Array.from({ length: 400 }, (_, k) => `x${k + 1}`)].find((each) => !taken.has(each));
    const at = wanted ?? roomFor(view);
    const fields = drawing.nodes.some((node) => node.type) ? { fields: FIELDS.class } : {};
    const edits = [{ kind: "add_node", name, ...fields }, places({ [name]: [Math.round(at.x), Math.round(at.y)] })];
    if (from) edits.push({ kind: "add_edge", source: from.name, target: name, bidirected: from.bidirected });
    edit(edits, "add a node", () => {
      if (!find(nodeKey(name))) return;
      select(nodeKey(name));
      panel.enter();
    });
  }

  function rename(old, name) {
    const inRoles = (each) => (each === old ? name : each);
    const shown = () => {
      select(nodeKey(find(nodeKey(name)) ? name : old));
      if (document.activeElement === document.body) view.focus(selected);
    };
    edit([{ kind: "rename_node", old, new: name }], "rename", shown, roleless(inRoles));
  }

  /** The roles with other names, as a part of the state; nothing stands for a name that goes. */
  function roleless(change) {
    return ({ roles }) => ({ roles: Object.fromEntries(Object.entries(roles).map(([role, names]) => [role, names.map(change).filter(Boolean)])) });
  }

  function type(name, fields) {
    if (!fields) return say("To have no types, list the names alone in the text: nodes: [x, y].", true);
    const others = drawing.nodes.some((node) => node.type) ? "" : FIELDS.class;
    edit([{ kind: "type_node", name, fields, others }], "type a node");
  }

  function role(name, wanted) {
    const roles = rolesNow();
    const without = Object.fromEntries(Object.entries(roles).map(([each, names]) => [each, names.filter((other) => other !== name)]));
    const next = roles[wanted].includes(name) ? without : { ...without, [wanted]: [...without[wanted], name] };
    store.set({ roles: next, query: "" }, { undo: "choose a role" });
  }

  function hide(name, isHidden) {
    const fields = drawing.nodes.some((node) => node.type) ? { fields: FIELDS.class } : {};
    const change = isHidden ? { kind: "hide_node", name } : { kind: "show_node", name, ...fields };
    edit([change], isHidden ? "hide a node" : "show a node", null, isHidden ? roleless((each) => (each === name ? null : each)) : null);
  }

  function remove(gone) {
    const { node, edge } = find(gone) ?? {};
    const next = () => { select(null); view.element.querySelector("[data-key]")?.focus({ preventScroll: true }); };
    if (node) edit([{ kind: "drop_node", name: node.name }], "delete a node", next, roleless((each) => (each === node.name ? null : each)));
    if (edge) edit([{ kind: "cut_edge", source: edge.from, target: edge.to, bidirected: edge.kind === "<->" }], "delete an edge", next);
  }

  /** An edge becomes another one, which is selected then. */
  function redirect(edge, kind, made, label) {
    edit([{ kind, source: made.from, target: made.to, ...made.more }], label, () => {
      const found = drawing.edges.find((each) => each.kind === made.kind && [each.from, each.to].every((end) => [edge.from, edge.to].includes(end)));
      select(found ? edgeKey(found) : null);
      if (found && !panel.element.contains(document.activeElement)) view.focus(edgeKey(found));
    });
  }

  function reverse(turned) {
    const { edge } = find(turned) ?? {};
    if (edge?.kind === "->") redirect(edge, "reverse_edge", { from: edge.from, to: edge.to, kind: "->" }, "reverse an edge");
  }

  function bend(bent, source = null) {
    const { edge } = find(bent) ?? {};
    if (!edge) return;
    const from = source ?? edge.from;
    const to = from === edge.from ? edge.to : edge.from;
    if (edge.kind === "->") redirect(edge, "confound_edge", { from, to, kind: "<->" }, "make it a hidden cause");
    else redirect(edge, "direct_edge", { from, to, kind: "->" }, "make it an arrow");
  }

  function compile(compiled, word) {
    const { edge } = find(compiled) ?? {};
    if (edge) edit([{ kind: "compile_edge", source: edge.from, target: edge.to, compiled: word }], "say what an edge becomes");
  }

  async function arrange() {
    try {
      const answer = await api.post("arrange", { text: await current() });
      if (!answer) return;
      fitting = true;
      await edit([{ kind: "place_nodes", positions: answer.positions }], "arrange");
    } catch ({ message }) {
      say(message, true);
    }
  }

  /** Another text takes the place of this one. */
  function opened({ name = store.get().name, text: given }, label = "open") {
    fitting = true;
    selected = null;
    moved = {};
    drawing = { ...drawing, positions: {} };
    text.area.blur();
    asking = true;
    store.set({ name, text: given, format: null, roles: blank().roles, query: "" }, { undo: label });
  }

  // --- the pane

  const tool = (label, title, run, more = {}) => h("button", { type: "button", class: "button quiet", title, onclick: run, ...more }, label);
  const modes = [["Edge", false, "Click two nodes to join them by an edge"], ["Hidden cause", true, "Click two nodes to join them by a hidden common cause"]].map(([label, bidirected, title]) => {
    const button = tool(label, title, () => join(mode.on && mode.bidirected === bidirected ? null : bidirected), { "aria-pressed": "false" });
    return { button, bidirected };
  });

  function join(bidirected) {
    joined.cancel();
    mode = { on: bidirected !== null, bidirected: Boolean(bidirected) };
    for (const each of modes) each.button.setAttribute("aria-pressed", String(mode.on && each.bidirected === mode.bidirected));
    say(mode.on ? `Click a node, then another: ${mode.bidirected ? "a hidden common cause of both" : "an edge from the first to the second"}.` : "");
  }

  const files = fileTools({
    state: () => ({ ...store.get(), text: read.text === store.get().text ? read.yaml : store.get().text }),
    api, opened, view: () => view, refused: (message) => say(message, true),
  });
  element.append(h("div", { class: "draw" },
    h("section", { class: "panel drawing-side", "aria-label": "Drawing" },
      h("div", { class: "row tools" },
        tool("Add node", "Add a node (key n)", () => addNode(null)),
        modes.map(({ button }) => button),
        h("span", { class: "spring" }),
        tool("Arrange", "Put all nodes into columns, from causes to effects", arrange),
        tool("−", "Zoom out (key −)", () => view.zoom(0.8), { "aria-label": "Zoom out" }),
        tool("+", "Zoom in (key +)", () => view.zoom(1.25), { "aria-label": "Zoom in" }),
        tool("Fit", "Show the whole graph (key 0)", fit),
      ),
      h("div", { class: "canvas" }, view.element, hint),
      key,
      panel.element,
    ),
    h("section", { class: "panel words-side", "aria-label": "Text" }, files, text.element),
  ));

  text.show(store.get().text);
  render();
  redraw();
  store.subscribe((state, before) => {
    if (state.text !== before.text || state.format !== before.format) {
      text.show(state.text);
      redraw();
    } else if (state.roles !== before.roles) {
      render();
    }
    if (state.text !== before.text && (state.name !== before.name || before.pane !== "draw")) fitting = true;
    if (state.pane === "draw" && state.text === before.text && state.query !== read.query) redraw();
    if (state.pane === "draw" && before.pane !== "draw" && fitting) requestAnimationFrame(fit);
  });
}

/** A place in sight that no node is near. */
function roomFor(view) {
  const middle = view.middle();
  const near = ({ x, y }) => [...view.boxes.values()].some((box) => Math.abs(box.x - x) < 120 && Math.abs(box.y - y) < 90);
  for (let k = 0; k < 60; k++) {
    const place = { x: middle.x + 30 * k * Math.cos(k), y: middle.y + 22 * k * Math.sin(k) };
    if (!near(place)) return place;
  }
  return middle;
}

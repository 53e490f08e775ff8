/** Know: what follows from the graph alone. Nodes are clicked into roles; the verdict follows. */

import { fill, h, problem } from "./dom.js";
import { createGraphView, nodeKey } from "./graph_view.js";
import { markHedge, markPaths, markStep } from "./know_marks.js";
import * as said from "./know_said.js";
import { createOwnQuestions, createQueryBox } from "./query_box.js";
import { blank, rolesWith } from "./store.js";

const ROLES = [
  ["treatments", "Treatment", "t"],
  ["outcomes", "Outcome", "o"],
  ["given", "Given", "g"],
  ["adjusted", "Adjusted", "a"],
  ["unobserved", "Unobserved", "u"],
];
const ASKED = ["treatments", "outcomes", "given"]; // the roles that make the question
const REST = 120; // milliseconds without a change after which the engine is asked
const EMPTY = { nodes: [], edges: [], positions: {} };

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {
  const view = createGraphView("The graph: choose a node to give it the role");
  const parts = Object.fromEntries(["verdict", "steps", "sets", "paths", "independences"].map((name) => [name, h("section", { class: "panel stack", hidden: true })]));
  const mistake = h("div", { class: "slot" });
  const box = createQueryBox({
    id: "know-query",
    label: "Question",
    complete: (query, at) => api.post("complete", { text: store.get().text, format: store.get().format, query, at }, { lane: "complete" }).catch(() => null),
    changed: (query) => store.set({ query }, { undo: "write the question" }),
    entered: () => refresh(),
  });
  const own = createOwnQuestions((query) => store.set({ query }, { undo: "choose a question" }));
  const data = h("select", { id: "know-data" }, h("option", { value: "observational" }, "P(v): what is observed"), h("option", { value: "experimental" }, "every experiment P(v | do(.))"), h("option", { value: "named" }, "distributions that I name"));
  const named = h("input", { class: "mono", "aria-label": "Distributions, separated by semicolons", hidden: true });
  const brushes = h("div", { class: "row", role: "group", "aria-label": "A click makes a node the" });
  const shown = h("div", { class: "row small", role: "group", "aria-label": "Shown on the drawing" });
  const local = { brush: "treatments", drawing: EMPTY, reply: null, way: null, at: 0, path: null, show: "paths", fitted: "" };

  fill(element, h("div", { class: "columns" },
    h("div", { class: "know-first" },
      h("section", { class: "panel stack" },
        h("div", { class: "row apart" },
          h("h2", {}, "What do you ask about?"),
          h("button", { type: "button", class: "button quiet", title: "Take all roles and the question away", onclick: () => store.set({ roles: blank().roles, query: "" }, { undo: "clear the roles" }) }, "Clear"),
        ),
        h("p", { class: "muted small" }, "Pick a role, then click nodes. With a node in focus the keys t, o, g, a and u do the same."),
        brushes,
        h("div", { class: "know-graph" }, view.element),
        shown,
      ),
    ),
    h("div", { class: "stack wide" },
      h("section", { class: "panel stack" },
        own.element,
        box.element,
        h("div", { class: "row know-data" }, h("div", { class: "field" }, h("label", { for: "know-data" }, "Data that are known"), data), named),
        mistake,
      ),
      parts.verdict, parts.steps, parts.sets, parts.paths, parts.independences,
    ),
  ));

  function marks() {
    const { reply, show, path } = local;
    if (!reply) return new Map();
    const unseen = local.drawing.nodes.filter((node) => node.latent || node.exogenous).map(({ name }) => name);
    const drawing = { ...local.drawing, hidden: [...unseen, ...store.get().roles.unobserved] };
    if (show === "hedge" && reply.hedge) return markHedge(drawing, reply.hedge);
    if (show === "step" && steps().length) return markStep(drawing, steps()[local.at].graph);
    const all = reply.paths?.found ?? [];
    return markPaths(drawing, path === null ? all : all.filter((each) => each.text === path));
  }

  const ways = () => (local.reply ? [["Do-calculus", local.reply.proof], ["Algorithm", local.reply.steps]].filter(([, list]) => list?.length) : []);
  const steps = () => (ways().find(([name]) => name === local.way) ?? ways()[0] ?? ["", []])[1];

  function redraw() {
    const found = marks();
    const { unobserved } = store.get().roles;
    const hidden = new Set(unobserved.map(nodeKey));
    const roles = local.reply?.roles ?? store.get().roles;
    const mark = (key) => [found.get(key) ?? "", hidden.has(key) ? "latent unobserved" : ""].join(" ").trim();
    view.draw(local.drawing, { roles, mark });
    const names = local.drawing.nodes.map(({ name }) => name).join("\n");
    if (names !== local.fitted && view.element.clientWidth) {
      local.fitted = names;
      view.fit();
    }
    if (!local.reply?.hedge && local.show === "hedge") local.show = "paths";
    const modes = [["paths", "Paths", local.reply?.paths], ["step", "This step", steps().length], ["hedge", "Hedge", local.reply?.hedge]].filter(([, , has]) => has);
    fill(shown, modes.length > 1 ? ["Show", modes.map(([name, word]) => h("button", { type: "button", class: "chip", "aria-pressed": String(local.show === name), onclick: () => { local.show = name; redraw(); } }, word))] : null);
  }

  function tell() {
    const { reply } = local;
    for (const part of Object.values(parts)) part.hidden = !reply;
    if (!reply) return;
    fill(parts.verdict, said.verdict(reply));
    tellSteps();
    section(parts.sets, said.sets(reply, (names) => store.set({ roles: { ...rolesNow(), adjusted: names } }, { undo: "adjust" })));
    tellPaths();
    fill(parts.independences, said.independences(reply));
  }

  function section(part, content) {
    part.hidden = !content.length;
    fill(part, content);
  }

  function tellPaths() {
    section(parts.paths, said.paths(local.reply, local.path, (path) => {
      Object.assign(local, { path, show: "paths" });
      tellPaths();
      redraw();
      if (path !== null) parts.paths.querySelector("[aria-pressed=true]")?.focus();
    }));
  }

  function tellSteps() {
    const list = steps();
    local.at = Math.min(local.at, Math.max(0, list.length - 1));
    const names = ways().map(([name]) => name);
    const way = names.includes(local.way) ? local.way : names[0];
    const turn = (change, focus) => {
      Object.assign(local, change, { show: "step" });
      tellSteps();
      redraw();
      parts.steps.querySelector(focus)?.focus();
    };
    section(parts.steps, list.length ? said.step(list, local.at, {
      way, ways: names,
      go: (at) => turn({ at }, `[data-go=${at > local.at ? "next" : "back"}]:not(:disabled), [data-go]:not(:disabled)`),
      choose: (next) => turn({ way: next, at: 0 }, ".chip[aria-pressed=true]"),
    }) : []);
  }

  function rolesNow() {
    const { roles, query } = store.get();
    return rolesWith(roles, query.trim() && local.reply ? local.reply.roles : null);
  }

  function give(name, brush) {
    const node = local.drawing.nodes.find((each) => each.name === name);
    if (!node || node.latent || node.exogenous) return;
    const { query } = store.get();
    const roles = rolesNow();
    const had = Object.keys(roles).find((each) => roles[each].includes(name));
    const without = Object.fromEntries(Object.entries(roles).map(([each, names]) => [each, names.filter((other) => other !== name)]));
    const next = had === brush ? without : { ...without, [brush]: [...without[brush], name] };
    const isAsked = [had, brush].some((each) => ASKED.includes(each));
    store.set({ roles: next, query: isAsked ? "" : query }, { undo: `make ${name} ${brush}` });
  }

  view.element.addEventListener("click", (event) => {
    const key = event.target.closest(".node")?.dataset.key;
    if (key) give(key.slice(nodeKey("").length), local.brush);
  });
  view.element.addEventListener("keydown", (event) => {
    const key = event.target.closest(".node")?.dataset.key;
    const brush = event.key === "Enter" || event.key === " " ? local.brush : ROLES.find(([, , letter]) => letter === event.key)?.[0];
    if (!key || !brush || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    give(key.slice(nodeKey("").length), brush);
  });

  function brush(next) {
    local.brush = next;
    fill(brushes, ROLES.map(([name, word, letter]) => h("button", { type: "button", class: "chip", "data-role": name, "aria-pressed": String(name === next), "aria-keyshortcuts": letter, onclick: () => { brush(name); brushes.querySelector("[aria-pressed=true]").focus(); } }, word)));
  }

  let timer = 0;
  let drawn = null;
  const distributions = () => (data.value === "named" ? named.value.split(";").map((each) => each.trim()).filter(Boolean) : data.value);

  async function refresh() {
    const { text, format, roles, query: asked, name } = store.get();
    if (text !== drawn) {
      const drawing = await api.post("draw", { text, format, shown: local.drawing.positions }, { lane: "know drawing" }).catch(() => null);
      if (drawing === null || store.get().text !== text) return;
      drawn = text;
      if (drawing.nodes.length || !drawing.problems?.length) local.drawing = drawing;
      redraw();
    }
    try {
      const reply = await api.post("know", { text, format, roles: present(roles), query: asked, name, data: distributions() }, { lane: "know" });
      if (reply === null) return;
      if (reply.question !== local.reply?.question) Object.assign(local, { at: 0, path: null, show: reply.hedge ? "hedge" : "paths" });
      local.reply = reply;
      box.show(asked.trim() || (reply.question ?? ""));
      own.show(reply.queries);
      blame(null);
    } catch (error) {
      local.reply = null;
      blame(error);
    }
    tell();
    redraw();
  }

  /** A mistake at its place in the question, or with its line in the graph. */
  function blame(error) {
    box.mistake(error?.column ? error : null);
    fill(mistake, error && !error.column ? problem(error) : null);
  }

  /** The roles of nodes that are still there. */
  function present(roles) {
    const names = new Set(local.drawing.nodes.filter((node) => !node.latent && !node.exogenous).map(({ name }) => name));
    return Object.fromEntries(Object.entries(roles).map(([each, list]) => [each, list.filter((name) => names.has(name))]));
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(() => { if (store.get().pane === "know") refresh(); }, REST);
  }

  /** What is known where an experiment with the first treatment was made: to begin with. */
  function experiment() {
    const name = local.reply?.roles.treatments[0];
    if (name === undefined) return "P(v)";
    const isWord = /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name);
    return `P(v); P(v | do(${isWord ? name : `"${name.replace(/["\\]/g, "\\$&")}"`}))`;
  }

  data.addEventListener("change", () => {
    named.hidden = data.value !== "named";
    named.value ||= experiment();
    soon();
  });
  named.addEventListener("input", soon);
  new ResizeObserver(() => { if (local.drawing.nodes.length && !local.fitted) redraw(); }).observe(view.element);
  store.subscribe((state, before) => {
    const asked = ["text", "format", "roles", "query", "name"].some((key) => state[key] !== before[key]);
    if (asked || (state.pane === "know" && before.pane !== "know")) soon();
  });
  brush(local.brush);
  refresh();
}

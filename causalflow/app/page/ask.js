/** Ask: questions to a graph that says it all, answered with a table, bars, and what they rest on. */

import { badge, copyButton, fill, h, s } from "./dom.js";
import { createOwnQuestions, createQueryBox } from "./query_box.js";
import { createRoots } from "./ask_roots.js";
import { formula } from "./know_said.js";
import { blank } from "./store.js";

const REST = 150;
const KINDS = { identified: "good", "identified in part": "part", "rests on the model": "model", unknown: "part", none: "none" };
const WORDS = { identified: "Data would tell it", "identified in part": "Data would tell it in part", "rests on the model": "Rests on the model", unknown: "Unknown whether data tell it", none: "Of exogenous variables" };

const NUMBERED = { "Kidney stones": "classics/kidney_stones", "Monty Hall": "classics/monty_hall", "Firing squad": "classics/firing_squad" };

/** Buttons that open examples whose nodes have numbers. */
function numbered(store, api) {
  const open = async (example) => {
    const { roles, ...opened } = await api.post("example", { name: example });
    store.set({ ...opened, roles: { ...blank().roles, ...roles } }, { undo: "open an example" });
  };
  return h("div", { class: "row" }, Object.entries(NUMBERED).map(([title, name]) =>
    h("button", { type: "button", class: "button", onclick: () => open(name) }, title)));
}

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {
  const examples = createOwnQuestions((query) => store.set({ query }, { undo: "choose a question" }));
  const answer = h("section", { class: "panel stack", "aria-live": "polite" });
  const side = h("section", { class: "panel stack" });
  const local = { model: null, read: null, ranges: null };
  const box = createQueryBox({
    id: "ask-query",
    label: "Question",
    complete: (query, at) => api.post("complete", { ...graph(), query, at }, { lane: "complete" }).catch(() => null),
    changed: (query) => store.set({ query }, { undo: "write the question" }),
    entered: () => refresh(),
  });
  const roots = createRoots((weights) => store.set({ ask: { ...store.get().ask, weights } }, { undo: "move a distribution" }));

  fill(element, h("div", { class: "columns" },
    h("div", { class: "stack wide" }, h("section", { class: "panel stack" }, h("h2", {}, "Ask the graph"), examples.element, box.element), answer),
    side,
  ));

  const graph = () => ({ text: store.get().text, format: store.get().format, name: store.get().name });
  const weights = () => store.get().ask.weights ?? {};

  async function model() {
    const roles = { unobserved: store.get().roles.unobserved };
    const asked = JSON.stringify([graph(), roles]);
    if (local.read !== asked) {
      local.model = await api.post("ask_model", { ...graph(), roles });
      if (local.model === null) return;
      local.read = asked;
    }
    const { queries, roots: list } = local.model;
    examples.show(queries);
    side.hidden = !list.length;
    if (!side.hidden && !side.contains(roots.element)) {
      fill(side, h("h2", {}, "What if causes were likelier?"), h("p", { class: "muted small" }, "Each variable that nothing moves has its distribution. Move it, and the answer follows; the file stays as it is."), roots.element);
    }
    roots.show(list, weights());
  }

  async function refresh() {
    const { query } = store.get();
    box.show(query);
    try {
      await model();
      if (local.model === null) return;
      if (local.model.how === "none") return say(h("h2", {}, "No numbers yet"), h("p", {}, local.model.why), local.model.fillable ? invited() : null, h("p", { class: "muted" }, "Know answers what follows from arrows alone. Numbers need a table or an equation at each node. These examples have them:"), numbered(store, api));
      if (!query.trim()) return say(h("p", { class: "muted" }, "Write a question: suggestions come as you type. P(y | do(x=1)) sets x; P(y[x=1] | x=0) asks what y would have been."));
      const name = local.model.how === "exact" ? "ask" : "ask_drawn";
      const reply = await api.post(name, { ...graph(), query, weights: used() }, { lane: "ask" });
      if (reply === null) return;
      box.mistake(null);
      local.ranges = null;
      tell(reply);
      if (reply.bounded === "at once") await ranges(reply, query);
    } catch (problem) {
      box.mistake(problem);
      answer.classList.add("stale");
    }
  }

  /** An offer to make numbers up for arrows that have none. */
  function invited() {
    const fill = async () => {
      try {
        const reply = await api.post("numbers", graph());
        if (reply) store.set({ text: reply.text, format: "yaml" }, { undo: "give example numbers" });
      } catch ({ message }) {
        say(h("p", { class: "problem" }, message));
      }
    };
    return h("div", { class: "stack" },
      h("div", { class: "row" }, h("button", { type: "button", class: "button primary", onclick: fill }, "Give this graph example numbers")),
      h("p", { class: "muted small" }, "Each node gets the levels 0 and 1, likelier to be 1 the more of its causes are. They are made up, and stand in the text of Draw, to be replaced by yours; Undo takes them back."),
    );
  }

  const used = () => Object.fromEntries(Object.entries(weights()).filter(([name]) => local.model.roots.some((root) => root.name === name)));

  /** What the observed distribution alone would leave open, beside the answer. */
  async function ranges(reply, query) {
    try {
      const found = await api.post("ask_bounds", { ...graph(), query, weights: used() }, { lane: "bounds" });
      if (found === null || store.get().query !== query) return;
      local.ranges = found;
    } catch (problem) {
      local.ranges = { rows: [], kind: "", notes: [problem.message] };
    }
    tell(reply);
  }

  function say(...content) {
    box.mistake(null);
    answer.classList.remove("stale");
    answer.hidden = false;
    fill(answer, content);
  }

  function tell(reply) {
    const found = local.ranges;
    const rangeOf = new Map((found?.rows ?? []).map((row) => [row.levels.join("\n"), row]));
    say(
      h("div", { class: "row apart" }, badge(KINDS[reply.badge], WORDS[reply.badge]), h("span", { class: "muted small" }, reply.exact ? "exact" : reply.error || reply.route)),
      formula(reply.mathml),
      reply.axes.length || found ? table(reply, rangeOf) : h("p", { class: "figure" }, number(reply.rows[0])),
      reply.cells > reply.rows.length ? h("p", { class: "note" }, `the first ${reply.rows.length} of ${reply.cells} cells are shown`) : null,
      [...reply.notes, ...(found?.notes ?? [])].map((each) => h("p", { class: "note" }, each)),
      found?.kind ? h("p", { class: "note" }, `Bounds from P(v) alone (${found.kind}): where the answer could lie in any model with the same arrows and data.`) : null,
      h("div", { class: "row", role: "group", "aria-label": "Copy the answer" }, copyButton("Copy text", () => reply.plain), copyButton("Copy Python", () => reply.python),
        reply.bounded === "when asked" && !found ? h("button", { type: "button", class: "button", onclick: () => ranges(reply, store.get().query) }, "Bounds from P(v) alone") : null),
    );
  }

  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    api.cancel("bounds");
    timer = setTimeout(() => { if (store.get().pane === "ask") refresh(); }, REST);
  };
  store.subscribe((state, before) => {
    const asked = ["text", "format", "query", "ask", "roles"].some((key) => state[key] !== before[key]);
    if (asked || (state.pane === "ask" && before.pane !== "ask")) soon();
  });
  refresh();
}

function number(row) {
  if (row.exact === null || row.exact === String(row.p)) return [h("b", {}, short(row.p))];
  return [h("b", {}, row.exact), h("span", { class: "muted" }, ` ${isSame(row.exact, short(row.p)) ? "=" : "≈"} ${short(row.p)}`)];
}

/** Whether a fraction is a decimal number, and not only near to it. */
function isSame(fraction, decimal) {
  const [, whole, rest = "", power = "0"] = decimal.match(/^(-?\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/) ?? [];
  if (whole === undefined) return false;
  const [top, bottom = "1"] = fraction.split("/");
  const places = rest.length - Number(power);
  const [left, right] = [BigInt(top), BigInt(whole + rest) * BigInt(bottom)];
  return places >= 0 ? left * 10n ** BigInt(places) === right : left === right * 10n ** BigInt(-places);
}

const short = (value) => String(Number(value.toPrecision(4)));

/** The cells with their numbers and bars; bounds are a line along the bar. */
function table(reply, rangeOf) {
  const isShare = reply.rows.every(({ p }) => p >= 0 && p <= 1);
  const most = isShare ? 1 : Math.max(...reply.rows.map(({ p }) => Math.abs(p)), 1e-12);
  const head = [...reply.axes.map((axis) => h("th", { scope: "col" }, axis)), h("th", { scope: "col", class: "number" }, "value"), rangeOf.size ? h("th", { scope: "col", class: "number" }, "bounds") : null, h("th", { scope: "col", class: "bars" }, h("span", { class: "visually-hidden" }, "bar"))];
  const rows = reply.rows.map((row) => {
    const range = rangeOf.get(row.levels.join("\n"));
    return h("tr", {},
      row.levels.map((level) => h("th", { scope: "row" }, level)),
      h("td", { class: "number" }, number(row)),
      rangeOf.size ? h("td", { class: "number" }, range ? `${short(range.low)} to ${short(range.high)}` : "") : null,
      h("td", { class: "bars" }, bar(row.p / most, range && isShare ? range : null)),
    );
  });
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Answer" }, h("table", { class: "table answer" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

/** A bar for a number of at most 1, and below it what bounds leave. */
function bar(share, range) {
  return s("svg", { class: "bar", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "ground", x: 0, y: 0, width: 100, height: 8 }),
    s("rect", { class: share < 0 ? "fill minus" : "fill", x: 0, y: 0, width: Math.min(100, 100 * Math.abs(share)), height: 8 }),
    range ? s("rect", { class: "range", x: 100 * range.low, y: 9, width: Math.max(0.8, 100 * (range.high - range.low)), height: 3 }) : null,
  );
}

/** Table: rows as they would have been, with what is not known of them. The store has
 * `table: {model, row, do}`; the rows of a file stay in this tab and are sent when they are fitted. */

import { createControls, shown, withUnit } from "./controls.js";
import { badge, fill, h, problem } from "./dom.js";
import { BADGES, modelOptions, pythonOf, whatIf } from "./imagine.js";
import { levelBars, rangeBar } from "./ranges.js";

const PAGE = "page";
const MEMBERS = 10;
const REST = 300;
const MOST = 900_000; // bytes of rows that one request holds

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {
  const view = build(element);
  const of = () => store.get().table;
  const change = (patch, undo) => store.set({ table: { ...of(), ...patch } }, undo ? { undo } : {});
  const asked = () => {
    const { text, format } = store.get();
    const { model } = of();
    return model === PAGE ? { model, text, format } : { model };
  };
  let started = null;
  let file = null;

  let failures = 0;
  const fail = (mistake) => {
    failures += 1;
    fill(view.problem, problem(mistake));
  };
  const controls = createControls(view.controls, {
    onset: (name, value) => change({ do: { ...of().do, [name]: value } }, `set ${name}`),
    onfree(name) {
      const { [name]: gone, ...rest } = of().do;
      change({ do: rest }, `let ${name} go`);
    },
  });
  view.back.addEventListener("click", () => change({ do: {} }, "let all go"));
  view.model.addEventListener("change", () => change({ model: view.model.value, row: null, do: {} }, "choose a model"));
  view.file.addEventListener("change", async () => {
    const [given] = view.file.files;
    if (!given) return;
    if (given.size > MOST) {
      fail({ message: `${given.name} has ${given.size.toLocaleString()} bytes; the page takes ${MOST.toLocaleString()}: fit it by "causalflow fit", and start the page with --model`, line: null });
      return;
    }
    take({ name: given.name, csv: await given.text() });
    await fit();
  });

  /** The rows that a fit is made of, from now on; without `csv` those that were given at the start. */
  function take(rows) {
    file = rows;
    view.fit.disabled = false;
    view.types.disabled = false;
    view.fit.textContent = `Fit to ${file.name}`;
  }
  view.fit.addEventListener("click", () => fit());
  view.types.addEventListener("click", () => types());
  view.number.addEventListener("change", () => {
    if (view.number.value !== "" && view.number.reportValidity()) change({ row: { from: "data", number: Number(view.number.value) } }, "choose a row");
  });

  async function fit() {
    const { text, format } = store.get();
    fill(view.problem);
    view.fit.disabled = true;
    try {
      const found = await api.post("table_fit", { text, format, csv: file.csv, members: view.members.checked ? MEMBERS : 0 }, { lane: "table-fit" });
      if (found) {
        option(found.model, `fitted here to ${file.name}`);
        change({ model: found.model, row: null, do: {} }, "fit the rows");
      }
    } catch (mistake) {
      fail(mistake);
    }
    view.fit.disabled = false;
  }

  async function types() {
    const { text, format } = store.get();
    try {
      const found = await api.post("table_types", { text, format, csv: file.csv }, { lane: "table-fit" });
      if (!found) return;
      store.set({ text: found.text, format: "yaml" }, { undo: "guess the types" });
      fill(view.problem, h("div", { class: "note stack" },
        h("p", {}, found.new ? "A first graph of your columns is on the page; it has no edge yet. Draw what causes what, then fit." : "The types are in the graph on the page; read them, then fit."),
        h("ul", { class: "small" }, found.guesses.map(({ node, entry, why }) => h("li", {}, h("b", {}, node), ` ${entry}: ${why}`)))));
    } catch (mistake) {
      fail(mistake);
    }
  }

  function option(name, text) {
    if (![...view.model.options].some((each) => each.value === name)) view.model.append(h("option", { value: name }, text));
  }

  async function begin() {
    try {
      const found = await api.post("table_models", {});
      if (!found) return;
      fill(view.model, h("option", { value: PAGE }, "the graph on the page, by its equations and tables"), modelOptions(found.models));
      if (found.rows) take({ name: found.rows });
      if (of().model) await load();
      else if (found.rows && found.models.every((each) => each.shipped)) offer(found.rows);
      else change({ model: found.models.find((each) => !each.problem).name, row: null, do: {} });
    } catch (mistake) {
      fail(mistake);
    }
  }

  /** Rows were given at the start, and no model: nothing is chosen before they are fitted. */
  function offer(name) {
    view.model.prepend(h("option", { value: "", selected: true }, "none yet"));
    fill(view.problem, h("p", { class: "note" }, `${name} was given at the start. Fit the graph on the page to it, and ask what one of its rows would have been.`));
  }

  async function load() {
    const { model } = of();
    option(model, "fitted here");
    view.model.value = model;
    try {
      const found = await api.post("table_start", asked(), { lane: "table-start" });
      if (!found) return;
      started = found;
      fill(view.problem);
      controls.build(found.controls);
      rows(found);
      view.body.hidden = false;
      const [assumed, warned] = [true, false].map((is) => found.notes.filter((each) => each.startsWith("assumes:") === is));
      fill(view.fitted, assumed.map((each) => h("li", {}, each)));
      fill(view.warned, warned.map((each) => h("p", { class: "note small" }, each)));
      if (of().row) ask();
      else change({ row: { from: "data", number: 0 } });
    } catch (mistake) {
      started = null;
      view.body.hidden = true;
      fail(mistake);
    }
  }

  function rows({ rows: given, controls: known }) {
    const listed = given.labels[known[0].name].length;
    const head = h("tr", {}, h("th", { scope: "col" }, "row"), known.map(({ name, unit }) => h("th", { scope: "col" }, name, unit ? h("span", { class: "muted" }, ` ${unit}`) : null)));
    const lines = Array.from({ length: listed }, (_, at) => h("tr", {},
      h("th", { scope: "row" }, h("label", { class: "row" }, h("input", {
        type: "radio", name: "table-row", value: at, "aria-label": `row ${at}`, onchange: () => change({ row: { from: "data", number: at } }, "choose a row"),
      }), String(at))),
      known.map(({ name }) => h("td", {}, given.labels[name][at] === null ? h("span", { class: "muted" }, "empty") : shown(given.labels[name][at])))));
    fill(view.rows, h("table", { class: "table" }, h("thead", {}, head), h("tbody", {}, lines)));
    view.about.textContent = given.about;
    view.number.max = given.count - 1;
    view.any.hidden = given.count === listed;
    view.most.textContent = `of 0 to ${(given.count - 1).toLocaleString("en")}; the first ${listed} are below`;
  }

  async function ask() {
    const { row, do: set = {} } = of();
    if (!started || !row) return;
    for (const input of view.rows.querySelectorAll("input")) input.checked = Number(input.value) === row.number;
    view.number.value = row.number ?? "";
    const before = failures;
    try {
      const found = await api.post("table", { ...asked(), row, do: set }, { lane: "table" });
      if (!found || !started) return;
      if (failures === before) fill(view.problem); // what failed meanwhile is still to be read
      render(found, set);
    } catch (mistake) {
      fail(mistake);
    }
  }

  function render(found, set) {
    controls.show(Object.fromEntries(found.nodes.map((each) => [each.node, { before: each.factual, after: after(each), set: each.set }])));
    const [kind, label] = BADGES[found.badge.kind];
    fill(view.badge, badge(kind, label), h("span", { class: "small" }, found.badge.words));
    fill(view.answer, answered(found, started.controls, set));
    fill(view.notes, found.notes.map((each) => h("li", {}, each)));
    const refits = found.members ? `, ${found.members} refits` : "";
    view.numbers.textContent = `${found.level} ranges from ${found.draws} draws${refits}, ${Math.round(found.milliseconds.prediction)} ms. Start: ${found.row}.`;
    view.python.textContent = found.python;
    view.back.disabled = !Object.keys(set).length;
  }

  store.subscribe((state, before) => {
    const { table, text } = state;
    if (table.model !== before.table.model) load();
    else if (table !== before.table) {
      if (!table.row) change({ row: { from: "data", number: 0 } });
      else ask();
    }
    if (text !== before.text && table.model === PAGE) {
      clearTimeout(load.timer);
      load.timer = setTimeout(load, REST);
    }
  });
  begin();
}

/** The value that a node would have: set, the mean of a number, the likeliest level; or as it was. */
function after({ set, value, parts, factual }) {
  if (set) return value;
  if (!parts) return factual;
  if (parts[0].level === null) return parts[0].value;
  return parts.reduce((best, each) => (each.value > best.value ? each : best)).level;
}

function answered(found, known, set) {
  const moved = found.nodes.filter(({ moved: isMoved }) => isMoved);
  if (!Object.keys(set).length) return h("p", { class: "muted" }, "Nothing is set. Move a slider, or choose a level.");
  if (!moved.length) return h("p", { class: "muted" }, "No other node changes.");
  return moved.map((each) => {
    const control = known.find(({ name }) => name === each.node);
    const isNumber = each.parts[0].level === null;
    return h("section", { class: "stack node-answer", "aria-label": each.node },
      h("div", { class: "row apart" }, h("h3", {}, each.node),
        isNumber ? h("span", {}, `was ${shown(each.factual)}, would be `, h("b", {}, withUnit(each.parts[0].value, each.unit))) : h("span", {}, `was ${shown(each.factual)}`)),
      isNumber ? rangeBar(each.parts[0], control, found) : levelBars(each.parts, found));
  });
}

/** The pane's elements. */
function build(element) {
  const at = {};
  const keep = (name, made) => { at[name] = made; return made; };
  fill(element, h("div", { class: "stack wide" },
    h("div", { class: "panel stack" },
      h("div", { class: "row imagine-head" },
        h("label", { class: "field imagine-model" }, h("span", {}, "Model"), keep("model", h("select", {})))),
      h("div", { class: "row" },
        h("label", { class: "row small" }, "Or fit the graph on the page to your rows ", keep("file", h("input", { type: "file", accept: ".csv,text/csv" }))),
        h("label", { class: "row small" }, keep("members", h("input", { type: "checkbox" })), `with the error of the fit (${MEMBERS} refits: minutes)`),
        keep("fit", h("button", { type: "button", class: "button", disabled: true }, "Fit")),
        keep("types", h("button", { type: "button", class: "button", disabled: true }, "Guess the types"))),
      keep("problem", h("div", {}))),
    keep("body", h("div", { class: "answer-grid", hidden: true },
      h("section", { class: "panel stack answer-first", "aria-label": "The answer" },
        h("h2", {}, "As it would have been"),
        keep("badge", h("div", { class: "row badge-line" })),
        keep("warned", h("div", { class: "stack" })),
        keep("answer", h("div", { class: "stack", "aria-live": "polite" })),
        h("details", {}, h("summary", {}, "What the answer rests on"), keep("notes", h("ul", { class: "small" })), keep("fitted", h("ul", { class: "small" }))),
        keep("numbers", h("p", { class: "small muted" })),
        pythonOf(keep)),
      whatIf(keep, [keep("controls", h("div", { class: "stack" }))]),
      h("section", { class: "panel stack answer-rest", "aria-label": "Rows" },
        h("div", { class: "row apart" }, h("h2", {}, "Start from a row"), keep("about", h("span", { class: "small muted" }))),
        keep("any", h("label", { class: "row small" }, "Row", keep("number", h("input", { class: "row-number", type: "number", min: 0, step: 1 })), keep("most", h("span", { class: "muted" })))),
        keep("rows", h("div", { class: "scroll rows", tabindex: "0", role: "group", "aria-label": "Rows to start from" })))))));
  return at;
}

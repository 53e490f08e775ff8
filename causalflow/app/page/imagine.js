/** Imagine: counterfactual pictures of a fitted model. Which model, row and settings are in the
 * store, as `imagine: {model, row, do, draws}`; the pane follows it and asks for what it shows. */

import { createControls, shown, withUnit } from "./controls.js";
import { badge, copyButton, fill, h, problem, save } from "./dom.js";
import { createFilm } from "./film.js";
import { saveSheet, showPictures } from "./pictures.js";
import { createStart, firstRow } from "./start_row.js";

export const BADGES = {
  identified: ["good", "identified"],
  given: ["good", "given by the graph"],
  bounds: ["part", "bounds"],
  model: ["model", "model-dependent"],
  unchanged: ["none", "nothing changed"],
};
const REST = 250; // milliseconds at which a slider that is held counts as let go
const FAST = 120; // milliseconds of a prediction from which on a moving slider shows drafts

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {
  const view = build(element);
  const of = () => store.get().imagine;
  const change = (patch, undo) => store.set({ imagine: { ...of(), ...patch } }, undo ? { undo } : {});
  let started = null;
  let answer = null;
  let isCompared = false;
  let answered = "";
  let isMoving = false;
  let resting = 0;

  const done = (set) => words(set, Object.fromEntries((started?.controls ?? []).map(({ name, unit }) => [name, unit])));
  const fail = (mistake) => fill(view.problem, problem(mistake));
  const controls = createControls(view.controls, {
    onset(name, value, isLast) {
      isMoving = !isLast;
      clearTimeout(resting);
      if (!isLast) resting = setTimeout(() => { isMoving = false; ask(); }, REST);
      const same = of().do?.[name] === value;
      if (same) ask();
      else change({ do: { ...of().do, [name]: value } }, `set ${name}`);
    },
    onfree(name) {
      const { [name]: gone, ...rest } = of().do;
      change({ do: rest }, `let ${name} go`);
    },
  });
  const start = createStart(view.start, {
    onrow: (row) => change({ row }, "choose a row"),
    async onfile(file) {
      try {
        const { picture, width, height } = await api.upload(file);
        const seen = await api.post("imagine_picture", { model: of().model, png: picture, size: [width, height] });
        if (!seen) return;
        fill(view.problem);
        change({ row: { from: "picture", png: seen.png, made: seen.about } }, "open a picture");
      } catch (mistake) {
        fail(mistake);
      }
    },
  });
  const film = createFilm(view.film, api, () => ({ model: of().model, row: of().row, do: of().do ?? {} }), {
    onset: (name, value) => change({ do: { ...of().do, [name]: value } }, `set ${name}`),
    onfail: fail,
  });

  view.model.addEventListener("change", () => change({ model: view.model.value, row: null, do: {} }, "choose a model"));
  view.draws.addEventListener("change", () => change({ draws: Number(view.draws.value) }, "draws"));
  view.back.addEventListener("click", () => change({ do: {} }, "let all go"));
  view.sheet.addEventListener("click", () => answer && saveSheet("counterfactual.png", sheet(answer, done(of().do ?? {}))));
  view.factual.addEventListener("click", () => answer && save("factual.png", answer.pictures[0].factual));
  view.graph.addEventListener("click", () => started && store.set(
    { text: started.graph, format: "yaml", name: `${started.model}.yaml` }, { undo: "open the model's graph" }));

  async function begin() {
    try {
      const found = await api.post("imagine_models", {});
      if (!found) return;
      fill(view.model, modelOptions(found.models));
      if (of().model) await load();
      else change({ model: found.models.find((each) => !each.problem).name, row: null, do: {} });
    } catch (mistake) {
      fail(mistake);
    }
  }

  async function load() {
    const { model } = of();
    view.model.value = model;
    view.says.textContent = "Loading the model…";
    view.body.setAttribute("aria-busy", "true");
    try {
      const found = await api.post("imagine_start", { model }, { lane: "imagine-start" });
      if (!found) return;
      started = found;
      isCompared = false;
      answer = null;
      answered = "";
      controls.build(found.controls);
      start.build(found.rows, Object.keys(found.images).length === 1);
      film.build(found.controls);
      view.says.textContent = "Finding the noise of the first picture…";
      if (!of().row) change({ row: firstRow(found.rows) });
      else ask();
    } catch (mistake) {
      view.says.textContent = "";
      fail(mistake);
    }
  }

  async function ask() {
    const { model, row, do: set = {}, draws = 1 } = of();
    if (!started || started.model !== model || !row) return;
    const draft = isMoving && (answer?.milliseconds.prediction ?? 0) > FAST;
    const asked = JSON.stringify({ model, row, set, draws });
    if (!draft && asked === answered) return;
    const begun = performance.now();
    view.body.setAttribute("aria-busy", "true");
    try {
      const found = await api.post("imagine", { model, row, do: set, draws, draft }, { lane: "imagine" });
      if (!found) return;
      answered = draft ? "" : asked;
      if (!draft) answer = found;
      fill(view.problem);
      open();
      render(found, set, performance.now() - begun, draft);
    } catch (mistake) {
      open();
      fail(mistake);
    }
    view.body.removeAttribute("aria-busy");
    if (!isCompared) fits(); // by the process that has the model by now
    isCompared = true;
  }

  function open() {
    view.body.hidden = false;
    view.says.textContent = "";
  }

  function render(found, set, milliseconds, draft) {
    showPictures(view.pictures, found.pictures, done(set));
    controls.show(Object.fromEntries(found.moved.map((each) => [each.node, each])));
    start.show(of().row, found.row);
    const [kind, label] = BADGES[found.badge.kind];
    fill(view.badge, badge(kind, label), h("span", { class: "small" }, found.badge.words));
    view.badge.title = found.badge.question ?? "";
    fill(view.doubts, found.doubts.map((each) => h("p", { class: "note small" }, each)));
    fill(view.moved, movedTable(found.moved));
    fill(view.notes, [found.badge.words, ...found.notes].map((each) => h("li", {}, each)));
    const { abduction, prediction, pictures } = found.milliseconds;
    const way = Math.max(0, Math.round(milliseconds) - [abduction, prediction, pictures].reduce((sum, each) => sum + Math.round(each), 0));
    const calls = found.calls.abduction + found.calls.prediction;
    view.numbers.textContent = `${draft ? "Preview by fewer steps. " : ""}${Math.round(milliseconds)} ms from slider to picture: `
      + `noise ${spent(abduction)}, prediction ${spent(prediction)}, pictures ${spent(pictures)}, the way there and back ${way} ms. `
      + `${shown(calls)} network calls (${shown(found.calls.abduction)} to find the noise, ${shown(found.calls.prediction)} to draw).`;
    view.python.textContent = found.python;
    view.factual.hidden = of().row?.from !== "picture";
    view.back.disabled = !Object.keys(set).length;
    view.draws.value = String(of().draws ?? 1);
    film.stale();
  }

  async function fits() {
    const { text, format } = store.get();
    if (!started) return;
    try {
      const found = await api.post("imagine_fits", { model: started.model, text, format }, { lane: "imagine-fits" });
      if (!found) return;
      view.fits.hidden = found.fits;
      view.apart.textContent = found.other ? "The graph on the page is another one." : "The graph on the page no longer fits this model.";
      view.departures.hidden = found.other;
      view.fits.toggleAttribute("data-other", found.other);
      fill(view.departures, found.departures.map((each) => h("li", {}, each)));
    } catch (mistake) {
      fail(mistake);
    }
  }

  store.subscribe((state, before) => {
    if (state.imagine !== before.imagine) {
      if (state.imagine.model !== started?.model || state.imagine.model !== before.imagine.model) load();
      else if (state.imagine.row) ask();
      else change({ row: firstRow(started.rows) });
    }
    if (state.text !== before.text || (state.pane === "imagine" && before.pane !== "imagine")) {
      clearTimeout(fits.timer);
      fits.timer = setTimeout(() => { if (store.get().pane === "imagine") fits(); }, REST);
    }
  });
  begin();
}

/** What is set, in words, with the unit of each node. */
function words(set, units) {
  const done = Object.entries(set).map(([name, value]) => `${name} = ${withUnit(value, units[name])}`).join(", ");
  return done ? `had ${done}` : "as it is";
}

function spent(milliseconds) {
  return milliseconds ? `${Math.round(milliseconds)} ms` : "kept";
}

function sheet(answer, caption) {
  return answer.pictures.flatMap((each) => [
    { uri: each.factual, caption: "as it was" },
    ...each.counterfactual.map((uri) => ({ uri, caption })),
    { uri: each.difference[0], caption: "what differs" },
  ]);
}

/** The nodes that are set or moved, and how many stay. */
function movedTable(moved) {
  const changed = moved.filter(({ set, before, after }) => set || shown(before) !== shown(after));
  const rest = moved.length - changed.length;
  const stay = rest ? h("p", { class: "small muted" }, `${rest} ${rest === 1 ? "node stays" : "nodes stay"} as ${rest === 1 ? "it is" : "they are"}.`) : null;
  if (!changed.length) return h("p", { class: "muted" }, "Nothing is set. Move a slider, or choose a level.");
  const head = h("tr", {}, ["node", "was", "would be", "change"].map((each, at) => h("th", { scope: "col", class: at ? "number" : null }, each)));
  const lines = changed.map(({ node, unit, before, after, change, set, open, shares }) => h("tr", {},
    h("th", { scope: "row" }, node, set ? h("span", { class: "muted" }, " set") : null),
    h("td", { class: "number" }, withUnit(before, unit)),
    h("td", { class: "number" }, withUnit(after, unit), open ? h("span", { class: "muted" }, ` one draw${drawn(shares)}`) : null),
    h("td", { class: "number" }, change === undefined ? "" : `${change > 0 ? "+" : ""}${withUnit(change, unit)}`)));
  return [h("table", { class: "table" }, h("thead", {}, head), h("tbody", {}, lines)), stay];
}

function drawn(shares) {
  if (!shares) return "";
  return ` (${Object.entries(shares).map(([level, share]) => `${level}: ${share.toFixed(2)}`).join(", ")})`;
}

/** The pane's elements. */
function build(element) {
  const at = {};
  const keep = (name, made) => { at[name] = made; return made; };
  const count = [1, 2, 3, 4, 5, 6].map((each) => h("option", { value: each }, String(each)));
  fill(element, h("div", { class: "stack wide" },
    h("div", { class: "panel stack" },
      h("div", { class: "row imagine-head" },
        h("label", { class: "field imagine-model" }, h("span", {}, "Model"), keep("model", h("select", {}))),
        keep("says", h("span", { class: "muted", role: "status" }))),
      keep("problem", h("div", {})),
      keep("start", h("div", { class: "stack" })),
      keep("doubts", h("div", { role: "status" }))),
    keep("body", h("div", { class: "answer-grid", hidden: true },
      h("section", { class: "panel stack answer-first", "aria-label": "The picture" },
        keep("pictures", h("div", { class: "pictures" })),
        h("p", { class: "small muted difference-key" }, h("span", { class: "key darker" }), "darker ", h("span", { class: "key brighter" }), "brighter; full colour: by half of black to white, or more"),
        keep("badge", h("div", { class: "row badge-line" }))),
      whatIf(keep, [
        keep("fits", h("div", { class: "note stack", hidden: true },
          h("p", {}, keep("apart", h("span", {})), " What is shown here follows the graph that the model was fitted with."),
          keep("departures", h("ul", {})),
          h("div", {}, keep("graph", h("button", { type: "button", class: "button" }, "Put the model's graph on the page"))))),
        keep("controls", h("div", { class: "stack" })),
        h("label", { class: "row small" }, "Draws of what the row leaves open", keep("draws", h("select", {}, count)))]),
      h("section", { class: "panel stack answer-rest", "aria-label": "The answer" },
        h("h2", {}, "What moved"),
        keep("moved", h("div", { class: "scroll" })),
        h("details", {}, h("summary", {}, "What the answer rests on"), keep("notes", h("ul", { class: "small" }))),
        keep("numbers", h("p", { class: "small muted" })),
        pythonOf(keep),
        h("div", { class: "row" }, keep("sheet", h("button", { type: "button", class: "button" }, "Save PNG")),
          keep("factual", h("button", { type: "button", class: "button", hidden: true }, "Save factual.png"))),
        keep("film", h("div", { class: "stack" })))))));
  return at;
}

/** The options of a list of models; one that cannot be read says why.
 * @param {{name: string, shipped: boolean, title: string, about: string, problem: string|null}[]} models
 */
export function modelOptions(models) {
  return models.map((each) => h("option", { value: each.name, disabled: Boolean(each.problem) },
    each.problem ? `${each.name}: ${each.problem}` : `${each.shipped ? each.title : each.name}: ${each.about}`));
}

/** The panel of the controls: `back`, and what is in it.
 * @param {(name: string, made: HTMLElement) => HTMLElement} keep
 * @param {HTMLElement[]} children
 */
export function whatIf(keep, children) {
  return h("section", { class: "panel stack answer-controls", "aria-label": "What if" },
    h("div", { class: "row apart" }, h("h2", {}, "What if"), keep("back", h("button", { type: "button", class: "button quiet", disabled: true }, "Let all go"))),
    children);
}

/** The lines of Python that repeat an answer, `python`, and a button that copies them.
 * @param {(name: string, made: HTMLElement) => HTMLElement} keep
 */
export function pythonOf(keep) {
  const lines = keep("python", h("pre", { class: "mono small", tabindex: "0" }));
  return h("details", {}, h("summary", {}, "Python that repeats it"), h("div", { class: "scroll" }, lines), copyButton("Copy Python", () => lines.textContent));
}

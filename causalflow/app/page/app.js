/** The page: its head, its tabs, the address that holds its state, and the work under way. */

import { createApi } from "./api.js";
import * as address from "./address.js";
import * as ask from "./ask.js";
import { copy, h } from "./dom.js";
import * as draw from "./draw.js";
import * as imagine from "./imagine.js";
import * as know from "./know.js";
import { blank, createStore } from "./store.js";
import * as table from "./table.js";

const PANES = [
  { name: "draw", title: "Draw", says: "the graph", module: draw },
  { name: "know", title: "Know", says: "what follows from it", module: know },
  { name: "ask", title: "Ask", says: "numbers", module: ask },
  { name: "imagine", title: "Imagine", says: "other pictures", module: imagine },
  { name: "table", title: "Table", says: "other rows", module: table },
];
const REST = 400; // milliseconds without a change after which the address is written
const SHOWN = 500; // milliseconds after which work under way is shown

const at = (id) => document.getElementById(id);

/** Say something in the page's status line, to eyes and screen readers. */
function say(text) {
  at("status").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { at("status").textContent = ""; }, 4000);
}

async function begin() {
  const api = createApi();
  const store = createStore(await opening(api));
  head(store);
  tabs(store, api);
  keep(store);
  busy(api);
  document.documentElement.dataset.ready = "true";
}

/** The state to begin with: the address's, else what the command was given. */
async function opening(api) {
  const kept = await address.read(location.hash);
  if (kept) return { ...blank(), ...kept };
  try {
    const { name, text, format, roles, query, pane } = await api.post("start", {});
    const first = blank();
    return { ...first, name, text, format, pane, query, roles: { ...first.roles, ...roles } };
  } catch (problem) {
    say(problem.message);
    return blank();
  }
}

function head(store) {
  const [name, undo, redo, share] = ["name", "undo", "redo", "share"].map(at);
  name.addEventListener("change", () => store.set({ name: name.value.trim() || "graph.yaml" }, { undo: "rename the file" }));
  undo.addEventListener("click", store.undo);
  redo.addEventListener("click", store.redo);
  share.addEventListener("click", async () => {
    history.replaceState(null, "", `#${await address.written(store.get())}`);
    await copy(location.href);
    say(`The link is copied. It opens this page as it is now, wherever causalflow app runs at ${location.host}.`);
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea:not([data-undo])")) return;
    const key = event.key.toLowerCase();
    if (key === "z" || key === "y") {
      event.preventDefault();
      if (key === "y" || event.shiftKey) store.redo();
      else store.undo();
    }
  });
  const follow = (state) => {
    if (document.activeElement !== name) name.value = state.name;
    document.title = `${state.name} · causalflow`;
    const steps = store.history();
    undo.disabled = steps.undo === null;
    redo.disabled = steps.redo === null;
    undo.title = steps.undo ? `Undo: ${steps.undo}` : "Nothing to undo";
    redo.title = steps.redo ? `Redo: ${steps.redo}` : "Nothing to redo";
  };
  store.subscribe(follow);
  follow(store.get());
}

function tabs(store, api) {
  const list = document.querySelector(".tabs");
  const made = PANES.map(({ name, title, says, module }) => {
    const tab = h("button", {
      type: "button", role: "tab", class: "tab", id: `tab-${name}`, "aria-controls": `pane-${name}`,
      onclick: () => store.set({ pane: name }),
    }, h("span", { class: "tab-title" }, title), h("span", { class: "tab-says" }, says));
    const pane = h("section", { role: "tabpanel", class: "pane", id: `pane-${name}`, "aria-labelledby": `tab-${name}`, tabindex: "-1" });
    list.append(tab);
    at("panes").append(pane);
    return { name, tab, pane, module, mounted: false };
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const here = made.findIndex(({ tab }) => tab === document.activeElement);
    if (here < 0 || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const to = step ? (here + step + made.length) % made.length : event.key === "Home" ? 0 : made.length - 1;
    store.set({ pane: made[to].name });
    made[to].tab.focus();
  });
  const follow = (state) => {
    const shown = made.find(({ name }) => name === state.pane) ?? made[0];
    for (const each of made) {
      const isShown = each === shown;
      each.tab.setAttribute("aria-selected", String(isShown));
      each.tab.tabIndex = isShown ? 0 : -1;
      each.pane.hidden = !isShown;
    }
    if (!shown.mounted) {
      shown.mounted = true;
      shown.module.mount(shown.pane, store, api);
    }
  };
  store.subscribe(follow);
  follow(store.get());
}

/** Write the state into the address at rest; follow an address that is typed or pasted. */
function keep(store) {
  let timer = 0;
  let own = location.hash;
  store.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      own = `#${await address.written(store.get())}`;
      history.replaceState(null, "", own);
    }, REST);
  });
  addEventListener("hashchange", async () => {
    if (location.hash === own) return;
    const state = await address.read(location.hash);
    if (state) store.set({ ...blank(), ...state }, { undo: "open a link" });
  });
}

/** Show work that takes long, how far it is, and a way to end it. */
function busy(api) {
  let work = [];
  const show = () => {
    const longest = work.filter(({ since }) => performance.now() - since >= SHOWN)[0];
    at("busy").hidden = !longest;
    if (!longest) return;
    if (longest.share === null) at("busy-share").removeAttribute("value");
    else at("busy-share").value = longest.share;
    at("busy-said").textContent = longest.said || "Working";
  };
  api.subscribe((now) => {
    work = now;
    show();
    if (work.length) setTimeout(show, SHOWN + 10);
  });
  at("busy-cancel").addEventListener("click", () => {
    for (const { lane } of work) api.cancel(lane);
    say("Cancelled.");
  });
}

begin();

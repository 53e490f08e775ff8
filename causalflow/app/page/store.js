/** The store: the page's state, one plain object, who follows it, and what can be undone. */

/**
 * @typedef {object} State
 * @property {string} name the file's name
 * @property {string} text the graph file
 * @property {string|null} format null: told by how the text begins
 * @property {{treatments: string[], outcomes: string[], given: string[], adjusted: string[], unobserved: string[]}} roles
 * @property {string} query
 * @property {"draw"|"know"|"ask"|"imagine"|"table"} pane
 * @property {object} ask
 * @property {object} imagine
 * @property {object} table
 *
 * @typedef {object} Store
 * @property {() => State} get
 * @property {(patch: Partial<State>, options?: {undo?: string}) => void} set
 * @property {(fn: (state: State, before: State) => void) => () => void} subscribe
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => {undo: string|null, redo: string|null}} history
 */

const JOINED = 800; // milliseconds in which steps of one label are one
const KEPT = 200;

/** What a new page begins with.
 * @returns {State}
 */
export function blank() {
  return {
    name: "graph.yaml",
    text: "",
    format: "yaml",
    roles: { treatments: [], outcomes: [], given: [], adjusted: [], unobserved: [] },
    query: "",
    pane: "draw",
    ask: {},
    imagine: {},
    table: {},
  };
}

/** The roles as they are clicked; those that make a written question are the question's own.
 * @param {State["roles"]} kept
 * @param {Record<string, string[]>|null} asked treatments, outcomes and given of the question; null: none is written
 */
export function rolesWith(kept, asked) {
  const roles = { ...blank().roles, ...kept };
  if (!asked) return roles;
  const { treatments, outcomes, given } = asked;
  const taken = new Set([...treatments, ...outcomes, ...given]);
  const others = Object.entries(roles).map(([each, names]) => [each, names.filter((name) => !taken.has(name))]);
  return { ...Object.fromEntries(others), treatments, outcomes, given };
}

/** A store. `set` with `{undo: label}` can be undone; quick steps of one label are one.
 * @param {State} initial
 * @returns {Store}
 */
export function createStore(initial) {
  let state = { ...initial };
  const followers = new Set();
  const past = [];
  const future = [];
  let last = { label: null, at: 0 };

  function change(patch) {
    const before = state;
    state = { ...state, ...patch };
    for (const follow of [...followers]) follow(state, before);
  }

  function values(keys) {
    return Object.fromEntries(keys.map((key) => [key, state[key]]));
  }

  function move(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push({ label: step.label, values: values(Object.keys(step.values)) });
    last = { label: null, at: 0 };
    change(step.values);
  }

  return {
    get: () => state,
    set(patch, { undo = null } = {}) {
      const keys = Object.keys(patch).filter((key) => patch[key] !== state[key]);
      if (!keys.length) return;
      if (undo !== null) {
        const now = Date.now();
        const joined = undo === last.label && now - last.at < JOINED && past.length;
        const step = joined ? past[past.length - 1] : { label: undo, values: {} };
        step.values = { ...values(keys), ...step.values };
        if (!joined) past.push(step);
        if (past.length > KEPT) past.shift();
        future.length = 0;
        last = { label: undo, at: now };
      }
      change(Object.fromEntries(keys.map((key) => [key, patch[key]])));
    },
    subscribe(fn) {
      followers.add(fn);
      return () => followers.delete(fn);
    },
    undo: () => move(past, future),
    redo: () => move(future, past),
    history: () => ({
      undo: past.length ? past[past.length - 1].label : null,
      redo: future.length ? future[future.length - 1].label : null,
    }),
  };
}

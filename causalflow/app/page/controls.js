/** Controls: one a node, a slider within the range that was fitted, or its levels as buttons. A
 * control shows the value that the node would have; moving it sets the node, until it is let go. */

import { fill, h } from "./dom.js";

/**
 * @typedef {object} Control
 * @property {string} name
 * @property {string} type
 * @property {string|null} unit
 * @property {string[]} parents
 * @property {(string|number)[]} [levels]
 * @property {(string|number)[]} [unseen] levels that no row of the fit had
 * @property {number} [low]
 * @property {number} [high]
 * @property {number} [step]
 * @property {[number, number]|null} [fitted]
 *
 * @typedef {object} Value
 * @property {string|number|null} before
 * @property {string|number|null} after
 * @property {boolean} set
 * @property {string|null} [inferred] how the value was found, where the row does not tell it
 */

/** A number as the page shows it.
 * @param {number|string|null} value
 */
export function shown(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "?" : String(value);
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** A value with its unit.
 * @param {number|string|null} value
 * @param {string|null} unit
 */
export function withUnit(value, unit) {
  return unit && typeof value === "number" ? `${shown(value)} ${unit}` : shown(value);
}

/** Controls in an element; `show` follows the answer.
 * @param {HTMLElement} element
 * @param {{onset: (name: string, value: string|number, final: boolean) => void, onfree: (name: string) => void}} on
 */
export function createControls(element, on) {
  let made = [];
  return {
    /** @param {Control[]} controls */
    build(controls) {
      made = controls.map((control) => (control.levels ? choice(control, on) : slider(control, on)));
      fill(element, made.map(({ element: each }) => each));
    },
    /** @param {Record<string, Value>} values by node */
    show(values) {
      for (const each of made) each.show(values[each.name] ?? { before: null, after: null, set: false });
    },
  };
}

/** The head of a control: its name, what it is below, and a button that lets it go. */
function head(control, on, id) {
  const free = h("button", {
    type: "button", class: "button quiet small", "aria-label": `Let ${control.name} be as it was`,
    onclick: () => on.onfree(control.name),
  }, "let go");
  const state = h("span", { class: "small muted control-state" });
  const title = h("span", { class: "control-title", id }, control.name,
    control.unit ? h("span", { class: "muted small" }, ` ${control.unit}`) : null);
  const show = ({ before, after, set, inferred = null }) => {
    free.hidden = !set;
    const moved = !set && before !== null && shown(before) !== shown(after);
    const change = set ? `set, was ${shown(before)}` : moved ? `moves, was ${shown(before)}` : "";
    state.textContent = [change, inferred ? "inferred" : ""].filter(Boolean).join(", ");
    state.title = inferred ?? "";
  };
  return { row: h("div", { class: "row apart control-head" }, h("span", { class: "row" }, title, state), free), show };
}

function slider(control, on) {
  const { name, low, high, step, fitted } = control;
  const id = `control-${name}`;
  const top = head(control, on, `${id}-title`);
  const range = h("input", { type: "range", min: low, max: high, step: "any", "aria-labelledby": `${id}-title`, "aria-describedby": fitted ? `${id}-says` : null });
  const exact = h("input", { type: "number", class: "control-exact", min: low, max: high, step, "aria-label": `${name}, exact value` });
  const band = h("span", { class: "control-band", "aria-hidden": "true" });
  const mark = h("span", { class: "control-mark", "aria-hidden": "true", hidden: true });
  const says = h("span", { class: "small muted", id: `${id}-says` }, fitted ? `fitted ${shown(fitted[0])} to ${shown(fitted[1])}` : "");
  const beyond = h("span", { class: "small control-beyond", role: "status" });
  const share = (value) => String((value - low) / (high - low || 1));
  if (fitted) {
    band.style.setProperty("--from", share(fitted[0]));
    band.style.setProperty("--to", share(fitted[1]));
  }
  band.hidden = !fitted;
  const rounded = () => Number((Math.round(Number(range.value) / step) * step).toFixed(10));
  const within = (value) => Math.min(Math.max(value, low), high);
  let isHeld = false;
  let now = null;
  let end = null; // the end that a number beyond it was taken back to
  range.addEventListener("pointerdown", () => { isHeld = true; });
  for (const end of ["pointerup", "pointercancel", "blur"]) range.addEventListener(end, () => { isHeld = false; });
  range.addEventListener("input", () => { exact.value = shown(within(rounded())); on.onset(name, within(rounded()), false); });
  range.addEventListener("change", () => on.onset(name, within(rounded()), true));
  range.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!steps) return;
    event.preventDefault();
    range.value = String(within(rounded() + steps * step));
    range.dispatchEvent(new Event("input"));
    range.dispatchEvent(new Event("change"));
  });
  exact.addEventListener("change", () => {
    const typed = exact.valueAsNumber;
    const value = Number.isFinite(typed) ? within(typed) : null;
    end = value === typed ? null : value;
    beyond.textContent = end === null ? "" : `${shown(typed)} is beyond ${shown(low)} to ${withUnit(high, control.unit)}: ${shown(end)} is set`;
    exact.value = shown(value ?? now);
    if (value !== null) on.onset(name, value, true);
  });
  const track = h("span", { class: "control-track" }, band, mark, range);
  return {
    name,
    element: h("div", { class: "control" }, top.row, h("div", { class: "control-line" }, track, exact), says, beyond),
    show(value) {
      top.show(value);
      if (value.after === null) return;
      now = value.after;
      if (end !== value.after) beyond.textContent = "";
      if (!isHeld || !value.set) range.value = String(value.after);
      range.setAttribute("aria-valuetext", withUnit(value.after, control.unit));
      if (document.activeElement !== exact) exact.value = shown(value.after);
      mark.hidden = value.before === null;
      if (value.before !== null) mark.style.setProperty("--at", share(within(value.before)));
      const outside = fitted && (value.after < fitted[0] || value.after > fitted[1]);
      range.toggleAttribute("data-outside", Boolean(outside));
    },
  };
}

function choice(control, on) {
  const { name, levels, unseen = [] } = control;
  const id = `control-${name}`;
  const top = head(control, on, `${id}-title`);
  const buttons = levels.map((level) => h("button", {
    type: "button", class: "chip", "aria-pressed": "false", title: unseen.includes(level) ? "no row of the fit had this level" : null,
    onclick: () => on.onset(name, level, true),
  }, String(level)));
  return {
    name,
    element: h("div", { class: "control" }, top.row, h("div", { class: "row", role: "group", "aria-labelledby": `${id}-title` }, buttons)),
    show(value) {
      top.show(value);
      levels.forEach((level, at) => {
        buttons[at].setAttribute("aria-pressed", String(String(level) === String(value.after)));
        buttons[at].toggleAttribute("data-was", String(level) === String(value.before));
      });
    },
  };
}

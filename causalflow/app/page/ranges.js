/** Ranges: what is not known of a number or of a class, drawn. */

import { shown } from "./controls.js";
import { h, s } from "./dom.js";

const WIDTH = 480;
const HEIGHT = 34;
const EDGE = 6;

/**
 * @typedef {{level: string|null, factual: any, value: number, interval: [number, number], any_noise: [number, number]}} Part
 */

/** Two ends in words: one number where both are shown alike. */
const ends = ([low, high]) => (isOne([low, high]) ? shown(low) : `${shown(low)} to ${shown(high)}`);
const isOne = ([low, high]) => shown(low) === shown(high);

/** What the interval is, and what is not in it. */
function interval(part, { level, members, badge }) {
  const known = members || badge.kind === "given";
  if (!members && isOne(part.interval)) return known ? "the row leaves one value" : "the row leaves one value under the fitted model, the error of the fit not in it";
  return `${level} ${known ? "interval" : "interval without the error of the fit"} ${ends(part.interval)}`;
}

/** A number on its axis: a thin line whatever the noise, a thick one under the noise assumed, a dot
 * for the mean, a mark where it was.
 * @param {Part} part
 * @param {import("./controls.js").Control} control
 * @param {{level: string, members: number, badge: {kind: string}}} found the level of the ranges, in
 *   percent; of a fit without members its error is not in the interval
 */
export function rangeBar(part, control, found) {
  const known = [part.value, ...part.interval, ...part.any_noise, part.factual ?? part.value];
  const low = Math.min(control.low, ...known);
  const high = Math.max(control.high, ...known);
  const at = (value) => EDGE + ((WIDTH - 2 * EDGE) * (value - low)) / (high - low || 1);
  const said = `${interval(part, found)}; whatever the noise ${ends(part.any_noise)}`;
  const line = (name, [from, to], y) => s("line", { class: name, x1: at(from), x2: at(to), y1: y, y2: y });
  return h("div", {},
    s("svg", { class: "range-bar", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said },
      line("axis", [low, high], 20), line("any-noise", part.any_noise, 20), isOne(part.interval) ? null : line("interval", part.interval, 20),
      part.factual === null ? null : s("line", { class: "was", x1: at(part.factual), x2: at(part.factual), y1: 8, y2: 32 }),
      s("circle", { class: "mean", cx: at(part.value), cy: 20, r: 5 })),
    h("p", { class: "small muted" }, said));
}

/** The levels of a class, each with its probability, the interval that refits give it, and the ends
 * that hold whatever the noise.
 * @param {Part[]} parts
 * @param {{level: string, members: number}} [found]
 */
export function levelBars(parts, { level, members } = { level: "", members: 0 }) {
  const span = ([low, high]) => (low.toFixed(2) === high.toFixed(2) ? low.toFixed(2) : `${low.toFixed(2)} to ${high.toFixed(2)}`);
  return h("table", { class: "table level-bars" },
    h("thead", {}, h("tr", {}, ["level", "probability", ...(members ? [`${level} interval`] : []), "", "whatever the noise"].map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", {}, parts.map((each) => h("tr", {},
      h("th", { scope: "row" }, each.level),
      h("td", { class: "number" }, each.value.toFixed(3)),
      members ? h("td", { class: "number" }, span(each.interval)) : null,
      h("td", { class: "bar-cell" }, s("svg", { class: "level-bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        s("rect", { class: "bar-ground", width: 100, height: 10 }), s("rect", { class: "bar-share", width: 100 * each.value, height: 10 }),
        s("rect", { class: "bar-ends", x: 100 * each.any_noise[0], width: Math.max(0.5, 100 * (each.any_noise[1] - each.any_noise[0])), y: 8, height: 2 }))),
      h("td", { class: "number" }, span(each.any_noise))))));
}

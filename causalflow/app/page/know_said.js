/** What Know says: the verdict, its steps one at a time, sets as buttons, paths and independences. */

import { badge, copyButton, h, math } from "./dom.js";
import { kindOf } from "./know_marks.js";

const KINDS = { identified: "good", "not identified": "bad", unknown: "part", none: "none" };
const WORDS = { identified: "Identifiable", "not identified": "Not identifiable", unknown: "Unknown", none: "No question yet" };
const PATHS = { causal: ["causal", "open, causal"], biasing: ["part", "open"], blocked: ["none", "blocked"] };

/** Formulas of the server's, each factor an element, which wrap as words do.
 * @param {string} mathml
 */
export function formula(mathml) {
  const parts = mathml.match(/<math [\s\S]*?<\/math>/g) ?? [];
  return h("div", { class: "formula" }, parts.map((part) => [math(part), " "]));
}

function notes(words) {
  return words.map((each) => h("p", { class: "note" }, each));
}

/** The verdict on the question.
 * @param {object} reply what `know` answers
 */
export function verdict(reply) {
  if (reply.question === null) {
    return [
      h("div", { class: "row" }, badge("none", WORDS.none)),
      h("p", { class: "muted" }, "Choose an outcome on the drawing, and a treatment if something is set; or write a question above."),
    ];
  }
  return [
    h("div", { class: "row apart" },
      badge(KINDS[reply.badge], WORDS[reply.badge]),
      h("span", { class: "muted small" }, `from ${reply.data.join(", ")}`),
    ),
    formula(reply.mathml),
    reply.reasons.map((each) => h("p", {}, each)),
    notes(reply.notes),
    reply.warnings.map((each) => h("p", { class: "problem" }, each)),
    h("div", { class: "row", role: "group", "aria-label": "Copy the verdict" },
      copyButton("Copy LaTeX", () => reply.latex),
      copyButton("Copy text", () => reply.plain),
      copyButton("Copy Python", () => reply.python),
    ),
    h("details", {}, h("summary", {}, "What it rests on"), h("ul", { class: "small" }, [...reply.assumptions, ...reply.short.map((each) => `also: ${each}`)].map((each) => h("li", {}, each)))),
  ];
}

/** One step, and what goes to the others.
 * @param {object[]} steps
 * @param {number} at
 * @param {{way: string, ways: string[], go: (at: number) => void, choose: (way: string) => void}} commands
 */
export function step(steps, at, { way, ways, go, choose }) {
  const here = steps[at];
  const chips = ways.map((each) => h("button", { type: "button", class: "chip", "aria-pressed": String(each === way), onclick: () => choose(each) }, each));
  return [
    h("div", { class: "row apart" }, h("h2", {}, "Step by step"), ways.length > 1 ? h("div", { class: "row", role: "group", "aria-label": "Kind of derivation" }, chips) : h("span", { class: "muted small" }, way)),
    h("div", { class: "step", "aria-live": "polite" },
      h("p", { class: "small" }, h("b", {}, here.rule), here.text ? `: ${here.text}` : ""),
      here.mathml ? formula(here.mathml) : null,
    ),
    h("div", { class: "row" },
      h("button", { type: "button", class: "button", disabled: at === 0, "data-go": "back", onclick: () => go(at - 1) }, "Back"),
      h("button", { type: "button", class: "button", disabled: at === steps.length - 1, "data-go": "next", onclick: () => go(at + 1) }, "Next"),
      h("span", { class: "muted small" }, `step ${at + 1} of ${steps.length}`),
    ),
  ];
}

const inBraces = (names) => (names.length ? `{${names.join(", ")}}` : "nothing");

function list(title, { found, more }, show, empty) {
  return h("div", { class: "stack" },
    h("h3", {}, title),
    found.length ? h("div", { class: "row" }, found.map(show)) : more ? null : h("p", { class: "muted small" }, empty),
    more ? h("p", { class: "note" }, more) : null,
  );
}

/** Sets that textbooks have a name for; an adjustment set is a button that adjusts for it.
 * @param {object} reply
 * @param {(names: string[]) => void} adjust
 */
export function sets(reply, adjust) {
  if (!reply.adjustment) return [];
  const { names, valid, mathml } = reply.adjusted;
  const same = (set) => set.length === names.length && set.every((name) => names.includes(name));
  const button = (set) => h("button", { type: "button", class: "chip", "aria-pressed": String(same(set) && valid), onclick: () => adjust(set) }, inBraces(set));
  const told = (text) => h("span", { class: "told" }, text);
  return [
    h("h2", {}, "What to adjust for, and other ways"),
    reply.effect ? h("p", { class: "note" }, "Of the effect ", h("span", { class: "mono" }, reply.effect), ", which is not all that is asked.") : null,
    list("Adjustment sets", reply.adjustment, button, "No set of observed variables will do."),
    names.length || valid
      ? h("div", { class: "stack" },
          h("p", { class: "small" }, `Adjusted for ${inBraces(names)}: `, badge(valid ? "good" : "bad", valid ? "an adjustment set" : "not an adjustment set")),
          valid ? formula(mathml) : null)
      : null,
    list("Front doors", reply.front_doors, (set) => told(inBraces(set)), "None."),
    list("Instruments", reply.instruments, ({ variable, given }) => told(given.length ? `${variable} given ${given.join(", ")}` : variable), "None."),
  ];
}

/** The paths from treatment to outcome; one that is pressed is shown alone on the drawing.
 * @param {object} reply
 * @param {string|null} chosen the text of that one
 * @param {(text: string|null) => void} choose
 */
export function paths(reply, chosen, choose) {
  if (!reply.paths) return [];
  const rows = reply.paths.found.map((path) => {
    const [kind, word] = PATHS[kindOf(path)];
    const isOn = path.text === chosen;
    return h("li", {}, badge(kind, word), h("button", { type: "button", class: "button quiet path", "aria-pressed": String(isOn), onclick: () => choose(isOn ? null : path.text) }, path.text));
  });
  return [
    h("h2", {}, "Paths"),
    rows.length ? h("ul", { class: "paths" }, rows) : h("p", { class: "muted small" }, "No path joins them."),
    reply.paths.more ? h("p", { class: "note" }, reply.paths.more) : null,
  ];
}

/** The independences that the graph implies.
 * @param {object} reply
 */
export function independences({ independences: { found, more } }) {
  const said = found.map((each) => h("li", { class: "mono" }, each.replace("_||_", "⊥")));
  return [
    h("h2", {}, "Independences that data would show"),
    said.length ? h("ul", { class: "plain small" }, said) : h("p", { class: "muted small" }, "None: every two variables may depend on one another."),
    more ? h("p", { class: "note" }, more) : null,
  ];
}

/** Roots: a slider for each level of a variable that nothing moves; shares are weights by their sum. */

import { fill, h } from "./dom.js";

/**
 * @typedef {{name: string, levels: string[], shares: number[], exact: string[], exogenous: boolean}} Root
 */

const MOST = 12; // levels that have sliders
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Sliders of all roots. `changed` is given the weights of the roots that were moved.
 * @param {(weights: Record<string, number[]>) => void} changed
 */
export function createRoots(changed) {
  const element = h("div", { class: "stack" });
  let roots = [];
  let weights = {};

  function sharesOf(root) {
    const given = weights[root.name];
    if (!given) return root.shares;
    const sum = given.reduce((a, b) => a + b, 0);
    return given.map((each) => each / sum);
  }

  /** One slider says all of two levels: the weight of the last. */
  function move(root, k, value) {
    const next = root.levels.length === 2 ? [1 - value, value] : [...sharesOf(root)];
    if (root.levels.length > 2) {
      const rest = next.reduce((sum, each, other) => (other === k ? sum : sum + each), 0);
      next.forEach((each, other) => { next[other] = other === k ? value : rest > 0 ? (each / rest) * (1 - value) : (1 - value) / (next.length - 1); });
    }
    weights = { ...weights, [root.name]: next.map((each) => Math.round(each * 1e6) / 1e6) };
    told(root);
    changed(weights);
  }

  function told(root) {
    const card = element.querySelector(`[data-root="${CSS.escape(root.name)}"]`);
    const shares = sharesOf(root);
    card.querySelectorAll("input").forEach((input) => {
      const k = Number(input.dataset.level);
      if (document.activeElement !== input) input.value = String(shares[k]);
      input.setAttribute("aria-valuetext", percent(shares[k]));
    });
    card.querySelectorAll("output").forEach((output) => { output.textContent = percent(shares[Number(output.dataset.level)]); });
    card.querySelector("[data-reset]").disabled = !weights[root.name];
  }

  function card(root) {
    const all = root.levels.map((level, k) => [level, k]);
    const put = () => {
      const { [root.name]: gone, ...rest } = weights;
      weights = rest;
      told(root);
      changed(weights);
    };
    const reset = h("button", { type: "button", class: "button quiet", "data-reset": true, "aria-label": `${root.name} as in the file`, onclick: put }, "As in the file");
    const shown = root.levels.length === 2 ? all.slice(1) : all.slice(0, MOST);
    return h("div", { class: "root", role: "group", "aria-label": `Distribution of ${root.name}`, "data-root": root.name },
      h("div", { class: "row apart" }, h("h3", {}, root.name, root.exogenous ? " (exogenous)" : ""), reset),
      shown.map(([level, k]) => h("label", { class: "slider" },
        h("span", {}, `P(${root.name}=${level})`),
        h("input", { type: "range", min: "0", max: "1", step: "0.01", "data-level": k, oninput: (event) => move(root, k, Number(event.target.value)) }),
        h("output", { "data-level": k }),
      )),
      shown.length === MOST && all.length > MOST ? h("p", { class: "muted small" }, `The first ${MOST} of ${all.length} levels have sliders; the others share what these leave.`) : null,
    );
  }

  return {
    element,
    /** Show the roots of a graph, those of `given` moved. */
    show(next, given) {
      weights = Object.fromEntries(Object.entries(given ?? {}).filter(([name, list]) => next.some((root) => root.name === name && root.levels.length === list.length)));
      const same = JSON.stringify(next) === JSON.stringify(roots);
      roots = next;
      if (!same) fill(element, roots.map(card));
      roots.forEach(told);
      return weights;
    },
  };
}

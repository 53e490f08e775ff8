/** Text: the graph file as text, with the numbers of its lines and marks where something is wrong. */

import { fill, h } from "./dom.js";

/**
 * @param {object} options
 * @param {(text: string) => void} options.typed called as one types
 * @param {(text: string) => void} options.pasted called with a whole text that replaces all
 */
export function createText({ typed, pasted }) {
  const numbers = h("div", { class: "numbers", "aria-hidden": "true" });
  const area = h("textarea", {
    class: "mono", id: "graph-text", spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    wrap: "off", "data-undo": true, "aria-describedby": "graph-problems",
  });
  const problems = h("div", { class: "stack problems", id: "graph-problems", "aria-live": "polite" });
  const element = h("div", { class: "text-side" },
    h("label", { class: "visually-hidden", for: "graph-text" }, "Graph file"),
    h("div", { class: "text-field" }, numbers, area),
    problems,
  );
  let wrong = new Map();
  let here = null;

  area.addEventListener("input", () => {
    number();
    typed(area.value);
  });
  area.addEventListener("scroll", () => { numbers.scrollTop = area.scrollTop; });
  area.addEventListener("paste", (event) => {
    const all = area.selectionStart === 0 && area.selectionEnd === area.value.length;
    const text = event.clipboardData?.getData("text/plain");
    if (!all || !text) return;
    event.preventDefault();
    pasted(text);
  });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || event.shiftKey || event.altKey || event.ctrlKey) return;
    if (area.selectionStart !== area.selectionEnd || !/^ *-? *$/.test(before(area))) return;
    event.preventDefault();
    area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
    typed(area.value);
  });

  function number() {
    const count = area.value.split("\n").length;
    fill(numbers, Array.from({ length: count }, (_, k) => {
      const said = wrong.get(k + 1);
      const look = said ? "wrong" : here === k + 1 ? "here" : null;
      return h("div", { class: look, title: said }, String(k + 1));
    }));
    numbers.scrollTop = area.scrollTop;
  }

  function goTo(line) {
    const start = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + (area.value.split("\n")[line - 1] ?? "").length);
    area.scrollTop = Math.max(0, (line - 4) * 20);
  }

  return {
    element,
    area,

    /** Show a text; where it is the one being typed, the cursor stays. */
    show(text) {
      if (area.value === text) return;
      const cursor = area.selectionStart;
      area.value = text;
      if (document.activeElement === area) area.setSelectionRange(cursor, cursor);
      number();
    },

    /** Mark the lines of what is wrong, and say it below.
     * @param {import("./api.js").Problem[]} found
     */
    mark(found) {
      wrong = new Map(found.filter(({ line }) => line).map(({ line, message }) => [line, message]));
      number();
      fill(problems, found.map(({ line, message }) =>
        h("p", { class: "problem" },
          line ? h("button", { type: "button", class: "line-button", onclick: () => goTo(line) }, `Line ${line}`) : null,
          line ? " " : null, message),
      ));
    },

    /** Mark the line of what is selected in the drawing. */
    point(line) {
      here = line;
      number();
      if (line && document.activeElement !== area) {
        const [top, high] = [(line - 1) * 20, area.clientHeight];
        if (top < area.scrollTop || top > area.scrollTop + high - 40) area.scrollTop = Math.max(0, top - high / 3);
      }
    },
  };
}

function before(area) {
  const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  return area.value.slice(start, area.selectionStart);
}

/** Query box: a question's text, with what may come next as one types, and a caret at a mistake. */

import { fill, h } from "./dom.js";

const SHOWN = 12;
const OWN = 6;
const SIGN = /^\s*[-+/*]\s*$/; // what may stand behind a question that is finished

/** The questions that a graph's file asks, as buttons.
 * @param {(query: string) => void} choose
 */
export function createOwnQuestions(choose) {
  const element = h("div", { class: "row", role: "group", "aria-label": "The file's own questions", hidden: true });
  return {
    element,
    /** Show the first of some. */
    show(queries) {
      const said = JSON.stringify(queries);
      if (element.dataset.shown === said) return;
      element.dataset.shown = said;
      element.hidden = !queries.length;
      fill(element, queries.slice(0, OWN).map((query) => h("button", { type: "button", class: "chip mono", onclick: () => choose(query) }, query)));
    },
  };
}

/** A box for a question.
 * @param {{id: string, label: string, complete: (text: string, at: number) => Promise<{from: number, options: string[]}|null>, changed: (text: string) => void, entered: () => void}} does
 */
export function createQueryBox({ id, label, complete, changed, entered }) {
  const list = h("ul", { id: `${id}-options`, class: "options", role: "listbox", "aria-label": "What may come next", hidden: true });
  const input = h("input", {
    id, class: "mono", spellcheck: "false", autocomplete: "off", autocapitalize: "off", role: "combobox",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-options`, placeholder: "P(y | do(x=1))",
  });
  const caret = h("pre", { class: "caret mono", "aria-hidden": "true", hidden: true });
  const said = h("p", { class: "problem", role: "alert", hidden: true });
  const element = h("div", { class: "query-box" }, h("div", { class: "field" }, h("label", { for: id }, label), input, list), caret, said);
  let options = [];
  let from = 0;
  let chosen = -1;
  let asked = 0; // how often what may come next was asked for, or is no longer wanted

  function show() {
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(options.length > 0));
    if (chosen >= 0) input.setAttribute("aria-activedescendant", `${id}-option-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
    fill(list, options.map((option, k) => h("li", { id: `${id}-option-${k}`, role: "option", "aria-selected": String(k === chosen), onmousedown: (event) => { event.preventDefault(); take(k); } }, option)));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function close() {
    asked += 1;
    options = [];
    chosen = -1;
    show();
  }

  async function look() {
    const { value, selectionStart: at } = input;
    if (at === 0 && value) return;
    const own = (asked += 1);
    const found = await complete(value, at);
    if (found === null || own !== asked || input.value !== value || document.activeElement !== input) return;
    options = found.options.every((option) => SIGN.test(option)) ? [] : found.options.slice(0, SHOWN);
    from = found.from;
    chosen = -1;
    show();
  }

  function take(k) {
    const option = options[k];
    const behind = input.value.slice(input.selectionStart);
    input.value = input.value.slice(0, from) + option + behind;
    input.setSelectionRange(from + option.length, from + option.length);
    changed(input.value);
    look();
  }

  input.addEventListener("input", () => { close(); changed(input.value); look(); });
  input.addEventListener("focus", () => setTimeout(look)); // the click that gives it puts the caret first
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      event.preventDefault();
      chosen = chosen < 0 ? (step > 0 ? 0 : options.length - 1) : (chosen + step + options.length) % options.length;
      show();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen >= 0) take(chosen);
      else { close(); entered(); }
    } else if (event.key === "Escape") {
      if (options.length) event.stopPropagation();
      close();
    } else if (event.key === "Tab" && chosen >= 0 && !event.shiftKey) {
      event.preventDefault();
      take(chosen);
    }
  });

  return {
    element,
    input,
    /** Show a text, unless it is being typed. */
    show(text) { if (document.activeElement !== input) input.value = text; },
    /** Show a mistake at its place; null: there is none. */
    mistake(problem) {
      said.hidden = !problem;
      said.textContent = problem?.message ?? "";
      caret.hidden = !problem?.column;
      caret.textContent = problem?.column ? `${input.value}\n${" ".repeat(problem.column - 1)}^` : "";
      if (problem) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

/** Start row: where an answer starts from, a row of data, a drawn one, or a picture of one's own. */

import { fill, h } from "./dom.js";
import { shown } from "./controls.js";

/**
 * @typedef {{from: "data", number: number} | {from: "drawn", seed: number} | {from: "picture", png: string}} Row
 * @typedef {{count: number, about: string, labels: Record<string, any[]>, pictures: Record<string, string[]>}} Rows
 */

/** The row to begin with: the first of the data, else a drawn one.
 * @param {Rows|null} rows
 * @returns {Row}
 */
export function firstRow(rows) {
  return rows ? { from: "data", number: 0 } : { from: "drawn", seed: 1 };
}

/** A choice of rows, the data's by their pictures.
 * @param {HTMLElement} element
 * @param {{onrow: (row: Row) => void, onfile: (file: File) => void}} on
 */
export function createStart(element, on) {
  let row = null;
  const thumbs = h("div", { class: "thumbs", role: "radiogroup", "aria-label": "Rows of the data" });
  const about = h("span", { class: "small muted" });
  const file = h("input", { type: "file", accept: "image/*", class: "visually-hidden", "aria-label": "Open a picture", onchange: () => {
    if (file.files[0]) on.onfile(file.files[0]);
    file.value = "";
  } });
  const drawn = h("button", { type: "button", class: "button", onclick: () => {
    on.onrow({ from: "drawn", seed: row?.from === "drawn" ? row.seed + 1 : 1 });
  } }, "Draw a new one");
  const open = h("span", { class: "file-button" }, file, h("span", { class: "button", "aria-hidden": "true", onclick: () => file.click() }, "Open a picture…"));
  fill(element, thumbs, h("div", { class: "row" }, drawn, open, about));
  return {
    /** @param {Rows|null} rows @param {boolean} oneImage */
    build(rows, oneImage) {
      const pictures = Object.values(rows?.pictures ?? {});
      thumbs.hidden = !pictures.length;
      open.hidden = !oneImage;
      fill(thumbs, (pictures[0] ?? []).map((_, at) => h("label", { class: "thumb" },
        h("input", { type: "radio", name: "start-row", value: at, onchange: () => on.onrow({ from: "data", number: at }) }),
        pictures.map((column, k) => h("img", { src: column[at], alt: k ? "" : `row ${at}: ${words(rows.labels, at)}` })))));
    },
    /** @param {Row} now @param {string} said */
    show(now, said) {
      row = now;
      about.textContent = said;
      for (const input of thumbs.querySelectorAll("input")) {
        input.checked = now.from === "data" && Number(input.value) === now.number;
      }
    },
  };
}

function words(labels, at) {
  return Object.entries(labels).map(([name, values]) => `${name} ${shown(values[at])}`).join(", ");
}

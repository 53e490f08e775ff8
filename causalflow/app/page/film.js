/** Film: the pictures along one control, all else as it is set. */

import { withUnit } from "./controls.js";
import { fill, h } from "./dom.js";
import { saveSheet } from "./pictures.js";

/** A film that is made when it is asked for.
 * @param {HTMLElement} element
 * @param {import("./api.js").Api} api
 * @param {() => {model: string, row: object, do: object}} asked
 * @param {{onset: (name: string, value: string|number) => void, onfail: (problem: object) => void}} on
 */
export function createFilm(element, api, asked, on) {
  let frames = [];
  let node = "";
  let unit = null;
  const along = h("select", {});
  const make = h("button", { type: "button", class: "button" }, "Show the film");
  const keep = h("button", { type: "button", class: "button", hidden: true }, "Save film");
  const strip = h("div", { class: "film" });
  const old = h("p", { class: "small muted", hidden: true }, "The film is of the settings before.");
  fill(element, h("div", { class: "row film-head" }, h("label", { class: "row small" }, "Film along", along), make, keep), old, strip);

  make.addEventListener("click", async () => {
    make.disabled = true;
    try {
      const found = await api.post("strip", { ...asked(), node: along.value }, { lane: "strip" });
      if (found) show(found);
    } catch (mistake) {
      on.onfail(mistake);
    }
    make.disabled = false;
  });
  keep.addEventListener("click", () => saveSheet("film.png", frames.map(({ value, pictures }) => (
    { uri: Object.values(pictures)[0], caption: `${node} = ${withUnit(value, unit)}` }))));

  function show(found) {
    ({ frames, node, unit } = found);
    fill(strip, frames.map(({ value, pictures }) => h("button", {
      type: "button", class: "frame", title: `Set ${node} to ${withUnit(value, unit)}`, onclick: () => on.onset(node, value),
    }, Object.values(pictures).map((uri) => h("img", { src: uri, alt: "" })), h("span", { class: "small" }, withUnit(value, unit)))));
    keep.hidden = false;
    old.hidden = true;
  }

  return {
    /** @param {import("./controls.js").Control[]} controls */
    build(controls) {
      fill(along, controls.map(({ name }) => h("option", {}, name)));
      fill(strip);
      frames = [];
      keep.hidden = true;
      old.hidden = true;
    },
    /** The settings have changed since. */
    stale() {
      old.hidden = !frames.length;
    },
  };
}

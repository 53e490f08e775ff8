/** Files: a graph is opened from a file or an example, saved, and its drawing exported. */

import { h, s, save } from "./dom.js";

const KINDS = ".yaml,.yml,.json,.dagitty,.txt,.dot,.gv,.gml,.bif";
const LARGEST = 1 << 20;
const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size", "font-weight", "font-family", "text-anchor"];

/** The tools that open and save.
 * @param {object} options
 * @param {() => import("./store.js").State} options.state
 * @param {import("./api.js").Api} options.api
 * @param {(file: {name: string, text: string}) => void} options.opened
 * @param {() => object} options.view the drawing
 * @param {(message: string) => void} options.refused
 */
export function fileTools({ state, api, opened, view, refused }) {
  const chooser = h("input", { type: "file", accept: KINDS, class: "visually-hidden", tabindex: "-1", "aria-label": "Graph file to open" });
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files;
    chooser.value = "";
    if (!file) return;
    if (file.size > LARGEST) refused(`${file.name} is larger than 1 MB`);
    else opened({ name: file.name, text: await file.text() });
  });
  const examples = h("select", { class: "examples", "aria-label": "Open an example" }, h("option", { value: "" }, "Examples"));
  examples.addEventListener("change", async () => {
    const name = examples.value;
    examples.value = "";
    if (name) await api.post("example", { name }).then(opened, ({ message }) => refused(message));
  });
  api.post("start", {}, { lane: "examples" }).then((start) => list(examples, start.examples), () => {});
  const tool = (text, title, run) => h("button", { type: "button", class: "button quiet", title, onclick: run }, text);
  const stem = () => state().name.replace(/\.[a-z]+$/i, "") || "graph";
  return h("div", { class: "row tools" },
    tool("New", "Begin with an empty graph", () => {
      opened({ name: "graph.yaml", text: "" });
      view().element.focus();
    }),
    tool("Open", "Open a graph file: YAML, dagitty, DOT, GML or BIF", () => chooser.click()),
    chooser,
    examples,
    tool("Save", "Save the graph file", () => save(saved(state()), new Blob([state().text], { type: "application/yaml" }))),
    tool("SVG", "Save the drawing as SVG", () => save(`${stem()}.svg`, new Blob([picture(view())], { type: "image/svg+xml" }))),
    tool("PNG", "Save the drawing as PNG", async () => save(`${stem()}.png`, await pixels(picture(view())))),
  );
}

function saved({ name }) {
  return /\.(ya?ml|json)$/i.test(name) ? name : `${name.replace(/\.[a-z]+$/i, "")}.yaml`;
}

/** The shipped graphs, by the folder that they are in. */
function list(select, names) {
  const folders = new Map();
  for (const name of names) {
    const [folder, rest] = name.includes("/") ? name.split("/") : ["data and models", name];
    folders.set(folder, [...(folders.get(folder) ?? []), [name, rest]]);
  }
  for (const [folder, entries] of folders) {
    select.append(h("optgroup", { label: folder }, entries.map(([name, rest]) => h("option", { value: name }, rest.replaceAll("_", " ")))));
  }
}

/** The drawing as a file of its own: what the page's style says stands in its elements.
 * @param {ReturnType<typeof import("./graph_view.js").createGraphView>} view
 */
export function picture(view) {
  const [left, top, right, bottom] = view.drawing.nodes.length ? view.extent() : [0, 0, 100, 100];
  const [width, height] = [right - left, bottom - top];
  const copy = view.element.cloneNode(true);
  const [from, to] = [view.element, copy].map((root) => [...root.querySelectorAll("*")]);
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const name of LOOKS) to[k].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role", "aria-label", "data-key"]) to[k].removeAttribute(name);
  });
  for (const [k, element] of from.entries()) if (element.matches(".rim, .reach, .ground, .drawn")) to[k].remove();
  for (const name of ["class", "role"]) copy.removeAttribute(name);
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", viewBox: `${left} ${top} ${width} ${height}`, width, height })) copy.setAttribute(name, value);
  const paper = getComputedStyle(view.element).backgroundColor;
  copy.prepend(s("rect", { x: left, y: top, width, height, fill: paper }));
  return new XMLSerializer().serializeToString(copy);
}

async function pixels(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = h("canvas", { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

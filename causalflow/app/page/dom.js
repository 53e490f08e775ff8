/** Elements: HTML, SVG and MathML built from names, attributes and children; text is only text. */

const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";
const MATH = new Set(
  "math mrow mi mn mo mtext mspace msub msup msubsup munder mover munderover mfrac mfenced mtable mtr mtd mstyle mpadded semantics".split(" "),
);
const SAFE = new Set(
  "class display form fence stretchy separator largeop movablelimits mathvariant lspace rspace width height depth columnalign columnspacing rowspacing linebreak indentalign title aria-label id".split(" "),
);

/** An HTML element: `h("button", {class: "button", onclick: go}, "Go")`. A value of true is an empty
 * attribute; false, null and undefined are none; `on...` functions are listeners.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|number|null|false|undefined|any[])} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG.
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
}

/** Replace what an element holds.
 * @param {Element} element
 * @param {...any} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** The server's MathML as an element: only formulas pass, whatever the text holds.
 * @param {string} text
 * @returns {Element}
 */
export function math(text) {
  const root = new DOMParser().parseFromString(text, "application/xml").documentElement;
  return root.namespaceURI === MATHML ? formula(root) : h("code", {}, text);
}

function formula(node) {
  const made = document.createElementNS(MATHML, MATH.has(node.localName) ? node.localName : "mrow");
  for (const { name, value } of node.attributes) if (SAFE.has(name)) made.setAttribute(name, value);
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE && child.namespaceURI === MATHML) made.append(formula(child));
  }
  return made;
}

/** A badge that says of what kind an answer is, in words and colour.
 * @param {"good"|"part"|"model"|"bad"|"none"} kind
 * @param {string} text
 */
export function badge(kind, text) {
  return h("span", { class: "badge", "data-kind": kind }, text);
}

/** An error where it is met.
 * @param {import("./api.js").Problem} problem
 */
export function problem({ message, line }) {
  return h("p", { class: "problem", role: "alert" }, line ? h("b", {}, `line ${line}: `) : null, message);
}

/** A button that copies a text and says so.
 * @param {string} label
 * @param {() => string} text
 */
export function copyButton(label, text) {
  const button = h("button", { type: "button", class: "button quiet" }, label);
  button.addEventListener("click", async () => {
    await copy(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1200);
  });
  return button;
}

/** Put a text on the clipboard, also where the page is no secure context.
 * @param {string} text
 */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = h("textarea", { class: "visually-hidden" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** Have the browser save a text or a data URI as a file.
 * @param {string} name
 * @param {Blob|string} content
 */
export function save(name, content) {
  const address = typeof content === "string" ? content : URL.createObjectURL(content);
  h("a", { href: address, download: name }).click();
  if (typeof content !== "string") setTimeout(() => URL.revokeObjectURL(address), 1000);
}

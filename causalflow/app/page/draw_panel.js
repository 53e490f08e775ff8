/** Panel: what can be said and done of the node or edge that is selected. */

import { fill, h } from "./dom.js";

const ROLES = [["treatments", "Treatment"], ["outcomes", "Outcome"], ["given", "Given"], ["adjusted", "Adjusted"]];

/** What a node of a type is given at first. */
export const FIELDS = {
  class: "{type: class, levels: 2}",
  continuous: "{type: continuous}",
  count: "{type: count}",
  image: "{type: image, shape: [1, 28, 28]}",
};

/**
 * @param {object} commands
 * @param {(old: string, name: string) => void} commands.rename
 * @param {() => void} commands.leave to the drawing
 * @param {(name: string, fields: string) => void} commands.type
 * @param {(name: string, role: string) => void} commands.role
 * @param {(name: string, hidden: boolean) => void} commands.hide
 * @param {(name: string, bidirected: boolean) => void} commands.join
 * @param {(key: string) => void} commands.remove
 * @param {(key: string) => void} commands.reverse
 * @param {(key: string, source?: string) => void} commands.bend
 * @param {(key: string, compiled: string) => void} commands.compile
 */
export function createPanel(commands) {
  const element = h("div", { class: "selection", role: "group", "aria-label": "Selection" });
  const tool = (text, title, run) => h("button", { type: "button", class: "button", title, onclick: run }, text);
  let shown = null;

  function nodeRows(node, key, roles) {
    const name = h("input", { class: "name-field", value: node.name, spellcheck: "false", autocomplete: "off" });
    name.addEventListener("change", () => { if (name.value.trim() !== node.name) commands.rename(node.name, name.value.trim()); });
    name.addEventListener("keydown", (event) => { if (event.key === "Enter") commands.leave(); });
    return [
      h("div", { class: "row" },
        h("label", { class: "field" }, h("span", {}, "Name"), name),
        node.exogenous ? null : typeFields(node),
      ),
      h("div", { class: "row" },
        node.exogenous ? h("span", { class: "muted small" }, "an exogenous variable: equations alone name it") : [
          ROLES.map(([role, word]) => chip(word, roles[role]?.includes(node.name), () => commands.role(node.name, role), node.latent)),
          chip("Unobserved", node.latent, () => commands.hide(node.name, !node.latent), node.equation),
        ],
      ),
      h("div", { class: "row" },
        node.exogenous ? null : tool("Edge to …", "Draw an edge from here (key e)", () => commands.join(node.name, false)),
        node.exogenous ? null : tool("Hidden cause with …", "Draw a hidden common cause (key b)", () => commands.join(node.name, true)),
        tool("Delete", "Delete it, its edges and the questions that name it (key Delete)", () => commands.remove(key)),
      ),
    ];
  }

  function typeFields(node) {
    const words = ["", ...Object.keys(FIELDS)];
    if (!words.includes(node.type)) words.push(node.type);
    const type = h("select", {}, words.map((word) => h("option", { value: word, selected: word === node.type }, word || "no type")));
    type.addEventListener("change", () => commands.type(node.name, FIELDS[type.value] ?? ""));
    const fields = h("input", { class: "mono fields", value: node.fields, spellcheck: "false", autocomplete: "off" });
    fields.addEventListener("change", () => commands.type(node.name, fields.value.trim()));
    fields.addEventListener("keydown", (event) => { if (event.key === "Enter") fields.blur(); });
    return [
      h("label", { class: "field" }, h("span", {}, "Type"), type),
      node.type ? h("label", { class: "field grow" }, h("span", {}, "Declared as"), fields) : null,
    ];
  }

  function edgeRows(edge, key, target) {
    const mark = edge.kind === "<->" ? "↔" : "→";
    const title = h("p", { class: "edge-title" }, h("b", {}, edge.from), ` ${mark} `, h("b", {}, edge.to));
    if (edge.fixed) return [title, h("p", { class: "muted small" }, `It ${edge.text.startsWith("follows") ? edge.text : "stands for another edge"}; change that in the text.`)];
    if (edge.kind === "<->") {
      return [title, h("p", { class: "muted small" }, "A hidden common cause: something unobserved moves both."), h("div", { class: "row" },
        tool(`${edge.from} → ${edge.to}`, "Make it an arrow this way", () => commands.bend(key, edge.from)),
        tool(`${edge.to} → ${edge.from}`, "Make it an arrow this way", () => commands.bend(key, edge.to)),
        tool("Delete", "Delete the edge (key Delete)", () => commands.remove(key)),
      )];
    }
    return [title, h("div", { class: "row" },
      tool("Reverse", "Turn it round (key r)", () => commands.reverse(key)),
      tool("Make it a hidden cause", "A hidden common cause in its place (key b)", () => commands.bend(key)),
      tool("Delete", "Delete the edge (key Delete)", () => commands.remove(key)),
    ), target?.type ? compiled(edge, key) : null];
  }

  function compiled(edge, key) {
    const select = h("select", {}, ["neural", "anticausal"].map((word) => h("option", { value: word, selected: word === edge.compiled }, word)));
    select.addEventListener("change", () => commands.compile(key, select.value));
    return h("label", { class: "row" }, h("span", { class: "muted small" }, "Compiled to"), select);
  }

  return {
    element,

    /** Show the fields of a node or an edge, or how to begin; what is there already stays. */
    show({ node, edge, key, roles, target, empty }) {
      const said = JSON.stringify([node, edge, key, node && roles, target?.type, empty]);
      if (said === shown) return;
      shown = said;
      const held = element.contains(document.activeElement) ? document.activeElement.className : null;
      if (node) fill(element, nodeRows(node, key, roles));
      else if (edge) fill(element, edgeRows(edge, key, target));
      else fill(element, empty ? beginning() : helps());
      if (held) element.querySelector(`[class="${CSS.escape(held)}"]`)?.focus();
    },

    /** Put the cursor into the first field. */
    enter() {
      const first = element.querySelector("input, button");
      first?.focus();
      first?.select?.();
    },
  };
}

function chip(text, pressed, run, disabled) {
  return h("button", { type: "button", class: "chip", "aria-pressed": String(Boolean(pressed)), disabled: Boolean(disabled), onclick: run }, text);
}

function beginning() {
  return h("p", { class: "note" }, "An empty graph. Double-click in the drawing to add a node (or press ", h("kbd", {}, "n"), "), or open an example.");
}

function helps() {
  const key = (name) => h("kbd", {}, name);
  return [
    h("ul", { class: "helps" },
      h("li", {}, "Double-click an empty place: a new node."),
      h("li", {}, "Drag from a node's rim to another: an edge. With ", key("Alt"), ": a hidden common cause."),
      h("li", {}, "Click a node or an edge: its name, type, role and more."),
    ),
    h("details", {}, h("summary", {}, "By keyboard"), h("p", { class: "small" },
      key("Tab"), " goes from node to node and edge to edge. ", key("Enter"), " opens the fields, arrows move, ",
      key("e"), " draws an edge, ", key("b"), " a hidden cause, ", key("r"), " turns an edge, ", key("Delete"), " deletes, ",
      key("n"), " adds a node, ", key("+"), " ", key("−"), " ", key("0"), " zoom.")),
  ];
}

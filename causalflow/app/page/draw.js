/** Draw: the graph as text and as a drawing. */

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {}

/** Ask: questions to finite models, answered with numbers. */

/** Builds the pane once and follows the store.
 * @param {HTMLElement} element
 * @param {import("./store.js").Store} store
 * @param {import("./api.js").Api} api
 */
export function mount(element, store, api) {}

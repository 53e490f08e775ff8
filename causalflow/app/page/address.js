/** The address: its hash holds the page's state, packed, so that a link is the page as it was. */

const LARGE = 32768; // letters of a picture that stays out of the address

/** The hash that holds a state.
 * @param {import("./store.js").State} state
 * @returns {Promise<string>}
 */
export async function written(state) {
  const text = JSON.stringify(state, (key, value) =>
    typeof value === "string" && value.startsWith("data:") && value.length > LARGE ? undefined : value,
  );
  return base64url(await through(new Blob([text]), new CompressionStream("deflate-raw")));
}

/** The state that a hash holds, or null: it holds none.
 * @param {string} hash
 * @returns {Promise<object|null>}
 */
export async function read(hash) {
  const packed = hash.replace(/^#/, "");
  if (!packed) return null;
  try {
    const bytes = Uint8Array.from(atob(packed.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const text = await through(new Blob([bytes]), new DecompressionStream("deflate-raw"));
    const state = JSON.parse(new TextDecoder().decode(text));
    return state && typeof state === "object" && !Array.isArray(state) ? state : null;
  } catch {
    return null;
  }
}

async function through(blob, stream) {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(stream)).arrayBuffer());
}

function base64url(bytes) {
  let letters = "";
  for (let i = 0; i < bytes.length; i += 4096) letters += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

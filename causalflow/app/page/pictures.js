/** Pictures: an answer's images side by side, films of them, and sheets to be saved. */

import { fill, h, save } from "./dom.js";

/** An image of few pixels under its caption.
 * @param {string} uri
 * @param {string} alt
 * @param {string} caption
 */
export function figure(uri, alt, caption) {
  return h("figure", { class: "picture" }, h("img", { src: uri, alt }), h("figcaption", { class: "small muted" }, caption));
}

/** Show the images of an answer: as it was, as it would have been, and what differs. Images that
 * are there already get new pixels, so that nothing flickers.
 * @param {HTMLElement} element
 * @param {{node: string, factual: string, counterfactual: string[], difference: string[], change: number}[]} pictures
 * @param {string} done what was set, in words
 */
export function showPictures(element, pictures, done) {
  const shown = pictures.flatMap((each) => {
    const of = pictures.length > 1 ? `${each.node}: ` : "";
    const several = each.counterfactual.length > 1;
    return [
      [each.factual, `${each.node} as it was`, `${of}as it was`],
      ...each.counterfactual.flatMap((uri, at) => {
        const draw = several ? `, draw ${at + 1}` : "";
        return [
          [uri, `${each.node} ${done}${draw}`, `${of}${done}${draw}`],
          [each.difference[at], `where ${each.node} differs${draw}`, `${of}what differs${draw}`],
        ];
      }),
    ];
  });
  const images = [...element.querySelectorAll("img")];
  if (images.length !== shown.length) {
    fill(element, shown.map((each) => figure(...each)));
    return;
  }
  shown.forEach(([uri, alt, caption], at) => {
    if (images[at].src !== uri) images[at].src = uri;
    images[at].alt = alt;
    images[at].parentElement.querySelector("figcaption").textContent = caption;
  });
}

const SIDE = 256;
const GAP = 16;
const LINE = 28;

/** Save images under their captions as one PNG file.
 * @param {string} name
 * @param {{uri: string, caption: string}[]} images
 */
export async function saveSheet(name, images) {
  const loaded = await Promise.all(images.map(({ uri }) => decoded(uri)));
  const heights = loaded.map((each) => (SIDE * each.naturalHeight) / each.naturalWidth);
  const canvas = h("canvas", { width: images.length * (SIDE + GAP) + GAP, height: Math.max(...heights) + LINE + 2 * GAP });
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.font = "15px sans-serif";
  loaded.forEach((each, at) => {
    const left = GAP + at * (SIDE + GAP);
    context.drawImage(each, left, GAP, SIDE, heights[at]);
    context.fillStyle = "#1d2328";
    context.fillText(images[at].caption, left, GAP + Math.max(...heights) + 20, SIDE);
  });
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  save(name, blob);
}

async function decoded(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  return image;
}

// Thumbnails, cut from the sheets of a data set.

import { element } from "explore/elements";

/** @typedef {import("explore/data").Dataset} Dataset */

/** @type {Map<string, string>} */
const addresses = new Map();

/**
 * The address of a sheet. Browsers decode a sheet when it is shown first.
 * @param {string} key
 * @param {string} sheet base64 of a WebP file
 */
function address(key, sheet) {
  const known = addresses.get(key);
  if (known) return known;
  const bytes = Uint8Array.from(atob(sheet), (character) => character.charCodeAt(0));
  const made = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
  addresses.set(key, made);
  return made;
}

/**
 * A tile of a sheet as a picture.
 * @param {Dataset} data
 * @param {{name: string, sheets: string[], count: number}} of the sheets, and the number of all tiles
 * @param {number} number of the tile
 * @param {number} size in pixels of the screen
 * @param {string} text what it shows
 */
function cut(data, of, number, size, text) {
  const { per_sheet: perSheet, columns } = data.sprites;
  const sheet = Math.floor(number / perSheet);
  const tile = number % perSheet;
  const lines = Math.ceil(Math.min(perSheet, of.count - sheet * perSheet) / columns);
  const made = element("span", { class: "picture", role: "img", "aria-label": text });
  Object.assign(made.style, {
    width: `${size}px`,
    height: `${size}px`,
    backgroundImage: `url(${address(`${data.name}/${of.name}/${sheet}`, of.sheets[sheet] ?? "")})`,
    backgroundSize: `${size * columns}px ${size * lines}px`,
    backgroundPosition: `${-size * (tile % columns)}px ${-size * Math.floor(tile / columns)}px`,
  });
  return made;
}

/**
 * A test image as a picture.
 * @param {Dataset} data
 * @param {number} image
 * @param {number} size in pixels of the screen
 * @param {"image" | "difference"} [look]
 */
export function picture(data, image, size, look = "image") {
  const of = { name: look, sheets: data.sprites[look] ?? [], count: data.tested };
  const text = `${look === "image" ? "Image" : "Difference to the twin of"} ${data.id(image)}`;
  const made = cut(data, of, image, size, text);
  made.dataset["image"] = data.id(image);
  return made;
}

/** What pictures may show, beside images themselves, with their names. */
export const KINDS = { reconstruction: "reconstruction", residual: "residual", map: "anomaly map" };

/** @typedef {keyof typeof KINDS} Kind */

/**
 * What a row makes of a test image as a picture, or an empty frame for an image of which the study keeps none.
 * @param {Dataset} data
 * @param {string} row
 * @param {Kind} kind
 * @param {number} image
 * @param {number} size in pixels of the screen
 */
export function rowPicture(data, row, kind, image, size) {
  const own = data.maps.find((maps) => maps.row === row);
  const tile = own?.tiles.get(image);
  const sheets = own?.sheets[kind];
  const text = `${KINDS[kind]} of ${data.id(image)} by ${row}`;
  if (!own || tile === undefined || !sheets) {
    const made = element("span", { class: "none", role: "img", "aria-label": `No ${text} is kept` }, "none");
    Object.assign(made.style, { width: `${size}px`, height: `${size}px` });
    return made;
  }
  const made = cut(data, { name: `${row}/${kind}`, sheets, count: own.tiles.size }, tile, size, text);
  made.dataset["kind"] = kind;
  return made;
}

/**
 * A button with a test image, which opens its details.
 * @param {Dataset} data
 * @param {number} image
 * @param {string} note what the button says below the class and the number
 * @param {{pictures: Node[], mark?: boolean, open: (image: number) => void}} options
 */
export function thumbnail(data, image, note, { pictures, mark = false, open }) {
  const name = `${data.classOfImage(image)} ${data.indexOf[image]}`;
  const attributes = { type: "button", class: mark ? "thumbnail passes" : "thumbnail", click: () => open(image) };
  return element(
    "button",
    { ...attributes, "data-id": data.id(image) },
    element("span", { class: "pictures", "aria-hidden": "true" }, ...pictures),
    element("span", {}, name),
    element("small", {}, note),
    ...(mark ? [element("span", { class: "unseen" }, "above the threshold")] : []),
  );
}

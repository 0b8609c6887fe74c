// Thumbnails, cut from the sheets of a data set.

import { element } from "explore/elements";
import { get } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */

/** @type {Map<string, string>} */
const addresses = new Map();

/**
 * The address of a sheet. Browsers decode a sheet when it is shown first.
 * @param {Dataset} data
 * @param {"image" | "difference"} look
 * @param {number} sheet
 */
function address(data, look, sheet) {
  const key = `${data.name}/${look}/${sheet}`;
  const known = addresses.get(key);
  if (known) return known;
  const bytes = Uint8Array.from(atob(data.sprites[look]?.[sheet] ?? ""), (character) => character.charCodeAt(0));
  const made = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
  addresses.set(key, made);
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
  const { per_sheet: perSheet, columns } = data.sprites;
  const sheet = Math.floor(image / perSheet);
  const tile = image % perSheet;
  const lines = Math.ceil(Math.min(perSheet, data.tested - sheet * perSheet) / columns);
  const x = -size * (tile % columns);
  const y = -size * Math.floor(tile / columns);
  const text = `${look === "image" ? "Image" : "Difference to the twin of"} ${data.id(image)}`;
  const made = element("span", { class: "picture", role: "img", "aria-label": text, "data-image": data.id(image) });
  Object.assign(made.style, {
    width: `${size}px`,
    height: `${size}px`,
    backgroundImage: `url(${address(data, look, sheet)})`,
    backgroundSize: `${size * columns}px ${size * lines}px`,
    backgroundPosition: `${x}px ${y}px`,
  });
  return made;
}

/** What the state wants to see of images: their brightness, or the difference to the twin. */
export function chosenLook() {
  return get("look") === "difference" ? "difference" : "image";
}

/**
 * A button with a test image, which opens its details.
 * @param {Dataset} data
 * @param {number} image
 * @param {string} note what the button says below the class and the number
 * @param {{mark?: boolean, twins?: boolean, open: (image: number) => void}} options
 */
export function thumbnail(data, image, note, { mark = false, twins = false, open }) {
  const look = data.sprites.difference ? chosenLook() : "image";
  const twin = twins ? data.twin(image) : undefined;
  const pictures = [picture(data, image, 80, look), ...(twin === undefined ? [] : [picture(data, twin, 80)])];
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

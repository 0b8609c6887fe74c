// What the thumbnails show: images, what is known of them, or what the chosen row makes of them.

import { choice, element, labelled } from "explore/elements";
import { modelText } from "explore/models";
import { get, oneOf, set } from "explore/state";
import { KINDS, picture, rowPicture } from "explore/thumbnails";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/thumbnails").Kind} Kind */

const SIZE = 80;
const select = choice("look", (value) => set({ look: value }));
const twins = element("input", {
  id: "twins",
  type: "checkbox",
  change: () => set({ twins: twins.checked ? "1" : "" }),
});
const twinsLabel = labelled("Beside its twin", twins);

/** The controls. */
export const controls = [labelled("Pictures", select.select), twinsLabel];

/** What is said about the pictures. */
export const remark = element("p", { id: "kept", "aria-live": "polite" });

/**
 * The looks that a data set has: what the address calls them, and their names.
 * @param {Dataset} data
 * @returns {[string, string][]}
 */
function looksOf(data) {
  const kinds = Object.entries(KINDS).filter(([kind]) => data.maps.some(({ sheets }) => sheets[kind]));
  return [
    ["", "images"],
    ...(data.sprites.difference ? [/** @type {[string, string]} */ (["difference", "difference to the twin"])] : []),
    ...kinds,
    ...(kinds.length ? [/** @type {[string, string]} */ (["row", "image, residual, anomaly map"])] : []),
  ];
}

/**
 * The kinds of pictures by the row that the state wants to see.
 * @param {Dataset} data
 * @returns {Kind[]}
 */
function chosenKinds(data) {
  const look = lookOf(data);
  if (look === "row") return ["residual", "map"];
  return look in KINDS ? [/** @type {Kind} */ (look)] : [];
}

/** @param {Dataset} data */
function lookOf(data) {
  return oneOf(
    "look",
    looksOf(data).map(([look]) => look),
  );
}

/**
 * Show what the state names in the controls.
 * @param {Dataset} data
 */
export function showLooks(data) {
  select.show(looksOf(data), lookOf(data));
  twins.checked = get("twins") === "1";
  twinsLabel.hidden = !data.simulated;
}

/**
 * The pictures of a thumbnail, as the state wants them.
 * @param {Dataset} data
 * @param {string} row
 * @param {number} image
 */
export function pictures(data, row, image) {
  const look = lookOf(data);
  const twin = get("twins") === "1" ? data.twin(image) : undefined;
  return [
    ...(look === "" || look === "row" ? [picture(data, image, SIZE)] : []),
    ...(look === "difference" ? [picture(data, image, SIZE, "difference")] : []),
    ...chosenKinds(data).map((kind) => rowPicture(data, row, kind, image, SIZE)),
    ...(twin === undefined ? [] : [picture(data, twin, SIZE)]),
  ];
}

/**
 * Say whose pictures are shown, and of how many images there are any.
 * @param {Dataset} data
 * @param {string} row
 * @param {number[]} images
 */
export function showRemark(data, row, images) {
  const kinds = chosenKinds(data);
  remark.hidden = !kinds.length;
  if (!kinds.length) return;
  const own = data.maps.find((maps) => maps.row === row);
  const lacks = kinds.filter((kind) => !own?.sheets[kind]).map((kind) => `${KINDS[kind]}s`);
  const kept = images.filter((image) => own?.tiles.has(image)).length;
  const about = own
    ? `Pictures by ${modelText(data, own.model)}: ${kept} of ${images.length} images have any. The study keeps those ` +
      "of the highest-scored images of each class."
    : "";
  remark.replaceChildren(lacks.length ? `${row} makes no ${lacks.join(" and no ")}. ` : "", about);
}

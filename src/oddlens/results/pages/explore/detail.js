// The details of one test image: pictures of its twins, what is known of it, and what each row makes of it.

import { byId, element, plainTable, short } from "explore/elements";
import { chosenDataset, modelOf, modelText, percentiles, rowsOf } from "explore/models";
import { atLeast, sorted } from "explore/scores";
import { get, keep } from "explore/state";
import { KINDS, picture, rowPicture } from "explore/thumbnails";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/thumbnails").Kind} Kind */

/** What is shown; so that a change of something else leaves the dialog alone. */
let shown = "";
const dialog = /** @type {HTMLDialogElement} */ (byId("detail"));
dialog.addEventListener("close", () => {
  keep({ image: "" });
  shown = "";
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

/**
 * Open the details of a test image.
 * @param {number} image
 */
export function open(image) {
  keep({ image: chosenDataset().id(image) });
  showDetail();
}

/** Show the image that the state names, or none. */
export function showDetail() {
  const data = chosenDataset();
  const image = data.position.get(get("image"));
  const wanted = image === undefined ? "" : `${data.name}/${data.id(image)}/${get("train")}/${get("seed")}`;
  if (wanted === shown) return;
  shown = wanted;
  if (image === undefined) {
    dialog.close();
    return;
  }
  const close = element("button", { type: "button", class: "close", click: () => dialog.close() }, "Close");
  const heading = element("h2", { id: "detail-title" }, `${data.name}/${data.id(image)}`);
  dialog.replaceChildren(
    element("div", { class: "title" }, heading, close),
    pictures(data, image),
    ...maps(data, image),
    element("div", { class: "columns" }, rowsTable(data, image), factsTable(data, image)),
  );
  if (!dialog.open) dialog.showModal();
}

/**
 * The image and its twins side by side, each with its difference to the twin without substructure.
 * @param {Dataset} data
 * @param {number} image
 */
function pictures(data, image) {
  const size = data.lens(image).length > 1 ? 140 : 256;
  const figures = data.lens(image).map((other) => {
    const name = element("figcaption", {}, data.classOfImage(other));
    const difference = data.sprites.difference && data.twin(other) !== undefined;
    const parts = [picture(data, other, size), ...(difference ? [picture(data, other, size, "difference")] : [])];
    const chosen = other === image;
    return element(
      "figure",
      { class: chosen && "chosen", "aria-current": chosen && "true" },
      element("div", {}, ...parts),
      name,
    );
  });
  return element("div", { class: "twins" }, ...figures);
}

/**
 * For each row the percentile of the image among test images, and how many normal validation images score as high.
 * @param {Dataset} data
 * @param {number} image
 */
function rowsTable(data, image) {
  const lines = rowsOf(data).map((row) => {
    const model = modelOf(data, row);
    const scores = data.scores[model] ?? new Float32Array();
    const normal = sorted(scores, data.validation);
    const score = scores[image] ?? NaN;
    const high = Number.isFinite(score) && normal.length ? `${atLeast(normal, score)} of ${normal.length}` : "–";
    const { training = "", seed = 0 } = data.models[model] ?? {};
    return [row, `${training}, ${seed}`, short(percentiles(data, model, [image])[0] ?? NaN), high, short(score)];
  });
  const columns = ["row", "training, seed", "percentile of test images", "validation images as high", "score"];
  return plainTable("What each row makes of it", columns, lines);
}

/**
 * What is known of the image.
 * @param {Dataset} data
 * @param {number} image
 */
function factsTable(data, image) {
  const lines = data.facts(image).map(([name, value]) => [name, typeof value === "number" ? short(value) : value]);
  return plainTable(data.simulated ? "Truth" : "Sheet", ["name", "value"], lines);
}

/**
 * Reconstructions, residuals and anomaly maps of the rows of which the study keeps those of the image.
 * @param {Dataset} data
 * @param {number} image
 */
function maps(data, image) {
  const rows = data.maps.filter(({ tiles }) => tiles.has(image));
  if (!rows.length) return [];
  const figures = rows.map(({ row, model, sheets }) => {
    const kinds = /** @type {Kind[]} */ (Object.keys(sheets));
    const made = kinds.map((kind) => rowPicture(data, row, kind, image, 72));
    const about = `${modelText(data, model).slice(row.length)}: ${kinds.map((kind) => KINDS[kind]).join(", ")}`;
    return element(
      "figure",
      { "data-row": row },
      element("div", {}, ...made),
      element("figcaption", {}, element("b", {}, row), about),
    );
  });
  const summary = element("summary", {}, `Reconstructions, residuals and maps of ${rows.length} rows`);
  return [element("details", {}, summary, element("div", { class: "twins" }, ...figures))];
}

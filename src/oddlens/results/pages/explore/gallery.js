// Test images by their score, and what a threshold makes of them.

import { open } from "explore/detail";
import { byId, choice, element, labelled, percent, plainTable, short } from "explore/elements";
import { chosenDataset, chosenRow, modelOf, modelText } from "explore/models";
import { controls, pictures, remark, showLooks, showRemark } from "explore/looks";
import { above, fewestImages, sorted, threshold } from "explore/scores";
import { get, number, oneOf, set } from "explore/state";
import { thumbnail } from "explore/thumbnails";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/scores").Scores} Scores */

const PER_PAGE = 60;
const LENSES = 100_000;
const place = byId("gallery");
const slider = element("input", {
  id: "rate",
  type: "range",
  step: 0.01,
  max: 0,
  input: () => rateChosen(Number((10 ** Number(slider.value)).toPrecision(4))),
});
const oneIn = element("input", {
  id: "one-in",
  type: "number",
  min: 1,
  step: "any",
  change: () => rateChosen(1 / Number(oneIn.value)),
});
const order = choice("order", (value) => set({ order: value, page: "" }));
const only = choice("only", (value) => set({ only: value, page: "" }));
const readOut = element("div", { id: "read-out", "aria-live": "polite" });
const images = element("div", { id: "images" });
const previous = element("button", { type: "button", click: () => set({ page: shownPage - 1 }) }, "Previous");
const next = element("button", { type: "button", click: () => set({ page: shownPage + 1 }) }, "Next");
const where = element("span", { id: "where" });
const pages = element("div", { class: "controls", id: "pages" }, previous, next, where);
let shownPage = 1;

place.append(
  element(
    "div",
    { class: "controls", role: "group", "aria-label": "Threshold" },
    labelled("Threshold: one false alarm in", oneIn),
    labelled("Rate of false alarms", slider),
  ),
  readOut,
  element(
    "div",
    { class: "controls", role: "group", "aria-label": "Order" },
    labelled("Order", order.select),
    labelled("Show", only.select),
    ...controls,
  ),
  pages,
  remark,
  images,
);

/** @param {number} rate */
function rateChosen(rate) {
  if (rate > 0 && rate <= 1) set({ rate, page: "" });
}

/**
 * The rate of false alarms that the state names, or one that so many validation images can set.
 * @param {number} validation
 */
function chosenRate(validation) {
  const usual = validation >= fewestImages(0.01) ? 0.01 : 0.1;
  const rate = number("rate", usual);
  return rate > 0 && rate <= 1 ? rate : usual;
}

/** Show the gallery as the state wants it. */
export function showGallery() {
  const data = chosenDataset();
  const model = modelOf(data, chosenRow(data));
  const scores = data.scores[model] ?? new Float32Array();
  const validation = sorted(scores, data.validation);
  const rate = chosenRate(validation.length);
  const limit = threshold(validation, rate);
  slider.min = String(-Math.floor(100 * Math.log10(Math.max(validation.length, 10))) / 100);
  slider.value = String(Math.log10(rate));
  slider.setAttribute("aria-valuetext", `one in ${short(1 / rate)}`);
  oneIn.value = String(Number((1 / rate).toPrecision(4)));
  order.show(
    [
      ["high", "most anomalous first"],
      ["low", "least anomalous first"],
    ],
    oneOf("order", ["high", "low"]),
  );
  only.show(
    [
      ["", "all images"],
      ["above", "above the threshold"],
      ["below", "not above it"],
    ],
    get("only"),
  );
  showLooks(data);
  readOut.replaceChildren(...counts(data, model, validation, limit));
  showImages(data, scores, limit);
}

/**
 * The threshold, and how many images of each class are above it.
 * @param {Dataset} data
 * @param {number} model
 * @param {Float64Array} validation
 * @param {number} limit
 */
function counts(data, model, validation, limit) {
  const scores = data.scores[model] ?? new Float32Array();
  const rate = chosenRate(validation.length);
  const about = element("p", {}, `${modelText(data, model)}: `);
  if (!data.models[model]?.ok) about.append("this model has no scores.");
  else if (Number.isNaN(limit)) {
    about.append(
      `the threshold is unknown: one false alarm in ${short(1 / rate)} needs ${fewestImages(rate)} `,
      `normal validation images, and ${validation.length} have a score.`,
    );
  } else {
    about.append("the threshold is ", element("output", { id: "threshold" }, short(limit, 6)));
    about.append(`, which ${above(validation, limit)} of ${validation.length} normal validation images exceed.`);
  }
  const lines = data.testedClasses.map((cls) => {
    const of = sorted(
      scores,
      data.test((other) => other === cls),
    );
    const passed = above(of, limit);
    const known = !Number.isNaN(limit) && of.length > 0;
    const alarms = known && data.kinds[cls] !== "anomaly" && data.kinds[cls] !== "unlabelled";
    const cell = element("span", { "data-above": cls }, known ? String(passed) : "–");
    const perLenses = alarms ? Math.round((LENSES * passed) / of.length).toLocaleString("en") : "";
    return [cls, data.kinds[cls] ?? "", String(of.length), cell, known ? percent(passed, of.length) : "–", perLenses];
  });
  const columns = ["class", "kind", "images", "above", "part", "false alarms per 100,000"];
  return [about, plainTable("Test images above the threshold", columns, lines)];
}

/**
 * The page of thumbnails that the state names.
 * @param {Dataset} data
 * @param {Scores} scores
 * @param {number} limit
 */
function showImages(data, scores, limit) {
  const cls = get("class");
  const wanted = data.test((other) => !data.testedClasses.includes(cls) || other === cls);
  const sign = get("order") === "low" ? -1 : 1;
  const part = get("only");
  const chosen = wanted
    .map((image) => ({ image, score: scores[image] ?? NaN }))
    .filter(({ score }) => Number.isFinite(score))
    .filter(({ score }) => (part === "above" ? score > limit : part === "below" ? !(score > limit) : true))
    .sort((a, b) => sign * (b.score - a.score) || a.image - b.image);
  const last = Math.max(Math.ceil(chosen.length / PER_PAGE), 1);
  const page = Math.min(Math.max(Math.trunc(number("page", 1)), 1), last);
  const shown = chosen.slice((page - 1) * PER_PAGE, page * PER_PAGE);
  const row = chosenRow(data);
  const made = shown.map(({ image, score }) =>
    thumbnail(data, image, short(score), { pictures: pictures(data, row, image), mark: score > limit, open }),
  );
  images.replaceChildren(...made);
  showRemark(
    data,
    row,
    shown.map(({ image }) => image),
  );
  shownPage = page;
  previous.disabled = page <= 1;
  next.disabled = page >= last;
  const first = chosen.length ? (page - 1) * PER_PAGE + 1 : 0;
  const range = `${first} to ${Math.min(page * PER_PAGE, chosen.length)} of ${chosen.length} images with a score`;
  where.replaceChildren(range);
}

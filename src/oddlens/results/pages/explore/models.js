// The model that the state names, and what its scores say.

import { dataset, names } from "explore/data";
import { percentile, sorted } from "explore/scores";
import { get, oneOf } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */

/** The number of colours in `explore.css`. */
export const COLOURS = 8;

/** The data set that the state names. */
export function chosenDataset() {
  return dataset(oneOf("data", names));
}

/**
 * The different values of models.
 * @template T
 * @param {T[]} values
 */
export function different(values) {
  return [...new Set(values)];
}

/**
 * The rows of a data set.
 * @param {Dataset} data
 */
export function rowsOf(data) {
  return different(data.models.map((model) => model.row));
}

/**
 * The training sets of a row.
 * @param {Dataset} data
 * @param {string} row
 */
export function trainingsOf(data, row) {
  return different(data.models.filter((model) => model.row === row).map((model) => model.training));
}

/**
 * The seeds of a row and training set.
 * @param {Dataset} data
 * @param {string} row
 * @param {string} training
 */
export function seedsOf(data, row, training) {
  const models = data.models.filter((model) => model.row === row && model.training === training);
  return different(models.map((model) => String(model.seed)));
}

/**
 * The row that the state names.
 * @param {Dataset} data
 * @param {string} [key]
 */
export function chosenRow(data, key = "row") {
  return oneOf(key, rowsOf(data));
}

/**
 * The number of the model of a row with the training set and seed that the state names, or the first that the row has.
 * @param {Dataset} data
 * @param {string} row
 */
export function modelOf(data, row) {
  const training = oneOf("train", trainingsOf(data, row));
  const seed = oneOf("seed", seedsOf(data, row, training));
  return data.models.findIndex((m) => m.row === row && m.training === training && String(m.seed) === seed);
}

/**
 * A model as text: `dcae, clean, seed 1`.
 * @param {Dataset} data
 * @param {number} model
 */
export function modelText(data, model) {
  const { row, training, seed, ok } = data.models[model] ?? { row: "", training: "", seed: 0, ok: false };
  return `${row}, ${training}, seed ${seed}${ok ? "" : " (diverged)"}`;
}

/** The anomaly class that the state names, or all together. */
export function chosenAnomaly() {
  const data = chosenDataset();
  return data.anomalies.includes(get("class")) ? get("class") : "all";
}

/**
 * The percentiles of some test images among all of them.
 * @param {Dataset} data
 * @param {number} model
 * @param {number[]} images
 */
export function percentiles(data, model, images) {
  const scores = data.scores[model] ?? new Float32Array();
  const ascending = sorted(
    scores,
    data.test(() => true),
  );
  return images.map((image) => percentile(ascending, scores[image] ?? NaN));
}

/**
 * The number of the colour of a row, which does not depend on what else is chosen.
 * @param {Dataset} data
 * @param {string} row
 */
export function colourOf(data, row) {
  return rowsOf(data).indexOf(row);
}

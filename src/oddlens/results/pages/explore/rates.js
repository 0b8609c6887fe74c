// ROC and precision-recall curves, and their numbers at the pointer.

import { plainTable, short } from "explore/elements";
import { chosenAnomaly, colourOf, modelOf } from "explore/models";
import { linePlot, showNothing } from "explore/plot";
import { curve, sorted } from "explore/scores";
import { get, keep, number } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/plot").Axis} Axis */

const LENSES = 100_000;

/**
 * ROC or precision-recall curves.
 * @param {HTMLElement} place of the plot
 * @param {HTMLElement} readOut the place of the numbers at the pointer
 * @param {Dataset} data
 * @param {string[]} rows
 * @param {"roc" | "pr"} which
 */
export function showRates(place, readOut, data, rows, which) {
  const anomaly = chosenAnomaly();
  const known = rows
    .map((row) => ({ row, ...curveOf(data, row, anomaly) }))
    .filter(({ normals, anomalies }) => normals && anomalies);
  if (!known.length) {
    showNothing(place, "No chosen row has scores of normal and of anomalous test images.");
    return;
  }
  const roc = which === "roc";
  const shown = known.map(({ row }) => row).join(", ");
  const lowest = 1 / Math.max(...known.map(({ normals }) => normals));
  const logarithmic = roc && get("log") === "1";
  /** @type {Axis} */
  const x = {
    label: roc ? "false positive rate" : "recall",
    low: logarithmic ? lowest / 2 : 0,
    high: 1,
    log: logarithmic,
  };
  linePlot(place, {
    label: `${roc ? "ROC" : "Precision and recall"}, ${anomaly} against ${data.smooth}: ${shown}`,
    x,
    y: { label: roc ? "true positive rate" : "precision", low: 0, high: 1 },
    series: known.map(({ row, ...of }) => ({
      name: row,
      colour: colourOf(data, row),
      points: roc ? rocPoints(of) : precisionPoints(of),
    })),
    ...(roc && !logarithmic
      ? {
          reference: [
            [0, 0],
            [1, 1],
          ],
        }
      : {}),
    at: number("at", roc ? Math.max(0.05, lowest) : 0.5),
    moved: (at) => readOut.replaceChildren(values(data, known, which, at)),
    kept: (at) => keep({ at: Number(at.toPrecision(3)) }),
  });
}

/** @typedef {import("explore/scores").Curve} Curve */

/**
 * The counts of a row's model above each threshold.
 * @param {Dataset} data
 * @param {string} row
 * @param {string} anomaly
 */
function curveOf(data, row, anomaly) {
  const scores = data.scores[modelOf(data, row)] ?? new Float32Array();
  return curve(sorted(scores, data.normal), sorted(scores, data.anomalous(anomaly)));
}

/**
 * False and true positive rates.
 * @param {Curve} of
 * @returns {[number, number][]}
 */
function rocPoints(of) {
  return of.thresholds.map((_, k) => [(of.normal[k] ?? 0) / of.normals, (of.anomalous[k] ?? 0) / of.anomalies]);
}

/**
 * Recall and precision, without the threshold that nothing exceeds.
 * @param {Curve} of
 * @returns {[number, number][]}
 */
function precisionPoints(of) {
  return of.thresholds
    .map((_, k) => [of.anomalous[k] ?? 0, of.normal[k] ?? 0])
    .filter(([found = 0, alarms = 0]) => found + alarms > 0)
    .map(([found = 0, alarms = 0]) => [found / of.anomalies, found / (found + alarms)]);
}

/**
 * The numbers of each curve at the pointer: at the last threshold whose false positive rate, or the first whose recall,
 * is the pointer's.
 * @param {Dataset} data
 * @param {(Curve & {row: string})[]} known
 * @param {"roc" | "pr"} which
 * @param {number} at
 */
function values(data, known, which, at) {
  const lines = known.map((of) => {
    const limit =
      which === "roc"
        ? of.normal.findLastIndex((alarms) => alarms <= at * of.normals + 1e-9)
        : of.anomalous.findIndex((found) => found >= at * of.anomalies - 1e-9);
    const [alarms, found] = [of.normal[limit] ?? 0, of.anomalous[limit] ?? 0];
    const numbers = [of.thresholds[limit] ?? NaN, found / of.anomalies, alarms / of.normals, found / (found + alarms)];
    const perLenses = Math.round((LENSES * alarms) / of.normals).toLocaleString("en");
    const model = data.models[modelOf(data, of.row)];
    return [
      of.row,
      `${model?.training ?? ""}, ${model?.seed ?? ""}`,
      ...numbers.map((value) => short(value)),
      perLenses,
    ];
  });
  const columns = [
    "row",
    "training, seed",
    "threshold",
    "true positive rate",
    "false positive rate",
    "precision",
    "false alarms per 100,000",
  ];
  const where = `At ${which === "roc" ? "a false positive rate" : "a recall"} of ${short(at, 3)}`;
  return plainTable(where, columns, lines);
}

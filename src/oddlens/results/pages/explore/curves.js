// ROC and precision-recall curves, AUC by contamination, and completeness by mass, of chosen rows.

import { study } from "explore/data";
import { byId, choice, element, labelled, plainTable, short } from "explore/elements";
import { chosenAnomaly, chosenDataset, modelOf, rowsOf } from "explore/models";
import { COLOURS, linePlot } from "explore/plot";
import { curve, sorted } from "explore/scores";
import { get, keep, number, oneOf, set } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/plot").Series} Series */
/** @typedef {import("explore/plot").Axis} Axis */

const KINDS = { roc: "ROC", pr: "precision and recall", contamination: "AUC by contamination", mass: "completeness by mass" };
const LENSES = 100_000;
const DEFAULT_ROWS = 4;
const kind = choice("curve", (value) => set({ curve: value, at: "" }));
const log = element("input", { id: "log", type: "checkbox", change: () => set({ log: log.checked ? "1" : "", at: "" }) });
const logLabel = labelled("Logarithmic rate", log);
const contaminant = choice("contaminant", (value) => set({ contaminant: value }));
const contaminantLabel = labelled("Contaminant", contaminant.select);
const rate = choice("far", (value) => set({ far: value }));
const rateLabel = labelled("Rate of false alarms", rate.select);
const rowBoxes = element("fieldset", { class: "rows" });
const plot = element("div", { class: "plot" });
const readOut = element("div", { id: "curve-values" });

byId("curves").append(
  element("div", { class: "controls" }, labelled("Curve", kind.select), logLabel, contaminantLabel, rateLabel),
  rowBoxes,
  plot,
  readOut,
);

/**
 * The rows that the state names, or the first ones, with their colours.
 * @param {Dataset} data
 */
function chosenRows(data) {
  const rows = rowsOf(data);
  const named = get("rows").split(",").filter((row) => rows.includes(row));
  if (get("rows")) return named;
  const detectors = rows.filter((row) => study.roles[row] === "detector");
  return (detectors.length ? detectors : rows).slice(0, DEFAULT_ROWS);
}

/**
 * The colour of a row, which does not depend on what else is chosen.
 * @param {Dataset} data
 * @param {string} row
 */
function colourOf(data, row) {
  return rowsOf(data).indexOf(row) % COLOURS;
}

/**
 * The boxes that choose rows. They stay as long as the rows are the same, so that the keyboard keeps its place.
 * @param {Dataset} data
 * @param {string[]} chosen
 */
function showBoxes(data, chosen) {
  const rows = rowsOf(data);
  if (rowBoxes.dataset["rows"] !== rows.join()) {
    rowBoxes.dataset["rows"] = rows.join();
    const boxes = rows.map((row) =>
      element("label", {}, element("input", { type: "checkbox", value: row, change: boxesChanged }), element("span", {}, row)),
    );
    rowBoxes.replaceChildren(element("legend", {}, "Rows"), ...boxes);
  }
  for (const box of rowBoxes.querySelectorAll("input")) box.checked = chosen.includes(box.value);
}

function boxesChanged() {
  const chosen = [...rowBoxes.querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
  set({ rows: chosen.join(",") || "none" });
}

/** Show the curves that the state names. */
export function showCurves() {
  const data = chosenDataset();
  const rows = chosenRows(data);
  const chosen = oneOf("curve", Object.keys(KINDS));
  kind.show(Object.entries(KINDS), chosen);
  showBoxes(data, rows);
  logLabel.hidden = chosen !== "roc";
  log.checked = get("log") === "1";
  contaminantLabel.hidden = chosen !== "contamination";
  rateLabel.hidden = chosen !== "mass";
  readOut.replaceChildren();
  if (chosen === "roc" || chosen === "pr") showRates(data, rows, chosen);
  else if (chosen === "contamination") showContamination(data, rows);
  else showMass(data, rows);
}

/** @param {string} text */
function showNothing(text) {
  plot.replaceChildren(element("p", {}, text));
}

/**
 * ROC or precision-recall curves.
 * @param {Dataset} data
 * @param {string[]} rows
 * @param {"roc" | "pr"} which
 */
function showRates(data, rows, which) {
  const anomaly = chosenAnomaly();
  const known = rows
    .map((row) => ({ row, ...curveOf(data, row, anomaly) }))
    .filter(({ normals, anomalies }) => normals && anomalies);
  if (!known.length) {
    showNothing("No chosen row has scores of normal and of anomalous test images.");
    return;
  }
  const roc = which === "roc";
  const lowest = 1 / Math.max(...known.map(({ normals }) => normals));
  const logarithmic = roc && get("log") === "1";
  /** @type {Axis} */
  const x = { label: roc ? "false positive rate" : "recall", low: logarithmic ? lowest / 2 : 0, high: 1, log: logarithmic };
  linePlot(plot, {
    label: `${roc ? "ROC" : "Precision and recall"}, ${anomaly} against ${data.smooth}, of ${known.map(({ row }) => row).join(", ")}`,
    x,
    y: { label: roc ? "true positive rate" : "precision", low: 0, high: 1 },
    series: known.map(({ row, ...of }) => ({ name: row, colour: colourOf(data, row), points: roc ? rocPoints(of) : precisionPoints(of) })),
    ...(roc && !logarithmic ? { reference: [[0, 0], [1, 1]] } : {}),
    at: number("at", roc ? Math.max(0.05, lowest) : 0.5),
    moved: (at) => showValues(data, known, which, at),
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
function showValues(data, known, which, at) {
  const lines = known.map((of) => {
    const limit = which === "roc" ? of.normal.findLastIndex((alarms) => alarms <= at * of.normals + 1e-9) : of.anomalous.findIndex((found) => found >= at * of.anomalies - 1e-9);
    const [alarms, found] = [of.normal[limit] ?? 0, of.anomalous[limit] ?? 0];
    const numbers = [of.thresholds[limit] ?? NaN, found / of.anomalies, alarms / of.normals, found / (found + alarms)];
    const perLenses = Math.round((LENSES * alarms) / of.normals).toLocaleString("en");
    const model = data.models[modelOf(data, of.row)];
    return [of.row, `${model?.training ?? ""}, ${model?.seed ?? ""}`, ...numbers.map((value) => short(value)), perLenses];
  });
  const columns = ["row", "training, seed", "threshold", "true positive rate", "false positive rate", "precision", "false alarms per 100,000"];
  const where = `At ${which === "roc" ? "a false positive rate" : "a recall"} of ${short(at, 3)}`;
  readOut.replaceChildren(plainTable(where, columns, lines));
}

/**
 * AUCs of seeds by the contaminated fraction, with a line through their means.
 * @param {Dataset} data
 * @param {string[]} rows
 */
function showContamination(data, rows) {
  const anomaly = chosenAnomaly();
  const lines = study.auc.filter(([name, , , , , cls]) => name === data.name && cls === anomaly);
  const contaminants = [...new Set(lines.filter((line) => line[3] > 0 && line[2] !== "labelled").map((line) => line[2]))];
  if (!contaminants.length) {
    showNothing("There are no AUCs after contaminated training.");
    return;
  }
  const chosen = oneOf("contaminant", contaminants);
  contaminant.show(contaminants.map((name) => [name, name]), chosen);
  const series = rows.map((row) => {
    const own = lines.filter((line) => line[1] === row && (line[3] === 0 || line[2] === chosen));
    /** @type {[number, number][]} */
    const dots = own.map((line) => [line[3], line[6]]);
    const fractions = [...new Set(dots.map(([x]) => x))].sort((a, b) => a - b);
    /** @type {[number, number][]} */
    const points = fractions.map((x) => [x, mean(dots.filter((dot) => dot[0] === x).map((dot) => dot[1]))]);
    return { name: row, colour: colourOf(data, row), points, dots };
  });
  const shown = series.filter(({ dots }) => dots.length);
  if (!shown.length) {
    showNothing("The chosen rows have no AUC here.");
    return;
  }
  const all = shown.flatMap(({ dots }) => dots);
  const x = { label: `fraction of ${chosen} in the training set`, low: -0.005, high: 1.05 * Math.max(...all.map(([a]) => a), 0.01) };
  const low = Math.min(...all.map(([, auc]) => auc));
  linePlot(plot, {
    label: `AUC for ${anomaly} by the contaminated fraction; dots are seeds`,
    x,
    y: { label: `AUC, ${anomaly}`, low: Math.max(0, low - 0.02), high: 1 },
    series: shown,
  });
  const cells = shown.flatMap(({ name, points, dots }) =>
    points.map(([at, value]) => [name, short(at), short(value), dots.filter((dot) => dot[0] === at).map((dot) => short(dot[1])).join(", ")]),
  );
  readOut.replaceChildren(plainTable("AUC by contaminated fraction", ["row", "fraction", "mean AUC", "seeds"], cells));
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Detected fractions by mass, means over seeds, with intervals over lenses.
 * @param {Dataset} data
 * @param {string[]} rows
 */
function showMass(data, rows) {
  const lines = study.mass.filter(([name]) => name === data.name);
  const classes = [...new Set(lines.map((line) => line[2]))];
  const rates = [...new Set(lines.map((line) => line[3]))].map(String);
  const cls = oneOf("class", classes);
  const at = oneOf("far", rates);
  rate.show(rates.map((name) => [name, name]), at);
  const series = rows.map((row) => {
    const own = lines.filter((line) => line[1] === row && line[2] === cls && String(line[3]) === at);
    own.sort((a, b) => a[4] - b[4]);
    /** @type {[number, number][]} */
    const points = own.map((line) => [line[4], line[5]]);
    /** @type {[number, number, number][]} */
    const bars = own.flatMap((line) => (line[6] === null || line[7] === null ? [] : [[line[4], line[6], line[7]]]));
    return { name: row, colour: colourOf(data, row), points, bars, dots: points };
  });
  const shown = series.filter(({ points }) => points.length);
  if (!shown.length) {
    showNothing("There is no completeness by mass for these rows.");
    return;
  }
  const masses = shown.flatMap(({ points }) => points.map(([mass]) => mass));
  const [low, high] = [Math.min(...masses), Math.max(...masses)].map(Math.log10);
  const x = { label: `mass of ${cls} [solar masses]`, low: 10 ** Math.floor((low ?? 8) - 0.1), high: 10 ** Math.ceil((high ?? 10) + 0.1), log: true };
  linePlot(plot, {
    label: `Detected fraction of ${cls} by mass, at a rate of false alarms of ${at}`,
    x,
    y: { label: "detected fraction", low: 0, high: 1 },
    series: shown,
  });
  const cells = shown.flatMap(({ name, points }) => points.map(([mass, found]) => [name, mass.toPrecision(3), short(found)]));
  readOut.replaceChildren(plainTable(`Completeness for ${cls}`, ["row", "mass", "detected"], cells));
}

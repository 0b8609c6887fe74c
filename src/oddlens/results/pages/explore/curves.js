// Curves of chosen rows: rates (`rates.js`), AUC by contamination, and completeness by mass.

import { study } from "explore/data";
import { byId, choice, element, labelled, plainTable, short } from "explore/elements";
import { chosenAnomaly, chosenDataset, colourOf, rowsOf } from "explore/models";
import { linePlot, showNothing } from "explore/plot";
import { showRates } from "explore/rates";
import { get, oneOf, set } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */

const KINDS = {
  roc: "ROC",
  pr: "precision and recall",
  contamination: "AUC by contamination",
  mass: "completeness by mass",
};
const DEFAULT_ROWS = 4;
const kind = choice("curve", (value) => set({ curve: value, at: "" }));
const log = element("input", {
  id: "log",
  type: "checkbox",
  change: () => set({ log: log.checked ? "1" : "", at: "" }),
});
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
  const named = get("rows")
    .split(",")
    .filter((row) => rows.includes(row));
  if (get("rows")) return named;
  const detectors = rows.filter((row) => study.roles[row] === "detector");
  return (detectors.length ? detectors : rows).slice(0, DEFAULT_ROWS);
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
      element(
        "label",
        {},
        element("input", { type: "checkbox", value: row, change: boxesChanged }),
        element("span", {}, row),
      ),
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
  if (chosen === "roc" || chosen === "pr") showRates(plot, readOut, data, rows, chosen);
  else if (chosen === "contamination") showContamination(data, rows);
  else showMass(data, rows);
}

/**
 * AUCs of seeds by the contaminated fraction, with a line through their means.
 * @param {Dataset} data
 * @param {string[]} rows
 */
function showContamination(data, rows) {
  const anomaly = chosenAnomaly();
  const lines = study.auc.filter(([name, , , , , cls]) => name === data.name && cls === anomaly);
  const contaminants = [
    ...new Set(lines.filter((line) => line[3] > 0 && line[2] !== "labelled").map((line) => line[2])),
  ];
  if (!contaminants.length) {
    showNothing(plot, "There are no AUCs after contaminated training.");
    return;
  }
  const chosen = oneOf("contaminant", contaminants);
  contaminant.show(
    contaminants.map((name) => [name, name]),
    chosen,
  );
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
    showNothing(plot, "The chosen rows have no AUC here.");
    return;
  }
  const all = shown.flatMap(({ dots }) => dots);
  const x = {
    label: `fraction of ${chosen} in the training set`,
    low: -0.005,
    high: 1.05 * Math.max(...all.map(([a]) => a), 0.01),
  };
  const low = Math.min(...all.map(([, auc]) => auc));
  linePlot(plot, {
    label: `AUC for ${anomaly} by the contaminated fraction; dots are seeds`,
    x,
    y: { label: `AUC, ${anomaly}`, low: Math.max(0, low - 0.02), high: 1 },
    series: shown,
  });
  const cells = shown.flatMap(({ name, points, dots }) =>
    points.map(([at, value]) => [
      name,
      short(at),
      short(value),
      dots
        .filter((dot) => dot[0] === at)
        .map((dot) => short(dot[1]))
        .join(", "),
    ]),
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
  rate.show(
    rates.map((name) => [name, name]),
    at,
  );
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
    showNothing(plot, "There is no completeness by mass for these rows.");
    return;
  }
  const masses = shown.flatMap(({ points }) => points.map(([mass]) => mass));
  const [low, high] = [Math.min(...masses), Math.max(...masses)].map(Math.log10);
  const x = {
    label: `mass of ${cls} [solar masses]`,
    low: 10 ** Math.floor((low ?? 8) - 0.1),
    high: 10 ** Math.ceil((high ?? 10) + 0.1),
    log: true,
  };
  linePlot(plot, {
    label: `Detected fraction of ${cls} by mass, at a rate of false alarms of ${at}`,
    x,
    y: { label: "detected fraction", low: 0, high: 1 },
    series: shown,
  });
  const cells = shown.flatMap(({ name, points }) =>
    points.map(([mass, found]) => [name, mass.toPrecision(3), short(found)]),
  );
  readOut.replaceChildren(plainTable(`Completeness for ${cls}`, ["row", "mass", "detected"], cells));
}

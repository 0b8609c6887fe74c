// AUCs of seeds by the contaminated fraction of the training set, with a line through their means.

import { study } from "explore/data";
import { choice, element, labelled, plainTable, short } from "explore/elements";
import { chosenAnomaly, colourOf } from "explore/models";
import { linePlot, showNothing } from "explore/plot";
import { get, keep, oneOf, set } from "explore/state";

/** @typedef {import("explore/data").AucLine} AucLine */
/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/plot").Point} Point */
/** @typedef {{name: string, lines: AucLine[], means: Point[]}} Row */

const contaminant = choice("contaminant", (value) => set({ contaminant: value, dot: "" }));

/** The choice of the contaminant. */
export const contaminantLabel = labelled("Contaminant", contaminant.select);

/**
 * Show the AUCs of rows.
 * @param {HTMLElement} place of the plot
 * @param {HTMLElement} readOut the place of the numbers
 * @param {Dataset} data
 * @param {string[]} rows
 */
export function showContamination(place, readOut, data, rows) {
  const anomaly = chosenAnomaly();
  const lines = study.auc.filter(([name, , , , , cls]) => name === data.name && cls === anomaly);
  const contaminated = lines.filter((line) => line[3] > 0 && line[2] !== "labelled");
  const contaminants = [...new Set(contaminated.map((line) => line[2]))];
  if (!contaminants.length) {
    showNothing(place, "There are no AUCs after contaminated training.");
    return;
  }
  const chosen = oneOf("contaminant", contaminants);
  contaminant.show(
    contaminants.map((name) => [name, name]),
    chosen,
  );
  const shown = rows.map((row) => rowOf(row, lines, chosen)).filter(({ means }) => means.length);
  if (!shown.length) {
    showNothing(place, "The chosen rows have no AUC here.");
    return;
  }
  const dotValues = element("div", { id: "dot-values", "aria-live": "polite" });
  const dots = new Map(shown.flatMap((of) => of.lines.map((line) => [keyOf(line), line])));
  const aucs = [...dots.values()].map((line) => line[6]);
  const fractions = [...dots.values()].map((line) => line[3]);
  readOut.replaceChildren(dotValues, meansTable(shown));
  linePlot(place, {
    label: `AUC for ${anomaly} by the contaminated fraction; dots are seeds`,
    x: { label: `fraction of ${chosen} in the training set`, low: -0.005, high: 1.05 * Math.max(...fractions, 0.01) },
    y: { label: `AUC, ${anomaly}`, low: Math.max(0, Math.min(...aucs) - 0.02), high: 1 },
    series: shown.map(({ name, lines: own, means }) => ({
      name,
      colour: colourOf(data, name),
      points: means,
      dots: own.map((line) => ({ key: keyOf(line), x: line[3], y: line[6] })),
    })),
    reading: {
      at: get("dot"),
      moved: (key) => dotValues.replaceChildren(...valuesOf(dots.get(key))),
      kept: (key) => keep({ dot: key }),
    },
  });
}

/**
 * The AUCs of a row, and their means over seeds.
 * @param {string} name
 * @param {AucLine[]} lines
 * @param {string} chosen the contaminant
 * @returns {Row}
 */
function rowOf(name, lines, chosen) {
  const own = lines.filter((line) => line[1] === name && (line[3] === 0 || line[2] === chosen));
  own.sort((a, b) => a[3] - b[3] || a[4] - b[4]);
  const fractions = [...new Set(own.map((line) => line[3]))];
  const means = fractions.map((x) => /** @type {Point} */ ([x, mean(own.filter((line) => line[3] === x))]));
  return { name, lines: own, means };
}

/** @param {AucLine[]} lines */
function mean(lines) {
  return lines.reduce((sum, line) => sum + line[6], 0) / lines.length;
}

/** @param {AucLine} line */
function keyOf(line) {
  return `${line[1]},${line[3]},${line[4]}`;
}

/**
 * The numbers of one dot.
 * @param {AucLine | undefined} line
 */
function valuesOf(line) {
  if (!line) return [];
  const [, row, , fraction, seed, , auc, low, high] = line;
  const cells = [row, String(seed), short(fraction), ...[auc, low, high].map((value) => short(value ?? NaN))];
  return [plainTable("At the pointer", ["row", "seed", "fraction", "AUC", "low", "high"], [cells])];
}

/**
 * The means of all rows, and the AUCs of their seeds.
 * @param {Row[]} rows
 */
function meansTable(rows) {
  const cells = rows.flatMap(({ name, lines, means }) =>
    means.map(([at, value]) => {
      const seeds = lines.filter((line) => line[3] === at).map((line) => short(line[6]));
      return [name, short(at), short(value), seeds.join(", ")];
    }),
  );
  return plainTable("AUC by contaminated fraction", ["row", "fraction", "mean AUC", "seeds"], cells);
}

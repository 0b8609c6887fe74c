// Detected fractions by mass, means over seeds, with intervals over lenses.

import { study } from "explore/data";
import { choice, element, labelled, plainTable, short } from "explore/elements";
import { colourOf } from "explore/models";
import { linePlot, showNothing } from "explore/plot";
import { get, keep, oneOf, set } from "explore/state";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/data").MassLine} MassLine */
/** @typedef {import("explore/plot").Axis} Axis */
/** @typedef {import("explore/plot").Series} Series */

const rate = choice("far", (value) => set({ far: value }));

/** The choice of the rate of false alarms. */
export const rateLabel = labelled("Rate of false alarms", rate.select);

/**
 * Show the completeness of rows.
 * @param {HTMLElement} place of the plot
 * @param {HTMLElement} readOut the place of the numbers
 * @param {Dataset} data
 * @param {string[]} rows
 */
export function showMass(place, readOut, data, rows) {
  const lines = study.mass.filter(([name]) => name === data.name);
  const classes = [...new Set(lines.map((line) => line[2]))];
  const rates = [...new Set(lines.map((line) => line[3]))].map(String);
  const cls = oneOf("class", classes);
  const at = oneOf("far", rates);
  rate.show(
    rates.map((name) => [name, name]),
    at,
  );
  const shown = rows.flatMap((row) =>
    lines.filter((line) => line[1] === row && line[2] === cls && String(line[3]) === at).sort((a, b) => a[4] - b[4]),
  );
  if (!shown.length) {
    showNothing(place, "There is no completeness by mass for these rows.");
    return;
  }
  const dotValues = element("div", { id: "dot-values", "aria-live": "polite" });
  const columns = ["row", "mass", "bin", "detected", "low", "high", "images"];
  readOut.replaceChildren(dotValues, plainTable(`Completeness for ${cls}`, columns, shown.map(cells)));
  linePlot(place, {
    label: `Detected fraction of ${cls} by mass, at a rate of false alarms of ${at}`,
    x: massAxis(shown, cls),
    y: { label: "detected fraction", low: 0, high: 1 },
    series: rows.map((row) => seriesOf(data, row, shown)).filter(({ points }) => points.length),
    reading: {
      at: get("dot"),
      moved: (key) => {
        const line = shown.find((other) => keyOf(other) === key);
        dotValues.replaceChildren(...(line ? [plainTable("At the pointer", columns, [cells(line)])] : []));
      },
      kept: (key) => keep({ dot: key }),
    },
  });
}

/**
 * The axis of masses, whole powers of ten.
 * @param {MassLine[]} lines
 * @param {string} cls
 * @returns {Axis}
 */
function massAxis(lines, cls) {
  const powers = lines.map((line) => Math.log10(line[4]));
  return {
    label: `mass of ${cls} [solar masses]`,
    low: 10 ** Math.floor(Math.min(...powers) - 0.1),
    high: 10 ** Math.ceil(Math.max(...powers) + 0.1),
    log: true,
  };
}

/**
 * The line, the dots and the intervals of a row.
 * @param {Dataset} data
 * @param {string} row
 * @param {MassLine[]} lines
 * @returns {Series}
 */
function seriesOf(data, row, lines) {
  const own = lines.filter((line) => line[1] === row);
  return {
    name: row,
    colour: colourOf(data, row),
    points: own.map((line) => [line[4], line[5]]),
    bars: own.flatMap((line) => (line[6] === null || line[7] === null ? [] : [[line[4], line[6], line[7]]])),
    dots: own.map((line) => ({ key: keyOf(line), x: line[4], y: line[5] })),
  };
}

/** @param {MassLine} line */
function keyOf(line) {
  return `${line[1]},${line[4].toPrecision(3)}`;
}

/**
 * The numbers of one dot. Masses that were injected have no bin.
 * @param {MassLine} line
 */
function cells(line) {
  const [, row, , , mass, detected, low, high, images, from, to] = line;
  const bin = from === null || to === null ? "–" : `${massText(from)} to ${massText(to)}`;
  return [row, massText(mass), bin, ...[detected, low, high, images].map((value) => short(value ?? NaN))];
}

/** @param {number} mass */
function massText(mass) {
  return mass.toPrecision(3).replace("e+", "e");
}

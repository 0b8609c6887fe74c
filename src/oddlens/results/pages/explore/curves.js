// Curves of chosen rows: rates (`rates.js`), AUC by `contamination.js`, and completeness by `mass.js`.

import { study } from "explore/data";
import { contaminantLabel, showContamination } from "explore/contamination";
import { byId, choice, element, labelled } from "explore/elements";
import { rateLabel, showMass } from "explore/mass";
import { chosenDataset, rowsOf } from "explore/models";
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
const kind = choice("curve", (value) => set({ curve: value, at: "", dot: "" }));
const log = element("input", {
  id: "log",
  type: "checkbox",
  change: () => set({ log: log.checked ? "1" : "", at: "" }),
});
const logLabel = labelled("Logarithmic rate", log);
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
  else if (chosen === "contamination") showContamination(plot, readOut, data, rows);
  else showMass(plot, readOut, data, rows);
}

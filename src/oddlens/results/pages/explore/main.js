import { names } from "explore/data";
import { byId, choice, element, labelled } from "explore/elements";
import { chosenDataset, chosenRow, different, rowsOf, seedsOf, trainingsOf } from "explore/models";
import { follow, get, oneOf, set } from "explore/state";
import { showDetail } from "explore/detail";
import { showCurves } from "explore/curves";
import { showGallery } from "explore/gallery";
import { showPair } from "explore/pair";
import { showTables } from "explore/tables";

/** @type {Record<string, {title: string, show: () => void}>} */
const VIEWS = {
  gallery: { title: "Images", show: showGallery },
  pair: { title: "Two rows", show: showPair },
  curves: { title: "Curves", show: showCurves },
  tables: { title: "Tables", show: showTables },
};

const data = choice("data", (value) => set({ data: value, page: "", image: "" }));
const row = choice("row", (value) => set({ row: value, page: "" }));
const training = choice("train", (value) => set({ train: value, page: "" }));
const seed = choice("seed", (value) => set({ seed: value, page: "" }));
const cls = choice("class", (value) => set({ class: value, page: "" }));
const rowLabel = labelled("Row", row.select);
const modelLabels = [labelled("Training", training.select), labelled("Seed", seed.select)];
byId("choices").append(labelled("Data set", data.select), rowLabel, ...modelLabels, labelled("Class", cls.select));
const buttons = Object.entries(VIEWS).map(([name, { title }]) =>
  element("button", { type: "button", "data-view": name, click: () => set({ view: name }) }, title),
);
byId("views").append(...buttons);

/** @param {string[]} values */
function same(values) {
  return values.map((value) => /** @type {[string, string]} */ ([value, value]));
}

/**
 * The choices that views share. Curves are of several rows, and some of all training sets and seeds.
 * @param {string} view
 */
function showChoices(view) {
  const chosen = chosenDataset();
  const rows = view === "curves" ? rowsOf(chosen) : [chosenRow(chosen)];
  const trainings = different(rows.flatMap((name) => trainingsOf(chosen, name)));
  const train = oneOf("train", trainings);
  const seeds = different(rows.flatMap((name) => seedsOf(chosen, name, train)));
  rowLabel.hidden = view === "curves";
  for (const label of modelLabels) label.hidden = view === "curves" && ["contamination", "mass"].includes(get("curve"));
  data.show(same(names), chosen.name);
  row.show(same(rowsOf(chosen)), chosenRow(chosen));
  training.show(same(trainings), train);
  seed.show(same(seeds), oneOf("seed", seeds));
  cls.show([["", "all"], ...same(chosen.testedClasses)], oneOf("class", chosen.testedClasses, ""));
}

function show() {
  const view = oneOf("view", Object.keys(VIEWS));
  for (const button of buttons) {
    button.setAttribute("aria-current", button.dataset["view"] === view ? "page" : "false");
  }
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  byId("choices").hidden = view === "tables";
  showChoices(view);
  VIEWS[view]?.show();
  showDetail();
}

// Inside a report that Snakemake makes, in one file or in a zip file, the other files of the study have no address.
if (!["file:", "http:", "https:"].includes(location.protocol) || /\/data\/raw\/[^/]+\/[^/]+$/.test(location.pathname)) {
  byId("report").replaceChildren("The report, ", element("code", {}, "report.html"), " in the folder of the study,");
}
const dark = matchMedia("(prefers-color-scheme: dark)");
function showBrightness() {
  document.documentElement.classList.toggle("dark", dark.matches); // DataTables looks at this class
}

dark.addEventListener("change", () => {
  showBrightness();
  show();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (width !== innerWidth && !get("image")) show();
  width = innerWidth;
});
follow(show);
showBrightness();
show();
performance.mark("shown");

import { names } from "explore/data";
import { byId, choice, element, labelled } from "explore/elements";
import { chosenDataset, chosenRow, rowsOf, seedsOf, trainingsOf } from "explore/models";
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
byId("choices").append(
  labelled("Data set", data.select),
  labelled("Row", row.select),
  labelled("Training", training.select),
  labelled("Seed", seed.select),
  labelled("Class", cls.select),
);
const buttons = Object.entries(VIEWS).map(([name, { title }]) =>
  element("button", { type: "button", "data-view": name, click: () => set({ view: name }) }, title),
);
byId("views").append(...buttons);

/** @param {string[]} values */
function same(values) {
  return values.map((value) => /** @type {[string, string]} */ ([value, value]));
}

/** The choices that all views but the tables share. */
function showChoices() {
  const chosen = chosenDataset();
  const rows = rowsOf(chosen);
  const ofRow = trainingsOf(chosen, chosenRow(chosen));
  const ofTraining = seedsOf(chosen, chosenRow(chosen), oneOf("train", ofRow));
  data.show(same(names), chosen.name);
  row.show(same(rows), chosenRow(chosen));
  training.show(same(ofRow), oneOf("train", ofRow));
  seed.show(same(ofTraining), oneOf("seed", ofTraining));
  cls.show([["", "all"], ...same(chosen.testedClasses)], oneOf("class", chosen.testedClasses, ""));
}

function show() {
  const view = oneOf("view", Object.keys(VIEWS));
  for (const button of buttons) {
    button.setAttribute("aria-current", button.dataset["view"] === view ? "page" : "false");
  }
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  byId("choices").hidden = view === "tables";
  showChoices();
  VIEWS[view]?.show();
  showDetail();
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

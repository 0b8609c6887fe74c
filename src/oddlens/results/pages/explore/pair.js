// Two rows against each other: the percentiles of each test image by both.

import { open } from "explore/detail";
import { byId, choice, element, labelled, short } from "explore/elements";
import { COLOURS, chosenDataset, chosenRow, modelOf, percentiles, rowsOf } from "explore/models";
import { scatterPlot } from "explore/scatter";
import { get, oneOf, set } from "explore/state";
import { picture, thumbnail } from "explore/thumbnails";

/** @typedef {import("explore/data").Dataset} Dataset */
/** @typedef {import("explore/scatter").Box} Box */

const SHOWN = 60;
/** @type {Box} */
const EVERYTHING = [0, 100, 0, 100];
const other = choice("other", (value) => set({ other: value }));
const edges = ["from", "to", "from", "to"].map((_, k) =>
  element("input", { id: `edge-${k}`, type: "number", min: 0, max: 100, step: "any", change: edgesChanged }),
);
const names = [element("span"), element("span")];
const plot = element("div", { class: "plot" });
const pointed = element("div", { id: "pointed", "aria-live": "polite" });
const legend = element("ul", { class: "legend" });
const where = element("p", { id: "chosen-count", "aria-live": "polite" });
const images = element("div", { id: "chosen-images" });

byId("pair").append(
  element("div", { class: "controls" }, labelled("Other row", other.select)),
  element("div", { class: "beside" }, element("div", { class: "grows" }, plot, legend), pointed),
  element(
    "div",
    { class: "controls", role: "group", "aria-label": "Rectangle of percentiles" },
    ...[0, 1].map((k) =>
      element(
        "span",
        { class: "range" },
        names[k] ?? "",
        labelled("from", edges[2 * k] ?? element("input")),
        labelled("to", edges[2 * k + 1] ?? element("input")),
      ),
    ),
    element("button", { type: "button", click: () => set({ box: "" }) }, "Clear"),
  ),
  where,
  images,
);

function edgesChanged() {
  const [x0 = 0, x1 = 100, y0 = 0, y1 = 100] = edges.map((edge) => Number(edge.value));
  boxChosen([Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)]);
}

/** @param {Box} box */
function boxChosen(box) {
  set({ box: box.map((value) => Number(value.toFixed(2))).join(",") });
}

/**
 * The rectangle that the state names.
 * @returns {Box | undefined}
 */
function chosenBox() {
  const found = get("box").split(",").map(Number);
  return found.length === 4 && found.every(Number.isFinite) ? /** @type {Box} */ (found) : undefined;
}

/** Show both rows as the state wants it. */
export function showPair() {
  const data = chosenDataset();
  const rows = rowsOf(data);
  const across = chosenRow(data);
  const up = oneOf("other", rows, rows.find((row) => row !== across) ?? across);
  other.show(
    rows.map((row) => [row, row]),
    up,
  );
  const [x, y] = [across, up].map((row) =>
    percentiles(
      data,
      modelOf(data, row),
      data.test(() => true),
    ),
  );
  const cls = get("class");
  const points = data
    .test((name) => !data.testedClasses.includes(cls) || name === cls)
    .map((image) => ({ image, x: x?.[image] ?? NaN, y: y?.[image] ?? NaN, colour: data.classOf[image] ?? 0 }))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const box = chosenBox();
  [across, up].forEach((row, k) => names[k]?.replaceChildren(row));
  edges.forEach((edge, k) => (edge.value = String((box ?? EVERYTHING)[k])));
  const axis = { low: 0, high: 100 };
  scatterPlot(plot, {
    label: `Percentiles of ${points.length} test images by ${across} and ${up}; the fields below choose a rectangle`,
    x: { ...axis, label: `percentile by ${across}` },
    y: { ...axis, label: `percentile by ${up}` },
    points,
    box,
    pointed: (image) => showPointed(data, image, across, up, x ?? [], y ?? []),
    clicked: open,
    chosen: boxChosen,
  });
  showPointed(data, undefined, across, up, [], []);
  showLegend(
    data,
    points.map((point) => data.classOfImage(point.image)),
  );
  showChosen(data, points, box, across, up);
}

/**
 * The classes with their colours and numbers of images.
 * @param {Dataset} data
 * @param {string[]} classes
 */
function showLegend(data, classes) {
  const entries = data.testedClasses.map((cls) => {
    const colour = data.classes.indexOf(cls) % COLOURS;
    const count = classes.filter((name) => name === cls).length;
    return element("li", {}, element("span", { class: `swatch c${colour}` }), `${cls}, ${count} images`);
  });
  legend.replaceChildren(...entries);
}

/**
 * The image at the pointer.
 * @param {Dataset} data
 * @param {number | undefined} image
 * @param {string} across
 * @param {string} up
 * @param {number[]} x
 * @param {number[]} y
 */
function showPointed(data, image, across, up, x, y) {
  if (image === undefined) {
    pointed.replaceChildren("Point at a dot to see its image; a click shows all about it.");
    return;
  }
  const lines = [data.id(image), `${across}: ${short(x[image] ?? NaN)}`, `${up}: ${short(y[image] ?? NaN)}`];
  pointed.replaceChildren(picture(data, image, 160), ...lines.map((line) => element("div", {}, line)));
}

/**
 * The images in the rectangle, the most different ones first.
 * @param {Dataset} data
 * @param {{image: number, x: number, y: number}[]} points
 * @param {Box | undefined} box
 * @param {string} across
 * @param {string} up
 */
function showChosen(data, points, box, across, up) {
  if (!box) {
    where.replaceChildren("Draw a rectangle, or fill in its edges, to list the images in it.");
    images.replaceChildren();
    return;
  }
  const [x0, x1, y0, y1] = box;
  const inside = points.filter(({ x, y }) => x >= x0 && x <= x1 && y >= y0 && y <= y1);
  inside.sort((a, b) => Math.abs(b.x - b.y) - Math.abs(a.x - a.y) || a.image - b.image);
  const more = inside.length > SHOWN ? `; the ${SHOWN} on which the rows differ most` : "";
  where.replaceChildren(`${inside.length} images in the rectangle${more}. Numbers: ${across}, ${up}.`);
  const made = inside
    .slice(0, SHOWN)
    .map(({ image, x, y }) =>
      thumbnail(data, image, `${x.toFixed(0)}, ${y.toFixed(0)}`, { pictures: [picture(data, image, 80)], open }),
    );
  images.replaceChildren(...made);
}

// Plots of lines with a read-out at the pointer, in SVG.

import { makeDotsReadable } from "explore/dots";
import { drawing, element, short } from "explore/elements";
import { COLOURS } from "explore/models";

/** @typedef {{label: string, low: number, high: number, log?: boolean}} Axis */
/** @typedef {[number, number]} Point */
/**
 * @typedef {object} Series
 * @property {string} name
 * @property {number} colour
 * @property {Point[]} points of a line
 * @property {[number, number, number][]} [bars] place, low and high
 * @property {{key: string, x: number, y: number}[]} [dots] from left to right
 */
/**
 * @typedef {object} Plot
 * @property {string} label
 * @property {Axis} x
 * @property {Axis} y
 * @property {Series[]} series
 * @property {[number, number][]} [reference] a line for comparison
 * @property {number} [at] where the pointer stands at first
 * @property {(x: number) => void} [moved] the pointer was moved
 * @property {(x: number) => void} [kept] its place is to be kept
 * @property {import("explore/dots").Reading} [reading] of the dots, if they can be read
 */

const MARGIN = { left: 56, right: 24, top: 10, bottom: 42 };

/**
 * The position of a value along an axis, 0 to 1.
 * @param {Axis} axis
 * @param {number} value
 */
export function along(axis, value) {
  if (!axis.log) return (value - axis.low) / (axis.high - axis.low);
  return Math.log(Math.max(value, axis.low) / axis.low) / Math.log(axis.high / axis.low);
}

/**
 * The value at a position along an axis.
 * @param {Axis} axis
 * @param {number} part 0 to 1
 */
export function valueAt(axis, part) {
  const inside = Math.min(Math.max(part, 0), 1);
  if (!axis.log) return axis.low + inside * (axis.high - axis.low);
  return axis.low * (axis.high / axis.low) ** inside;
}

/**
 * Round values on an axis.
 * @param {Axis} axis
 * @returns {number[]}
 */
export function ticks(axis) {
  if (axis.log) {
    const first = Math.ceil(Math.log10(axis.low) - 1e-9);
    const last = Math.floor(Math.log10(axis.high) + 1e-9);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, k) => 10 ** (first + k));
  }
  const rough = (axis.high - axis.low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(axis.low / step - 1e-9);
  return Array.from({ length: Math.floor(axis.high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

/**
 * A plot of lines. Its width is that of the element it will stand in.
 * @param {HTMLElement} place
 * @param {Plot} plot
 */
export function linePlot(place, plot) {
  const width = Math.max(Math.min(place.clientWidth, 760), 280);
  const height = Math.round(Math.min(0.68 * width, 440));
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  /** @param {number} value */
  const x = (value) => MARGIN.left + inner.width * along(plot.x, value);
  /** @param {number} value */
  const y = (value) => MARGIN.top + inner.height * (1 - along(plot.y, value));
  const cursor = drawing("g", { class: "cursor" });
  const svg = drawing(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": plot.label },
    ...axes(plot, x, y, width, height),
    ...(plot.reference ? [path(plot.reference, x, y, "reference")] : []),
    ...plot.series.flatMap((series) => drawnSeries(series, x, y)),
    cursor,
  );
  const figure = element("figure", { class: "plot" }, svg, legend(plot.series));
  if (plot.moved) makeReadable(svg, plot, cursor, x, (pixels) => valueAt(plot.x, (pixels - MARGIN.left) / inner.width));
  if (plot.reading) {
    const dots = plot.series.flatMap(({ name, dots: own = [] }) =>
      own.map((dot) => ({ key: dot.key, series: name, x: x(dot.x), y: y(dot.y) })),
    );
    makeFocusable(svg, `${plot.label}; arrow keys move between dots, whose values are read`);
    makeDotsReadable(svg, cursor, dots, plot.reading);
  }
  place.replaceChildren(figure);
}

/**
 * Say why there is no plot.
 * @param {HTMLElement} place
 * @param {string} text
 */
export function showNothing(place, text) {
  place.replaceChildren(element("p", {}, text));
}

/**
 * The frame, the ticks and the labels of both axes.
 * @param {Plot} plot
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} width
 * @param {number} height
 */
function axes(plot, x, y, width, height) {
  const bottom = height - MARGIN.bottom;
  const right = width - MARGIN.right;
  const parts = [
    drawing("rect", {
      class: "frame",
      x: MARGIN.left,
      y: MARGIN.top,
      width: right - MARGIN.left,
      height: bottom - MARGIN.top,
    }),
  ];
  for (const value of ticks(plot.x)) {
    parts.push(drawing("line", { class: "grid", x1: x(value), x2: x(value), y1: MARGIN.top, y2: bottom }));
    parts.push(drawing("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, tickText(plot.x, value)));
  }
  for (const value of ticks(plot.y)) {
    parts.push(drawing("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }));
    parts.push(drawing("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, tickText(plot.y, value)));
  }
  const middle = (MARGIN.top + bottom) / 2;
  parts.push(drawing("text", { x: (MARGIN.left + right) / 2, y: height - 6, "text-anchor": "middle" }, plot.x.label));
  const turned = { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" };
  parts.push(drawing("text", turned, plot.y.label));
  return parts;
}

/**
 * The text of a tick: masses as powers of ten.
 * @param {Axis} axis
 * @param {number} value
 */
function tickText(axis, value) {
  return axis.log && value >= 1e4 ? value.toExponential().replace("+", "") : short(value);
}

/**
 * A line through points.
 * @param {[number, number][]} points
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 * @param {string} look
 */
function path(points, x, y, look) {
  const steps = points.map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
  return drawing("path", { class: look, d: steps.join("") });
}

/**
 * The colour and, after all colours, the dashes of a line.
 * @param {number} number
 */
function lookOf(number) {
  return `c${number % COLOURS} d${Math.floor(number / COLOURS) % COLOURS}`;
}

/**
 * The line, the error bars and the dots of a series.
 * @param {Series} series
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 */
function drawnSeries(series, x, y) {
  const look = lookOf(series.colour);
  const parts = [path(series.points, x, y, `line ${look}`)];
  for (const [at, low, high] of series.bars ?? []) {
    parts.push(drawing("line", { class: `line ${look}`, x1: x(at), x2: x(at), y1: y(low), y2: y(high) }));
  }
  for (const dot of series.dots ?? []) {
    parts.push(drawing("circle", { class: `dot ${look}`, cx: x(dot.x), cy: y(dot.y), r: 4 }));
  }
  return parts;
}

/**
 * The names of series with their colours.
 * @param {Series[]} series
 */
function legend(series) {
  const entries = series.map(({ name, colour }) => {
    const line = drawing("line", { class: `line ${lookOf(colour)}`, x1: 0, x2: 30, y1: 4, y2: 4 });
    return element("li", {}, drawing("svg", { width: 30, height: 8, "aria-hidden": "true" }, line), name);
  });
  return element("ul", { class: "legend" }, ...entries);
}

/**
 * Let the keyboard reach a plot.
 * @param {SVGElement} svg
 * @param {string} label
 */
function makeFocusable(svg, label) {
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("aria-label", label);
}

/**
 * Let the pointer and the arrow keys move a line, where values are read.
 * @param {SVGElement} svg
 * @param {Plot} plot
 * @param {SVGElement} cursor
 * @param {(value: number) => number} x
 * @param {(pixels: number) => number} inverse
 */
function makeReadable(svg, plot, cursor, x, inverse) {
  let at = plot.at ?? valueAt(plot.x, 0.5);
  const bottom = Number(svg.getAttribute("height")) - MARGIN.bottom;
  /** @param {number} value */
  const move = (value) => {
    at = value;
    cursor.replaceChildren(drawing("line", { x1: x(at), x2: x(at), y1: MARGIN.top, y2: bottom }));
    plot.moved?.(at);
  };
  makeFocusable(svg, `${plot.label}; arrow keys move the line where values are read`);
  svg.addEventListener("pointermove", (event) => move(inverse(/** @type {PointerEvent} */ (event).offsetX)));
  svg.addEventListener("click", () => plot.kept?.(at));
  svg.addEventListener("keydown", (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    const step = { ArrowLeft: -0.01, ArrowRight: 0.01, Home: -1, End: 1 }[key];
    if (step === undefined) return;
    event.preventDefault();
    move(valueAt(plot.x, along(plot.x, at) + step));
    plot.kept?.(at);
  });
  move(at);
}

// A plot of many points, on a canvas, with a rectangle to choose some.

import { element } from "explore/elements";
import { COLOURS } from "explore/models";
import { along, ticks, valueAt } from "explore/plot";

/** @typedef {import("explore/plot").Axis} Axis */
/** @typedef {[number, number, number, number]} Box the range along x, then along y */
/**
 * @typedef {object} Scatter
 * @property {string} label
 * @property {Axis} x
 * @property {Axis} y
 * @property {{x: number, y: number, colour: number, image: number}[]} points
 * @property {Box} [box]
 * @property {(image: number | undefined) => void} pointed
 * @property {(image: number) => void} clicked
 * @property {(box: Box) => void} chosen
 */

const MARGIN = { left: 52, right: 12, top: 10, bottom: 44 };
const NEAR = 14;

/**
 * A plot of points. Its width is that of the element it will stand in.
 * @param {HTMLElement} place
 * @param {Scatter} plot
 */
export function scatterPlot(place, plot) {
  const side = Math.max(Math.min(place.clientWidth, 560), 280);
  const inner = { width: side - MARGIN.left - MARGIN.right, height: side - MARGIN.top - MARGIN.bottom };
  const canvas = element("canvas", { role: "img", "aria-label": plot.label });
  const scale = devicePixelRatio;
  [canvas.width, canvas.height] = [side * scale, side * scale];
  Object.assign(canvas.style, { width: `${side}px`, height: `${side}px` });
  /** @param {number} value */
  const x = (value) => MARGIN.left + inner.width * along(plot.x, value);
  /** @param {number} value */
  const y = (value) => MARGIN.top + inner.height * (1 - along(plot.y, value));
  const frame = { x, y, side, scale };
  /** @param {[number, number]} pixels */
  const values = ([a, b]) => [
    valueAt(plot.x, (a - MARGIN.left) / inner.width),
    valueAt(plot.y, 1 - (b - MARGIN.top) / inner.height),
  ];
  place.replaceChildren(canvas);
  draw(canvas, plot, frame, plot.box);
  followPointer(canvas, plot, frame, (from, to) => {
    const [[x0 = 0, y0 = 0], [x1 = 0, y1 = 0]] = [values(from), values(to)];
    return [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
  });
}

/** @typedef {{x: (value: number) => number, y: (value: number) => number, side: number, scale: number}} Frame */

/**
 * Draw the axes, the points, and the rectangle.
 * @param {HTMLCanvasElement} canvas
 * @param {Scatter} plot
 * @param {Frame} frame
 * @param {Box | undefined} box
 */
function draw(canvas, plot, frame, box) {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const style = getComputedStyle(canvas);
  pen.setTransform(frame.scale, 0, 0, frame.scale, 0, 0);
  pen.clearRect(0, 0, frame.side, frame.side);
  drawAxes(pen, plot, frame, style);
  pen.globalAlpha = 0.75;
  for (let colour = 0; colour < COLOURS; colour++) {
    pen.fillStyle = style.getPropertyValue(`--c${colour}`);
    for (const point of plot.points) {
      if (point.colour % COLOURS !== colour) continue;
      pen.fillRect(frame.x(point.x) - 2, frame.y(point.y) - 2, 4, 4);
    }
  }
  pen.globalAlpha = 1;
  if (!box) return;
  const [x0, x1, y0, y1] = box;
  pen.strokeStyle = style.getPropertyValue("--accent");
  pen.lineWidth = 2;
  pen.strokeRect(frame.x(x0), frame.y(y1), frame.x(x1) - frame.x(x0), frame.y(y0) - frame.y(y1));
}

/**
 * Draw the axes.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scatter} plot
 * @param {Frame} frame
 * @param {CSSStyleDeclaration} style
 */
function drawAxes(pen, plot, { x, y, side }, style) {
  const [bottom, right] = [side - MARGIN.bottom, side - MARGIN.right];
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.lineWidth = 1;
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "center";
  for (const value of ticks(plot.x)) {
    pen.strokeRect(x(value), MARGIN.top, 0, bottom - MARGIN.top);
    pen.fillText(String(value), x(value), bottom + 16);
  }
  pen.fillText(plot.x.label, (MARGIN.left + right) / 2, side - 8);
  pen.save();
  pen.translate(14, (MARGIN.top + bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(plot.y.label, 0, 0);
  pen.restore();
  pen.textAlign = "right";
  for (const value of ticks(plot.y)) {
    pen.strokeRect(MARGIN.left, y(value), right - MARGIN.left, 0);
    pen.fillText(String(value), MARGIN.left - 6, y(value) + 4);
  }
}

/**
 * Tell which point is at the pointer, and let a drag choose a rectangle.
 * @param {HTMLCanvasElement} canvas
 * @param {Scatter} plot
 * @param {Frame} frame
 * @param {(from: [number, number], to: [number, number]) => Box} rectangle
 */
function followPointer(canvas, plot, frame, rectangle) {
  /** @type {[number, number] | undefined} */
  let start;
  /** @param {PointerEvent} event */
  const moved = (event) => start && Math.hypot(event.offsetX - start[0], event.offsetY - start[1]) > 4;
  canvas.addEventListener("pointerdown", (event) => {
    start = [event.offsetX, event.offsetY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (start && moved(event)) draw(canvas, plot, frame, rectangle(start, [event.offsetX, event.offsetY]));
    else plot.pointed(nearest(plot, frame, event));
  });
  canvas.addEventListener("pointerup", (event) => {
    const [from, found] = [start, nearest(plot, frame, event)];
    const dragged = moved(event);
    start = undefined;
    if (from && dragged) plot.chosen(rectangle(from, [event.offsetX, event.offsetY]));
    else if (found !== undefined) plot.clicked(found);
  });
  canvas.addEventListener("pointercancel", () => {
    start = undefined;
    draw(canvas, plot, frame, plot.box);
  });
}

/**
 * The image whose point is nearest to the pointer, if one is near.
 * @param {Scatter} plot
 * @param {Frame} frame
 * @param {PointerEvent} event
 */
function nearest(plot, frame, event) {
  /** @type {number | undefined} */
  let found;
  let distance = NEAR;
  for (const point of plot.points) {
    const away = Math.hypot(frame.x(point.x) - event.offsetX, frame.y(point.y) - event.offsetY);
    if (away < distance) [found, distance] = [point.image, away];
  }
  return found;
}

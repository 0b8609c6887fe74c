// The dots of a plot, which the pointer and the arrow keys read one by one.

import { drawing } from "explore/elements";

/**
 * @typedef {object} Dot
 * @property {string} key which the address holds
 * @property {string} series
 * @property {number} x in pixels
 * @property {number} y in pixels
 */
/**
 * @typedef {object} Reading
 * @property {string} at the key of the dot that is read at first
 * @property {(key: string) => void} moved another dot is read
 * @property {(key: string) => void} kept its key is to be kept
 */

const RADIUS = 8;

/**
 * Let the pointer read the nearest dot, the left and right keys the others of its series, and the upper and lower keys
 * the other series.
 * @param {SVGElement} svg
 * @param {SVGElement} cursor
 * @param {Dot[]} dots those of a series from left to right
 * @param {Reading} reading
 */
export function makeDotsReadable(svg, cursor, dots, reading) {
  let at = dots.find(({ key }) => key === reading.at) ?? dots[0];
  /** @param {Dot | undefined} dot */
  const move = (dot) => {
    if (!dot) return;
    at = dot;
    cursor.replaceChildren(drawing("circle", { cx: dot.x, cy: dot.y, r: RADIUS }));
    reading.moved(dot.key);
  };
  svg.addEventListener("pointermove", (event) => {
    const { offsetX, offsetY } = /** @type {PointerEvent} */ (event);
    const found = nearest(dots, offsetX, offsetY);
    if (found !== at) move(found);
  });
  svg.addEventListener("click", () => at && reading.kept(at.key));
  svg.addEventListener("keydown", (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    if (!at || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key)) return;
    event.preventDefault();
    move(neighbour(dots, at, key));
    reading.kept(at.key);
  });
  move(at);
}

/**
 * The dot nearest to a place.
 * @param {Dot[]} dots
 * @param {number} x
 * @param {number} y
 */
function nearest(dots, x, y) {
  const away = dots.map((dot) => Math.hypot(dot.x - x, dot.y - y));
  return dots[away.indexOf(Math.min(...away))];
}

/**
 * The dot that a key leads to.
 * @param {Dot[]} dots
 * @param {Dot} at
 * @param {string} key
 */
function neighbour(dots, at, key) {
  const own = dots.filter(({ series }) => series === at.series);
  if (key === "Home") return own[0];
  if (key === "End") return own.at(-1);
  if (key === "ArrowLeft" || key === "ArrowRight") return own[own.indexOf(at) + (key === "ArrowLeft" ? -1 : 1)];
  const series = [...new Set(dots.map((dot) => dot.series))];
  const other = series[series.indexOf(at.series) + (key === "ArrowUp" ? -1 : 1)];
  return nearest(
    dots.filter((dot) => dot.series === other),
    at.x,
    at.y,
  );
}

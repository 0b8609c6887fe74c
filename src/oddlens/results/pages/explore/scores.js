// Thresholds, counts and curves of scores, as `oddlens.results.tables.row_scores` has them.

/** @typedef {Float32Array | Float64Array} Scores */

/**
 * The finite scores of some images, ascending.
 * @param {Scores} scores
 * @param {number[]} images
 */
export function sorted(scores, images) {
  return Float64Array.from(images, (image) => scores[image] ?? NaN)
    .filter(Number.isFinite)
    .sort();
}

/**
 * The number of images of which a fraction `rate` is at least one.
 * @param {number} rate
 */
export function fewestImages(rate) {
  return Math.ceil(1 / rate - 1e-6);
}

/**
 * The score that a fraction `rate` of normal images exceeds; NaN if they are too few.
 * @param {Float64Array} normal ascending
 * @param {number} rate
 */
export function threshold(normal, rate) {
  if (normal.length < fewestImages(rate)) return NaN;
  return normal[Math.ceil((normal.length - 1) * (1 - rate))] ?? NaN;
}

/**
 * How many scores are above a threshold.
 * @param {Float64Array} ascending
 * @param {number} limit
 */
export function above(ascending, limit) {
  return Number.isNaN(limit) ? 0 : ascending.length - firstAbove(ascending, limit);
}

/**
 * The position of the first score above a limit.
 * @param {Float64Array} ascending
 * @param {number} limit
 */
function firstAbove(ascending, limit) {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? NaN) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * How many scores are below a value.
 * @param {Float64Array} ascending
 * @param {number} value
 */
function below(ascending, value) {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? NaN) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The percentile of a score among others, where equal ones count a half; NaN without a score.
 * @param {Float64Array} ascending
 * @param {number} value
 */
export function percentile(ascending, value) {
  if (!Number.isFinite(value) || !ascending.length) return NaN;
  return (50 * (below(ascending, value) + firstAbove(ascending, value))) / ascending.length;
}

/**
 * How many scores are at least as high.
 * @param {Float64Array} ascending
 * @param {number} value
 */
export function atLeast(ascending, value) {
  return ascending.length - below(ascending, value);
}

/**
 * @typedef {object} Curve Numbers of images above each threshold, from the highest to one below all scores.
 * @property {number[]} thresholds
 * @property {number[]} normal
 * @property {number[]} anomalous
 * @property {number} normals
 * @property {number} anomalies
 */

/**
 * The numbers of normal and anomalous images above each of their scores.
 * @param {Float64Array} normal ascending
 * @param {Float64Array} anomalous ascending
 * @returns {Curve}
 */
export function curve(normal, anomalous) {
  const thresholds = [...new Set([...normal, ...anomalous])].sort((a, b) => b - a);
  thresholds.push(-Infinity);
  return {
    thresholds,
    normal: thresholds.map((limit) => above(normal, limit)),
    anomalous: thresholds.map((limit) => above(anomalous, limit)),
    normals: normal.length,
    anomalies: anomalous.length,
  };
}

// The state of the page, which its address holds: `#row=dcae&class=cdm`.

/** @type {Set<() => void>} */
const listeners = new Set();

/** The state that the address names. */
let current = new URLSearchParams(location.hash.slice(1));

/**
 * A part of the state, or nothing if the address does not name it.
 * @param {string} key
 */
export function get(key) {
  return current.get(key) ?? "";
}

/**
 * A part of the state if it is one of the values that there are, else the first of these.
 * @param {string} key
 * @param {string[]} values
 * @param {string} [otherwise]
 */
export function oneOf(key, values, otherwise = values[0] ?? "") {
  const value = get(key);
  return values.includes(value) ? value : otherwise;
}

/**
 * A part of the state as a number.
 * @param {string} key
 * @param {number} otherwise
 */
export function number(key, otherwise) {
  const value = get(key);
  return value !== "" && Number.isFinite(Number(value)) ? Number(value) : otherwise;
}

/**
 * Change parts of the state; an empty text removes one. The page follows.
 * @param {Record<string, string | number>} changes
 */
export function set(changes) {
  keep(changes);
  tell();
}

/**
 * The same without a change of what is shown.
 * @param {Record<string, string | number>} changes
 */
export function keep(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === "") current.delete(key);
    else current.set(key, String(value));
  }
  history.replaceState(null, "", `#${current}`);
}

/**
 * Call a function after each change.
 * @param {() => void} listener
 */
export function follow(listener) {
  listeners.add(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

addEventListener("hashchange", () => {
  current = new URLSearchParams(location.hash.slice(1));
  tell();
});

// Elements of the page, made by short calls.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean | ((event: any) => void)>} Attributes */

/**
 * Set attributes; a function is what to do on an event, `false` leaves the attribute out.
 * @param {Element} made
 * @param {Attributes} attributes
 */
function assign(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * An element of HTML.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  assign(made, attributes);
  made.append(...children);
  return made;
}

/**
 * An element of SVG.
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function drawing(name, attributes = {}, ...children) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  assign(made, attributes);
  made.append(...children);
  return made;
}

/**
 * An element of the page that must exist.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * A control with its label in front.
 * @param {string} text
 * @param {HTMLElement} control
 */
export function labelled(text, control) {
  return element("label", {}, element("span", {}, text), control);
}

/**
 * A choice among texts, which keeps its options as long as they do not change.
 * @param {string} id
 * @param {(value: string) => void} chosen
 */
export function choice(id, chosen) {
  const select = element("select", { id, change: () => chosen(select.value) });
  /** @type {string} */
  let known = "";
  return {
    select,
    /**
     * @param {[string, string][]} options values and what is shown
     * @param {string} value
     */
    show(options, value) {
      const wanted = JSON.stringify(options);
      if (wanted !== known) {
        select.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, text)));
        known = wanted;
      }
      select.value = value;
    },
  };
}

/**
 * A table of few lines.
 * @param {string} caption
 * @param {string[]} columns
 * @param {(string | Node)[][]} lines
 */
export function plainTable(caption, columns, lines) {
  const heading = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
  const body = lines.map((line) => {
    const [first, ...rest] = line;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, first ?? ""),
      ...rest.map((cell) => element("td", {}, cell)),
    );
  });
  const parts = [element("caption", {}, caption), element("thead", {}, heading), element("tbody", {}, ...body)];
  return element(
    "div",
    { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption },
    element("table", {}, ...parts),
  );
}

/**
 * A number with few digits.
 * @param {number} value
 * @param {number} [digits]
 */
export function short(value, digits = 4) {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(digits));
  return String(Math.abs(rounded) < 1e6 ? rounded : rounded.toExponential())
    .replace("e+", "e")
    .replaceAll("-", "−");
}

/**
 * A part of a whole as percent.
 * @param {number} part
 * @param {number} whole
 */
export function percent(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(1)} %` : "–";
}

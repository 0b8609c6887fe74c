// The result tables: itables makes them sort, filter, search and copy.

import { byId, choice, element, labelled } from "explore/elements";
import { get, keep, oneOf, set } from "explore/state";
import { inflated } from "explore/unpacking";

const places = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#tables .table")]);
const names = places.map((place) => place.dataset["name"] ?? "");
const table = choice("table", (value) => set({ table: value, search: "", sort: "", filter: "" }));
byId("tables").prepend(element("div", { class: "controls" }, labelled("Table", table.select)));

/** Show the table that the state names. */
export async function showTables() {
  const chosen = oneOf("table", names);
  table.show(
    places.map((place) => [place.dataset["name"] ?? "", `${place.dataset["title"]} (${place.dataset["lines"]})`]),
    chosen,
  );
  for (const place of places) place.hidden = place.dataset["name"] !== chosen;
  const place = places[names.indexOf(chosen)];
  if (place && !place.querySelector("table")) await makeInteractive(place);
}

/**
 * The table of a place. As long as scripts run, browsers keep what is in `noscript` as text.
 * @param {HTMLElement} place
 */
async function makeInteractive(place) {
  const holder = element("template");
  holder.innerHTML = place.querySelector("noscript")?.textContent ?? "";
  const made = holder.content.querySelector("table");
  if (!made) return;
  made.classList.add("display", "compact");
  const columns = [...made.querySelectorAll("thead th")].map((cell) => cell.textContent ?? "");
  const known = chosenFilters();
  const fields = columns.map((name) => filterField(name, known.get(name) ?? ""));
  made.append(element("tfoot", {}, element("tr", {}, ...fields.map((field) => element("td", {}, field)))));
  place.append(made);
  const { ITable } = await library();
  const [column = "", direction = ""] = get("sort").split(":");
  const sorted = columns.indexOf(column);
  const shown = new ITable(made, {
    layout: {
      topStart: "pageLength",
      topEnd: "search",
      bottomStart: "info",
      bottomEnd: "paging",
      bottom2Start: "buttons",
    },
    buttons: ["copyHtml5", "csvHtml5"],
    order: sorted < 0 ? [] : [[sorted, direction === "desc" ? "desc" : "asc"]],
    search: { search: get("search") },
    autoWidth: false,
    pageLength: 25,
    lengthMenu: [10, 25, 100, 1000],
    text_in_header_can_be_selected: false,
  });
  const { dt } = shown;
  fields.forEach((field, k) => {
    const filter = () => dt.column(k).search.fixed("field", condition(field.value)).draw();
    if (field.value) filter();
    field.addEventListener("input", () => {
      keep({ filter: filterText(fields.map(({ value }, n) => [columns[n] ?? "", value])) });
      filter();
    });
  });
  dt.on("order.dt", () => {
    const [first] = dt.order();
    keep({ sort: first ? `${columns[first[0]]}:${first[1]}` : "" });
  });
  dt.on("search.dt", () => keep({ search: dt.search() }));
}

/** @type {Promise<typeof import("itables")> | undefined} */
let loading;

/** itables' bundle, which the page holds compressed. */
function library() {
  loading ??= inflated(byId("itables").textContent ?? "").then(
    (code) => import(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))),
  );
  return loading;
}

/**
 * The filters of columns as the address holds them: `auc:> 0.9|class:cdm`.
 * @param {[string, string][]} filters
 */
function filterText(filters) {
  return filters
    .filter(([, text]) => text)
    .map((filter) => filter.join(":"))
    .join("|");
}

/** The filters that the address holds, by column. */
function chosenFilters() {
  const filters = get("filter").split("|");
  return new Map(filters.map((filter) => [filter.split(":")[0] ?? "", filter.slice(filter.indexOf(":") + 1)]));
}

/**
 * A field that filters a column.
 * @param {string} name
 * @param {string} value
 */
function filterField(name, value) {
  const help = "text, or a comparison of numbers such as > 0.9";
  const label = `Filter ${name}: ${help}`;
  return element("input", { type: "search", size: 4, placeholder: name, title: help, value, "aria-label": label });
}

/**
 * What a field asks of a cell: a comparison of numbers, `> 0.9`, or some text.
 * @param {string} text
 * @returns {((cell: string) => boolean) | null}
 */
function condition(text) {
  const wanted = text.trim().toLowerCase();
  const [, sign, number] = wanted.match(/^(<=|>=|<|>|=)\s*(-?[\d.]+(?:e[+-]?\d+)?)$/) ?? [];
  if (!wanted) return null;
  if (!sign) return (cell) => cell.toLowerCase().includes(wanted);
  const limit = Number(number);
  return (cell) => cell.trim() !== "" && compares(Number(cell), sign, limit);
}

/**
 * Whether a number stands in a relation to a limit.
 * @param {number} value
 * @param {string} sign
 * @param {number} limit
 */
function compares(value, sign, limit) {
  if (sign === "=") return value === limit;
  if (sign.endsWith("=") && value === limit) return true;
  return sign.startsWith("<") ? value < limit : value > limit;
}

// The facts that the page holds, as typed arrays where they are long.

import { byId } from "explore/elements";
import { numbers } from "explore/unpacking";

/** @typedef {{row: string, training: string, seed: number, ok: boolean}} Model */
/**
 * @typedef {object} Sprites Sheets of thumbnails, as base64 of WebP files.
 * @property {number} side of a tile in pixels
 * @property {number} columns of tiles in a sheet
 * @property {number} per_sheet the tiles of a full sheet
 * @property {string[]} image
 * @property {string[]} [difference]
 */
/**
 * @typedef {object} PackedTruth
 * @property {Record<string, number>} same numbers that are equal for all images
 * @property {string[]} columns of the other numbers
 * @property {string} numbers
 * @property {Record<string, string[]>} text
 */
/**
 * @typedef {object} PackedMaps What a model of a row makes of some test images.
 * @property {string} row
 * @property {number} model
 * @property {string} images
 * @property {Record<string, string[]>} sheets of each kind
 */
/** @typedef {Omit<PackedMaps, "images"> & {tiles: Map<number, number>}} Maps with the tile of each image */
/** @typedef {"normal" | "anomaly" | "decoy" | "unlabelled"} Kind */
/** @typedef {number | null} Unsure */
/** @typedef {[string, string, string, number, number, string, number, Unsure, Unsure]} AucLine */
/** @typedef {[string, string, string, number, number, number, Unsure, Unsure, Unsure, Unsure, Unsure]} MassLine */
/**
 * @typedef {object} Study
 * @property {string} study
 * @property {Record<string, string>} roles of rows
 * @property {AucLine[]} auc
 * @property {MassLine[]} mass
 */
/**
 * @typedef {object} PackedDataset
 * @property {string} name
 * @property {boolean} simulated
 * @property {string} smooth
 * @property {[string, Kind][]} classes
 * @property {Record<string, string>} twin_classes
 * @property {number} tested
 * @property {string} class_of
 * @property {string} index_of
 * @property {Model[]} models
 * @property {32 | 64} bits
 * @property {string} scores
 * @property {PackedTruth} truth
 * @property {Sprites} sprites
 * @property {PackedMaps[]} maps
 */

/** @type {Study} */
export const study = JSON.parse(byId("study").textContent ?? "");

/** A data set: its test images come first, then the normal validation images. */
export class Dataset {
  /**
   * @param {PackedDataset} packed
   * @param {Unpacked} unpacked
   */
  constructor(packed, unpacked) {
    this.name = packed.name;
    this.simulated = packed.simulated;
    this.smooth = packed.smooth;
    this.classes = packed.classes.map(([cls]) => cls);
    this.kinds = Object.fromEntries(packed.classes);
    this.twinClasses = packed.twin_classes;
    this.tested = packed.tested;
    this.models = packed.models;
    this.sprites = packed.sprites;
    this.maps = unpacked.maps;
    this.classOf = unpacked.classOf;
    this.indexOf = unpacked.indexOf;
    const images = this.classOf.length;
    this.scores = this.models.map((_, k) => unpacked.scores.subarray(k * images, (k + 1) * images));
    this.truth = { ...packed.truth, numbers: unpacked.truth };
    /** @type {Map<string, number>} */
    this.position = new Map();
    for (let image = 0; image < this.tested; image++) this.position.set(this.id(image), image);
  }

  /**
   * The name of a test image, as in the tables: `test/cdm/7`.
   * @param {number} image
   */
  id(image) {
    return `test/${this.classOfImage(image)}/${this.indexOf[image]}`;
  }

  /**
   * The class of an image.
   * @param {number} image
   * @returns {string}
   */
  classOfImage(image) {
    return this.classes[this.classOf[image] ?? 0] ?? "";
  }

  /** The normal validation images. */
  get validation() {
    return Array.from({ length: this.classOf.length - this.tested }, (_, k) => this.tested + k);
  }

  /**
   * The test images whose class fulfils a condition.
   * @param {(cls: string, kind: Kind) => boolean} wanted
   */
  test(wanted) {
    const chosen = this.classes.map((cls) => wanted(cls, this.kinds[cls] ?? "anomaly"));
    return Array.from({ length: this.tested }, (_, k) => k).filter((image) => chosen[this.classOf[image] ?? 0]);
  }

  /** The test images of the normal class. */
  get normal() {
    return this.test((_, kind) => kind === "normal");
  }

  /**
   * The test images of an anomaly class, or of all of them.
   * @param {string} anomaly
   */
  anomalous(anomaly) {
    return this.test((cls, kind) => (anomaly === "all" ? kind === "anomaly" : cls === anomaly));
  }

  /** The classes that test images have. */
  get testedClasses() {
    const found = new Set(this.classOf.subarray(0, this.tested));
    return this.classes.filter((_, k) => found.has(k));
  }

  /** The anomaly classes among them. */
  get anomalies() {
    return this.testedClasses.filter((cls) => this.kinds[cls] === "anomaly");
  }

  /**
   * The twin of a test image without substructure; none of the user's own images, or of a twin itself.
   * @param {number} image
   * @returns {number | undefined}
   */
  twin(image) {
    const cls = this.classOfImage(image);
    const other = this.twinClasses[cls] ?? this.smooth;
    return this.simulated && other !== cls ? this.position.get(`test/${other}/${this.indexOf[image]}`) : undefined;
  }

  /**
   * All test images of the lens of a simulated one; the image alone of the user's own.
   * @param {number} image
   */
  lens(image) {
    if (!this.simulated) return [image];
    const of = this.testedClasses.map((cls) => this.position.get(`test/${cls}/${this.indexOf[image]}`));
    return of.filter((found) => found !== undefined);
  }

  /**
   * What is known of a test image: names and values.
   * @param {number} image
   * @returns {[string, string | number][]}
   */
  facts(image) {
    const { same, columns, numbers, text } = this.truth;
    const texts = Object.entries(text).map(([name, values]) => [name, values[image] ?? ""]);
    const varied = columns.map((name, k) => [name, numbers[k * this.tested + image] ?? NaN]);
    return /** @type {[string, string | number][]} */ ([...texts, ...varied, ...Object.entries(same)]);
  }
}

/**
 * @typedef {object} Unpacked
 * @property {Uint8Array} classOf
 * @property {Int32Array} indexOf
 * @property {Float32Array | Float64Array} scores
 * @property {Float32Array} truth
 * @property {Maps[]} maps
 */

/**
 * The data set of a script.
 * @param {Element} script
 */
async function read(script) {
  /** @type {PackedDataset} */
  const packed = JSON.parse(script.textContent ?? "");
  const double = packed.bits === 64;
  const scores = await numbers(packed.scores, double ? 8 : 4);
  return new Dataset(packed, {
    classOf: new Uint8Array(await numbers(packed.class_of, 1)),
    indexOf: new Int32Array(await numbers(packed.index_of, 4)),
    scores: double ? new Float64Array(scores) : new Float32Array(scores),
    truth: new Float32Array(await numbers(packed.truth.numbers, 4)),
    maps: await Promise.all(packed.maps.map(readMaps)),
  });
}

/**
 * @param {PackedMaps} packed
 * @returns {Promise<Maps>}
 */
async function readMaps({ images, ...others }) {
  const known = new Uint32Array(await numbers(images, 4));
  return { ...others, tiles: new Map([...known].map((image, tile) => [image, tile])) };
}

const loaded = await Promise.all([...document.querySelectorAll("script.dataset")].map(read));

/** The names of the data sets. */
export const names = loaded.map(({ name }) => name);

/**
 * A data set by its name, else the first.
 * @param {string} name
 */
export function dataset(name) {
  const found = loaded.find((data) => data.name === name) ?? loaded[0];
  if (!found) throw new Error("the page has no data set");
  return found;
}

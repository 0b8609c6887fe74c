// Bytes and numbers of compressed text, `packing.py`.

/**
 * The bytes of base64.
 * @param {string} text
 */
function decoded(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  return bytes;
}

/**
 * The bytes of compressed text.
 * @param {string} text
 */
export async function inflated(text) {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  void writer.write(decoded(text));
  void writer.close();
  return new Uint8Array(await new Response(readable).arrayBuffer());
}

/**
 * The memory of numbers of so many bytes each, of which all first bytes come first, then all second ones, and so on.
 * @param {string} text
 * @param {number} size
 */
export async function numbers(text, size) {
  const bytes = await inflated(text);
  const count = bytes.length / size;
  const ordered = new Uint8Array(bytes.length);
  for (let part = 0; part < size; part++) {
    for (let k = 0, from = part * count; k < count; k++) ordered[k * size + part] = bytes[from + k] ?? 0;
  }
  return ordered.buffer;
}

// What `kdcache export --web` packed into the page: gzip in base64, in script elements that no browser runs.

/** The bytes in the script element with this id, which is emptied: they are read once. */
export async function unpacked(id) {
  const element = document.getElementById(id);
  const packed = fromBase64(element.textContent.trim());
  element.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function json(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

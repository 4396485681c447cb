// A file -> the photo as people see it. The message of a PhotoError is the key of a sentence in strings/.

export class PhotoError extends Error {}

/**
 * {name, bitmap} of an image file: upright by its EXIF orientation, its colours as stored, which is how kdcache reads
 * a photo.
 */
export async function readPhoto(file) {
  const start = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  if (!start.length) throw new PhotoError("photo_empty");
  if (isJpeg(start) && !(await endsWhole(file))) throw new PhotoError("photo_truncated");
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
    return { name: file.name || "photo", bitmap };
  } catch {
    throw new PhotoError(isHeif(start) ? "photo_heic" : "photo_unreadable");
  }
}

const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8;

/** Browsers fill the missing part of a cut-off JPEG with grey and say nothing. */
async function endsWhole(file) {
  const end = new Uint8Array(await file.slice(-1024).arrayBuffer());
  return end.some((byte, i) => byte === 0xff && end[i + 1] === 0xd9);
}

/** HEIC, HEIF or AVIF: an ISO file that begins with one of these brands. */
function isHeif(bytes) {
  const text = String.fromCharCode(...bytes);
  return text.slice(4, 8) === "ftyp" && /hei[cfmsx]|hev[cmx]|mif1|msf1|avi[fs]/.test(text.slice(8));
}

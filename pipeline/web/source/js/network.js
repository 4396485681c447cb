// Photo and box -> joints with their uncertainty, as `kdcache hka measure` finds them (pipeline/hka/joints.py).

import { covarianceInImage } from "./covariance.js";
import { cut, mirrored } from "./crop.js";
import { cellToCrop, compose, cropToImage, mapped } from "./geometry.js";
import { averaged, darkDecode, inPlaces } from "./heatmaps.js";
import { unpacked } from "./payload.js";

/** The function (bitmap, box) -> {xy, score, covariance, milliseconds} of the network in this page. */
export async function loadNetwork(model) {
  const request = startWorker(await unpacked("worker"));
  const [wasm, network] = await Promise.all(["runtime", "network"].map(unpacked));
  await request({ kind: "load", wasm, network }, [wasm.buffer, network.buffer]);
  performance.measure("kdcache load", { start: 0 });

  return async function joints(bitmap, box) {
    const started = performance.now();
    const toImage = cropToImage(box, model);
    const crop = cut(bitmap, toImage, model.input_size);
    const cropped = performance.now();
    const maps = await heatmaps(request, crop, model);
    const ran = performance.now();
    if (!maps.every(Number.isFinite)) throw new Error("the network's answer holds NaN or infinity");
    const found = decoded(maps, model, compose(cellToCrop(model), toImage));
    const milliseconds = { crop: cropped - started, network: ran - cropped, decode: performance.now() - ran };
    performance.measure("kdcache photo", { start: started, detail: milliseconds });
    return { ...found, milliseconds };
  };
}

/** Heatmaps (joints, height, width) of a crop, averaged with those of its mirror image. */
async function heatmaps(request, crop, model) {
  const [height, width] = model.input_size;
  const crops = new Uint8Array(2 * crop.length);
  crops.set(crop);
  crops.set(mirrored(crop, model.input_size), crop.length);
  const maps = await request({ kind: "run", crops, shape: [2, height, width, 3] });
  const [plain, ofMirror] = [maps.subarray(0, maps.length / 2), maps.subarray(maps.length / 2)];
  return averaged(inPlaces(plain, model), inPlaces(ofMirror, model), model);
}

/** The function (message, buffers to hand over) -> answer of a worker, which answers in the order of the messages. */
function startWorker(script) {
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const waiting = [];
  const failed = new Promise((_, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "its worker does not start"));
  });
  failed.catch(() => {}); // each request reports it
  worker.onmessage = ({ data }) => waiting.shift()(data);
  return async (message, handedOver = []) => {
    const answered = new Promise((resolve) => waiting.push(resolve));
    worker.postMessage(message, handedOver);
    const { answer, error } = await Promise.race([answered, failed]);
    if (error !== undefined) throw new Error(error);
    return answer;
  };
}

function decoded(maps, model, cellToImage) {
  const cells = model.heatmap_size[0] * model.heatmap_size[1];
  const found = { xy: [], score: [], covariance: [] };
  for (let joint = 0; joint < model.keypoints.length; joint++) {
    const map = maps.subarray(joint * cells, (joint + 1) * cells);
    const { xy, score } = darkDecode(map, model.heatmap_size);
    found.xy.push(mapped(cellToImage, xy));
    found.score.push(score);
    found.covariance.push(covarianceInImage(map, model, cellToImage));
  }
  return found;
}

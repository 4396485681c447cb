// Runs the network in a thread of its own: the page answers fingers meanwhile. One message at a time, in order.
// pipeline/web/script.py puts ONNX Runtime before this and names what it exports `ort`: one script without imports.

let session;

const answers = {
  async load({ wasm, network }) {
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.numThreads = 1; // more need headers that neither a file nor a plain server sends
    session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
    ort.env.wasm.wasmBinary = undefined; // compiled: 14 MB that a small phone can use
  },
  async run({ crops, shape }) {
    const input = new ort.Tensor("uint8", crops, shape);
    const { data } = (await session.run({ [session.inputNames[0]]: input }))[session.outputNames[0]];
    return Float32Array.from(data);
  },
};

self.onmessage = async ({ data: { kind, ...content } }) => {
  try {
    self.postMessage({ answer: await answers[kind](content) });
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};

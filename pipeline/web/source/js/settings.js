// What `kdcache export --web` wrote into the page about the network: sizes, joints, limits, measured error.

import { json } from "./payload.js";

export const exported = json("settings");

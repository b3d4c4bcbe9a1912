// Clusters and router hosts with what the ticks leave out (health history, warnings, drains): read again when
// something about them has changed, never every second.
import {get} from "./api.js";
import {live} from "./live.js";
import {seldom} from "./loading.js";

export const details = Object.assign(new EventTarget(), {clusters: new Map(), hosts: new Map(), error: null});

let fingerprint = "";

async function read() {
	try {
		const [clusters, hosts] = await Promise.all([get("/clusters"), get("/hosts", {limit: 10000})]);
		details.clusters = new Map(clusters.clusters.map((cluster) => [cluster.name, cluster]));
		details.hosts = new Map(hosts.hosts.map((host) => [host.id, host]));
		details.error = null;
	} catch (error) {
		details.error = error;
	}
	details.dispatchEvent(new Event("change"));
}

/* Many pages are open: not all of them ask in the same moment, and none without end. */
const readSoon = seldom(read, 1000 + 1000 * Math.random());

/* What of a tick makes the details worth reading again. */
function print(tick) {
	return JSON.stringify([
		tick.clusters.map(({name, state, stale, held, drain}) => [name, state, stale, held, drain]),
		tick.hosts.map(({id, state, admin, health, elected}) => [id, state, admin, health, elected]),
	]);
}

live.addEventListener("hello", () => {
	fingerprint = "";
	read();
});
live.addEventListener("tick", () => {
	const now = print(live.tick);
	if (fingerprint !== "" && now !== fingerprint) readSoon();
	fingerprint = now;
});

/** Reads them now: after an action of one's own. */
export const refresh = read;

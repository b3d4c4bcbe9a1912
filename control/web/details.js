// Clusters and router hosts with what the ticks leave out (health history, warnings, drains): read again when
// something about them has changed, never every second.
import {get, part} from "./api.js";
import {live} from "./live.js";
import {seldom} from "./loading.js";

export const details = Object.assign(new EventTarget(), {clusters: new Map(), hosts: new Map(), error: null});

const AGAIN_MS = 5000; // after a failure

let fingerprint = "",
	turn = 0, // of the newest question
	shown = 0, // of the answer that is shown
	again = 0;

async function read() {
	const mine = ++turn;
	clearTimeout(again);
	try {
		const [clusters, hosts] = await Promise.all([get("/clusters"), get("/hosts", {limit: 10000})]);
		if (mine < shown) return;
		shown = mine;
		details.clusters = new Map(clusters.clusters.map((cluster) => [cluster.name, cluster]));
		details.hosts = new Map(hosts.hosts.map((host) => [host.id, host]));
		details.error = null;
	} catch (error) {
		if (mine !== turn) return;
		details.error = error;
		again = setTimeout(() => live.connected && read(), AGAIN_MS); // a new link reads by itself
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

/* Ticks have no drains of router hosts. */
live.addEventListener("event", ({detail}) => detail.kind.startsWith("host_drain") && readSoon());

/** Reads them now: after an action of one's own. */
export const refresh = read;

/** Reads one router host; if that fails, all of them, which says so. */
export async function refreshHost(cluster, key) {
	try {
		const {host} = await get(`/hosts/${part(cluster)}/${part(key)}`);
		details.hosts.set(host.id, host);
		details.dispatchEvent(new Event("change"));
	} catch {
		readSoon();
	}
}

// What the server pushes: one WebSocket, kept open. The last 120 seconds come whole with every hello, then one point a
// second. Holds the newest state; views read it and listen.
//
// Events: "hello", "tick", "event" (detail: the event), "route" (detail: the message), "link" (connected or not).

const POINTS = 120;
const SILENT_MS = 5000; // a tick comes every second; after this the link counts as lost
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const CALM_MS = 30000; // a link that has held so long is tried again at once when it is lost
const EVENTS_KEPT = 500;

export const live = Object.assign(new EventTarget(), {
	connected: false,
	hello: null,
	tick: null,
	at: 0, // of the newest point, unix ms
	times: [],
	totals: {},
	hosts: {},
	clusters: {},
	events: [],
});

let socket = null;
let wanted = false;
let attempts = 0;
let retryTimer = 0;
let silentTimer = 0;
let calmTimer = 0;
let skew = 0; // of the server's clock to this one's, ms
const subscribed = new Set();

function fire(type, detail) {
	live.dispatchEvent(new CustomEvent(type, {detail}));
}

function shifted(series, value) {
	const list = series || new Array(POINTS).fill(null);
	list.push(value ?? null);
	if (list.length > POINTS) list.splice(0, list.length - POINTS);
	return list;
}

/** Adds one point to each named series of a set; `missing` empty points go before it. */
export function extend(set, point, missing = 0) {
	const names = new Set([...Object.keys(set), ...Object.keys(point)]);
	for (const name of names) {
		for (let i = 0; i < missing; i++) set[name] = shifted(set[name], null);
		set[name] = shifted(set[name], point[name]);
	}
}

function onHello(message) {
	live.hello = message;
	live.at = message.times[message.times.length - 1] ?? Date.parse(message.at);
	live.times = message.times;
	live.totals = message.totals;
	live.hosts = message.hosts;
	live.clusters = message.clusters;
	live.events = message.events;
	calmTimer = setTimeout(() => (attempts = 0), CALM_MS);
	live.connected = true;
	for (const host of subscribed) send({subscribe: host});
	fire("hello");
	fire("link");
}

/* Seconds that the server left out stay empty, so that the axis stays true. */
function missingBefore(at) {
	const step = live.hello.interval_ms || 1000;
	return live.at > 0 ? Math.min(POINTS, Math.max(0, Math.round((at - live.at) / step) - 1)) : 0;
}

function follow(sets, items, key, point, missing) {
	const present = new Set();
	for (const item of items) {
		present.add(item[key]);
		sets[item[key]] ||= {};
		extend(sets[item[key]], point(item), missing);
	}
	for (const name of Object.keys(sets)) if (!present.has(name)) delete sets[name];
}

function onTick(message) {
	if (message.at > live.at) {
		const missing = missingBefore(message.at);
		for (let i = missing; i >= 0; i--) live.times.push(message.at - i * (live.hello.interval_ms || 1000));
		live.times.splice(0, Math.max(0, live.times.length - POINTS));
		extend(live.totals, message.totals, missing);
		follow(
			live.hosts,
			message.hosts,
			"id",
			({active, new: fresh, refused}) => ({active, new: fresh, refused}),
			missing,
		);
		follow(live.clusters, message.clusters, "name", ({active, new: fresh}) => ({active, new: fresh}), missing);
		live.at = message.at;
	}
	live.tick = message;
	skew = message.at - Date.now();
	fire("tick");
}

function onMessage(data) {
	const message = JSON.parse(data);
	watchSilence();
	switch (message.type) {
		case "hello":
			return onHello(message);
		case "tick":
			return live.hello ? onTick(message) : undefined;
		case "event":
			live.events.unshift(message.event);
			live.events.splice(EVENTS_KEPT);
			return fire("event", message.event);
		case "route":
			return fire("route", message);
		default:
			return undefined;
	}
}

/* A server that has frozen does not answer a close either: the link is given up at once. */
function watchSilence() {
	clearTimeout(silentTimer);
	silentTimer = setTimeout(() => {
		const old = socket;
		lost();
		old?.close();
	}, SILENT_MS);
}

function lost() {
	clearTimeout(silentTimer);
	clearTimeout(calmTimer);
	socket = null;
	live.connected = false;
	if (wanted) {
		const base = RETRY_MS[Math.min(attempts++, RETRY_MS.length - 1)];
		retryTimer = setTimeout(open, base * (0.75 + Math.random() / 2)); // all pages at once would be a burst
	}
	fire("link");
}

function open() {
	clearTimeout(retryTimer);
	const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/stream`);
	socket = opened;
	opened.onmessage = ({data}) => opened === socket && onMessage(data);
	opened.onclose = () => opened === socket && lost();
	watchSilence();
}

/** The server's time, unix ms: what it says of times is compared with this. */
export function serverNow() {
	return Date.now() + skew;
}

/** Opens the link and keeps it open. */
export function start() {
	if (wanted) return;
	wanted = true;
	attempts = 0;
	open();
}

/** Closes the link and forgets what came through it. */
export function stop() {
	wanted = false;
	clearTimeout(retryTimer);
	clearTimeout(silentTimer);
	clearTimeout(calmTimer);
	const old = socket;
	socket = null;
	old?.close();
	Object.assign(live, {
		connected: false,
		hello: null,
		tick: null,
		at: 0,
		times: [],
		totals: {},
		hosts: {},
		clusters: {},
		events: [],
	});
}

/** Tries at once instead of at the next turn. */
export function retryNow() {
	if (!wanted || live.connected) return;
	const old = socket;
	socket = null;
	old?.close();
	open();
}

function send(message) {
	if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

/** Asks for one route's figures every second; `unsubscribe` ends it. Kept over lost links. */
export function subscribe(host) {
	subscribed.add(host);
	send({subscribe: host});
}

export function unsubscribe(host) {
	subscribed.delete(host);
	send({unsubscribe: host});
}

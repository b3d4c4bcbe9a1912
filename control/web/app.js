// The page: who is looking, which view the address names, what the link to the server says. Views are in view_*.js.
import {call, get, session} from "./api.js";
import {redraw} from "./charts.js";
import {details} from "./details.js";
import {fill, h, morph, show, text} from "./dom.js";
import {clock, compact, number} from "./format.js";
import {live, retryNow, start, stop} from "./live.js";
import {seldom} from "./loading.js";
import {heading, link, notice, pill, toast} from "./parts.js";
import {may, me} from "./roles.js";
import {clusterView} from "./view_cluster.js";
import {connectionsView} from "./view_connections.js";
import {diffView} from "./view_diff.js";
import {eventsView} from "./view_events.js";
import {explainView} from "./view_explain.js";
import {heldView} from "./view_held.js";
import {hostView} from "./view_host.js";
import {loginView} from "./view_login.js";
import {overviewView} from "./view_overview.js";
import {routesView} from "./view_routes.js";
import {routeView} from "./view_route.js";
import {unknownView} from "./view_unknown.js";

const VIEWS = {
	overview: overviewView,
	routes: routesView,
	route: routeView,
	cluster: clusterView,
	host: hostView,
	connections: connectionsView,
	unknown: unknownView,
	held: heldView,
	events: eventsView,
	explain: explainView,
	diff: diffView,
};
const MENU = [
	["overview", "Overview"],
	["routes", "Routes"],
	["connections", "Connections"],
	["events", "Events"],
	["unknown", "Unknown names"],
	["held", "Held deletions"],
	["explain", "Explain"],
	["diff", "Diff"],
];
const PARENTS = {route: "routes", cluster: "overview", host: "overview"};

const place = (id) => document.getElementById(id);
let view = null;
let status = null;
let shownRevision = 0;
let loggedIn = false;

// --- views ---

function parsed() {
	const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
	const segments = path.split("/").map((segment) => {
		try {
			return decodeURIComponent(segment);
		} catch {
			return segment;
		}
	});
	return {path: segments[0] ? segments : ["overview"], query: new URLSearchParams(search)};
}

function context() {
	const {path, query} = parsed();
	/* The address follows what is asked, so that it can be sent to a colleague; no step of the history. */
	const setQuery = (values) => history.replaceState(null, "", link(path, values));
	return {path, query, setQuery};
}

function notFound(path) {
	return {
		title: "Not found",
		element: h("div", {}, heading("Not found"), notice("warn", `There is no view "${path}".`)),
	};
}

function mount(made, focus) {
	for (const dialog of document.querySelectorAll("dialog")) dialog.close();
	view?.destroy?.();
	view = made;
	document.title = `${made.title} · pointsman`;
	fill(place("main"), made.element);
	window.scrollTo(0, 0);
	const target = made.focus || (focus ? place("main").querySelector("h1") : null);
	target?.focus({preventScroll: true});
}

function navigate(focus = true) {
	if (!loggedIn || !live.hello) return;
	const given = context();
	const make = Object.hasOwn(VIEWS, given.path[0]) && VIEWS[given.path[0]];
	mount(make ? make(given) : notFound(given.path[0]), focus);
	putBanners();
	closeMenu();
	putMenu();
}

function putMenu() {
	const here = parsed().path[0];
	const present = PARENTS[here] || here;
	const {held, unknown_names: unknown, unknown: refused} = live.tick || {};
	const counts = {held, unknown};
	const meanings = {
		held: `${number(held)} held`,
		unknown: `${number(unknown)} names of ${number(refused)} connections refused since start`,
	};
	morph(
		place("nav"),
		h(
			"ul",
			{},
			MENU.map(([name, label]) =>
				h(
					"li",
					{},
					h(
						"a",
						{
							href: `#/${name}`,
							"aria-current": name === present ? "page" : null,
							data: {testid: `nav-${name}`},
						},
						label,
						counts[name]
							? h(
									"span",
									{
										class: name === "held" ? "count warn" : "count",
										title: meanings[name],
									},
									compact(counts[name]),
								)
							: null,
					),
				),
			),
		),
	);
}

function closeMenu() {
	place("nav").classList.remove("open");
	place("menu").setAttribute("aria-expanded", "false");
}

// --- theme ---

function themeButton() {
	const button = h("button", {
		type: "button",
		class: "quiet",
		data: {testid: "theme"},
		on: {click: () => window.pointsmanTheme.choose(window.pointsmanTheme.other())},
	});
	const put = () => {
		const other = window.pointsmanTheme.other();
		text(button, other === "light" ? "Light" : "Dark");
		button.setAttribute("aria-label", `Use ${other} colours`);
	};
	button.put = put;
	put();
	return button;
}

document.addEventListener("themechange", () => {
	document.querySelector("[data-testid=theme]")?.put();
	redraw();
});

// --- who ---

function putWho() {
	const out =
		me.by !== "session"
			? null
			: h(
					"button",
					{
						type: "button",
						class: "quiet",
						data: {testid: "logout"},
						on: {
							click: async () => {
								try {
									await call("POST", "/logout", {body: {}});
								} catch (error) {
									if (error.status !== 401)
										return toast(`You are still logged in: ${error.words}.`, "bad");
								}
								return login();
							},
						},
					},
					"Log out",
				);
	/* On loopback one may be somebody without a token; with one it is somebody else. */
	const other =
		me.by !== "loopback"
			? null
			: h(
					"button",
					{
						type: "button",
						class: "quiet",
						data: {testid: "login-as"},
						on: {click: () => login()},
					},
					"Log in",
				);
	fill(
		place("who"),
		h(
			"span",
			{class: "me", data: {testid: "me"}},
			me.name || me.by,
			" ",
			pill(may("operator") ? me.role : "read only", may("operator") ? "" : "info"),
		),
		themeButton(),
		other,
		out,
	);
}

function frame(visible) {
	for (const id of ["top", "nav", "foot"]) show(place(id), visible);
	document.body.classList.toggle("plain", !visible);
}

function login(why) {
	loggedIn = false;
	greeted = false;
	attempted = false;
	stop();
	frame(false);
	fill(place("banners"));
	mount(loginView(enter, {why, back: me.by === "loopback" ? enter : null}), false);
}

async function enter() {
	Object.assign(me, await get("/whoami"));
	loggedIn = true;
	frame(true);
	putWho();
	putMenu();
	mount({title: "Loading", element: h("p", {class: "muted"}, "Waiting for the first figures.")}, false);
	start();
	putBanners();
}

// --- banners: what is wrong with what is shown ---

function lostBanner() {
	const seen = live.at ? `what you see is from ${clock(live.at)}` : "nothing has been received yet";
	return h(
		"div",
		{class: "banner bad", role: "alert", data: {testid: "disconnected"}},
		h("b", {}, "Disconnected"),
		`, ${seen}. `,
		h("span", {class: "again"}, "Trying again. "),
	);
}

function stateBanners() {
	const {tick} = live;
	if (!tick) return [];
	const banner = (tone, testid, ...words) => h("div", {class: `banner ${tone}`, data: {testid}}, words);
	const stale = tick.clusters.filter((cluster) => cluster.stale).map((cluster) => cluster.name);
	return [
		live.hello.version !== version ? banner("warn", "upgraded", "pointsman was upgraded: reload the page.") : null,
		tick.dataplane !== "ready"
			? banner(
					"bad",
					"dataplane",
					h("b", {}, `The dataplane is ${tick.dataplane}`),
					": no new connection is taken",
					status?.dataplane?.detail ? ` (${status.dataplane.detail})` : "",
					".",
				)
			: null,
		tick.dataplane === "ready" &&
		tick.applied_revision < tick.revision &&
		behindSince &&
		Date.now() - behindSince > 2000
			? banner(
					"warn",
					"behind",
					`The workers still use revision ${number(tick.applied_revision)} of ${number(tick.revision)}.`,
				)
			: null,
		stale.length
			? banner(
					"warn",
					"stale",
					h("b", {}, `Stale: ${stale.join(", ")}`),
					". What is shown of it is the last good state: its API has not been listed since control's start.",
				)
			: null,
		details.error
			? banner(
					"warn",
					"details-error",
					"Health history, drains and warnings could not be read: ",
					details.error.words || details.error.message,
				)
			: null,
		...(status?.messages || []).map((message) => banner("warn", "message", message)),
	];
}

let behindSince = 0;

function putBanners() {
	const {tick} = live;
	behindSince = tick && tick.applied_revision < tick.revision ? behindSince || Date.now() : 0;
	const lost = loggedIn && !live.connected && (live.hello || attempted);
	document.body.classList.toggle("lost", Boolean(lost));
	morph(place("banners"), lost ? lostBanner() : null, live.connected ? stateBanners() : null);
	show(place("retry"), Boolean(lost));
	for (const mark of place("main").querySelectorAll(".as-of")) {
		text(mark, live.at ? `stale: from ${clock(live.at)}` : "stale");
		show(mark, Boolean(lost));
	}
}

let attempted = false;

async function readStatus() {
	status = await get("/status").catch(() => status);
	putBanners();
}

function putFoot() {
	const {tick, hello} = live;
	if (!tick) return;
	const line = place("foot");
	line.dataset.at = tick.at;
	morph(
		line,
		`pointsman ${hello?.version ?? ""} · revision `,
		h("span", {data: {testid: "revision"}}, number(tick.revision)),
		` · dataplane ${tick.dataplane} · last figures `,
		h("span", {data: {testid: "clock"}}, clock(tick.at)),
	);
}

// --- wiring ---

let greeted = false;
let version = ""; // of the server that this page is from

live.addEventListener("hello", () => {
	const before = me.role;
	version ||= live.hello.version;
	me.role = live.hello.role;
	putWho();
	readStatus();
	if (!greeted || before !== me.role) {
		greeted = true;
		navigate(false);
	} else {
		view?.hello?.();
	}
	view?.update?.();
});

live.addEventListener("tick", () => {
	view?.update?.();
	if (live.tick.revision !== shownRevision) {
		if (shownRevision !== 0) view?.revision?.();
		shownRevision = live.tick.revision;
	}
	putMenu();
	putBanners();
	putFoot();
});

details.addEventListener("change", putBanners);
live.addEventListener("event", seldom(readStatus, 5000)); // its messages come and go with events

live.addEventListener("link", () => {
	attempted = true;
	putBanners();
	/* A refused link does not say why: the session may be over. */
	if (!live.connected && loggedIn) get("/whoami").catch(() => undefined);
});

session.addEventListener("unauthorized", () => loggedIn && login("The session is over: log in again."));
window.addEventListener("hashchange", () => navigate());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && retryNow());
window.addEventListener("online", retryNow);
setInterval(() => !live.connected && loggedIn && putBanners(), 1000);

place("retry").addEventListener("click", retryNow);
place("skip").addEventListener("click", (event) => {
	event.preventDefault();
	place("main").focus();
});
place("menu").addEventListener("click", () => {
	const open = place("nav").classList.toggle("open");
	place("menu").setAttribute("aria-expanded", String(open));
});
place("find").addEventListener("submit", (event) => {
	event.preventDefault();
	location.hash = link(["routes"], {search: place("find-text").value.trim()});
});
document.addEventListener("keydown", (event) => {
	if (event.key === "Escape" && place("nav").classList.contains("open")) {
		closeMenu();
		place("menu").focus();
		return;
	}
	if (
		event.key !== "/" ||
		event.ctrlKey ||
		event.metaKey ||
		event.altKey ||
		event.target.closest("input, select, textarea, dialog") ||
		!loggedIn
	)
		return;
	event.preventDefault();
	place("find-text").focus();
});

enter().catch((error) => {
	if (error.status === 401) login();
	else
		fill(
			place("main"),
			notice("bad", error.words || error.message),
			h("button", {type: "button", on: {click: () => location.reload()}}, "Try again"),
		);
});

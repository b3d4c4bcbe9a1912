// Events: everything that changed state, as it happens, filtered by kind, object and words.
import {get} from "./api.js";
import {debounced, field, fill, h, select, show} from "./dom.js";
import {number, time} from "./format.js";
import {live} from "./live.js";
import {loader} from "./loading.js";
import {heading, link, pill, table} from "./parts.js";

const FIRST = 100,
	MOST = 1000;
const TONES = {info: "", warning: "warn", error: "bad"};
const LEVELS = [
	["", "Any level"],
	["warning", "Warnings and errors"],
	["error", "Errors"],
];
const RANK = {info: 0, warning: 1, error: 2};

/* host_up: host up */
const words = (kind) => kind.replaceAll("_", " ");

function objectCell({object}) {
	if (!object) return "–";
	const name =
		object.cluster && object.name ? `${object.cluster}/${object.name}` : object.name || object.cluster || "";
	if (object.kind === "route" && object.name)
		return h("a", {href: link(["route", object.name]), class: "name"}, object.name);
	if (object.kind === "cluster" && name)
		return h("a", {href: link(["cluster", object.name || object.cluster])}, name);
	if (object.kind === "host" && object.cluster && object.name)
		return h("a", {href: link(["host", object.cluster, object.name])}, name);
	return name ? `${object.kind} ${name}` : object.kind;
}

function eventsTable() {
	return table(
		"Events, newest first",
		[
			{head: "Time", class: "time", cell: (event) => time(event.at)},
			{head: "Level", cell: (event) => pill(event.level, TONES[event.level])},
			{
				head: "What",
				class: "wide what",
				cell: (event) => [event.text, event.reason ? h("span", {class: "muted"}, ` (${event.reason})`) : null],
			},
			{head: "Object", cell: objectCell},
			{head: "Kind", cell: (event) => words(event.kind)},
			{head: "Who", cell: (event) => event.who || "–"},
			{head: "Revision", class: "n", cell: (event) => number(event.revision)},
		],
		{testid: "events", empty: "No event matches."},
	);
}

export function eventsView(context) {
	const given = context.query;
	let events = [],
		limit = FIRST;
	const search = h("input", {
		type: "search",
		value: given.get("search") || "",
		autocomplete: "off",
		spellcheck: "false",
		data: {testid: "events-search"},
	});
	const object = h("input", {
		type: "text",
		value: given.get("object") || "",
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "exact name",
	});
	const kind = select([["", "Any kind"]], "", {data: {testid: "events-kind"}});
	const level = select(LEVELS, given.get("level") || "", {data: {testid: "events-level"}});
	const rows = eventsTable();
	const more = h(
		"button",
		{
			type: "button",
			on: {
				click: () => {
					limit = Math.min(MOST, limit + FIRST);
					reading.load();
				},
			},
		},
		"Older",
	);
	const query = () => ({
		search: search.value.trim(),
		object: object.value.trim(),
		kind: kind.value || (kinds.size ? "" : given.get("kind")),
	});
	const kinds = new Set();
	const learn = (list) => {
		const before = kinds.size;
		for (const event of list) kinds.add(event.kind);
		if (kinds.size === before) return;
		const chosen = kind.value || given.get("kind") || "";
		if (chosen) kinds.add(chosen);
		fill(
			kind,
			h("option", {value: ""}, "Any kind"),
			[...kinds].sort().map((name) => h("option", {value: name}, words(name))),
		);
		kind.value = chosen;
	};
	const put = () => rows.patch(events.filter((event) => !level.value || RANK[event.level] >= RANK[level.value]));
	const reading = loader(
		/* The server knows no level: what is seldom is looked for among as many as can be had. */
		(signal) => get("/events", {...query(), limit: level.value ? MOST : limit}, signal),
		(answer) => {
			events = answer.events;
			learn(events);
			show(more, !level.value && events.length >= limit && limit < MOST);
			put();
		},
	);
	learn(live.events);
	const matches = (event) => {
		const {search: text, object: name, kind: wanted} = query();
		return (
			(!wanted || event.kind === wanted) &&
			(!name || event.object?.name === name || event.object?.cluster === name) &&
			(!text || JSON.stringify(event).toLowerCase().includes(text.toLowerCase()))
		);
	};
	const onEvent = ({detail: event}) => {
		learn([event]);
		if (!matches(event) || events.some((one) => one.id === event.id)) return;
		events.unshift(event);
		events.splice(level.value ? MOST : limit);
		put();
	};
	const changed = () => {
		limit = FIRST;
		context.setQuery({...query(), level: level.value});
		reading.load();
	};
	const soon = debounced(changed, 250);
	search.addEventListener("input", soon);
	object.addEventListener("input", soon);
	kind.addEventListener("change", changed);
	level.addEventListener("change", changed);
	live.addEventListener("event", onEvent);
	const element = h(
		"div",
		{},
		heading("Events", h("span", {class: "pill good only-live", data: {testid: "live"}}, "live")),
		h(
			"div",
			{class: "filters", role: "search"},
			field("Search", search),
			field("Object", object),
			field("Kind", kind),
			field("Level", level),
		),
		reading.place,
		rows.element,
		h("div", {class: "pager"}, more),
	);
	show(more, false);
	reading.load();
	return {
		title: "Events",
		element,
		hello: reading.load,
		destroy: () => {
			live.removeEventListener("event", onEvent);
			soon.cancel();
			reading.stop();
		},
	};
}

// Connections: counted by route, listed oldest first, closed by operators.
import {get} from "./api.js";
import {openAction} from "./dialog.js";
import {field, fill, h, show, text} from "./dom.js";
import {bytes, clock, count, duration, number} from "./format.js";
import {serverNow} from "./live.js";
import {loader} from "./loading.js";
import {clusterName, clusterSelect, heading, notice, panel, pill, routeLink, table} from "./parts.js";
import {may} from "./roles.js";

const LIMIT = 100,
	ROUTES_FIRST = 10;
const STATES = {head: "awaiting a request", spliced: "connected", answer: "own answer"};
const NAMES = ["cluster", "host", "route", "client", "min_age"];

/* Shown when there is something to close; a viewer has none. */
function closeButton(testid, click, label) {
	if (!may("operator")) return null;
	return h("button", {type: "button", class: "danger", hidden: true, data: {testid}, on: {click}}, label);
}

export function connectionsView(context) {
	const given = context.query;
	const chosen = new Set();
	const inputs = {
		cluster: clusterSelect(given.get("cluster") || "", "Any cluster", {data: {testid: "conns-cluster"}}),
		host: h("input", {
			type: "text",
			value: given.get("host") || "",
			placeholder: "name or address",
			spellcheck: "false",
			autocomplete: "off",
		}),
		route: h("input", {
			type: "text",
			value: given.get("route") || "",
			placeholder: "exact name",
			spellcheck: "false",
			autocomplete: "off",
			data: {testid: "conns-route"},
		}),
		client: h("input", {
			type: "text",
			value: given.get("client") || "",
			placeholder: "192.0.2.0/24",
			spellcheck: "false",
			autocomplete: "off",
		}),
		min_age: h("input", {
			type: "text",
			value: given.get("min_age") || "",
			placeholder: "10m, 2h",
			class: "short",
			autocomplete: "off",
		}),
	};
	const query = () =>
		Object.fromEntries(NAMES.map((name) => [name, inputs[name].value.trim()]).filter(([, value]) => value !== ""));
	const total = h("b", {class: "figure", data: {testid: "conns-total"}}),
		noun = h("span"),
		oldest = h("span", {class: "muted", data: {testid: "conns-when"}});
	const byRoute = table(
		"Connections by route",
		[
			{
				head: "Route",
				class: "wide",
				cell: (one) => (one.route ? routeLink(one.route) : h("span", {class: "muted"}, "(none)")),
			},
			{head: "Cluster", cell: (one) => (one.cluster ? clusterName(one.cluster) : "–")},
			{head: "Connections", class: "n", cell: (one) => number(one.count)},
			{head: "Oldest", class: "n", cell: (one) => duration(one.oldest_seconds)},
		],
		{testid: "conns-by-route", empty: "No connection matches."},
	);
	const check = (one) =>
		h("input", {
			type: "checkbox",
			"aria-label": `Choose the connection of ${one.client}`,
			on: {
				change: ({target}) => {
					chosen[target.checked ? "add" : "delete"](one.id);
					buttons();
				},
			},
		});
	const rows = table(
		"Connections, oldest first",
		[
			{
				head: "Client",
				class: "whole",
				cell: (one) => [may("operator") ? [check(one), " "] : null, one.client],
			},
			{
				head: "Name",
				class: "wide",
				cell: (one) => one.name || h("span", {class: "muted"}, "(none yet)"),
			},
			{
				head: "Router host",
				class: "whole",
				cell: (one) => (one.cluster ? `${one.cluster}/${one.host}` : "–"),
			},
			{head: "State", cell: (one) => pill(STATES[one.state] || one.state, one.state === "spliced" ? "good" : "")},
			{head: "Listener", cell: (one) => one.listener},
			{head: "Age", class: "n", cell: (one) => duration(one.age_seconds)},
			{head: "Idle", class: "n", cell: (one) => duration(one.idle_seconds)},
			{head: "From client", class: "n", cell: (one) => bytes(one.bytes_in)},
			{head: "To client", class: "n", cell: (one) => bytes(one.bytes_out)},
		],
		{testid: "connections", empty: "No connection matches."},
	);
	let matching = 0,
		routes = [],
		allRoutes = false;
	const moreRoutes = h(
		"button",
		{
			type: "button",
			class: "small",
			on: {
				click: () => {
					allRoutes = true;
					putRoutes();
				},
			},
		},
		"Show more",
	);
	const putRoutes = () => {
		byRoute.set(allRoutes ? routes : routes.slice(0, ROUTES_FIRST));
		show(moreRoutes, !allRoutes && routes.length > ROUTES_FIRST);
	};
	const close = (title, words, body, typed) =>
		openAction({
			title,
			label: "Close",
			tone: "bad",
			path: "/connections/close",
			body,
			words,
			typed,
			force: false,
			explain: (data) =>
				notice("info", `${count(data.closed, "connection")} would be closed, as of ${clock(serverNow())}.`),
			said: (answer) => `${count(answer.closed, "connection")} closed.`,
			done: reading.load,
		});
	let asked = {};
	const closeChosen = closeButton("close-chosen", () =>
		close("Close the chosen connections", "Both sides are reset.", {ids: [...chosen]}),
	);
	const closeAll = closeButton(
		"close-all",
		() => {
			const filter = Object.entries(asked).map(([name, value]) => `${name} ${value}`);
			const words = `Both sides are reset. The filter: ${filter.join(", ")}.`;
			close("Close all that match", words, asked, "close");
		},
		"Close all that match…",
	);
	const buttons = () => {
		if (!may("operator")) return;
		text(closeChosen, `Close ${number(chosen.size)} chosen…`);
		show(closeChosen, chosen.size > 0);
		show(closeAll, matching > 0 && Object.keys(asked).length > 0);
	};
	const listed = h("p", {class: "muted", hidden: true});
	const reading = loader(
		(signal) => get("/connections", {...asked, limit: LIMIT}, signal),
		(answer) => {
			chosen.clear();
			matching = answer.total;
			text(total, number(answer.total));
			text(noun, answer.total === 1 ? " connection" : " connections");
			const age = answer.oldest_seconds ?? null;
			text(oldest, `${age === null ? "" : `, the oldest ${duration(age)}`}, as of ${clock(serverNow())}`);
			routes = answer.by_route;
			putRoutes();
			rows.set(answer.connections);
			text(listed, `The ${number(answer.connections.length)} oldest are listed; a narrower filter shows others.`);
			show(listed, answer.total > answer.connections.length);
			buttons();
		},
	);
	const ask = () => {
		asked = query();
		context.setQuery(asked);
		return reading.load();
	};
	const form = h(
		"form",
		{
			class: "filters",
			on: {
				submit: (event) => {
					event.preventDefault();
					ask();
				},
			},
		},
		field("Cluster", inputs.cluster),
		field("Router host", inputs.host),
		field("Route", inputs.route),
		field("Client", inputs.client),
		field("At least as old as", inputs.min_age),
		h("button", {type: "submit", class: "primary", data: {testid: "conns-ask"}}, "Show"),
	);
	const element = h(
		"div",
		{},
		heading("Connections"),
		form,
		reading.place,
		h(
			"div",
			{class: "heading"},
			h("p", {}, total, noun, oldest),
			h("div", {class: "aside"}, closeChosen, closeAll),
		),
		panel("By route", byRoute.element, moreRoutes),
		panel("Oldest first", rows.element, listed),
	);
	fill(total, "–");
	ask();
	return {title: "Connections", element, hello: ask, destroy: reading.stop};
}

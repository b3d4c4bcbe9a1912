// Explain: why a connection for this name, from this client, would go where it goes; from the code that elects.
import {get} from "./api.js";
import {field, fill, h} from "./dom.js";
import {clock, decimal, number} from "./format.js";
import {serverNow} from "./live.js";
import {loader} from "./loading.js";
import {clusterName, heading, notice, panel, pill, routeLink, table} from "./parts.js";

const TONES = {elected: "good", unknown_name: "warn", not_served: "warn", unhealthy: "bad"};
const WORDS = {
	elected: "elected",
	unknown_name: "unknown name",
	not_served: "not served",
	unhealthy: "nothing healthy",
};

const yes = (value) => (value ? "yes" : "no");

function clusterRows(answer) {
	const rows = table(
		"Clusters in the election",
		[
			{
				head: "Cluster",
				cell: (one) => [clusterName(one.cluster), one.turn ? [" ", pill("its turn", "good")] : null],
			},
			{head: "Weight", cell: (one) => `${decimal(one.weight)} (${one.weight_origin})`},
			{head: "Served here", cell: (one) => yes(one.served)},
			{head: "Usable", cell: (one) => yes(one.usable)},
			{head: "Credit", class: "n", cell: (one) => decimal(one.credit)},
			{head: "Why", class: "wide", cell: (one) => one.why || "–"},
		],
		{testid: "explain-clusters", empty: "No cluster takes part."},
	);
	rows.set(answer.clusters || []);
	return rows.element;
}

function hostRows(answer) {
	const rows = table(
		"Router hosts in the election",
		[
			{
				head: "Router host",
				cell: (one) => [
					`${one.cluster}/${one.name || one.address}`,
					one.elected ? [" ", pill("elected", "good")] : null,
				],
			},
			{head: "Address", cell: (one) => `${one.address}:${one.port}`},
			{
				head: "Healthy",
				cell: (one) => [yes(one.healthy), one.suspected ? [" ", pill("suspected", "warn")] : null],
			},
			{head: "Active", class: "n", cell: (one) => number(one.active)},
			{head: "Usable", cell: (one) => yes(one.usable)},
			{head: "Why", class: "wide", cell: (one) => one.why || "–"},
		],
		{testid: "explain-hosts", empty: "No router host takes part."},
	);
	rows.set(answer.hosts || []);
	return rows.element;
}

function answerView(answer) {
	return [
		notice(
			TONES[answer.decision] || "info",
			pill(WORDS[answer.decision] || answer.decision, TONES[answer.decision]),
			" ",
			h("b", {data: {testid: "explain-text"}}, answer.text),
		),
		h(
			"p",
			{class: "muted"},
			`Listener ${answer.listener ?? "–"}, client ${answer.from ?? "any"}, `,
			`worker ${answer.worker ?? "–"}, route `,
			answer.route ? routeLink(answer.route) : "none",
			`, asked at ${clock(serverNow())}.`,
		),
		clusterRows(answer),
		answer.clusters?.length
			? h(
					"p",
					{class: "muted"},
					"Credit: with each connection every usable cluster gets its weight; the one that then has the most has " +
						"its turn and pays what all have got. Each worker counts for itself.",
				)
			: null,
		hostRows(answer),
	];
}

/** The form with its answer; `stop` ends it. `host` is fixed on a route's page. Calls `asked` with what was asked. */
export function explainPanel({host, given = {}, asked, level}) {
	const name = h("input", {
		type: "text",
		value: host ?? given.host ?? "",
		autocomplete: "off",
		spellcheck: "false",
		required: true,
		data: {testid: "explain-host"},
	});
	const from = h("input", {
		type: "text",
		value: given.from ?? "",
		autocomplete: "off",
		placeholder: "any",
		spellcheck: "false",
		data: {testid: "explain-from"},
	});
	const listener = h("input", {
		type: "text",
		value: given.listener ?? "",
		autocomplete: "off",
		placeholder: "the first that serves it",
		spellcheck: "false",
	});
	const place = h("div", {class: "stack", "aria-live": "polite", data: {testid: "explain-answer"}});
	const query = () => ({host: name.value.trim(), from: from.value.trim(), listener: listener.value.trim()});
	const reading = loader(
		(signal) => get("/explain", query(), signal),
		(answer) => fill(place, answerView(answer)),
	);
	const ask = () => {
		fill(place);
		asked?.(query());
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
		host === undefined ? field("Host name", name) : null,
		field("Client address", from),
		field("Listener", listener),
		h("button", {type: "submit", class: host === undefined ? "primary" : "", data: {testid: "explain"}}, "Explain"),
	);
	const words = h("p", {class: "muted"}, "Where the next connection goes, and why. Asking changes nothing.");
	const content = [words, form, reading.place, place];
	return Object.assign(level ? h("div", {class: "stack"}, content) : panel("Explain", content), {
		ask,
		stop: reading.stop,
	});
}

export function explainView(context) {
	const given = Object.fromEntries(context.query);
	const body = explainPanel({given, asked: context.setQuery, level: 1});
	const element = h("div", {}, heading("Explain"), body);
	if (given.host) body.ask();
	return {title: "Explain", element, destroy: body.stop};
}

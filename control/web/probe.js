// Probe: one real request with a route's name to each router host of a cluster, and what came back.
import {call, part} from "./api.js";
import {field, fill, h} from "./dom.js";
import {decimal, time} from "./format.js";
import {failure, panel, pill, table} from "./parts.js";

function certificateCell({certificate}) {
	if (!certificate) return "–";
	const tone =
		!certificate.matches || certificate.days_left < 0 ? "bad" : certificate.days_left < 30 ? "warn" : "good";
	return [
		pill(certificate.matches ? `${certificate.days_left} days left` : "other name", tone),
		" ",
		certificate.subject,
		h("span", {class: "muted"}, " until ", time(certificate.not_after)),
	];
}

/** The form with its answer, for one cluster. */
export function probePanel(cluster) {
	const host = h("input", {
		type: "text",
		required: true,
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "shop.example.ch",
		data: {testid: "probe-host"},
	});
	const path = h("input", {type: "text", value: "/", autocomplete: "off", spellcheck: "false"});
	const https = h("input", {type: "checkbox"});
	const place = h("div", {"aria-live": "polite"});
	const button = h("button", {type: "submit", data: {testid: "probe"}}, "Probe");
	const rows = table(
		"Answers",
		[
			{head: "Router host", cell: (one) => one.host || one.address},
			{
				head: "Answer",
				cell: (one) => pill(one.status === null ? "none" : String(one.status), one.ok ? "good" : "bad"),
			},
			{
				head: "Time",
				class: "n",
				cell: (one) => (one.time_ms === null ? "–" : `${decimal(one.time_ms)} ms`),
			},
			{head: "Certificate", class: "wide", cell: certificateCell},
			{head: "Error", class: "wide", cell: (one) => one.error || "–"},
		],
		{testid: "probe-results"},
	);
	const ask = async () => {
		button.disabled = true;
		fill(place, h("p", {class: "muted"}, "Asking every router host."));
		try {
			const {data} = await call("POST", `/clusters/${part(cluster)}/probe`, {
				body: {host: host.value.trim(), path: path.value.trim() || "/", https: https.checked},
			});
			rows.set(data.results);
			fill(place, rows.element);
		} catch (error) {
			fill(place, failure(error));
		}
		button.disabled = false;
	};
	return panel(
		"Probe",
		h("p", {class: "muted"}, "Sends one request with this name to each router host. Changes nothing."),
		h(
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
			field("Host name", host),
			field("Path", path),
			h("label", {class: "check"}, https, h("span", {}, "HTTPS")),
			button,
		),
		place,
	);
}

// Line charts of the last 120 seconds, drawn by Chart.js. A chart is made when it first comes into view and drawn only
// while it is there. Legend and figures are elements, not pixels; the canvas carries the same in words.
import {h, text} from "./dom.js";
import {clock, compact, number} from "./format.js";

const POINTS = 120;
const SECONDS = Array.from({length: POINTS}, (_, index) => index - POINTS + 1);
const alive = new Set();

const visible = new IntersectionObserver(
	(entries) => {
		for (const {target, isIntersecting} of entries) target.lineChart?.setVisible(isIntersecting);
	},
	{rootMargin: "100px"},
);

function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* #rrggbb with an opacity. */
function faded(hex, alpha) {
	return `${hex}${Math.round(alpha * 255)
		.toString(16)
		.padStart(2, "0")}`;
}

function range(values) {
	const known = values.filter((value) => value !== null && value !== undefined);
	if (known.length === 0) return null;
	return {min: Math.min(...known), max: Math.max(...known), now: known[known.length - 1]};
}

/** The newest value of a series. */
export function newest(series) {
	return series && series.length > 0 ? series[series.length - 1] : null;
}

class LineChart {
	/** `series`: [{key, label, colour (a custom property), fill, stepped}]. Options: title, testid, format (of figures),
	 *  axis (format of the y axis), small, stacked, heading (its level), legend (false: none), zero (false: the y axis
	 *  need not begin at 0). */
	constructor(
		series,
		{
			title,
			testid,
			format = number,
			axis = compact,
			small = false,
			stacked = false,
			heading = "h3",
			legend = true,
			zero = true,
		},
	) {
		Object.assign(this, {
			series,
			title,
			format,
			axis,
			stacked,
			small,
			zero,
			chart: null,
			data: {},
			times: [],
			seen: false,
		});
		this.figures = new Map();
		this.canvas = h("canvas", {role: "img"});
		const key = legend
			? h(
					"ul",
					{class: "legend"},
					series.map((one) => this.legendItem(one, testid)),
				)
			: null;
		this.element = h(
			"figure",
			{class: small ? "chart small" : "chart", data: testid ? {testid} : {}},
			title || key ? h("figcaption", {}, title ? h(heading, {class: "chart-title"}, title) : null, key) : null,
			h("div", {class: "canvas"}, this.canvas),
		);
		this.element.lineChart = this;
		visible.observe(this.element);
		alive.add(this);
	}

	legendItem(one, testid) {
		const figure = h("b", {class: "figure", data: testid ? {testid: `${testid}-${one.key}`} : {}}, number(null));
		this.figures.set(one.key, figure);
		const swatch = h("span", {class: "swatch", "aria-hidden": "true"});
		swatch.style.setProperty("--swatch", `var(${one.colour})`);
		return h("li", {}, swatch, h("span", {class: "label"}, one.label), figure);
	}

	datasets() {
		return this.series.map((one) => {
			const line = colour(one.colour);
			return {
				label: one.label,
				data: [],
				borderColor: line,
				backgroundColor: faded(line, one.fill ?? 0.12),
				fill: one.fill === 0 ? false : this.stacked ? "stack" : "origin",
				stepped: one.stepped ? "middle" : false,
				borderWidth: this.small ? 1.25 : 1.5,
				pointRadius: 0,
				pointHitRadius: 4,
				tension: 0,
				spanGaps: false,
			};
		});
	}

	scales() {
		const grid = {color: colour("--grid"), drawBorder: false, drawTicks: false};
		const font = {size: this.small ? 10 : 11, family: getComputedStyle(document.body).fontFamily};
		const ticks = {color: colour("--muted"), font, padding: 6};
		const step = this.small || this.element.clientWidth < 400 ? 60 : 30;
		const seconds = (_, index) =>
			index === 0
				? "−120 s"
				: index === POINTS - 1
					? "now"
					: SECONDS[index] % step === 0
						? `−${-SECONDS[index]} s`
						: undefined;
		return {
			x: {
				grid: {display: false, drawBorder: false},
				ticks: {...ticks, autoSkip: false, maxRotation: 0, callback: seconds, align: "inner"},
			},
			y: {
				stacked: this.stacked,
				beginAtZero: this.zero,
				afterDataLimits: (axis) => (axis.min = Math.max(0, axis.min)), // a line of zeros gets -1 else
				suggestedMax: this.zero ? 4 : undefined,
				grid,
				ticks: {
					...ticks,
					maxTicksLimit: this.small ? 3 : 5,
					precision: 0,
					callback: (value) => this.axis(value),
				},
			},
		};
	}

	tooltip() {
		return {
			backgroundColor: colour("--tip"),
			titleColor: colour("--tip-text"),
			bodyColor: colour("--tip-text"),
			padding: 8,
			cornerRadius: 4,
			boxPadding: 4,
			callbacks: {
				title: ([item]) => (item && this.times[item.dataIndex] ? clock(this.times[item.dataIndex]) : ""),
				label: (item) => `${item.dataset.label}: ${this.format(item.parsed.y)}`,
			},
		};
	}

	draw() {
		this.chart?.destroy();
		this.chart = new window.Chart(this.canvas, {
			type: "line",
			data: {labels: SECONDS, datasets: this.datasets()},
			options: {
				animation: false,
				responsive: true,
				maintainAspectRatio: false,
				normalized: true,
				events: ["mousemove", "mouseout", "touchstart"],
				interaction: {mode: "index", intersect: false},
				scales: this.scales(),
				plugins: {legend: {display: false}, tooltip: this.tooltip()},
			},
		});
		this.put();
	}

	put() {
		this.series.forEach(({key}, index) => {
			const values = this.data[key] || [];
			const empty = POINTS - values.length;
			this.chart.data.datasets[index].data =
				empty > 0 ? [...new Array(empty).fill(null), ...values] : values.slice(-POINTS);
		});
		this.chart.update("none");
	}

	setVisible(seen) {
		this.seen = seen;
		if (!seen || !this.times.length) return;
		if (this.chart) this.put();
		else this.draw();
	}

	describe() {
		const parts = this.series.map(({key, label}) => {
			const known = range(this.data[key] || []);
			return known
				? `${label}: now ${this.format(known.now)}, from ${this.format(known.min)} to ${this.format(known.max)}`
				: `${label}: not known`;
		});
		return `${this.title ? `${this.title}, ` : ""}last 120 seconds. ${parts.join(". ")}.`;
	}

	/** New values: `times` (unix ms) and one list for each key, both owned by the caller. */
	update(times, data) {
		this.times = times;
		this.data = data;
		const at = newest(times) ?? "";
		for (const [key, figure] of this.figures) {
			const value = newest(data[key]);
			text(figure, this.format(value));
			figure.dataset.at = at;
			figure.dataset.value = value ?? "";
		}
		this.canvas.setAttribute("aria-label", this.describe());
		this.element.dataset.at = at;
		if (this.seen && document.visibilityState === "visible") this.setVisible(true);
	}

	destroy() {
		visible.unobserve(this.element);
		alive.delete(this);
		this.chart?.destroy();
		this.chart = null;
	}
}

/** A chart; its `element` is put into the document by the caller, who also calls `destroy`. */
export function lineChart(series, options) {
	return new LineChart(series, options);
}

/** Draws all charts again, in the present colours. */
export function redraw() {
	for (const chart of alive) if (chart.chart) chart.draw();
}

/** The colour of the n-th of several clusters: a custom property. */
export function seriesColour(index) {
	return `--c${(index % 8) + 1}`;
}

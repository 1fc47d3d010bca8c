// Plots as SVG, redrawn at the available width: text keeps its size on a phone.

import { brief, element, svg } from "./common.js";

/** Outlines of marks that distinguish curves without colour. */
const MARKS = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "M-3.7-3.7h7.4v7.4h-7.4z", "M0-5l5 8.6h-10z", "M0-5.2l5 5.2l-5 5.2l-5-5.2z", "M0 5l5-8.6h-10z", "M-5-1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z"];
const DASHES = [null, "7 4", "2.5 3.5", "9 3 2 3", "12 4", "4 4"];

export const mark = (index, attributes = {}) =>
  svg("path", { d: MARKS[index % MARKS.length], class: `fill-${(index % 6) + 1}`, ...attributes });

/** A sample for a legend: the mark on its line. */
export function sample(index, { line = true, points = true, hollow = false } = {}) {
  return svg(
    "svg",
    { width: 34, height: 14, viewBox: "-17 -7 34 14", "aria-hidden": "true", class: "sample" },
    line && svg("path", { d: "M-17 0H17", class: `line-${(index % 6) + 1}`, "stroke-dasharray": DASHES[index % 6] }),
    points && mark(index, hollow ? { class: `hollow-${(index % 6) + 1}` } : {}),
  );
}

/** An entry of a legend. */
export const key = (index, text, look) => element("span", { class: "key" }, sample(index, look), text);

/** About `most` entries of a list, evenly spaced, with the last one. */
export function thinned(list, most) {
  const every = Math.ceil(list.length / most);
  return list.filter((_, i) => i % every === 0 || i === list.length - 1);
}

/** The edge of chaos as a line up to σb = `top`. */
export function edgeOfChaos(edge, top) {
  // scale-free activations: χ₁ does not depend on q, nor on σb
  if (edge.length && edge.every(([, b]) => b === 0)) return [[edge[0][0], 0, 0], [edge[0][0], top, 0]];
  return edge.map(([w, b]) => [w, b, 0]);
}

/** Multiples of 1, 2 or 5 times a power of ten. */
function steps(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

/** Ticks of a logarithmic axis: powers of ten, or plain numbers in a range of less than two decades. */
function powers(low, high, most) {
  const whole = steps(low, high, most).filter((t) => Math.abs(t - Math.round(t)) < 1e-9);
  if (whole.length > 2 || (whole.length === 2 && high - low > 2)) return whole.map((at) => ({ at, power: Math.round(at) }));
  const plain = steps(10 ** low, 10 ** high, most).filter((x) => x > 0);
  if (high - low < 0.7) return plain.map((x) => ({ at: Math.log10(x), text: brief(x, 3) }));
  const ticks = [];
  for (let k = Math.floor(low); k <= high; k++) {
    for (const m of [1, 2, 5]) {
      const at = k + Math.log10(m);
      if (at >= low && at <= high) ticks.push({ at, text: brief(m * 10 ** k, 2) });
    }
  }
  return ticks;
}

function label(tick) {
  if (tick.power === undefined) return [tick.text];
  return ["10", svg("tspan", { dy: -5, "font-size": 10 }, String(tick.power).replace("-", "−"))];
}

/**
 * A plot in a node that follows the page's width.
 *
 * draw({ label, x, y, series, cells, marks, texts }): `label` is for screen readers; `x` and `y` are { label, low, high,
 * log, whole }; a series has { index, line: [[x, y, band]], points: [[x, y, error, title]], faded, hollow }; cells are
 * [x0, x1, y0, y1, fill, opacity]. Values on an axis with `log` are decimal logarithms.
 */
export class Plot {
  constructor({ ratio = 0.5, least = 240, most = 420 } = {}) {
    Object.assign(this, { ratio, least, most });
    this.node = element("div", { class: "plot" });
    this.observer = new ResizeObserver(() => this.width !== this.node.clientWidth && this.show());
    this.observer.observe(this.node);
  }

  draw(content) {
    this.content = content;
    this.show();
  }

  show() {
    this.width = this.node.clientWidth;
    if (!this.content || this.width < 50) return;
    this.node.replaceChildren(this.picture(this.content));
  }

  picture({ label: name, x, y, series = [], cells = [], texts = [], grid = true }) {
    const width = this.width;
    const height = Math.round(Math.min(Math.max(width * this.ratio, this.least), this.most));
    const [left, right, top, bottom] = [y.left ?? 62, width - 12, 12, height - 44];
    const across = (v) => left + ((v - x.low) / (x.high - x.low)) * (right - left);
    const up = (v) => bottom - ((v - y.low) / (y.high - y.low)) * (bottom - top);
    this.toValues = (px, py) => [
      x.low + ((px - left) / (right - left)) * (x.high - x.low),
      y.low + ((bottom - py) / (bottom - top)) * (y.high - y.low),
    ];
    const at = (point) => `${across(point[0]).toFixed(1)} ${up(point[1]).toFixed(1)}`;
    const ticks = (axis, pixels) => {
      if (axis.ticks) return axis.ticks;
      const most = Math.max(pixels, 2);
      if (axis.log) return powers(axis.low, axis.high, most);
      const all = steps(axis.low, axis.high, most).filter((t) => !axis.whole || Number.isInteger(t));
      return all.map((value) => ({ at: value, text: brief(value, 5) }));
    };
    const clip = `clip-${(Plot.count = (Plot.count ?? 0) + 1)}`;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name });
    root.append(svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: right - left, height: bottom - top })));
    const inside = svg("g", { "clip-path": `url(#${clip})` });
    for (const [x0, x1, y0, y1, fill, opacity] of cells) {
      // whole pixels, so that neighbours neither overlap nor leave a gap
      const [west, east, north, south] = [across(x0), across(x1), up(y1), up(y0)].map(Math.round);
      inside.append(
        svg("rect", {
          x: west,
          y: north,
          width: east - west,
          height: south - north,
          [fill.startsWith("fill-") ? "class" : "fill"]: fill,
          "fill-opacity": opacity,
          "shape-rendering": "crispEdges",
        }),
      );
    }
    for (const tick of ticks(y, (bottom - top) / 44)) {
      const py = up(tick.at).toFixed(1);
      if (grid) root.append(svg("path", { d: `M${left} ${py}H${right}`, class: "grid" }));
      root.append(svg("text", { x: left - 7, y: Number(py) + 4, "text-anchor": "end" }, ...label(tick)));
    }
    for (const tick of ticks(x, (right - left) / 62)) {
      const px = across(tick.at).toFixed(1);
      root.append(svg("path", { d: `M${px} ${bottom}v5`, class: "axis" }));
      // the last label ends at the edge of the picture
      const [place, anchor] = Number(px) > right - 4 ? [width, "end"] : [px, "middle"];
      root.append(svg("text", { x: place, y: bottom + 19, "text-anchor": anchor }, ...label(tick)));
    }
    root.append(inside);
    for (const curve of series) inside.append(this.curve(curve, at, across, up));
    root.append(svg("path", { d: `M${left} ${top}V${bottom}H${right}`, class: "axis" }));
    root.append(svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle", class: "faint" }, x.label));
    const middle = (top + bottom) / 2;
    root.append(
      svg("text", { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle", class: "faint" }, y.label),
    );
    for (const { at: place, text, anchor = "start", dx = 0, dy = 0 } of texts) {
      root.append(svg("text", { x: across(place[0]) + dx, y: up(place[1]) + dy, "text-anchor": anchor, class: "faint note" }, text));
    }
    return root;
  }

  curve({ index, line = [], points = [], faded, hollow, thin, small }, at, across, up) {
    const colour = (index % 6) + 1;
    const group = svg("g", { opacity: faded ? 0.3 : null });
    const seen = line.filter((p) => Number.isFinite(p[1]));
    if (seen.some((p) => p[2] > 0)) {
      const upper = seen.map((p) => at([p[0], p[1] + p[2]]));
      const lower = seen.toReversed().map((p) => at([p[0], p[1] - p[2]]));
      group.append(svg("path", { class: `fill-${colour}`, opacity: 0.16, d: `M${[...upper, ...lower].join("L")}Z` }));
    }
    if (seen.length) {
      const d = `M${seen.map(at).join("L")}`;
      group.append(svg("path", { class: `line-${colour}${thin ? " thin" : ""}`, d, "stroke-dasharray": DASHES[index % 6] }));
    }
    for (const [px, py, error, title] of points) {
      if (!Number.isFinite(py)) continue;
      if (error > 0) {
        const [x, high, low] = [across(px), up(py + error), up(py - error)].map((v) => v.toFixed(1));
        group.append(svg("path", { class: `line-${colour} thin`, d: `M${x} ${high}V${low}M${x - 3} ${high}h6M${x - 3} ${low}h6` }));
      }
      const place = `translate(${at([px, py])})${small ? " scale(.75)" : ""}`;
      const look = hollow ? `hollow-${colour}` : `fill-${colour}`;
      group.append(mark(index, { transform: place, class: look }));
      if (title) group.lastChild.append(svg("title", {}, title));
    }
    return group;
  }
}

/** The smallest and the largest of the finite numbers, with a margin. */
export function extent(values, margin = 0.04) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const space = high > low ? margin * (high - low) : 0.5;
  return [low - space, high + space];
}

/** A table behind a plot, built when it is opened, and rebuilt by `refresh` while it is open. */
export function behind(summary, make) {
  const place = element("div", { class: "scroll" });
  const node = element(
    "details",
    { class: "behind", ontoggle: () => refresh() },
    element("summary", {}, summary),
    place,
  );
  const refresh = () => node.open && place.replaceChildren(make());
  return { node, refresh };
}

/** Colours from dark blue to yellow of evenly growing lightness, also for colour-blind readers (cividis, Nuñez et al. 2018). */
const CIVIDIS = [[0, 34, 78], [33, 56, 110], [76, 85, 108], [107, 108, 113], [142, 135, 120], [178, 163, 113], [217, 193, 92], [254, 232, 56]];

export function shade(part) {
  const place = Math.min(Math.max(part, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mix = CIVIDIS[low].map((c, i) => Math.round(c + (place - low) * (CIVIDIS[low + 1][i] - c)));
  return `rgb(${mix.join(",")})`;
}

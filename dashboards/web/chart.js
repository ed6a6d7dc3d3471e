/* chart.js - a live line chart over uPlot (joined in front of this file), with what uPlot lacks: gaps where data stopped,
 * plan and last event as curves that reach beyond now, marks, a keyboard cursor, words for screen readers, a table.
 *
 *   const chart = makeChart(host, {
 *       title: 'Orders per minute', format: number,
 *       history: (range) => [{query, label: (labels) => 'de'}],      asked with query_range; label null: not in this chart;
 *                                                                     two series of one label are added up
 *       order: (label) => 3,                                          optional: where a line stands, else by name
 *       live: () => [['de', 31.2], …] | null,                         the values at store.newest
 *       curves: () => [{label, kind, of: 'de', from, step, values}],  optional: marks.js; of: the line whose colour it has
 *   });
 *   chart.update(); chart.push(t, [['de', 31.2]]); chart.close();
 *
 * All charts of a page share one crosshair. Lines differ by colour and by dashes. Drag or Shift+arrows select a stretch,
 * which becomes the range in the address bar. What is out of sight is not drawn, and nothing is drawn twice. */
import {h, setText, setAttribute, show, clean, clock, dateTime, store, place, queryRange, currentRange, plannedEvent} from './app.js';

const POINTS = 600;      /* history is asked for about so many steps */
const SERIES_MAX = 24;   /* more lines than that tell nothing; the chart says how many are left out */
const TABLE_ROWS = 60;
const BRIDGE_MS = 300_000; /* scrapes further apart than that are no line */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [12, 6], [1, 2], [7, 2, 2, 2]];
const COLOURS = 8;       /* --line-0 … --line-7 of app.css: Okabe and Ito's palette for each background */
const CURVES_SHOWN = 6;  /* more plans and last events than that are there, but switched off */

const charts = new Set();
const byFigure = new Map();
const shared = uPlot.sync('crest');
const seen = typeof IntersectionObserver === 'function' ? new IntersectionObserver((entries) => {
    for (const entry of entries) {
        const chart = byFigure.get(entry.target);
        if (chart && chart.visible !== entry.isIntersecting) {
            chart.visible = entry.isIntersecting;
            if (chart.visible)
                chart.appear();
        }
    }
}, {rootMargin: '100px'}) : null;

/* Colours are read once per theme: each reading makes the browser compute styles. */
const colours = new Map();
function css(name) {
    if (!colours.has(name))
        colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return colours.get(name);
}
function repaintAll(all = false) {
    colours.clear();
    for (const chart of charts)
        if (all || chart.visible)
            chart.repaint(all);
}
new MutationObserver(() => repaintAll()).observe(document.documentElement, {attributeFilter: ['data-theme']});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => repaintAll());
/* Paper is white: charts are drawn for it, all of them, and as before afterwards. */
addEventListener('beforeprint', () => {
    document.documentElement.classList.add('printing');
    repaintAll(true);
});
addEventListener('afterprint', () => {
    document.documentElement.classList.remove('printing');
    repaintAll();
});

export function makeChart(host, options) {
    const id = 'chart-' + Math.random().toString(36).slice(2, 9);
    const format = options.format ?? String;
    const canvas = h('div', {class: 'plot', tabindex: '0', role: 'img', 'aria-label': options.title, 'aria-details': id});
    const legend = h('ul', {class: 'legend', 'aria-label': `Lines of ${options.title}`});
    const message = h('p', {class: 'chart-message', hidden: true});
    const spoken = h('p', {class: 'reader-only', role: 'status'});
    const table = h('table', {});
    const details = h('details', {id, class: 'chart-table'}, h('summary', {}, 'Data table', h('span', {class: 'reader-only'}, ` of ${options.title}`)),
        h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Data of ${options.title}`}, table));
    details.addEventListener('toggle', () => details.open && fillTable());
    const caption = h('figcaption', {}, options.title);
    const figure = h('figure', {class: 'chart', 'aria-busy': 'true'}, caption, canvas, message, legend, spoken, details);
    host.append(figure);

    const chart = {figure, caption, visible: !seen, update, push, appear: () => redraw(), repaint, reload, close};
    let xs = [], lines = [], curves = [], plot = null, lastRange = null, request = null, spokenTimer = 0, leftOut = 0;
    let size = {width: 0, height: 0}; /* as observed: asking the element would lay out the page once per chart */
    let drawn = {}, listed = null, values = []; /* what stands on the canvas; the legend's figures */
    const off = new Map(); /* label → hidden, as chosen in the legend */
    /* The keyboard's cursor and where its selection began, as times: points move under it when history arrives. */
    let held = null, anchor = null;
    /* lines: {label, ys} */

    /* ---- data ---- */
    function line(label) {
        let found = lines.find((one) => one.label === label);
        if (!found && lines.length < SERIES_MAX) {
            found = {label, ys: new Array(xs.length).fill(null)};
            lines.push(found);
        } else if (!found) {
            leftOut++;
        }
        return found;
    }
    function stepOf(range) {
        return Math.max(1000, Math.ceil((range.to - range.from) / POINTS / 1000) * 1000);
    }
    async function reload() {
        const range = currentRange(), step = stepOf(range), mine = (request = {});
        setAttribute(figure, 'aria-busy', 'true');
        const from = Math.floor(range.from / step) * step, to = Math.ceil(Math.min(range.to, store.now() + step) / step) * step;
        let answers = [];
        try {
            const queries = options.history(range);
            if (to > from)
                answers = await Promise.all(queries.map((one) => queryRange(one.query, from, to, step, one.lookback_ms)));
            answers = answers.map((series, i) => series.map((one) => ({label: queries[i].label(one.labels), points: one.points})));
        } catch (error) {
            if (mine === request) {
                say(`No history: ${error.message}`);
                setAttribute(figure, 'aria-busy', 'false');
            }
            return;
        }
        if (mine !== request)
            return;
        say('');
        merge(answers.flat().filter((one) => one.label !== null), from, to, step);
        drawn = {};
        redraw();
        setAttribute(figure, 'aria-busy', 'false');
    }
    /* History is the truth up to its newest point; live points after that stay. */
    function merge(series, from, to, step) {
        const grid = [], summed = new Set();
        let newest = 0;
        for (const one of series)
            for (const t of one.points.keys())
                newest = Math.max(newest, t);
        for (let t = from; t <= to && t <= newest; t += step)
            grid.push(t);
        const tail = xs.map((t, i) => i).filter((i) => xs[i] > newest);
        const old = lines;
        xs = [...grid, ...tail.map((i) => xs[i])];
        lines = [];
        leftOut = 0;
        for (const one of series) {
            const made = line(one.label), add = summed.has(one.label);
            summed.add(one.label);
            if (made)
                grid.forEach((t, i) => {
                    const value = one.points.get(t);
                    if (value !== undefined)
                        made.ys[i] = add && Number.isFinite(made.ys[i]) ? made.ys[i] + value : value;
                });
        }
        for (const was of old) {
            if (!tail.some((i) => Number.isFinite(was.ys[i])))
                continue;
            const kept = line(was.label);
            if (kept)
                tail.forEach((i, k) => (kept.ys[grid.length + k] = was.ys[i]));
        }
        for (const now of lines)
            bridge(now.ys);
        order();
    }
    /* Scrapes that are 15 s apart leave empty steps between them: uPlot draws across undefined, and breaks at null. A hole is
     * bridged when the points beside it are spaced alike; where they are closer, something stopped. */
    function bridge(ys) {
        const at = [];
        for (let i = 0; i < ys.length; i++)
            if (Number.isFinite(ys[i]))
                at.push(i);
        for (let k = 1; k < at.length; k++) {
            const wide = xs[at[k]] - xs[at[k - 1]];
            const before = k > 1 ? xs[at[k - 1]] - xs[at[k - 2]] : Infinity, after = k + 1 < at.length ? xs[at[k + 1]] - xs[at[k]] : Infinity;
            if (at[k] - at[k - 1] > 1 && wide <= Math.min(BRIDGE_MS, 2.5 * Math.min(before, after)))
                ys.fill(undefined, at[k - 1] + 1, at[k]);
        }
    }
    function order() {
        const rankOf = options.order ?? (() => 0);
        lines.sort((a, b) => rankOf(a.label) - rankOf(b.label) || a.label.localeCompare(b.label, 'en', {numeric: true}));
    }
    /* One point per step. After a pause an empty one goes before it: a gap, not a line across. */
    function push(t, points) {
        const range = currentRange(), step = stepOf(range), last = xs[xs.length - 1] ?? 0;
        if (!points || !range.live || t <= last || (t - last < step && xs.length > 1))
            return;
        if (last && t - last > Math.max(3000, 2.5 * Math.max(step, store.step)))
            addColumn(last + step);
        addColumn(t);
        const count = lines.length;
        leftOut = 0;
        for (const [label, value] of points) {
            const at = line(label);
            if (at)
                at.ys[xs.length - 1] = Number.isFinite(value) ? value : null;
        }
        if (lines.length !== count)
            order();
        let old = 0;
        while (old < xs.length && xs[old] < range.from - step * 2)
            old++;
        if (old > 50) {
            xs.splice(0, old);
            for (const one of lines)
                one.ys.splice(0, old);
        }
    }
    function addColumn(t) {
        xs.push(t);
        for (const one of lines)
            one.ys.push(null);
    }
    const hidden = (one, i) => off.get(one.label) ?? (one.kind !== undefined && i >= CURVES_SHOWN);

    /* ---- drawing ---- */
    function colourOf(one) {
        const index = lines.findIndex((other) => other.label === one.label);
        return css(`--line-${index % COLOURS}`);
    }
    function curveColour(curve) {
        const of = curve.of === undefined ? null : lines.find((one) => one.label === curve.of);
        return of && lines.length > 1 ? colourOf(of) : css(curve.kind === 'plan' ? '--plan' : '--last');
    }
    function build() {
        const ink = css('--ink-2'), rule = css('--rule');
        const axis = {stroke: ink, font: '12px system-ui, sans-serif', grid: {stroke: rule, width: 1}, ticks: {stroke: rule, width: 1}};
        const range = currentRange();
        plot?.destroy();
        plot = new uPlot({
            ms: 1, padding: [MARK_BAND, null, 0, 0], width: Math.max(80, size.width), height: Math.max(80, size.height), legend: {show: false},
            scales: {x: {time: true, auto: false, min: range.from, max: range.to, range: (u, min, max) => [min, max]},
                y: {range: (u, min, max) => {
                    const now = currentRange(); /* not that of the scales, which is the one drawn last */
                    const top = Math.max(max ?? 0, curvesTop(curves.filter((one, i) => !hidden(one, i)), now.from, now.to));
                    return [Math.min(0, min ?? 0), top > 0 ? top * 1.08 : 1];
                }}},
            axes: [{...axis, space: 70, size: 36, values: (u, ticks) => timeTicks(ticks)},
                {...axis, size: 64, values: (u, ticks) => ticks.map((y) => format(y))}],
            cursor: {sync: {key: shared.key, setSeries: false, scales: ['x', null]}, drag: {x: true, y: false, setScale: false}, points: {size: 7}},
            series: [{}, ...lines.map((one, i) => ({
                label: one.label, show: !hidden(one), stroke: css(`--line-${i % COLOURS}`), width: 2, spanGaps: false, dash: DASHES[i % DASHES.length],
                points: {show: (u, s, from, to) => to - from < 2, size: 5},
            }))],
            hooks: {
                setCursor: [readCursor],
                setSelect: [(u) => {
                    if (u.select.width < 4)
                        return;
                    const from = u.posToVal(u.select.left, 'x'), to = u.posToVal(u.select.left + u.select.width, 'x');
                    u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
                    place.zoom(from, to);
                }],
                drawAxes: [(u) => curves.forEach((one, i) => hidden(one, i) || drawCurve(u, one, curveColour(one), devicePixelRatio || 1))],
                draw: [(u) => drawMarks(u, allMarks(), css('--ink-2'), devicePixelRatio || 1)],
            },
        }, [xs, ...lines.map((one) => one.ys)], canvas);
        readCursor(plot);
        holdCursor();
    }
    function redraw() {
        const shape = [...lines, ...curves].map((one, i) => `${one.label}\t${one.kind}\t${hidden(one, i - lines.length)}`).join('\n') + leftOut;
        if (shape !== listed) { /* also out of sight: readers walk through the page in their own way */
            listed = shape;
            fillLegend();
            readCursor(plot);
        }
        if (!chart.visible || !size.width)
            return;
        const range = currentRange();
        const now = {shape, from: range.from, to: range.to, newest: xs[xs.length - 1], points: xs.length, marks: allMarks().map((mark) => mark.t + mark.words).join('\t')};
        if (plot && Object.keys(now).every((name) => now[name] === drawn[name]))
            return;
        if (!plot || drawn.shape !== shape) {
            drawn = now;
            build();
            return;
        }
        drawn = now;
        plot.batch(() => {
            plot.setData([xs, ...lines.map((one) => one.ys)], false);
            plot.setScale('x', {min: range.from, max: range.to});
        });
        holdCursor();
        readCursor(plot);
    }
    function repaint(always) {
        const visible = chart.visible;
        chart.visible ||= always;
        drawn = {};
        listed = null;
        redraw();
        chart.visible = visible;
    }
    function update() {
        const range = currentRange();
        const key = `${range.text}|${place.get('to')}|${range.fixed ?? ''}`;
        if (key !== lastRange && (store.frames > 0 || !range.live)) {
            lastRange = key;
            xs = [];
            lines = [];
            reload();
        }
        curves = options.curves?.() ?? curves;
        if (options.live)
            push(store.newest, store.newest > (xs[xs.length - 1] ?? 0) ? options.live() : null);
        redraw();
    }
    function say(words) {
        setText(message, words);
        show(message, words !== '');
    }

    /* ---- reading ---- */
    function fillLegend() {
        const entries = [...lines, ...curves];
        values = entries.map(() => h('span', {class: 'value'}));
        legend.replaceChildren(...entries.map((one, i) => {
            const sample = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
            sample.setAttribute('viewBox', '0 0 24 8');
            sample.setAttribute('aria-hidden', 'true');
            const stroke = document.createElementNS('http://www.w3.org/2000/svg', 'line');
            for (const [name, value] of [['x1', 0], ['x2', 24], ['y1', 4], ['y2', 4], ['stroke-width', one.kind ? 2 : 3]])
                stroke.setAttribute(name, value);
            stroke.style.stroke = one.kind ? curveColour(one) : colourOf(one);
            stroke.style.strokeDasharray = (one.kind ? CURVE_DASH[one.kind] : DASHES[i % DASHES.length]).join(' ');
            sample.append(stroke);
            const out = hidden(one, i - lines.length);
            return h('li', {}, h('button', {type: 'button', 'aria-pressed': String(!out), title: 'Show or hide this line', onclick: (event) => {
                off.set(one.label, !out);
                redraw();
                legend.children[i]?.firstChild.focus();
                event.preventDefault();
            }}, sample, h('bdi', {}, one.label), values[i]));
        }));
        if (leftOut)
            legend.append(h('li', {class: 'quiet'}, 'More lines than a chart can hold; the first are shown.'));
    }
    function readCursor(u) {
        const on = u !== null && u.cursor.left >= 0 && u.cursor.idx !== null && u.cursor.idx !== undefined;
        const t = on ? held ?? u.posToVal(u.cursor.left, 'x') : store.now();
        const ahead = on && t > (xs[xs.length - 1] ?? 0) + 2 * stepOf(currentRange());
        const at = on && !ahead ? u.cursor.idx : null;
        lines.forEach((one, i) => {
            let value = at !== null ? one.ys[at] : null;
            if (!on)
                for (let k = one.ys.length - 1; k >= Math.max(0, one.ys.length - 3) && !Number.isFinite(value); k--)
                    value = one.ys[k];
            if (values[i])
                setText(values[i], format(value ?? undefined));
        });
        curves.forEach((one, i) => values[lines.length + i] && setText(values[lines.length + i], format(curveAt(one, at !== null ? xs[at] : t))));
        setText(caption, on ? `${options.title} · ${dayClock(at !== null ? xs[at] : t)}` : options.title);
    }
    function words(at) {
        const all = [...lines.filter((one) => !hidden(one)).map((one) => `${one.label} ${Number.isFinite(one.ys[at]) ? format(one.ys[at]) : 'no data'}`),
            ...curves.filter((one, i) => !hidden(one, i)).map((one) => `${one.label} ${format(curveAt(one, xs[at]))}`)];
        return `${clock(xs[at])}: ` + (all.join(', ') || 'no lines');
    }
    function nearest(t) {
        let low = 0, high = xs.length - 1;
        while (high - low > 1) {
            const middle = (low + high) >> 1;
            if (xs[middle] <= t)
                low = middle;
            else
                high = middle;
        }
        return t - xs[low] <= xs[high] - t ? low : high;
    }
    /* Puts cursor and selection back to their times after anything was drawn anew. */
    function holdCursor() {
        if (held === null || !plot)
            return;
        plot.setCursor({left: plot.valToPos(held, 'x'), top: plot.over.clientHeight / 2}, true, true);
        const a = plot.valToPos(anchor ?? held, 'x'), b = plot.valToPos(held, 'x');
        plot.setSelect({left: Math.min(a, b), top: 0, width: Math.abs(a - b), height: plot.over.clientHeight}, false);
    }
    function letGo() {
        held = anchor = null;
        plot?.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
    }
    canvas.addEventListener('pointermove', () => held !== null && letGo());
    canvas.addEventListener('keydown', (event) => {
        if (!plot || !xs.length || event.ctrlKey || event.altKey || event.metaKey)
            return;
        const at = held !== null ? nearest(held) : plot.cursor.left >= 0 ? plot.cursor.idx ?? xs.length - 1 : xs.length - 1;
        const jump = Math.max(1, Math.round(xs.length / 60));
        if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
            anchor = event.shiftKey ? anchor ?? xs[at] : null;
            held = xs[Math.min(xs.length - 1, Math.max(0, at + (event.key === 'ArrowLeft' ? -jump : jump)))];
        } else if (event.key === 'Home' || event.key === 'End') {
            anchor = event.shiftKey ? anchor ?? xs[at] : null;
            held = xs[event.key === 'Home' ? 0 : xs.length - 1];
        } else if (event.key === 'Enter' && anchor !== null && held !== null) {
            const [from, to] = [Math.min(anchor, held), Math.max(anchor, held)];
            letGo();
            place.zoom(from, to);
            event.preventDefault();
            return;
        } else if (event.key === 'Escape') {
            letGo();
            plot.setCursor({left: -10, top: -10}, true, true);
            return;
        } else {
            return;
        }
        event.preventDefault();
        holdCursor();
        const selected = anchor === null || anchor === held ? '' : ` Selected from ${clock(anchor)}; Enter zooms.`;
        clearTimeout(spokenTimer);
        spokenTimer = setTimeout(() => held !== null && setText(spoken, words(nearest(held)) + selected), 250);
    });
    /* At most 60 rows: every n-th point, and the extremes would be the engine's job, not the eye's. */
    function fillTable() {
        const every = Math.max(1, Math.ceil(xs.length / TABLE_ROWS));
        const rows = xs.map((t, i) => i).filter((i) => (xs.length - 1 - i) % every === 0);
        table.replaceChildren(
            h('caption', {}, `${options.title}, ${rows.length} of ${xs.length} points`),
            h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Time'), [...lines, ...curves].map((one) => h('th', {scope: 'col'}, one.label)))),
            h('tbody', {}, rows.map((i) => h('tr', {}, h('th', {scope: 'row'}, dateTime(xs[i])),
                lines.map((one) => h('td', {}, format(one.ys[i] ?? undefined))), curves.map((one) => h('td', {}, format(curveAt(one, xs[i]))))))));
    }

    const resized = new ResizeObserver((entries) => {
        const {width, height} = entries[entries.length - 1].contentRect;
        if (matchMedia('print').matches || (Math.floor(width) === size.width && Math.floor(height) === size.height))
            return;
        size = {width: Math.floor(width), height: Math.floor(height)};
        if (plot && size.width)
            plot.setSize({width: Math.max(80, size.width), height: Math.max(80, size.height)});
        else if (!plot)
            redraw();
    });
    resized.observe(canvas);
    const stopGap = store.on('gap', reload);
    charts.add(chart);
    byFigure.set(figure, chart);
    seen?.observe(figure);

    function close() {
        request = null;
        clearTimeout(spokenTimer);
        resized.disconnect();
        seen?.unobserve(figure);
        stopGap();
        charts.delete(chart);
        byFigure.delete(figure);
        plot?.destroy();
        figure.remove();
    }
    return chart;
}

/* Hours and minutes, seconds where ticks are closer, the day where they are further apart or it changes. */
function timeTicks(ticks) {
    const apart = ticks.length > 1 ? ticks[1] - ticks[0] : 0, unit = apart >= 60_000 ? 60_000 : 1000;
    return ticks.map((tick) => Math.round(tick / unit) * unit).map((t) => (apart >= 86_400_000 || (apart >= 3_600_000 && new Date(t).getHours() === 0) ? dateTime(t).slice(5, 10) : apart >= 60_000 ? clock(t).slice(0, 5) : clock(t)));
}
function dayClock(t) {
    return Math.abs(t - store.now()) < 43_200_000 ? clock(t) : dateTime(t);
}

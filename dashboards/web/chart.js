/* chart.js - a live line chart over uPlot (joined in front of this file), with what uPlot lacks: gaps where data stopped,
 * plan and last event as lines, a keyboard cursor, words for screen readers, a table.
 *
 *   const chart = makeChart(host, {
 *       title: 'Orders per minute', format: number,
 *       history: (range) => [{query, label: (labels) => 'de'}],      asked with query_range; label null: not in this chart
 *       order: (label) => 3,                                          optional: where a line stands, else by name
 *       live: () => [['de', 31.2], …] | null,                         the values at store.newest
 *   });
 *   chart.update(); chart.close();
 *
 * All charts of a page share one crosshair. Lines differ by colour and by dashes. Drag or Shift+arrows select a stretch,
 * which becomes the range in the address bar. */
import {h, setText, setAttribute, show, clean, clock, dateTime, store, place, queryRange, currentRange} from './app.js';

const POINTS = 600;      /* history is asked for about so many steps */
const SERIES_MAX = 24;   /* more lines than that tell nothing; the legend says how many are left out */
const TABLE_ROWS = 60;
const BRIDGE_MS = 300_000; /* scrapes further apart than that are no line */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [12, 6], [1, 2], [7, 2, 2, 2]];
const COLOURS = 8;       /* --line-0 … --line-7 of app.css: Okabe and Ito's palette for each background */

const charts = new Set();
const shared = uPlot.sync('crest');
const seen = typeof IntersectionObserver === 'function' ? new IntersectionObserver((entries) => {
    for (const entry of entries) {
        const chart = [...charts].find((one) => one.figure === entry.target);
        if (chart) {
            chart.visible = entry.isIntersecting;
            if (chart.visible)
                chart.update();
        }
    }
}) : null;

function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
function axisFont() {
    return '12px system-ui, sans-serif';
}

export function makeChart(host, options) {
    const id = 'chart-' + Math.random().toString(36).slice(2, 9);
    const canvas = h('div', {class: 'plot', tabindex: '0', role: 'img', 'aria-label': options.title, 'aria-details': id});
    const legend = h('ul', {class: 'legend', 'aria-label': `Lines of ${options.title}`});
    const message = h('p', {class: 'chart-message', hidden: true});
    const spoken = h('p', {class: 'reader-only', role: 'status'});
    const table = h('table', {});
    const details = h('details', {id, class: 'chart-table'}, h('summary', {}, 'Data table', h('span', {class: 'reader-only'}, ` of ${options.title}`)),
        h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Data of ${options.title}`}, table));
    details.addEventListener('toggle', () => details.open && fillTable());
    const figure = h('figure', {class: 'chart', 'aria-busy': 'true'}, h('figcaption', {}, options.title), canvas, message, legend, spoken, details);
    host.append(figure);

    const chart = {figure, visible: !seen, update, close, reload};
    let xs = [], lines = [], plot = null, lastRange = null, request = null, marks = '', lastLive = 0, spokenTimer = 0;
    /* The keyboard's cursor and where its selection began, as times: points move under it when history arrives. */
    let held = null, anchor = null;
    /* lines: {label, ys, kind: 'live' | 'plan' | 'last', hidden} */

    /* ---- data ---- */
    function line(label, kind = 'live') {
        let found = lines.find((one) => one.label === label);
        if (!found && lines.length < SERIES_MAX) {
            found = {label, ys: new Array(xs.length).fill(null), kind, hidden: false};
            lines.push(found);
        }
        return found;
    }
    function stepOf(range) {
        return Math.max(1000, Math.ceil((range.to - range.from) / POINTS / 1000) * 1000);
    }
    async function reload() {
        const range = currentRange(), step = stepOf(range), mine = (request = {});
        setAttribute(figure, 'aria-busy', 'true');
        const from = Math.floor(range.from / step) * step, to = Math.ceil(range.to / step) * step;
        let answers;
        try {
            const queries = options.history(range);
            answers = await Promise.all(queries.map((one) => queryRange(one.query, from, to, step, one.lookback_ms)));
            answers = answers.map((series, i) => series.map((one) => ({label: queries[i].label(one.labels), points: one.points, kind: queries[i].kind})));
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
        redraw(true);
        setAttribute(figure, 'aria-busy', 'false');
    }
    /* History is the truth up to its newest point; live points after that stay. */
    function merge(series, from, to, step) {
        const grid = [];
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
        for (const one of series) {
            const made = line(one.label, one.kind);
            if (made)
                grid.forEach((t, i) => (made.ys[i] = one.points.get(t) ?? made.ys[i]));
        }
        for (const was of old) {
            if (!tail.some((i) => Number.isFinite(was.ys[i])))
                continue;
            const kept = line(was.label, was.kind);
            if (kept)
                tail.forEach((i, k) => (kept.ys[grid.length + k] = was.ys[i]));
        }
        for (const now of lines)
            bridge(now.ys);
        for (const now of lines)
            now.hidden = old.find((was) => was.label === now.label)?.hidden ?? false;
        order();
    }
    /* Scrapes that are 15 s apart leave empty steps between them: uPlot draws across undefined, and breaks at null. A hole is
     * bridged when the points beside it are spaced alike; where they are closer, something stopped. */
    function bridge(ys) {
        const at = ys.map((y, i) => i).filter((i) => Number.isFinite(ys[i]));
        for (let k = 1; k < at.length; k++) {
            const wide = xs[at[k]] - xs[at[k - 1]];
            const before = k > 1 ? xs[at[k - 1]] - xs[at[k - 2]] : Infinity, after = k + 1 < at.length ? xs[at[k + 1]] - xs[at[k]] : Infinity;
            if (at[k] - at[k - 1] > 1 && wide <= Math.min(BRIDGE_MS, 2.5 * Math.min(before, after)))
                ys.fill(undefined, at[k - 1] + 1, at[k]);
        }
    }
    function order() {
        const rank = {live: 0, plan: 1, last: 2};
        const rankOf = options.order ?? (() => 0);
        lines.sort((a, b) => rank[a.kind] - rank[b.kind] || rankOf(a.label) - rankOf(b.label) || a.label.localeCompare(b.label, 'en', {numeric: true}));
    }
    /* One point per step. After a pause an empty one goes before it: a gap, not a line across. */
    function append(range) {
        const values = store.newest > lastLive ? options.live?.() : null;
        if (!values)
            return false;
        const t = store.newest, step = stepOf(range), last = xs[xs.length - 1] ?? 0;
        lastLive = t;
        if (t <= last || (t - last < step && xs.length > 1))
            return false;
        if (last && t - last > Math.max(3000, 2.5 * Math.max(step, store.step)))
            push(last + step);
        push(t);
        const count = lines.length;
        for (const [label, value, kind] of values) {
            const at = line(label, kind);
            if (at)
                at.ys[xs.length - 1] = Number.isFinite(value) ? value : null;
        }
        if (lines.length !== count)
            order();
        const old = xs.findIndex((x) => x >= range.from - step * 2);
        if (old > 50) {
            xs.splice(0, old);
            for (const one of lines)
                one.ys.splice(0, old);
        }
        return true;
    }
    function push(t) {
        xs.push(t);
        for (const one of lines)
            one.ys.push(null);
    }

    /* ---- drawing ---- */
    function series() {
        return lines.map((one, i) => {
            const plain = one.kind === 'live';
            const index = lines.filter((other) => other.kind === 'live').indexOf(one);
            return {
                label: one.label, show: !one.hidden,
                stroke: plain ? css(`--line-${index % COLOURS}`) : css(one.kind === 'plan' ? '--plan' : '--last'),
                width: plain ? 2 : 1.5, spanGaps: false,
                dash: plain ? DASHES[index % DASHES.length] : one.kind === 'plan' ? [6, 6] : [2, 4],
                points: {show: (u, s, from, to) => to - from < 2, size: 5},
            };
        });
    }
    function build() {
        const ink = css('--ink-2'), rule = css('--rule');
        const axis = {stroke: ink, font: axisFont(), grid: {stroke: rule, width: 1}, ticks: {stroke: rule, width: 1}};
        plot?.destroy();
        plot = new uPlot({
            ms: 1, width: Math.max(80, canvas.clientWidth), height: Math.max(80, canvas.clientHeight), legend: {show: false},
            scales: {x: {time: true, auto: false, range: (u, min, max) => [min, max]},
                y: {range: (u, min, max) => {
                    if (options.range)
                        return options.range;
                    return [Math.min(0, min ?? 0), max > 0 ? max * 1.08 : 1];
                }}},
            axes: [{...axis, space: 70, size: 36, values: (u, ticks, n, s, step) => ticks.map((t) => (step >= 60_000 ? clock(t).slice(0, 5) : clock(t)))},
                {...axis, size: 64, values: (u, ticks) => ticks.map((y) => (options.format ? options.format(y) : y))}],
            cursor: {sync: {key: shared.key, setSeries: false, scales: ['x', null]}, drag: {x: true, y: false, setScale: false}, points: {size: 7}},
            series: [{}, ...series()],
            hooks: {
                setCursor: [readCursor],
                setSelect: [(u) => {
                    if (u.select.width < 4)
                        return;
                    const from = u.posToVal(u.select.left, 'x'), to = u.posToVal(u.select.left + u.select.width, 'x');
                    u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
                    place.zoom(from, to);
                }],
                draw: [drawMarks],
            },
        }, [xs, ...lines.map((one) => one.ys)], canvas);
        showRange();
        fillLegend();
        holdCursor();
    }
    function showRange() {
        const range = currentRange();
        plot.setScale('x', {min: range.from, max: range.to});
    }
    /* Annotations are lines with their words; phases and deploys explain a bend in the curve. */
    function drawMarks(u) {
        const ctx = u.ctx, scale = devicePixelRatio || 1;
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = css('--ink-2');
        ctx.font = `${11 * scale}px system-ui, sans-serif`;
        ctx.textAlign = 'left';
        ctx.textBaseline = 'alphabetic';
        ctx.setLineDash([3 * scale, 3 * scale]);
        let free = 0;
        for (const mark of store.rows('annotations').sort((a, b) => a.t - b.t)) {
            if (!(mark.t >= u.scales.x.min && mark.t <= u.scales.x.max))
                continue;
            const x = Math.round(u.valToPos(mark.t, 'x', true));
            ctx.beginPath();
            ctx.moveTo(x, u.bbox.top);
            ctx.lineTo(x, u.bbox.top + u.bbox.height);
            ctx.stroke();
            const words = clean(mark.text ?? mark.kind ?? '').slice(0, 24);
            if (x > free) {
                const width = ctx.measureText(words).width;
                const left = Math.min(x + 4 * scale, u.bbox.left + u.bbox.width - width);
                if (left < free)
                    continue;
                ctx.fillText(words, left, u.bbox.top + 10 * scale);
                free = left + width + 8 * scale;
            }
        }
        ctx.restore();
    }
    let shape = '';
    function redraw(always = false) {
        if (!chart.visible || !canvas.clientWidth)
            return;
        const now = lines.map((one) => one.label + one.kind + one.hidden).join('\n');
        if (!plot || now !== shape || always) {
            shape = now;
            build();
            return;
        }
        const range = currentRange();
        plot.batch(() => {
            plot.setData([xs, ...lines.map((one) => one.ys)], false);
            plot.setScale('x', {min: range.from, max: range.to});
        });
        holdCursor();
        readCursor(plot);
    }
    function update() {
        const range = currentRange();
        const key = `${place.get('from')}|${place.get('to')}`;
        if (key !== lastRange && (store.frames > 0 || !range.live)) {
            lastRange = key;
            xs = [];
            lines = [];
            reload();
        }
        const added = range.live && append(range);
        const markKey = store.rows('annotations').length + '';
        if (added || range.live || markKey !== marks)
            redraw();
        marks = markKey;
    }
    function say(words) {
        setText(message, words);
        show(message, words !== '');
    }

    /* ---- reading ---- */
    function fillLegend() {
        legend.replaceChildren(...lines.map((one, i) => {
            const s = plot.series[i + 1];
            const sample = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
            sample.setAttribute('viewBox', '0 0 24 8');
            sample.setAttribute('aria-hidden', 'true');
            const stroke = document.createElementNS('http://www.w3.org/2000/svg', 'line');
            for (const [name, value] of [['x1', 0], ['x2', 24], ['y1', 4], ['y2', 4], ['stroke-width', 3]])
                stroke.setAttribute(name, value);
            stroke.style.stroke = typeof s.stroke === 'function' ? s.stroke(plot, i + 1) : s.stroke;
            stroke.style.strokeDasharray = (s.dash ?? []).join(' ');
            sample.append(stroke);
            return h('li', {}, h('button', {type: 'button', 'aria-pressed': String(!one.hidden), title: 'Show or hide this line', onclick: () => {
                one.hidden = !one.hidden;
                redraw();
            }}, sample, h('bdi', {}, one.label), h('span', {class: 'value'})));
        }));
        readCursor(plot);
    }
    function readCursor(u) {
        const at = u.cursor.idx, on = u.cursor.left >= 0 && at !== null && at !== undefined;
        [...legend.children].forEach((item, i) => {
            const ys = lines[i]?.ys ?? [];
            let value = on ? ys[at] : null;
            if (!on)
                for (let k = ys.length - 1; k >= Math.max(0, ys.length - 3) && !Number.isFinite(value); k--)
                    value = ys[k];
            setText(item.querySelector('.value'), (options.format ?? String)(value ?? undefined));
        });
        setText(figure.querySelector('figcaption'), on && xs[at] ? `${options.title} · ${clock(xs[at])}` : options.title);
    }
    function words(at) {
        return `${clock(xs[at])}: ` + (lines.filter((one) => !one.hidden).map((one) =>
            `${one.label} ${!Number.isFinite(one.ys[at]) ? 'no data' : (options.format ?? String)(one.ys[at])}`).join(', ') || 'no lines');
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
            h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Time'), lines.map((one) => h('th', {scope: 'col'}, one.label)))),
            h('tbody', {}, rows.map((i) => h('tr', {}, h('th', {scope: 'row'}, dateTime(xs[i])),
                lines.map((one) => h('td', {}, (options.format ?? String)(one.ys[i] ?? undefined)))))));
    }

    const resized = new ResizeObserver(() => {
        if (plot && canvas.clientWidth)
            plot.setSize({width: Math.max(80, canvas.clientWidth), height: Math.max(80, canvas.clientHeight)});
        else
            redraw();
    });
    resized.observe(canvas);
    const stopGap = store.on('gap', reload);
    seen?.observe(figure);
    charts.add(chart);

    function close() {
        request = null;
        clearTimeout(spokenTimer);
        resized.disconnect();
        seen?.unobserve(figure);
        stopGap();
        charts.delete(chart);
        plot?.destroy();
        figure.remove();
    }
    return chart;
}

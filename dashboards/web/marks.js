/* marks.js - what stands in a chart beside its lines: curves of plan and last event, which reach beyond now, and the
 * marks of annotations and phases with their words. Drawn on uPlot's canvas; joined in front of chart.js.
 *
 * A curve: {label, kind: 'plan' | 'last', from, step, values, colour?}: values[i] holds from from + i * step, step ms long. */
const MARK_BAND = 18;     /* height of the row of words above the plot */
const MARK_WIDTH = 360, MARK_HEIGHT = 120; /* smaller plots have shapes only */
const MARK_WORDS = 28, MARK_REACH = 240;   /* letters; how far left of their mark words may begin */
const CURVE_DASH = {plan: [7, 4], last: [1.5, 3.5]};
const MARK_SHAPES = {deploy: '▲', phase: '◆', incident: '■'};

function curveAt(curve, t) {
    const value = t >= curve.from ? curve.values[Math.floor((t - curve.from) / curve.step)] : undefined;
    return Number.isFinite(value) ? value : undefined;
}
/* The indexes of values in sight, and how many of them are one pixel. */
function curveSight(curve, min, max, pixels) {
    const first = Math.max(0, Math.floor((min - curve.from) / curve.step));
    const last = Math.min(curve.values.length - 1, Math.floor((max - curve.from) / curve.step));
    return [first, last, Math.max(1, Math.floor((last - first + 1) / Math.max(1, pixels)))];
}
function curvesTop(curves, min, max) {
    let top = -Infinity;
    for (const curve of curves) {
        const [first, last] = curveSight(curve, min, max, 1);
        for (let i = first; i <= last; i++)
            if (curve.values[i] > top)
                top = curve.values[i];
    }
    return top;
}
/* Steps, as they are meant: a value is that of its whole minute. Where many fall on a pixel, their mean. */
function drawCurve(u, curve, colour, scale) {
    const ctx = u.ctx, {min, max} = u.scales.x;
    const [first, last, many] = curveSight(curve, min, max, u.bbox.width);
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.beginPath();
    let pen = false;
    for (let i = first; i <= last; i += many) {
        let sum = 0, count = 0;
        for (let k = i; k < Math.min(i + many, last + 1); k++) {
            if (Number.isFinite(curve.values[k])) {
                sum += curve.values[k];
                count++;
            }
        }
        if (!count) {
            pen = false;
            continue;
        }
        const y = u.valToPos(sum / count, 'y', true), from = curve.from + i * curve.step;
        const left = u.valToPos(from, 'x', true), right = u.valToPos(from + many * curve.step, 'x', true);
        if (pen)
            ctx.lineTo(left, y);
        else
            ctx.moveTo(left, y);
        ctx.lineTo(right, y);
        pen = true;
    }
    ctx.strokeStyle = colour;
    ctx.lineWidth = (curve.kind === 'plan' ? 1.6 : 2) * scale;
    ctx.setLineDash(CURVE_DASH[curve.kind].map((x) => x * scale));
    ctx.stroke();
    ctx.restore();
}

/* Annotations of the stream and the phases of the event, by time. The same list for all charts of a frame. */
let marksOf = null, marksAt = -1;
function allMarks() {
    if (marksAt !== store.frames) {
        marksAt = store.frames;
        marksOf = store.rows('annotations').filter((row) => Number.isFinite(row.t)).map((row) => ({t: row.t, kind: row.kind ?? 'note',
            words: [row.service, row.text || row.kind].filter(Boolean).join(': ')}));
        for (const phase of plannedEvent()?.phases ?? [])
            if (Number.isFinite(phase.starts))
                marksOf.push({t: phase.starts, kind: 'phase', words: phase.name});
        marksOf.sort((a, b) => a.t - b.t);
    }
    return marksOf;
}
/* Words stand above the plot, so that no line is hidden, the newest first until the row is full; inside is only the mark's
 * own line. Small charts have shapes without words. */
function drawMarks(u, marks, ink, scale) {
    const ctx = u.ctx, {min, max} = u.scales.x, {left, top, width, height} = u.bbox, band = MARK_BAND * scale;
    const worded = width >= MARK_WIDTH * scale && height >= MARK_HEIGHT * scale;
    let free = left + width;
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    ctx.lineWidth = scale;
    ctx.strokeStyle = ctx.fillStyle = ink;
    ctx.setLineDash([3 * scale, 3 * scale]);
    for (const mark of marks.filter(({t}) => t >= min && t <= max).reverse()) {
        const x = Math.round(u.valToPos(mark.t, 'x', true)), shape = MARK_SHAPES[mark.kind] ?? '●', half = ctx.measureText(shape).width / 2;
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x, top + height);
        ctx.stroke();
        let words = clean(mark.words);
        if (words.length > MARK_WORDS)
            words = words.slice(0, MARK_WORDS - 1) + '…';
        words = `${shape} ${words}`;
        const start = Math.max(left, Math.min(x - half, free - ctx.measureText(words).width)), end = start + ctx.measureText(words).width;
        if (worded && end <= free && start > x - MARK_REACH * scale) {
            ctx.fillText(words, start, top - band / 2);
            free = start - 8 * scale;
        } else if (x + half <= free || !worded) {
            ctx.fillText(shape, Math.max(left, x - half), top - band / 2);
            free = Math.min(free, x - half - 2 * scale);
        }
    }
    ctx.restore();
}

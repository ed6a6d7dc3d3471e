/* marks.js - what stands in a chart beside its lines: curves of plan and last event, which reach beyond now, and the
 * marks of annotations and phases with their words. Drawn on uPlot's canvas; joined in front of chart.js.
 *
 * A curve: {label, kind: 'plan' | 'last', from, step, values, colour?}: values[i] holds from from + i * step, step ms long. */
const MARK_ROWS = 3;      /* words beside each other take rows; a fourth would hide the lines */
const MARK_WORDS = 28;
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
function drawMarks(u, marks, ink, paper, scale) {
    const ctx = u.ctx, {min, max} = u.scales.x, height = 14 * scale;
    const free = new Array(MARK_ROWS).fill(-Infinity);
    ctx.save();
    ctx.font = `${11 * scale}px system-ui, sans-serif`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    ctx.lineWidth = scale;
    for (const mark of marks) {
        if (!(mark.t >= min && mark.t <= max))
            continue;
        const x = Math.round(u.valToPos(mark.t, 'x', true));
        ctx.strokeStyle = ink;
        ctx.setLineDash([3 * scale, 3 * scale]);
        ctx.beginPath();
        ctx.moveTo(x, u.bbox.top);
        ctx.lineTo(x, u.bbox.top + u.bbox.height);
        ctx.stroke();
        let words = `${MARK_SHAPES[mark.kind] ?? '●'} ${clean(mark.words)}`;
        if (words.length > MARK_WORDS)
            words = words.slice(0, MARK_WORDS - 1) + '…';
        const width = ctx.measureText(words).width + 6 * scale;
        const left = Math.max(u.bbox.left, Math.min(x + 2 * scale, u.bbox.left + u.bbox.width - width));
        const row = free.findIndex((end) => end < left);
        if (row < 0)
            continue;
        free[row] = left + width + 4 * scale;
        const top = u.bbox.top + (row * 15 + 1) * scale;
        ctx.globalAlpha = 0.85;
        ctx.fillStyle = paper;
        ctx.fillRect(left, top, width, height);
        ctx.globalAlpha = 1;
        ctx.fillStyle = ink;
        ctx.fillText(words, left + 3 * scale, top + height / 2 + scale);
    }
    ctx.restore();
}

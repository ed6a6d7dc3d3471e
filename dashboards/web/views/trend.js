/* trend.js - two minutes of traffic as a small line beside each service. Joined in front of services.js.
 *
 *   const trends = makeTrends(update);    update(): the past has come
 *   trends.follow(shown, live);       after each frame: rows of the table, rows of the frame
 *   trends.draw(svg, 'shop');         svg: trendLine()
 *   trends.close();
 *
 * What was before the first frame is asked for, and again after a gap. What is unknown breaks the line. */
const TREND_MS = 120_000, TREND_STEP_MS = 2000;
const TREND_ASK_MS = 5000; /* at most so often, whatever is missing */

function trendLine() {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 120 24');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    svg.setAttribute('class', 'trend');
    svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'path'));
    return svg;
}

function makeTrends(update) {
    const lines = new Map(); /* service → [[t, requests/s or null], …], rising */
    const asked = new Set(); /* services whose past was asked for since the last gap */
    let newest = 0, asking = false, closed = false, askedAt = -Infinity;

    const hole = () => Math.max(3000, 2.5 * store.step);

    async function past(rows) {
        asking = true;
        askedAt = performance.now();
        const to = Math.floor(store.newest / TREND_STEP_MS) * TREND_STEP_MS;
        /* Of ten thousand services only those on the screen; the figures are of series without market and route (collector/view). */
        const only = store.more.services > 0 ? `,service=~${JSON.stringify(rows.map((row) => row.service.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'))}` : '';
        try {
            const found = await queryRange(`commerce:throughput_rps{market="",channel="",route=""${only}}`, to - TREND_MS, to, TREND_STEP_MS);
            for (const row of rows) {
                asked.add(row.service);
                const mine = found.filter((one) => one.labels.service === row.service);
                const one = mine.find(({labels}) => (labels.tier ?? '') === (row.tier ?? '') && (labels.stack ?? '') === (row.stack ?? '')) ?? mine[0];
                if (!one)
                    continue;
                const last = Math.max(...one.points.keys());
                lines.set(row.service, [...[...one.points].sort((a, b) => a[0] - b[0]), ...(lines.get(row.service) ?? []).filter(([t]) => t > last)]);
            }
        } catch {
            /* The line then begins now. It is asked for again. */
        }
        asking = false;
        if (!closed)
            update();
    }
    function follow(shown, live) {
        if (store.newest > newest) {
            if (newest && store.newest - newest > hole())
                asked.clear();
            newest = store.newest;
            for (const row of live) {
                const line = lines.get(row.service) ?? [];
                line.push([newest, row.state === 'unknown' ? null : row.signals?.throughput_rps ?? null]);
                while (line.length && line[0][0] < newest - TREND_MS)
                    line.shift();
                lines.set(row.service, line);
            }
            const kept = new Set([...shown, ...live].map((row) => row.service));
            for (const service of [...lines.keys()].filter((service) => !kept.has(service))) {
                lines.delete(service);
                asked.delete(service);
            }
        }
        if (!asking && newest && performance.now() - askedAt > TREND_ASK_MS && shown.some((row) => !asked.has(row.service)))
            past(shown);
    }
    function draw(svg, service) {
        const line = lines.get(service) ?? [];
        const top = Math.max(1e-9, ...line.map(([, y]) => y).filter(Number.isFinite)) * 1.1;
        let path = '', before = -Infinity;
        for (const [t, y] of line) {
            if (!Number.isFinite(y)) {
                before = -Infinity;
                continue;
            }
            const x = 120 - (store.newest - t) / 1000;
            path += `${t - before > hole() ? 'M' : 'L'}${x.toFixed(1)} ${(23 - (y / top) * 22).toFixed(1)}`;
            before = t;
        }
        setAttribute(svg.firstChild, 'd', path);
    }
    const stopGap = store.on('gap', () => asked.clear());
    return {follow, draw, close() {
        closed = true;
        stopGap();
    }};
}

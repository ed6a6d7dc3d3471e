/* store.js - what the stream said, how old it is, and who wants to know.
 *
 *   store.rows('services'); store.row('status', 'collector');
 *   store.on('frame', fn);   a frame was applied        store.on('gap', fn);   the link is back: fill the gap
 *   store.now();             the collector's clock      store.freshness();
 *
 * Rows are replaced whole (docs/stream.md). Ages are measured on the collector's clock, carried on by ours. */

const STALE_MS = 3000;

export const store = {
    sections: new Map(),
    link: null,
    t: 0,              /* the collector's clock at the last frame */
    newest: 0,         /* time of the newest sample we know of */
    frames: 0, lost: false,
    more: {},          /* section → rows that the frame has no room for */
    receivedAt: 0,     /* performance.now() of the last frame, and of the last that brought newer samples */
    newerAt: 0,
    step: 1000,        /* how far newer samples are apart, as observed */
    listeners: {frame: new Set(), again: new Set(), gap: new Set()},

    on(what, fn) {
        this.listeners[what].add(fn);
        return () => this.listeners[what].delete(fn);
    },
    tell(what) {
        for (const fn of this.listeners[what])
            fn();
    },

    rows(section) {
        return [...(this.sections.get(section)?.values() ?? [])];
    },
    entries(section) {
        return [...(this.sections.get(section)?.entries() ?? [])];
    },
    row(section, key) {
        return this.sections.get(section)?.get(key);
    },

    apply(kind, data) {
        const lost = this.lost;
        this.lost = false;
        if (kind === 'snapshot')
            this.sections.clear();
        for (const [name, rows] of Object.entries(data.sections ?? {})) {
            if (!rows || typeof rows !== 'object')
                continue;
            if (!this.sections.has(name))
                this.sections.set(name, new Map());
            const section = this.sections.get(name);
            for (const [key, row] of Object.entries(rows))
                if (row && typeof row === 'object')
                    section.set(key, row);
        }
        for (const [name, keys] of Object.entries(data.removed ?? {}))
            if (Array.isArray(keys))
                for (const key of keys)
                    this.sections.get(name)?.delete(key);
        if (kind !== 'alert' && kind !== 'hb')
            this.more = data.more ?? {};
        this.t = data.t;
        this.receivedAt = performance.now();
        this.frames++;
        this.follow(data.t);
        this.tell('frame');
        if (lost)
            this.tell('again');
    },

    /* Has this frame newer samples? status.newest tells; it is absent until the first sample came. */
    follow(t) {
        const said = this.row('status', 'collector')?.newest;
        const newest = Number.isFinite(said) ? Math.min(said, t) : 0;
        if (newest <= this.newest)
            return;
        const step = newest - this.newest;
        if (this.newest > 0 && step < 300_000)
            this.step = Math.max(1000, 0.8 * this.step + 0.2 * Math.min(step, 2 * this.step));
        this.newest = newest;
        this.newerAt = performance.now();
    },

    now() {
        return this.frames ? this.t + (performance.now() - this.receivedAt) : Date.now();
    },
    /* {state: 'none' | 'live' | 'stale' | 'empty' | 'away', age_ms}: none before the first frame, empty before the first
     * sample, away without a connection. */
    freshness() {
        if (!this.frames)
            return {state: 'none', age_ms: 0};
        const quiet = performance.now() - this.newerAt;
        const age = Math.max(quiet, this.newest ? this.now() - this.newest : 0);
        if (this.link?.status !== 'open')
            return {state: 'away', age_ms: age};
        /* Scrapes that are 15 s apart are not stale after 3 s: three of the observed steps, at most 3 minutes. */
        if (!this.newest)
            return {state: 'empty', age_ms: 0};
        const limit = this.step <= 1500 ? STALE_MS : Math.min(3 * this.step, 180_000);
        return {state: quiet > limit || age > limit + STALE_MS ? 'stale' : 'live', age_ms: age};
    },
};

/* query_range with our own look-back: with the standard 5 minutes a series that stopped would be drawn as a flat line.
 * Returns [{labels, points: Map(ms → number)}]. The charts of a view that ask the same thing at once share one request. */
const asked = new Map();
export function queryRange(query, from_ms, to_ms, step_ms, lookback_ms = Math.max(3000, step_ms)) {
    const params = new URLSearchParams({
        query, start: (from_ms / 1000).toFixed(3), end: (to_ms / 1000).toFixed(3), step: (step_ms / 1000).toFixed(3),
    });
    if (lookback_ms)
        params.set('lookback_delta', (lookback_ms / 1000).toFixed(3));
    const address = '/api/v1/query_range?' + params;
    let answer = asked.get(address);
    if (!answer) {
        answer = fetchSeries(address).finally(() => asked.delete(address));
        asked.set(address, answer);
    }
    return answer;
}
async function fetchSeries(address) {
    let reply, body;
    try {
        reply = await fetch(address);
    } catch {
        throw new Error('the collector does not answer');
    }
    try {
        body = await reply.json();
    } catch {
        throw new Error(`the collector answered ${reply.status} without JSON`);
    }
    if (body.status !== 'success')
        throw new Error(body.error ?? `the collector answered ${reply.status}`);
    return body.data.result.map((series) => ({
        labels: series.metric,
        points: new Map((series.values ?? []).map(([t, v]) => [Math.round(t * 1000), toNumber(v)])),
    }));
}
function toNumber(text) {
    return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

/* place.js - the address bar is the state: view, range, filter, theme. Back and forward work everywhere.
 *
 *   place.get('service'); place.set({service: 'shop'});           a step that Back undoes
 *   place.set({filter: 'x'}, {replace: true});                     no step of its own
 *   place.range() → {from, to, live, text}                         ms; live: to is now
 *
 * from: now-15m (default; the whole event where it is about to open or short), open (the event's doors), event (its whole window, also what lies ahead), or milliseconds;
 * to: now (default) or milliseconds. */

export const RANGES = [['now-5m', '5 min'], ['now-15m', '15 min'], ['now-1h', '1 h'], ['now-6h', '6 h'], ['now-24h', '24 h'], ['open', 'since doors open'], ['event', 'whole event']];
const RANGE_DEFAULT = 'now-15m', DEFAULT_MS = 900_000;
const UNITS = {s: 1e3, m: 60e3, h: 3600e3, d: 86400e3};
const KEPT = ['from', 'to', 'kiosk', 'theme']; /* stay when the view changes */

export const place = {
    changed: new Set(),
    zooms: 0, /* zoom steps that Undo can take back */

    get path() {
        return location.pathname;
    },
    get(name) {
        return new URLSearchParams(location.search).get(name);
    },
    set(changes, {replace = false} = {}) {
        const params = new URLSearchParams(location.search);
        for (const [name, value] of Object.entries(changes)) {
            if (value === null || value === undefined || value === '')
                params.delete(name);
            else
                params.set(name, value);
        }
        this.go(location.pathname, params, replace);
    },
    go(path, params, replace = false) {
        const query = params.toString();
        const url = path + (query ? '?' + query : '');
        if (url === location.pathname + location.search)
            return;
        history[replace ? 'replaceState' : 'pushState']({zooms: this.zooms}, '', url);
        this.tell();
    },
    tell() {
        for (const fn of this.changed)
            fn();
    },
    /* The address of another view, with what stays. */
    href(path, extra = {}) {
        const params = new URLSearchParams();
        for (const name of KEPT)
            if (this.get(name) !== null)
                params.set(name, this.get(name));
        for (const [name, value] of Object.entries(extra))
            params.set(name, value);
        return path + (params.size ? '?' + params : '');
    },

    /* What the address says, else the last minutes. The Event view shows the whole event while these would hold none of it
     * or all of it: its plan is there before the doors open, and a short one does not sit at the edge. */
    from(now, event) {
        const named = this.get('from');
        if (named !== null || this.get('to') !== null || !(location.pathname === '/' || location.pathname === '/event'))
            return named ?? RANGE_DEFAULT;
        const {starts, ends} = event ?? {};
        return ends > now && starts - now < DEFAULT_MS && (starts > now || ends - starts < DEFAULT_MS) ? 'event' : RANGE_DEFAULT;
    },
    /* A range of at least 10 s, whatever the address bar says; whole milliseconds, because uPlot puts its ticks wrong otherwise. */
    range(clock, event) {
        const now = Math.floor(clock);
        const from = this.from(now, event), to = this.get('to') ?? 'now';
        const starts = event?.starts, whole = from === 'event' && Number.isFinite(starts) && event.ends > starts;
        if (whole)
            return {from: Math.min(starts, now - 10_000), to: Math.max(event.ends, starts + 10_000), live: now < event.ends, fixed: starts, text: from};
        const end = /^\d{1,15}$/.test(to) ? Number(to) : now;
        const relative = /^now-(\d{1,6})([smhd])$/.exec(from);
        let start = relative ? end - Number(relative[1]) * UNITS[relative[2]]
            : from === 'open' && starts < end ? starts
            : /^\d{1,15}$/.test(from) ? Number(from) : end - 15 * UNITS.m;
        start = Math.max(0, Math.min(start, end - 10_000));
        return {from: start, to: end, live: end === now, fixed: from === 'open' ? starts : undefined, text: from + ' to ' + to};
    },
    zoom(from, to) {
        if (to - from < 2000)
            return;
        this.zooms++;
        this.set({from: Math.round(from), to: Math.round(to)});
    },
    undoZoom() {
        if (this.zooms > 0)
            history.back();
    },
};
addEventListener('popstate', (event) => {
    place.zooms = event.state?.zooms ?? 0;
    place.tell();
});

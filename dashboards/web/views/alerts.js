/* Alerts: firing first, pages before tickets, the oldest first; since when, value, labels, and the way to its chart. */
import {h, setText, setAttribute, show, patchList, stateMark, setState, number, duration, dateTime, store, place, alertWords} from '../app.js';

const RANK = {page: 0, ticket: 1};

/* An alert's expression holds its bound; the chart shows the side that moves. Taken apart only where that is certain: a
 * comparison with a number at the very end. */
export function chartQuery(expr) {
    const match = /^(.*\S)\s*(?:[<>]=?|[!=]=)\s*[-+0-9.eE]+\s*$/s.exec(expr ?? '');
    if (!match)
        return expr ?? '';
    let depth = 0;
    for (const c of match[1])
        depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    return depth === 0 && !/\s(and|or|unless|bool)\s/i.test(match[1]) ? match[1] : expr;
}

export function open(main) {
    const list = h('ul', {class: 'alerts', 'aria-label': 'Alerts'});
    const empty = h('p', {class: 'empty'}, '● No alert is pending or firing.');
    main.append(h('h1', {}, 'Alerts'), list, empty);

    function make(alert) {
        return h('li', {class: 'alert'}, h('div', {class: 'alert-head'}, stateMark('crit'), h('h2', {}), h('span', {class: 'alert-age'})),
            h('p', {class: 'alert-detail'}), h('dl', {class: 'labels', 'data-drop': 1}, Object.entries(alert.labels ?? {}).sort().map(([name, value]) =>
                h('div', {}, h('dt', {}, name), h('dd', {}, h('bdi', {}, value))))),
            h('p', {class: 'alert-foot'}, h('span', {}), ' ', h('a', {}, 'Open its chart')));
    }
    function update() {
        const alerts = store.entries('alerts').map(([key, row]) => ({key, ...row})).sort((a, b) =>
            (a.state === 'firing' ? 0 : 1) - (b.state === 'firing' ? 0 : 1) || (RANK[a.severity] ?? 2) - (RANK[b.severity] ?? 2) ||
            (a.since ?? 0) - (b.since ?? 0) || (a.key < b.key ? -1 : 1));
        setText(empty, store.freshness().state === 'live' ? '● No alert is pending or firing.' : '? Whether an alert is pending or firing is not known: no data arrives.');
        show(empty, alerts.length === 0);
        patchList(list, alerts, (alert) => alert.key, make, (li, alert) => {
            const [head, detail, , foot] = li.children;
            const state = alert.state !== 'firing' ? 'unknown' : alert.severity === 'page' ? 'crit' : 'warn';
            setAttribute(li, 'data-state', state);
            setState(head.children[0], state, alert.state === 'firing' ? alert.severity || 'alert' : 'pending');
            setText(head.children[1], alertWords(alert));
            setText(head.children[2], `${alert.state} for ${duration(store.now() - alert.since)}`);
            setText(detail, alert.description ?? '');
            show(detail, Boolean(alert.description));
            setText(foot.children[0], `${alert.name} · since ${dateTime(alert.since)} · value ${number(alert.value)}`);
            const query = chartQuery(alert.expr);
            show(foot.children[1], query !== '');
            setAttribute(foot.children[1], 'href', place.href('/explore', {q: query}));
        });
    }
    return {update, tick: update, close() {}};
}

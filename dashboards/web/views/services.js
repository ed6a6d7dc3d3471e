/* Services, worst first: state in shape, word and colour, the signals, a small trend; one opened service has charts. */
import {h, setText, setAttribute, show, patchList, labelCells, stateMark, setState, number, ratio, seconds, signal, duration, store, place, queryRange} from '../app.js';
import {makeChart} from '../chart.js';

const COLUMNS = [
    ['throughput_rps', 'Requests/s', number],
    ['error_ratio', 'Errors', ratio],
    ['response_seconds:p95', 'p95', seconds],
    ['inflight', 'In flight', number],
    ['cache_hit_ratio', 'Cache hits', ratio],
    ['db_connections_ratio', 'DB conns', ratio],
];
const ROWS_MAX = 200; /* as many as a frame has */
const ALL_EVERY_MS = 5000; /* how often all services are asked for, while one that no frame has room for is looked for */

export function matches(text, filter) {
    if (!filter)
        return true;
    const inverse = filter.startsWith('!'), words = (inverse ? filter.slice(1) : filter).toLowerCase();
    return text.toLowerCase().includes(words) !== inverse;
}

export function open(main) {
    const filter = h('input', {type: 'search', placeholder: 'Filter: text, or !text', 'aria-label': 'Filter services', value: place.get('filter') ?? '',
        oninput: () => place.set({filter: filter.value}, {replace: true})});
    const body = h('tbody', {});
    const table = h('table', {class: 'services'}, h('caption', {class: 'reader-only'}, 'Services, most trouble first'),
        h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'State'), h('th', {scope: 'col'}, 'Service'),
            COLUMNS.map(([, name]) => h('th', {scope: 'col', class: 'num'}, name)), h('th', {scope: 'col'}, 'Requests, 2 min'))), body);
    const empty = h('p', {class: 'empty'});
    const panel = h('section', {class: 'panel', 'aria-label': 'One service', hidden: true});
    main.append(h('div', {class: 'view-head'}, h('h1', {}, 'Services'), filter), panel, h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Services'}, table), empty);

    const trends = makeTrends(update);
    let opened = null, charts = [], head = null, facts = null;
    /* A frame has room for the services in most trouble; a filter or an opened service finds the others by API. */
    let all = [], askedAt = -Infinity, asking = false, closed = false;
    function others(wanted) {
        if (!wanted || !(store.more.services > 0)) {
            all = [];
            askedAt = -Infinity;
        } else if (!asking && performance.now() - askedAt > ALL_EVERY_MS) {
            asking = true;
            fetch('/api/crest/v1/state').then((reply) => reply.json()).then((state) => {
                all = Object.values(state.sections?.services ?? {}).filter((row) => row && typeof row.service === 'string');
            }, () => {}).finally(() => {
                asking = false;
                askedAt = performance.now();
                if (!closed)
                    update();
            });
        }
        const known = new Set(store.rows('services').map((row) => row.service));
        return all.filter((row) => !known.has(row.service));
    }
    function openPanel(service) {
        for (const chart of charts)
            chart.close();
        charts = [];
        opened = service;
        show(panel, service !== null);
        panel.replaceChildren();
        if (service === null)
            return;
        head = h('h2', {tabindex: '-1'}, stateMark('unknown'), ' ', h('bdi', {}, service), ' ', h('span', {class: 'why'}));
        facts = h('dl', {class: 'facts'});
        const grid = h('div', {class: 'charts small'});
        panel.append(h('div', {class: 'view-head'}, head, h('button', {type: 'button', onclick: () => place.set({service: null})}, 'Close')), grid, facts);
        const quoted = JSON.stringify(service);
        /* One question for the six charts. */
        const query = `{__name__=~"commerce:(${COLUMNS.map(([name]) => name).join('|')})",service=${quoted}}`;
        charts = COLUMNS.map(([name, title, format]) => makeChart(grid, {
            title, format,
            history: () => [{query, label: (labels) => (labels.__name__ === `commerce:${name}` ? labels.tier || title : null)}],
            live: () => {
                const row = store.row('services', service);
                return row && row.state !== 'unknown' && Number.isFinite(row.signals?.[name]) ? [[row.tier || title, row.signals[name]]] : [];
            },
        }));
    }

    function update() {
        const wanted = place.get('service'), text = place.get('filter') ?? '';
        if (wanted !== opened)
            openPanel(wanted);
        if (filter.value !== text && document.activeElement !== filter)
            filter.value = text;
        const rest = others(text !== '' || (wanted !== null && !store.row('services', wanted)));
        const every = [...store.rows('services'), ...rest].sort((a, b) => (b.trouble ?? 0) - (a.trouble ?? 0) || (a.service < b.service ? -1 : 1));
        const rows = every.filter((row) => matches(`${row.service} ${row.tier} ${row.stack} ${row.state} ${row.why ?? ''}`, text));
        const left = text === '' ? (store.more.services ?? 0) + Math.max(0, rows.length - ROWS_MAX) : Math.max(0, rows.length - ROWS_MAX);
        setText(empty, every.length === 0 ? 'No service has sent a sample yet.' : rows.length === 0 ? (asking ? `Looking for “${text}” among all services …` : `No service matches “${text}”.`)
            : left === 0 ? '' : text === '' ? `${number(left)} more services, in less trouble than these, are not shown: the filter finds them.` : `${number(left)} more services match.`);
        trends.follow(rows.slice(0, ROWS_MAX), store.rows('services'));
        patchList(body, rows.slice(0, ROWS_MAX), (row) => row.service, (row) => h('tr', {}, h('td', {}, stateMark('unknown')),
            h('th', {scope: 'row'}, h('a', {href: place.href('/services', {service: row.service})}, h('bdi', {}, row.service)), ' ', h('small', {}), h('div', {class: 'why'})),
            COLUMNS.map(() => h('td', {class: 'num'})), h('td', {}, trendLine())), (tr, row) => {
            const [mark, name] = tr.children;
            setState(mark.firstChild, row.state);
            setAttribute(tr, 'data-state', row.state);
            setAttribute(name.firstChild, 'href', place.href('/services', {service: row.service}));
            setText(name.children[1], [row.tier, row.stack].filter(Boolean).join(' · '));
            setText(name.children[2], row.state === 'ok' ? '' : row.why ?? (row.state === 'unknown' ? `no sample for ${duration(store.now() - row.t)}` : ''));
            COLUMNS.forEach(([key, , format], i) => setText(tr.children[2 + i], format(row.signals?.[key])));
            trends.draw(tr.lastChild.firstChild, row.service);
        });
        labelCells(table);
        if (opened !== null) {
            const row = store.row('services', opened) ?? rest.find((one) => one.service === opened);
            setState(head.children[0], row?.state);
            setText(head.children[2], row ? (row.state === 'ok' ? '' : row.why ?? '') : asking ? 'is looked for' : 'is not known to the collector');
            patchList(facts, Object.entries(row?.signals ?? {}).sort(), ([name]) => name, ([name]) => h('div', {}, h('dt', {}, name.replaceAll('_', ' ')), h('dd', {})),
                (pair, [name, value]) => setText(pair.lastChild, signal(name, value)));
            for (const chart of charts)
                chart.update();
        }
    }
    return {update, close() {
        closed = true;
        trends.close();
        openPanel(null);
    }};
}

/* Journeys: the steps of each service as a funnel. Technical failures and business failures are two things: a declined
 * card is an answer, a time-out is none. */
import {h, setText, setAttribute, show, patchList, labelCells, number, ratio, seconds, store} from '../app.js';
import {makeChart} from '../chart.js';

const FAILURE_WARN = 0.01, FAILURE_CRIT = 0.1;

/* error_ratio counts every operation without success, failure_ratio technical ones only. */
function business(row) {
    if (!Number.isFinite(row.error_ratio))
        return undefined;
    return Math.max(0, row.error_ratio - (Number.isFinite(row.failure_ratio) ? row.failure_ratio : 0));
}
function level(value, warn, crit) {
    return !Number.isFinite(value) ? 'unknown' : value >= crit ? 'crit' : value >= warn ? 'warn' : 'ok';
}

export function open(main) {
    const empty = h('p', {class: 'empty'}, 'No journey step has a sample yet.');
    const list = h('div', {class: 'journeys'});
    main.append(h('h1', {}, 'Journeys'), empty, list);
    const funnels = new Map();

    function funnel(service) {
        const steps = h('tbody', {});
        const table = h('table', {class: 'funnel'}, h('caption', {class: 'reader-only'}, `Steps of ${service}`),
            h('thead', {}, h('tr', {}, ['Step', 'Operations/s', 'p95', 'Technical failures', 'Business failures'].map((name, i) =>
                h('th', {scope: 'col', class: i ? 'num' : ''}, name)))), steps);
        const grid = h('div', {class: 'charts', 'data-drop': 2});
        list.append(h('section', {'aria-label': service}, h('h2', {}, h('bdi', {}, service)), h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Steps of ${service}`}, table), grid));
        const rows = () => store.rows('steps').filter((row) => row.service === service).sort((a, b) => a.index - b.index);
        const quoted = JSON.stringify(service);
        const order = (step) => store.row('steps', `${service}/${step}`)?.index ?? 0;
        const charts = [
            makeChart(grid, {
                title: `p95 by step, ${service}`, format: seconds, order,
                history: () => [{query: `commerce:route_operation_seconds:p95{service=${quoted}}`, label: (labels) => labels.route ?? null}],
                live: () => rows().filter((row) => Number.isFinite(row['response_seconds:p95'])).map((row) => [row.step, row['response_seconds:p95']]),
            }),
            makeChart(grid, {
                title: `Technical failures by step, ${service}`, format: ratio, order,
                history: () => [{query: `commerce:route_operation_failure_ratio{service=${quoted}}`, label: (labels) => labels.route ?? null}],
                live: () => rows().filter((row) => Number.isFinite(row.failure_ratio)).map((row) => [row.step, row.failure_ratio]),
            }),
        ];
        return {charts, update() {
            const now = rows();
            const most = Math.max(1e-9, ...now.map((row) => row.rps ?? 0));
            patchList(steps, now, (row) => row.step, () => h('tr', {}, h('th', {scope: 'row'}, h('bdi', {})),
                h('td', {class: 'num funnel-cell'}, h('span', {class: 'bar', 'aria-hidden': 'true'}), h('span', {})), h('td', {class: 'num'}),
                h('td', {class: 'num'}, h('span', {class: 'state'}, h('span', {class: 'shape', 'aria-hidden': 'true'}), h('span', {class: 'word'}))), h('td', {class: 'num'})), (tr, row) => {
                const [name, flow, p95, technical, other] = tr.children;
                setText(name.firstChild, row.step);
                flow.firstChild.style.width = `${Math.round(((row.rps ?? 0) / most) * 100)}%`;
                setText(flow.lastChild, number(row.rps) + (Number.isFinite(row.rps) ? '/s' : ''));
                setText(p95, seconds(row['response_seconds:p95']));
                const state = level(row.failure_ratio, FAILURE_WARN, FAILURE_CRIT);
                setAttribute(technical.firstChild, 'data-state', state);
                setText(technical.firstChild.firstChild, state === 'crit' ? '■' : state === 'warn' ? '▲' : state === 'ok' ? '●' : '');
                setText(technical.firstChild.lastChild, ratio(row.failure_ratio));
                setText(other, ratio(business(row)));
            });
            labelCells(table);
            for (const chart of charts)
                chart.update();
        }};
    }
    return {
        update() {
            const services = [...new Set(store.rows('steps').map((row) => row.service))].sort();
            show(empty, services.length === 0);
            for (const service of services)
                if (!funnels.has(service))
                    funnels.set(service, funnel(service));
            for (const one of funnels.values())
                one.update();
        },
        close() {
            for (const one of funnels.values())
                for (const chart of one.charts)
                    chart.close();
        },
    };
}

/* Explore: a PromQL expression as a chart and as a table of its newest values. The expression stands in the address. */
import {h, setText, show, number, store, place, currentRange} from '../app.js';
import {makeChart} from '../chart.js';

const ROWS_MAX = 200;
const EXAMPLES = ['commerce:throughput_rps', 'commerce:orders_per_minute', 'commerce:response_seconds:p95', 'up'];

function nameOf(labels) {
    const rest = Object.entries(labels).filter(([name]) => name !== '__name__').map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ');
    return (labels.__name__ ?? '') + (rest || !labels.__name__ ? `{${rest}}` : '');
}

export function open(main) {
    const field = h('input', {type: 'text', id: 'query', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off', value: place.get('q') ?? '', placeholder: 'PromQL, for example commerce:throughput_rps'});
    const form = h('form', {class: 'query', onsubmit: (event) => {
        event.preventDefault();
        if (field.value === (place.get('q') ?? ''))
            run();
        else
            place.set({q: field.value});
    }}, h('label', {for: 'query'}, 'Expression'), field, h('button', {type: 'submit'}, 'Run'));
    const examples = h('p', {class: 'quiet'}, 'Try ', EXAMPLES.flatMap((q) => [h('a', {href: place.href('/explore', {q})}, q), ' ']));
    const error = h('p', {class: 'error', role: 'status'});
    const charts = h('div', {class: 'charts one'});
    const body = h('tbody', {});
    const table = h('section', {hidden: true, 'aria-labelledby': 'result-title'}, h('h2', {id: 'result-title'}, 'Newest values'),
        h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Newest values'}, h('table', {}, h('caption', {class: 'reader-only'}, 'Newest values'),
            h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Series'), h('th', {scope: 'col', class: 'num'}, 'Value'))), body)));
    main.append(h('h1', {}, 'Explore'), form, examples, error, charts, table);

    let chart = null, shown = null, turn = 0, timer = 0;
    /* The instant answer names errors with their place; the chart asks for its own range. */
    async function run() {
        const query = place.get('q') ?? '', mine = ++turn;
        if (!query)
            return;
        const params = new URLSearchParams({query});
        if (!currentRange().live)
            params.set('time', (currentRange().to / 1000).toFixed(3));
        let answer;
        try {
            answer = await (await fetch('/api/v1/query?' + params)).json();
        } catch {
            answer = {status: 'error', error: 'the collector does not answer'};
        }
        if (mine !== turn)
            return;
        setText(error, answer.status === 'success' ? (answer.warnings ?? []).join(' ') : answer.error);
        const data = answer.data ?? {};
        const rows = data.resultType === 'vector' ? data.result.map((one) => [nameOf(one.metric), one.value?.[1] ?? 'histogram'])
            : data.resultType === 'scalar' || data.resultType === 'string' ? [[data.resultType, data.result[1]]]
            : (data.result ?? []).map((one) => [nameOf(one.metric), one.values?.at(-1)?.[1] ?? '']);
        show(table, answer.status === 'success');
        body.replaceChildren(...(rows.length ? rows.slice(0, ROWS_MAX).map(([name, value]) => h('tr', {}, h('th', {scope: 'row'}, h('code', {}, name)), h('td', {class: 'num'}, value)))
            : [h('tr', {}, h('td', {colspan: '2'}, 'Nothing matches: no series, or no sample in the last 5 minutes.'))]));
        if (rows.length > ROWS_MAX)
            body.append(h('tr', {}, h('td', {colspan: '2'}, `${rows.length - ROWS_MAX} more series`)));
    }
    function rebuild(query) {
        chart?.close();
        chart = null;
        setText(error, '');
        body.replaceChildren();
        show(table, false);
        show(examples, query === '');
        if (!query)
            return;
        chart = makeChart(charts, {
            title: query, format: number,
            /* The reader's own expression keeps the language's look-back. */
            history: () => [{query, lookback_ms: 0, label: nameOf}],
        });
        run();
    }
    function update() {
        const query = place.get('q') ?? '';
        if (query !== shown) {
            shown = query;
            if (document.activeElement !== field || field.value !== query)
                field.value = query;
            rebuild(query);
        }
        chart?.update();
    }
    timer = setInterval(() => {
        if (chart && currentRange().live && store.freshness().state === 'live') {
            chart.reload();
            run();
        }
    }, 5000);
    return {update, close() {
        clearInterval(timer);
        turn++;
        chart?.close();
    }};
}

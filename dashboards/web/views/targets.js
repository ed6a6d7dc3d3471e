/* Targets and coverage: what is scraped, with what error; which of the eight signals a service has, and what cures a
 * blind one. */
import {h, setText, setAttribute, show, patchList, labelCells, stateMark, setState, seconds, duration, store, place} from '../app.js';

const SIGNALS = [['response_time', 'Response time'], ['errors', 'Errors'], ['throughput', 'Throughput'], ['checkout', 'Checkout'],
    ['payments', 'Payments'], ['api', 'API'], ['cache', 'Cache'], ['database', 'Database']];
const HEALTH = {down: ['crit', 'down'], unknown: ['unknown', 'unknown'], up: ['ok', 'up']};
const RANK = {down: 0, unknown: 1, up: 2};
const ROWS_MAX = 500;

export function open(main) {
    const filter = h('input', {type: 'search', placeholder: 'Filter: text, or !text', 'aria-label': 'Filter targets', value: place.get('filter') ?? '',
        oninput: () => place.set({filter: filter.value}, {replace: true})});
    const targets = h('tbody', {}), noTargets = h('p', {class: 'empty'});
    const coverage = h('tbody', {}), noCoverage = h('p', {class: 'empty'}, 'No service is known yet.');
    const cures = h('ul', {class: 'cures'}), cureBox = h('section', {'aria-label': 'Cures', 'data-drop': 1}, h('h3', {}, 'What cures a blind signal'), cures);
    main.append(h('div', {class: 'view-head'}, h('h1', {}, 'Targets and coverage'), filter),
        h('section', {'aria-labelledby': 'targets-title'}, h('h2', {id: 'targets-title'}, 'Targets'),
            h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Targets'}, h('table', {class: 'targets'}, h('caption', {class: 'reader-only'}, 'Targets, the ones in trouble first'),
                h('thead', {}, h('tr', {}, ['State', 'Target', 'Last scrape', 'Took', 'Error'].map((name) => h('th', {scope: 'col'}, name)))), targets)), noTargets),
        h('section', {'aria-labelledby': 'coverage-title'}, h('h2', {id: 'coverage-title'}, 'Coverage: which signals each service has'),
            h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Coverage'}, h('table', {class: 'coverage'}, h('caption', {class: 'reader-only'}, 'Signals of each service'),
                h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Service'), SIGNALS.map(([, name]) => h('th', {scope: 'col'}, name)))), coverage)), noCoverage, cureBox));

    function update() {
        const text = (place.get('filter') ?? '').toLowerCase(), inverse = text.startsWith('!'), wanted = inverse ? text.slice(1) : text;
        const fits = (words) => !wanted || words.toLowerCase().includes(wanted) !== inverse;
        const all = store.entries('targets').map(([key, row]) => ({key, ...row}))
            .sort((a, b) => (RANK[a.health] ?? 1) - (RANK[b.health] ?? 1) || (a.key < b.key ? -1 : 1));
        const rows = all.filter((row) => fits(`${row.key} ${row.service ?? ''} ${row.health} ${row.error ?? ''}`));
        setText(noTargets, all.length === 0 ? 'No target: no agent has reported yet. Start crest-agent with your prometheus.yml.'
            : rows.length === 0 ? 'No target matches the filter.' : rows.length > ROWS_MAX ? `${rows.length - ROWS_MAX} more targets match.` : '');
        patchList(targets, rows.slice(0, ROWS_MAX), (row) => row.key, () => h('tr', {}, h('td', {}, stateMark('unknown')), h('th', {scope: 'row'}, h('bdi', {}), h('small', {})),
            h('td', {}), h('td', {class: 'num'}), h('td', {class: 'error'})), (tr, row) => {
            const [mark, name, when, took, error] = tr.children;
            const [state, word] = HEALTH[row.health] ?? HEALTH.unknown;
            setState(mark.firstChild, state, word);
            setAttribute(tr, 'data-state', state);
            setText(name.children[0], `${row.job} · ${row.instance}`);
            setText(name.children[1], row.url ? ' ' + row.url : '');
            setText(when, Number.isFinite(row.last_scrape) && row.last_scrape > 0 ? `${duration(store.now() - row.last_scrape)} ago` : '–');
            setText(took, seconds(row.duration_seconds));
            setText(error, row.error ?? '');
        });

        const services = store.rows('coverage').filter((row) => fits(row.service)).sort((a, b) => (a.service < b.service ? -1 : 1));
        show(noCoverage, services.length === 0);
        patchList(coverage, services, (row) => row.service, (row) => h('tr', {}, h('th', {scope: 'row'}, h('bdi', {}, row.service)), SIGNALS.map(() => h('td', {}, stateMark('unknown')))),
            (tr, row) => SIGNALS.forEach(([key], i) => {
                const signal = row.signals?.[key];
                const [state, word] = !signal ? ['unknown', 'unknown'] : signal.not_applicable ? ['unknown', 'not applicable'] : !signal.present ? ['warn', 'blind'] : signal.idle ? ['unknown', 'idle'] : ['ok', 'present'];
                setState(tr.children[i + 1].firstChild, state, word);
            }));
        for (const body of [targets, coverage])
            labelCells(body.parentNode);
        const blind = services.flatMap((row) => SIGNALS.filter(([key]) => row.signals?.[key]?.present === false && row.signals[key].cure)
            .map(([key, name]) => ({key: `${row.service}/${key}`, service: row.service, name, cure: row.signals[key].cure})));
        show(cureBox, blind.length > 0);
        patchList(cures, blind.slice(0, ROWS_MAX), (one) => one.key, (one) => h('li', {}, h('strong', {}, `${one.service}: ${one.name}`), h('code', {})), (li, one) => setText(li.lastChild, one.cure));
    }
    return {update, tick: update, close() {}};
}

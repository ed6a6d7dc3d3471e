/* alarm.js - what fires, in words, first on every view. The page that has fired longest comes first: it is nearest to
 * the cause. Screen readers hear a page when it starts and when it ends, not its every second. */

export function firing(severity) {
    return store.entries('alerts').map(([key, row]) => ({key, ...row}))
        .filter((alert) => alert.state === 'firing' && (severity === undefined || (alert.severity === 'page') === (severity === 'page')))
        .sort((a, b) => (a.since ?? 0) - (b.since ?? 0) || (a.key < b.key ? -1 : 1));
}
export function alertWords(alert) {
    return alert.summary || (alert.service ? alert.service + ': ' : '') + alert.name;
}
export function firingFor(alert) {
    return 'firing ' + duration(store.now() - alert.since);
}

export function makeAlarm() {
    const first = h('a', {class: 'alarm-first'}, h('span', {class: 'shape', 'aria-hidden': 'true'}, '■ '),
        h('span', {class: 'alarm-words'}), ' ', h('span', {class: 'alarm-age'}));
    const detail = h('p', {class: 'alarm-detail'});
    const others = h('ul', {class: 'alarm-others', 'aria-label': 'Further pages'});
    const pages = h('section', {class: 'alarm', 'aria-label': 'Firing pages', hidden: true}, first, detail, others);
    const ticketWords = h('a', {});
    const tickets = h('section', {class: 'tickets', 'aria-label': 'Firing tickets', hidden: true}, h('span', {class: 'shape', 'aria-hidden': 'true'}, '▲ '), ticketWords);
    const spoken = h('div', {class: 'reader-only', role: 'alert'});
    const said = new Map(); /* key → words of the pages that were announced */

    function speak(now) {
        const news = now.filter((alert) => !said.has(alert.key)).map((alert) => 'Page: ' + alertWords(alert));
        for (const [key, words] of said) {
            if (!now.some((alert) => alert.key === key)) {
                news.push('Resolved: ' + words);
                said.delete(key);
            }
        }
        for (const alert of now)
            said.set(alert.key, alertWords(alert));
        if (news.length)
            setText(spoken, news.length > 3 ? `${now.length} pages are firing, the first: ${alertWords(now[0] ?? {name: ''})}` : news.join('. '));
    }

    return {
        element: h('div', {}, spoken, pages, tickets),
        update() {
            const red = firing('page'), amber = firing('ticket');
            show(pages, red.length > 0);
            if (red.length) {
                setText(first.children[1], alertWords(red[0]));
                setText(first.children[2], firingFor(red[0]));
                setAttribute(first, 'href', place.href('/alerts'));
                setText(detail, red[0].description ?? '');
                show(detail, Boolean(red[0].description));
            }
            patchList(others, red.slice(1, 4), (alert) => alert.key, () => h('li', {}, h('span', {}), ' ', h('span', {class: 'alarm-age'})),
                (li, alert) => {
                    setText(li.firstChild, alertWords(alert));
                    setText(li.lastChild, firingFor(alert));
                });
            show(others, red.length > 1);
            show(tickets, amber.length > 0);
            if (amber.length) {
                const more = amber.length > 1 ? ` · and ${amber.length - 1} more` : '';
                setText(ticketWords, `${alertWords(amber[0])} · ${firingFor(amber[0])}${more}`);
                setAttribute(ticketWords, 'href', place.href('/alerts'));
            }
            speak(red);
            const title = red.length ? `■ ${alertWords(red[0])}` : amber.length ? `▲ ${alertWords(amber[0])}` : '';
            document.title = title ? `${clean(title)} – Crest` : 'Crest';
        },
    };
}

/* shell.js - what stands around every view: navigation, age of the data, range, theme, pause, kiosk. */

export const VIEWS = [
    {path: '/event', name: 'Event', module: 'event'},
    {path: '/services', name: 'Services', module: 'services'},
    {path: '/journeys', name: 'Journeys', module: 'journeys'},
    {path: '/alerts', name: 'Alerts', module: 'alerts'},
    {path: '/targets', name: 'Targets', module: 'targets'},
    {path: '/explore', name: 'Explore', module: 'explore'},
];
export function viewOf(path) {
    return VIEWS.find((view) => view.path === path) ?? VIEWS[0];
}

const THEMES = ['auto', 'light', 'dark', 'contrast'];
const THEME = 'crest.theme';

export function theme() {
    const named = place.get('theme') ?? remembered(THEME);
    return THEMES.includes(named) ? named : 'auto';
}
export function applyTheme() {
    setAttribute(document.documentElement, 'data-theme', theme());
}

/* The one event that is running or next; null when none is known. */
export function currentEvent() {
    return store.rows('event')[0] ?? null;
}
export function currentRange() {
    return place.range(store.now(), currentEvent());
}

export function makeShell(actions) {
    const links = new Map(VIEWS.map((view, i) => [view.path, h('a', {title: `Key ${i + 1}`}, view.name,
        view.path === '/alerts' ? h('span', {class: 'count', hidden: true}) : null)]));
    const nav = h('nav', {'aria-label': 'Views'}, [...links.values()]);
    const age = stateMark('unknown');
    age.classList.add('age');
    const pause = h('button', {type: 'button', onclick: actions.pause, title: 'Key p'}, 'Pause');
    const undo = h('button', {type: 'button', onclick: () => place.undoZoom(), hidden: true, title: 'Key z'}, 'Undo zoom');
    const range = h('select', {'aria-label': 'Time range', onchange: () => place.set({from: range.value, to: null})},
        RANGES.map(([value, name]) => h('option', {value}, name)), h('option', {value: 'custom', hidden: true}, 'zoomed'));
    const themes = h('select', {'aria-label': 'Colours', onchange: () => {
        remember(THEME, themes.value === 'auto' ? null : themes.value);
        place.set({theme: null}, {replace: true});
        actions.theme();
    }}, [['auto', 'Colours: system'], ['light', 'Light'], ['dark', 'Dark'], ['contrast', 'High contrast']]
        .map(([value, name]) => h('option', {value}, name)));
    const stale = h('p', {class: 'stale', role: 'status', hidden: true});
    const alarm = makeAlarm();
    const main = h('main', {id: 'main', tabindex: '-1'});
    const kioskBar = h('footer', {class: 'kiosk-bar', hidden: true}, h('strong', {}), h('span', {}), h('span', {class: 'kiosk-clock'}));

    const skip = h('a', {class: 'skip', href: '#main', onclick: (event) => {
        event.preventDefault();
        main.focus();
    }}, 'Skip to content');
    const header = h('header', {class: 'top'},
        h('a', {class: 'brand', href: '/event'}, 'Crest'), nav,
        h('div', {class: 'tools'}, age, undo, range, h('button', {type: 'button', onclick: actions.note, title: 'Key n'}, 'Note'), pause, themes,
            h('button', {type: 'button', onclick: actions.help, 'aria-label': 'Keys and help', title: 'Key ?'}, '?')));
    document.body.append(skip, alarm.element, header, h('section', {'aria-label': 'Age of the data'}, stale), main, kioskBar);

    const shell = {main, nextView: '', leftOut: 0, showRange: true, paused: false};
    shell.update = () => {
        const here = viewOf(place.path);
        for (const [path, link] of links) {
            setAttribute(link, 'href', place.href(path));
            if (path === here.path)
                setAttribute(link, 'aria-current', 'page');
            else
                link.removeAttribute('aria-current');
        }
        const count = links.get('/alerts').lastChild;
        const active = firing().length;
        show(count, active > 0);
        setText(count, String(active));
        setAttribute(count, 'data-page', firing('page').length > 0);
        setAttribute(document.body, 'data-alarm', firing('page').length > 0);

        const from = place.from(store.now(), currentEvent());
        range.value = place.get('to') === null && RANGES.some(([value]) => value === from) ? from : 'custom';
        for (const value of ['open', 'event'])
            range.querySelector(`[value=${value}]`).disabled = !Number.isFinite(currentEvent()?.starts);
        show(undo, place.zooms > 0);
        themes.value = theme();
        setText(pause, shell.paused ? 'Resume' : 'Pause');
        setAttribute(pause, 'aria-pressed', shell.paused);
        shell.tick();
    };
    /* What changes although no frame comes: ages. Every second, also while paused. */
    shell.tick = () => {
        const fresh = store.freshness();
        const link = store.link;
        const retry = link?.status === 'waiting' ? Math.max(0, Math.ceil((link.retryAt - performance.now()) / 1000)) : 0;
        const old = duration(fresh.age_ms);
        setState(age, fresh.state === 'live' ? (shell.paused ? 'warn' : 'ok') : fresh.state === 'stale' ? 'warn' : fresh.state === 'away' ? 'crit' : 'unknown',
            fresh.state === 'live' ? (shell.paused ? 'paused' : 'live') : fresh.state === 'stale' ? `stale ${old}` : fresh.state === 'away' ? 'no connection' : fresh.state === 'empty' ? 'no data' : 'connecting');
        const trying = link?.status === 'waiting' && retry > 0 ? `Next try in ${retry} s.` : 'Trying now.';
        const words = fresh.state === 'away' ? `The collector does not answer. Figures are from ${clock(store.newest)}. ${trying}`
            : fresh.state === 'none' && link?.attempt > 0 ? `The collector's stream does not answer. ${trying}`
            : fresh.state === 'empty' ? 'The collector has no sample yet. Start crest-agent with your prometheus.yml.'
            : fresh.state === 'stale' ? `No new samples since ${clock(store.newest)}. The collector answers, but nothing reaches it.`
            : shell.paused ? `Paused at ${clock(shell.pausedAt)}. New figures wait.` : '';
        setText(stale, words);
        show(stale, words !== '');
        setAttribute(document.body, 'data-fresh', fresh.state);
        alarm.update();
        const kiosk = place.get('kiosk') !== null;
        show(kioskBar, kiosk);
        document.documentElement.classList.toggle('kiosk', kiosk);
        if (kiosk) {
            setText(kioskBar.children[0], viewOf(place.path).name);
            setText(kioskBar.children[1], (shell.leftOut ? `${shell.leftOut} more ${shell.leftOut === 1 ? 'row' : 'rows'} · ` : '') + shell.nextView);
            setText(kioskBar.children[2], fresh.state === 'live' ? `${clock(store.now())} · live` : fresh.state === 'none' ? 'connecting' : fresh.state === 'empty' ? 'no data yet'
                : `data is ${old} old`);
            setAttribute(kioskBar, 'data-fresh', fresh.state);
        }
    };
    return shell;
}

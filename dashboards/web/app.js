/* app.js - starts the page: stream → store → shell and the open view. A view is a module that is loaded when opened:
 *
 *   export function open(main) { …; return {update(), close()}; }
 *
 * update() runs after every frame and change of place, at most once per drawn picture, and not while paused. */

const HIDDEN_MS = 30_000;      /* a tab nobody sees gives its connection back (browsers have 6 per host) */
const GAP_FILL_MS = [1500, 8000, 30_000, 120_000]; /* after a lost connection: at once, and as the agents' spools follow */

let view = null, openPath = '', opening = 0, drawing = false;

const shell = makeShell({
    pause: () => setPaused(!shell.paused),
    theme: () => {
        applyTheme();
        reopen();
    },
    note: () => note.open(),
    help: () => keys.toggleHelp(),
});
const note = makeNote();
const kiosk = makeKiosk(shell);
const keys = makeKeys([
    ...VIEWS.map((entry, i) => ({key: String(i + 1), words: entry.name, run: () => goTo(entry.path)})),
    {key: 'p', words: 'Pause and resume', run: () => setPaused(!shell.paused)},
    {key: '/', words: 'Filter, or the query of Explore', run: () => shell.main.querySelector('input')?.focus()},
    {key: 'n', words: 'Note what happened: a mark on every chart', run: () => note.open()},
    {key: 'z', words: 'Undo the last zoom', run: () => place.undoZoom()},
    {key: '0', words: 'Back to now', run: () => place.set({from: null, to: null})},
    {key: '[', words: 'Shorter range', run: () => stepRange(-1)},
    {key: ']', words: 'Longer range', run: () => stepRange(1)},
    {key: 't', words: 'Light, dark, high contrast', run: nextTheme},
    {key: 'k', words: 'Kiosk: one screen, views take turns', run: () => kiosk.toggle()},
    {key: '?', words: 'This list', run: () => keys.toggleHelp()},
]);

function goTo(path) {
    const url = new URL(place.href(path), location.href);
    place.go(url.pathname, url.searchParams);
}
function stepRange(by) {
    const names = RANGES.map(([value]) => value).filter((value) => value.startsWith('now') || currentEvent());
    const at = names.indexOf(place.from(store.now(), currentEvent()));
    place.set({from: names[Math.min(names.length - 1, Math.max(0, at + by))], to: null});
}
function nextTheme() {
    const at = THEMES.indexOf(theme());
    remember(THEME, THEMES[(at + 1) % THEMES.length]);
    place.set({theme: null}, {replace: true});
    applyTheme();
    reopen();
}
function setPaused(paused) {
    shell.paused = paused;
    shell.pausedAt = store.now();
    shell.update();
    draw();
}

/* ---- views ---- */
async function openView() {
    const wanted = viewOf(place.path);
    if (wanted.path === openPath) {
        draw();
        return;
    }
    openPath = wanted.path;
    const turn = ++opening;
    let module;
    try {
        module = await import(`./views/${wanted.module}.js`);
    } catch {
        /* The collector was updated and has other files now, or it is away: then this view's address loads the page anew. */
        if (turn === opening) {
            view?.close();
            view = null;
            openPath = '';
            shell.main.replaceChildren(h('p', {class: 'empty'}, `${wanted.name} could not be loaded. `,
                h('a', {href: place.href(wanted.path), 'data-load': ''}, 'Load the page again')));
        }
        return;
    }
    if (turn !== opening)
        return;
    view?.close();
    shell.main.replaceChildren();
    setAttribute(shell.main, 'data-view', wanted.module);
    view = module.open(shell.main);
    view.update();
    kiosk.fit();
}
function reopen() {
    openPath = '';
    openView();
}
function draw() {
    if (drawing)
        return;
    drawing = true;
    requestAnimationFrame(() => {
        drawing = false;
        shell.update();
        if (!shell.paused)
            view?.update();
    });
}

/* ---- start ---- */
document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href^="/"]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.target ||
        link.hasAttribute('data-load') || !(link.pathname === '/' || VIEWS.some((entry) => entry.path === link.pathname)))
        return;
    event.preventDefault();
    place.go(link.pathname, new URLSearchParams(link.search));
});
place.changed.add(openView);
/* Stale is said when it becomes true, not at the next full second. */
let staleTimer = 0;
store.on('frame', () => {
    followPlan();
    draw();
    clearTimeout(staleTimer);
    staleTimer = setTimeout(shell.tick, STALE_MS + 20);
});

let away = false;
store.link = connect('/api/crest/v1/stream', {
    frame(kind, data) {
        store.lost = away;
        away = false;
        store.apply(kind, data);
    },
    state(link) {
        if (link.status === 'waiting' || link.status === 'closed')
            away = store.frames > 0;
        draw();
    },
});
store.on('again', () => {
    for (const wait of GAP_FILL_MS)
        setTimeout(() => store.tell('gap'), wait);
});

let hiddenTimer = 0;
document.addEventListener('visibilitychange', () => {
    clearTimeout(hiddenTimer);
    if (document.visibilityState === 'hidden')
        hiddenTimer = setTimeout(() => store.link.close(), HIDDEN_MS);
    else
        store.link.open();
});
setInterval(() => {
    shell.tick();
    kiosk.turn();
    if (!shell.paused)
        view?.tick?.();
}, 1000);
applyTheme();
shell.update();
openView();

/* kiosk.js - a wall screen: one screen without controls, views take turns, the screen stays awake.
 *
 * What does not fit is left out, never made smaller: letters on a wall must be read. A view says with data-drop=1…5 what
 * goes first; charts take the room that is left; then rows go from the end of the longest list, and the bar counts them. */

const KIOSK_SECONDS = 15;
const DROPS = 5;
const SPARE = 0.94;   /* what was left out comes back when there is that much room: no blinking at the edge */
const ROWS_LEAST = 3; /* of each list */

export function makeKiosk(shell) {
    let turnAt = 0, wake = null, level = 0, fitted = '';

    const on = () => place.get('kiosk') !== null;

    function turn() {
        if (!on()) {
            turnAt = 0;
            wake?.release?.();
            wake = null;
            fit();
            return;
        }
        if (!wake && navigator.wakeLock && document.visibilityState === 'visible') {
            wake = {};
            navigator.wakeLock.request('screen').then((lock) => (wake = lock), () => {});
        }
        const every = Math.max(5, Number(place.get('kiosk')) || KIOSK_SECONDS) * 1000;
        const rounds = VIEWS.filter((entry) => entry.path !== '/explore' && (entry.path !== '/alerts' || firing().length > 0));
        const next = rounds[(rounds.findIndex((entry) => entry.path === viewOf(place.path).path) + 1) % rounds.length];
        turnAt ||= performance.now() + every;
        if (performance.now() >= turnAt && !shell.paused) {
            turnAt = performance.now() + every;
            const url = new URL(place.href(next.path), location.href);
            place.go(url.pathname, url.searchParams, true);
        }
        shell.nextView = `next: ${next.name} in ${Math.max(0, Math.ceil((turnAt - performance.now()) / 1000))} s`;
        fit();
    }

    /* ---- fitting ---- */
    function drop(wanted) {
        for (const element of shell.main.querySelectorAll('[data-drop]'))
            element.classList.toggle('dropped', Number(element.dataset.drop) <= wanted);
    }
    const over = (share = 1) => shell.main.scrollHeight > Math.ceil(shell.main.clientHeight * share) + 1;
    function cutRows() {
        const lists = [...shell.main.querySelectorAll('tbody, .alerts, .plain-list')].filter((list) => list.offsetHeight)
            .map((list) => [...list.children].filter((row) => !row.hidden));
        let cut = 0;
        while (over()) {
            const rows = lists.filter((list) => list.length > ROWS_LEAST).sort((a, b) => b.length - a.length)[0];
            if (!rows)
                break;
            const tall = Math.max(1, rows[rows.length - 1].offsetHeight);
            const many = Math.min(rows.length - ROWS_LEAST, Math.max(1, Math.floor((shell.main.scrollHeight - shell.main.clientHeight) / tall)));
            for (const row of rows.splice(rows.length - many))
                row.classList.add('dropped');
            cut += many;
        }
        return cut;
    }
    /* Everything is put back and left out again within one turn: nothing of that is seen. */
    function fit() {
        for (const element of shell.main.querySelectorAll('tr.dropped, li.dropped'))
            element.classList.remove('dropped');
        shell.leftOut = 0;
        if (!on()) {
            if (level)
                drop(level = 0);
            return;
        }
        const key = `${place.path}|${innerWidth}|${innerHeight}|${shell.main.clientHeight}`;
        const before = key === fitted ? level : 0;
        fitted = key;
        for (level = 0; level <= DROPS; level++) {
            drop(level);
            if (!over(level < before ? SPARE : 1))
                break;
        }
        level = Math.min(level, DROPS);
        shell.leftOut = cutRows();
    }
    return {turn, fit, toggle: () => place.set({kiosk: on() ? null : KIOSK_SECONDS})};
}

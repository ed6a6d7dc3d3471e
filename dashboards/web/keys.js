/* keys.js - every key in one table, the overlay that lists it, and the switch that turns single keys off (WCAG 2.1.4).
 *
 *   const keys = makeKeys([{key: 'p', words: 'Pause', run: fn}]);
 *   keys.toggleHelp();
 *
 * Keys work outside of fields and with no modifier held, so they never take one from the browser or a screen reader. */

const KEYS_OFF = 'crest.keys.off';

export function remembered(name) {
    try {
        return localStorage.getItem(name);
    } catch { /* storage is forbidden in this browser: everything is as at first */
        return null;
    }
}
export function remember(name, value) {
    try {
        if (value === null)
            localStorage.removeItem(name);
        else
            localStorage.setItem(name, value);
    } catch { /* as above */
    }
}

export function makeKeys(table) {
    let off = remembered(KEYS_OFF) === '1';
    const box = h('input', {type: 'checkbox', id: 'keys-on', onchange: () => {
        off = !box.checked;
        remember(KEYS_OFF, off ? '1' : null);
    }});
    box.checked = !off;
    const dialog = h('dialog', {class: 'help', 'aria-labelledby': 'help-title'},
        h('h2', {id: 'help-title'}, 'Keys'),
        h('dl', {class: 'keys'}, table.map((entry) =>
            h('div', {}, h('dt', {}, h('kbd', {}, entry.shown ?? entry.key)), h('dd', {}, entry.words)))),
        h('h3', {}, 'On a chart'),
        h('dl', {class: 'keys'}, [['← →', 'Move the cursor in all charts'], ['Shift ← →', 'Select a stretch'],
            ['Enter', 'Zoom to it'], ['Home End', 'First and last point']].map(([key, words]) =>
            h('div', {}, h('dt', {}, h('kbd', {}, key)), h('dd', {}, words)))),
        h('p', {}, h('label', {for: 'keys-on'}, box, ' Single keys work')),
        h('p', {class: 'quiet'}, 'Charts are drawn with uPlot, © Leon Sorokin, MIT licence.'),
        h('button', {type: 'button', onclick: () => dialog.close()}, 'Close'));
    document.body.append(dialog);

    const keys = {
        toggleHelp() {
            if (dialog.open)
                dialog.close();
            else
                dialog.showModal();
        },
    };
    document.addEventListener('keydown', (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented)
            return;
        if (dialog.open && event.key === 'Escape') {
            dialog.close(); /* now: the browser's own comes later than the next key may */
            if (dialog.contains(document.activeElement))
                document.activeElement.blur(); /* and so does its taking the focus out of what is hidden */
            event.preventDefault();
            return;
        }
        const field = event.target.closest?.('input, textarea, select, [contenteditable]');
        if (field && !field.closest('dialog:not([open])')) /* the focus stays in a closed dialog until the next picture is drawn */
            return;
        if (off || (document.querySelector('dialog[open]') && !(dialog.open && event.key === '?')))
            return; /* off: all of them, also ?; the button ? opens the overlay, which has the switch */
        const entry = table.find((known) => known.key === event.key);
        if (!entry)
            return;
        event.preventDefault();
        entry.run();
    });
    return keys;
}

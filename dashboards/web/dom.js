/* dom.js - elements from data. Text reaches the page through textContent only; nothing here parses HTML. */

/* Names come from anywhere: control characters and direction overrides would hide or reorder what stands beside them. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export function clean(text) {
    return String(text ?? '').replace(UNSAFE, '\ufffd');
}

/* h('a', {class: 'x', href: '/', onclick: fn}, 'text', child, null): on… are listeners, null children are left out,
 * false and null attributes too. */
export function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (typeof value === 'function')
            element.addEventListener(name.slice(2), value);
        else if (value !== null && value !== undefined && value !== false)
            element.setAttribute(name, value === true ? '' : clean(value));
    }
    for (const child of children.flat()) {
        if (child !== null && child !== undefined && child !== false)
            element.append(child instanceof Node ? child : clean(child));
    }
    return element;
}

export function setText(element, text) {
    const safe = clean(text);
    if (element.textContent !== safe)
        element.textContent = safe;
}
export function setAttribute(element, name, value) {
    if (element.getAttribute(name) !== String(value))
        element.setAttribute(name, value);
}
export function show(element, visible) {
    if (element.hidden === visible)
        element.hidden = !visible;
}

/* Makes parent's children those of items, in order: make(item) → element once per key, update(element, item) always.
 * Elements that stay keep their focus and place in the reader. */
export function patchList(parent, items, keyOf, make, update) {
    const known = (parent.patched ??= new Map());
    const seen = new Set();
    let at = parent.firstElementChild;
    for (const item of items) {
        const key = keyOf(item);
        if (seen.has(key))
            continue;
        seen.add(key);
        let element = known.get(key);
        if (!element) {
            element = make(item);
            known.set(key, element);
        }
        if (element === at)
            at = at.nextElementSibling;
        else
            parent.insertBefore(element, at);
        update?.(element, item);
    }
    for (const [key, element] of known) {
        if (!seen.has(key)) {
            element.remove();
            known.delete(key);
        }
    }
}

/* On narrow screens a table's rows are cards (app.css): each cell then says its column itself. */
export function labelCells(table) {
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    for (const row of table.tBodies[0].rows)
        for (const [i, cell] of [...row.cells].entries())
            setAttribute(cell, 'data-label', names[i] ?? '');
}

/* A state is a shape, a word and a colour, always the three together. */
export const STATES = {
    ok: ['●', 'ok'],
    warn: ['▲', 'warning'],
    crit: ['■', 'critical'],
    unknown: ['?', 'unknown'],
};
export function stateMark(state) {
    const element = h('span', {class: 'state'}, h('span', {'aria-hidden': 'true', class: 'shape'}), h('span', {class: 'word'}));
    setState(element, state);
    return element;
}
export function setState(element, state, word) {
    const known = Object.hasOwn(STATES, state) ? state : 'unknown';
    setAttribute(element, 'data-state', known);
    setText(element.firstChild, STATES[known][0]);
    setText(element.lastChild, word ?? STATES[known][1]);
}

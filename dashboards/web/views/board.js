/* board.js - a board: several expressions with a title and a unit each, as a small JSON file (docs/page.md), and in the
 * address where it is short. Joined in front of explore.js.
 *
 *   {"crest_board": 1, "title": "Checkout", "charts": [{"expr": "up", "title": "Targets", "unit": "number"}]} */
const BOARD_CHARTS_MAX = 64, BOARD_BYTES_MAX = 256 * 1024, BOARD_ADDRESS_MAX = 1800;
const BOARD_TEXT_MAX = 4000, BOARD_KEPT = 'crest.board';
const UNITS = {number: 'plain number', seconds: 'seconds', ratio: 'ratio, as %', rps: 'per second', per_minute: 'per minute', bytes: 'bytes'};
export function unitFormat(unit) {
    return unit === 'seconds' ? seconds : unit === 'ratio' ? ratio
        : unit === 'rps' ? (x) => number(x) + (Number.isFinite(x) ? '/s' : '') : unit === 'per_minute' ? (x) => number(x) + (Number.isFinite(x) ? '/min' : '')
        : unit === 'bytes' ? (x) => number(x) + (Number.isFinite(x) ? 'B' : '') : number;
}
/* The unit that a name ends in, as our signals are called. */
function unitOf(expr) {
    return /_ratio\b/.test(expr) ? 'ratio' : /_seconds(:p\d+)?\b/.test(expr) ? 'seconds' : /_rps\b/.test(expr) ? 'rps' : /_per_minute\b/.test(expr) ? 'per_minute' : /_bytes\b/.test(expr) ? 'bytes' : 'number';
}

/* {board} or {error: words that name the place}. */
export function readBoard(text) {
    const fail = (words) => ({error: `This is no board: ${words}.`});
    let from;
    if (text.length > BOARD_BYTES_MAX)
        return fail(`it is larger than ${BOARD_BYTES_MAX / 1024} KB`);
    try {
        from = JSON.parse(text);
    } catch (error) {
        return fail(`it is no JSON (${error.message})`);
    }
    if (from === null || typeof from !== 'object' || Array.isArray(from))
        return fail('it is no JSON object');
    if (from.crest_board !== 1)
        return fail(from.crest_board === undefined ? '"crest_board": 1 is missing' : `"crest_board" is ${JSON.stringify(from.crest_board).slice(0, 20)}, and this page knows 1`);
    if (from.title !== undefined && typeof from.title !== 'string')
        return fail('"title" is no text');
    if (!Array.isArray(from.charts))
        return fail('"charts" is no list');
    if (from.charts.length > BOARD_CHARTS_MAX)
        return fail(`it has ${from.charts.length} charts, at most ${BOARD_CHARTS_MAX} fit`);
    const charts = [];
    for (const [i, one] of from.charts.entries()) {
        if (typeof one?.expr !== 'string' || !one.expr.trim() || one.expr.length > BOARD_TEXT_MAX)
            return fail(`charts[${i}].expr is no expression`);
        if (one.title !== undefined && (typeof one.title !== 'string' || one.title.length > 200))
            return fail(`charts[${i}].title is no short text`);
        if (one.unit !== undefined && !Object.hasOwn(UNITS, one.unit))
            return fail(`charts[${i}].unit is none of ${Object.keys(UNITS).join(', ')}`);
        charts.push({expr: one.expr, title: one.title ?? '', unit: one.unit ?? unitOf(one.expr)});
    }
    return {board: {crest_board: 1, title: (from.title ?? '').slice(0, 200), charts}};
}

/* Long boards stay in this browser; the address then only says so, and the file is what can be handed on. */
function boardAddress(board) {
    const text = JSON.stringify(board);
    remember(BOARD_KEPT, text);
    return encodeURIComponent(text).length <= BOARD_ADDRESS_MAX ? text : 'here';
}
function boardOfAddress() {
    const text = place.get('board');
    if (text === null)
        return {board: null};
    const kept = text === 'here' ? remembered(BOARD_KEPT) : text;
    return kept === null ? {error: 'This address names a board that is kept in another browser. Ask for its file.'} : readBoard(kept);
}
function downloadBoard(board) {
    const url = URL.createObjectURL(new Blob([JSON.stringify(board, null, 2) + '\n'], {type: 'application/json'}));
    const name = (board.title || 'board').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'board';
    const link = h('a', {href: url, download: `${name}.crest-board.json`});
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/* One question a second for all charts of a board that answer with series: each expression's series get a label that says
 * whose they are. Charts whose expression is wrong or no vector keep out, and ask for themselves. */
const OWNER = '__chart__';
function boardQuery(charts) {
    return charts.map(([i, expr]) => `label_replace(${expr}\n, "${OWNER}", "${i}", "", "")`).join(' or ');
}
async function askBoard(charts, t) {
    const body = new URLSearchParams({query: boardQuery(charts), time: (t / 1000).toFixed(3)});
    const answer = await (await fetch('/api/v1/query', {method: 'POST', body})).json();
    if (answer.status !== 'success' || answer.data.resultType !== 'vector')
        throw new Error(answer.error ?? 'no vector');
    const found = new Map(charts.map(([i]) => [String(i), []]));
    for (const one of answer.data.result) {
        const {[OWNER]: owner, ...labels} = one.metric;
        if (one.value)
            found.get(owner)?.push([nameOf(labels), one.value[1] === '+Inf' ? Infinity : Number(one.value[1])]);
    }
    return found;
}

/* Explore: a PromQL expression as a chart and as a table of its newest values, and boards of such charts. Expression and
 * board stand in the address. */
import {h, setText, show, number, ratio, seconds, store, place, currentRange, remember, remembered} from '../app.js';
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
    const unit = h('select', {'aria-label': 'Unit', onchange: () => rebuild(place.get('q') ?? '', true)}, Object.entries(UNITS).map(([value, name]) => h('option', {value}, name)));
    const chartTitle = h('input', {type: 'text', 'aria-label': 'Title of the chart', placeholder: 'Title on the board', maxlength: '200', autocomplete: 'off'});
    const keepForm = h('form', {class: 'query keep', hidden: true, onsubmit: (event) => {
        event.preventDefault();
        keep();
    }}, unit, chartTitle, h('button', {type: 'submit'}, 'Keep on the board'));
    const file = h('input', {type: 'file', accept: '.json,application/json', class: 'reader-only', tabindex: '-1', 'aria-label': 'Board file', onchange: () => file.files[0] && openFile(file.files[0])});
    const boardTitle = h('input', {type: 'text', class: 'board-title', 'aria-label': 'Title of the board', placeholder: 'Title of the board', maxlength: '200', autocomplete: 'off',
        onchange: () => change({...board, title: boardTitle.value})});
    const download = h('button', {type: 'button', onclick: () => downloadBoard(board)}, 'Download the board file');
    const closeBoard = h('button', {type: 'button', onclick: () => place.set({board: null})}, 'Close the board');
    const boardError = h('p', {class: 'error', role: 'status'});
    const boardNote = h('p', {class: 'quiet'});
    const grid = h('div', {class: 'charts small board'});
    const boardBox = h('section', {class: 'board-box', 'aria-labelledby': 'board-head'}, h('div', {class: 'view-head'}, h('h2', {id: 'board-head'}, 'Board'), boardTitle,
        h('div', {class: 'buttons'}, h('button', {type: 'button', onclick: () => file.click()}, 'Open a board file'), download, closeBoard), file), boardError, boardNote, grid);
    main.append(h('h1', {}, 'Explore'), form, keepForm, examples, error, charts, table, boardBox);
    const dropped = (event) => {
        if (![...event.dataTransfer?.types ?? []].includes('Files'))
            return;
        event.preventDefault(); /* the browser would leave the page for the file */
        if (event.type === 'drop' && event.dataTransfer.files[0])
            openFile(event.dataTransfer.files[0]);
    };
    for (const what of ['dragover', 'drop'])
        document.addEventListener(what, dropped);

    /* ---- the board ---- */
    let board = null, boardShown, tiles = [], asking = false, askedAt = 0, apart = new Set(), closed = false;
    function change(next) {
        place.set({board: next.charts.length || next.title ? boardAddress(next) : null});
    }
    function keep() {
        const expr = place.get('q') ?? '', charts = board?.charts ?? [];
        if (!expr)
            return;
        if (charts.length >= BOARD_CHARTS_MAX) {
            setText(boardError, `A board has at most ${BOARD_CHARTS_MAX} charts.`);
            return;
        }
        change({crest_board: 1, title: board?.title ?? '', charts: [...charts, {expr, title: chartTitle.value.trim(), unit: unit.value}]});
        chartTitle.value = '';
    }
    async function openFile(one) {
        const read = one.size > BOARD_BYTES_MAX ? {error: `This is no board: ${one.name} is larger than ${BOARD_BYTES_MAX / 1024} KB.`} : readBoard(await one.text());
        file.value = '';
        if (closed)
            return;
        setText(boardError, read.error ?? '');
        if (read.board)
            change(read.board);
    }
    function showBoard() {
        const address = place.get('board');
        if (address === boardShown && address !== 'here')
            return;
        const text = address === 'here' ? remembered(BOARD_KEPT) : address;
        if (boardShown !== undefined && text === boardShown)
            return;
        boardShown = text;
        const read = boardOfAddress();
        setText(boardError, read.error ?? '');
        board = read.board ?? null;
        for (const tile of tiles)
            tile.chart.close();
        grid.replaceChildren();
        apart = new Set();
        tiles = (board?.charts ?? []).map((one, i) => {
            const chart = makeChart(grid, {title: one.title || one.expr, format: unitFormat(one.unit), history: () => [{query: one.expr, lookback_ms: 0, label: nameOf}]});
            chart.caption.after(h('p', {class: 'tile-tools'}, one.title ? h('code', {}, one.expr) : null,
                h('button', {type: 'button', onclick: () => {
                    unit.value = one.unit;
                    chartTitle.value = one.title;
                    place.set({q: one.expr, board: boardAddress({...board, charts: board.charts.filter((_, k) => k !== i)})});
                    field.focus();
                }}, 'Edit', h('span', {class: 'reader-only'}, ` ${one.title || one.expr}`)),
                h('button', {type: 'button', onclick: () => change({...board, charts: board.charts.filter((_, k) => k !== i)})}, 'Remove', h('span', {class: 'reader-only'}, ` ${one.title || one.expr}`))));
            return {...one, i, chart};
        });
        if (boardTitle.value !== (board?.title ?? ''))
            boardTitle.value = board?.title ?? '';
        for (const element of [boardTitle, download, closeBoard])
            show(element, board !== null);
        setText(boardNote, board === null ? 'A board keeps several expressions. Run one and keep it, open a board file, or drop one here.'
            : address === 'here' ? 'This board is too long for the address: hand on its file.' : '');
    }
    /* The newest values of all tiles, once a second at most and never two questions at once. */
    async function follow() {
        if (!tiles.length || asking || store.newest <= askedAt || !currentRange().live || store.freshness().state !== 'live')
            return;
        asking = true;
        const t = (askedAt = store.newest), mine = tiles;
        const together = mine.filter((tile) => !apart.has(tile.i)).map((tile) => [tile.i, tile.expr]);
        try {
            const found = together.length ? await askBoard(together, t) : new Map();
            for (const tile of closed || mine !== tiles ? [] : mine)
                if (found.has(String(tile.i)))
                    tile.chart.push(t, found.get(String(tile.i)));
        } catch { /* one of them spoils it for all: find out which */
            for (const [i, expr] of together) {
                const ok = await askBoard([[i, expr]], t).then(() => true, () => false);
                if (!ok)
                    apart.add(i);
            }
        }
        asking = false;
    }

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
    function rebuild(query, keepUnit = false) {
        chart?.close();
        chart = null;
        setText(error, '');
        body.replaceChildren();
        show(table, false);
        show(examples, query === '' && !board);
        show(keepForm, query !== '');
        if (!query)
            return;
        if (!keepUnit && !chartTitle.value)
            unit.value = unitOf(query);
        chart = makeChart(charts, {
            title: query, format: unitFormat(unit.value),
            /* The reader's own expression keeps the language's look-back. */
            history: () => [{query, lookback_ms: 0, label: nameOf}],
        });
        run();
    }
    function update() {
        showBoard();
        const query = place.get('q') ?? '';
        if (query !== shown) {
            shown = query;
            if (document.activeElement !== field || field.value !== query)
                field.value = query;
            rebuild(query);
        }
        chart?.update();
        follow();
        for (const tile of tiles)
            tile.chart.update();
    }
    timer = setInterval(() => {
        if (!currentRange().live || store.freshness().state !== 'live')
            return;
        if (chart) {
            chart.reload();
            run();
        }
        for (const tile of tiles)
            if (apart.has(tile.i))
                tile.chart.reload();
    }, 5000);
    return {update, close() {
        closed = true;
        clearInterval(timer);
        turn++;
        chart?.close();
        for (const tile of tiles)
            tile.chart.close();
        for (const what of ['dragover', 'drop'])
            document.removeEventListener(what, dropped);
    }};
}

/* The event: orders and money by market against plan and last event, what is in trouble, what fires, what happened. */
import {h, setText, setAttribute, show, patchList, stateMark, setState, number, money, ratio, duration, clock, dateTime, store,
    place, firing, alertWords, firingFor, currentEvent} from '../app.js';
import {makeChart} from '../chart.js';

/* One question for every chart of this view: money is never added up across currencies. */
const HISTORY = 'sum by (__name__, market, currency) ({__name__=~"commerce:orders_per_minute|commerce:revenue_per_minute"})';
const ORDERS = 'commerce:orders_per_minute', REVENUE = 'commerce:revenue_per_minute';
const STRIP_MAX = 24, NOTES_MAX = 12;

/* Rows of the stream are per service, market, channel and currency: here a market and its currency are one. */
function markets() {
    const found = new Map();
    for (const row of store.rows('markets')) {
        const key = `${row.market ?? 'all'}/${row.currency ?? ''}`;
        const sum = found.get(key) ?? {key, market: row.market || 'all markets', currency: row.currency ?? ''};
        for (const name of ['orders_per_minute', 'revenue_per_minute'])
            if (Number.isFinite(row[name]))
                sum[name] = (sum[name] ?? 0) + row[name];
        found.set(key, sum);
    }
    const event = currentEvent();
    for (const [market, plan] of Object.entries(event?.markets ?? {})) {
        const key = `${market}/${plan.currency ?? ''}`;
        const sum = found.get(key) ?? {key, market, currency: plan.currency ?? ''};
        found.set(key, Object.assign(sum, {event: plan}));
    }
    return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function figure(name) {
    const now = h('strong', {class: 'now'}), against = h('span', {class: 'against'});
    return h('div', {class: 'figure'}, h('span', {class: 'figure-name'}, name), now, against);
}
/* "plan 40 (82 %) · last 35" */
function setFigure(element, value, plan, last, format) {
    setText(element.children[1], format(value));
    const parts = [];
    if (Number.isFinite(plan))
        parts.push(`plan ${format(plan)}` + (plan > 0 && Number.isFinite(value) ? ` (${ratio(value / plan)})` : ''));
    if (Number.isFinite(last))
        parts.push(`last ${format(last)}`);
    setText(element.children[2], parts.join(' · '));
    const behind = plan > 0 && Number.isFinite(value) ? value / plan : 1;
    setAttribute(element, 'data-state', behind < 0.5 ? 'crit' : behind < 0.8 ? 'warn' : 'ok');
}

export function open(main) {
    const title = h('h1', {}), phase = h('p', {class: 'phase'});
    const cards = h('ul', {class: 'cards markets', 'aria-label': 'Markets'});
    const total = figure('Orders per minute, all markets');
    total.classList.add('total');
    const noMarkets = h('p', {class: 'empty'}, 'No orders yet: no series commerce:orders_per_minute has a sample.');
    const charts = h('div', {class: 'charts'});
    const strip = h('ul', {class: 'strip', 'aria-label': 'Services by trouble'});
    const more = h('p', {class: 'quiet'});
    const alerts = h('ul', {class: 'plain-list'}), quiet = h('p', {class: 'empty'}, '● No alert is firing.');
    const notes = h('ul', {class: 'plain-list notes'}), noNotes = h('p', {class: 'empty'}, 'Nothing was noted yet.');
    main.append(h('div', {class: 'event-head'}, h('div', {}, title, phase), total), cards, noMarkets,
        h('section', {'aria-labelledby': 'strip-title'}, h('h2', {id: 'strip-title'}, 'Services'), strip, more), charts,
        h('div', {class: 'columns'},
            h('section', {'aria-labelledby': 'alerts-title'}, h('h2', {id: 'alerts-title'}, 'Alerts'), alerts, quiet),
            h('section', {'aria-labelledby': 'notes-title'}, h('h2', {id: 'notes-title'}, 'What happened'), notes, noNotes)));

    const planLines = (name) => {
        const lines = [];
        for (const kind of ['plan', 'last']) {
            let sum = null;
            for (const one of Object.values(currentEvent()?.markets ?? {}))
                if (Number.isFinite(one[name]?.[kind]))
                    sum = (sum ?? 0) + one[name][kind];
            if (sum !== null)
                lines.push([kind === 'plan' ? 'plan, all' : 'last event, all', sum, kind]);
        }
        return lines;
    };
    const orders = makeChart(charts, {
        title: 'Orders per minute', format: number,
        history: () => [{query: HISTORY, label: (labels) => (labels.__name__ === ORDERS ? labels.market || 'all markets' : null)}],
        live: () => {
            const byMarket = new Map();
            for (const one of markets())
                if (Number.isFinite(one.orders_per_minute))
                    byMarket.set(one.market, (byMarket.get(one.market) ?? 0) + one.orders_per_minute);
            return [...byMarket, ...planLines('orders')];
        },
    });
    const revenues = new Map(); /* currency → chart */
    function revenueChart(currency) {
        revenues.set(currency, makeChart(charts, {
            title: `Revenue per minute, ${currency || 'no currency'}`, format: number,
            history: () => [{query: HISTORY, label: (labels) => (labels.__name__ === REVENUE && (labels.currency ?? '') === currency ? labels.market || 'all markets' : null)}],
            live: () => markets().filter((one) => one.currency === currency && Number.isFinite(one.revenue_per_minute))
                .flatMap((one) => [[one.market, one.revenue_per_minute],
                    ...['plan', 'last'].filter((kind) => Number.isFinite(one.event?.revenue?.[kind]))
                        .map((kind) => [`${one.market} ${kind === 'plan' ? 'plan' : 'last event'}`, one.event.revenue[kind], kind])]),
        }));
    }

    function update() {
        const event = currentEvent(), list = markets();
        setText(title, event?.name ?? 'Event');
        tick();
        const sums = {now: null, plan: null, last: null};
        for (const one of list) {
            for (const [name, value] of [['now', one.orders_per_minute], ['plan', one.event?.orders?.plan], ['last', one.event?.orders?.last]])
                if (Number.isFinite(value))
                    sums[name] = (sums[name] ?? 0) + value;
        }
        setFigure(total, sums.now, sums.plan, sums.last, number);
        show(noMarkets, list.length === 0);
        patchList(cards, list, (one) => one.key, (one) => h('li', {class: 'card'}, h('h2', {}, h('bdi', {}, one.market), ' ', h('small', {}, one.currency)),
            figure('Orders/min'), figure('Revenue/min'), h('p', {class: 'pace'})), (card, one) => {
            setFigure(card.children[1], one.orders_per_minute, one.event?.orders?.plan, one.event?.orders?.last, number);
            setFigure(card.children[2], one.revenue_per_minute, one.event?.revenue?.plan, one.event?.revenue?.last, (x) => money(x, one.currency));
            const pace = one.event?.on_pace_for;
            const words = [Number.isFinite(pace?.orders) ? `${number(pace.orders)} orders` : '', Number.isFinite(pace?.revenue) ? money(pace.revenue, one.currency) : '']
                .filter(Boolean).join(', ');
            setText(card.children[3], words ? `On pace for ${words}` : '');
        });
        for (const currency of new Set(list.filter((one) => Number.isFinite(one.revenue_per_minute)).map((one) => one.currency)))
            if (!revenues.has(currency))
                revenueChart(currency);
        for (const chart of [orders, ...revenues.values()])
            chart.update();

        const services = store.rows('services').sort((a, b) => (b.trouble ?? 0) - (a.trouble ?? 0));
        patchList(strip, services.slice(0, STRIP_MAX), (row) => row.service, () => h('li', {}, h('a', {}, stateMark('unknown'), ' ', h('bdi', {}), h('span', {class: 'why'}))),
            (li, row) => {
                const link = li.firstChild;
                setAttribute(link, 'href', place.href('/services', {service: row.service}));
                setState(link.children[0], row.state);
                setText(link.children[1], row.service);
                setText(link.children[2], row.state === 'ok' || !row.why ? '' : ' ' + row.why);
            });
        setText(more, services.length > STRIP_MAX ? `and ${services.length - STRIP_MAX} more` : services.length ? '' : 'No service has sent a sample yet.');

        const active = firing().slice(0, 8);
        show(quiet, active.length === 0);
        patchList(alerts, active, (alert) => alert.key, () => h('li', {}, stateMark('crit'), ' ', h('span', {}), ' ', h('span', {class: 'quiet'})), (li, alert) => {
            setState(li.firstChild, alert.severity === 'page' ? 'crit' : 'warn', alert.severity === 'page' ? 'page' : alert.severity || 'alert');
            setText(li.children[1], alertWords(alert));
            setText(li.children[2], firingFor(alert));
        });
        const noted = store.entries('annotations').map(([key, row]) => ({key, ...row})).sort((a, b) => b.t - a.t).slice(0, NOTES_MAX);
        show(noNotes, noted.length === 0);
        patchList(notes, noted, (note) => note.key, (note) => h('li', {}, h('time', {datetime: new Date(note.t).toISOString(), title: dateTime(note.t)}, clock(note.t)),
            ' ', h('span', {class: 'kind'}, note.kind ?? 'note'), ' ', h('span', {}, [note.service, note.text].filter(Boolean).join(': ')),
            note.user ? h('span', {class: 'quiet'}, ` ${note.user}`) : null));
    }
    function tick() {
        const event = currentEvent(), now = store.now();
        if (!event) {
            setText(phase, 'No event is planned: figures stand without plan and last event.');
            return;
        }
        const words = [event.phase ? `Phase: ${event.phase}` : ''];
        if (Number.isFinite(event.starts) && now < event.starts)
            words.push(`doors open in ${duration(event.starts - now)}`);
        else if (Number.isFinite(event.ends) && now < event.ends)
            words.push(`open for ${duration(now - event.starts)}, closes in ${duration(event.ends - now)}`);
        else if (Number.isFinite(event.ends))
            words.push(`closed ${duration(now - event.ends)} ago`);
        setText(phase, words.filter(Boolean).join(' · '));
    }
    return {
        update, tick,
        close() {
            for (const chart of [orders, ...revenues.values()])
                chart.close();
        },
    };
}

/* The event: orders and money by market against plan and last event, what is in trouble, what fires, what happened. */
import {h, setText, setAttribute, show, patchList, stateMark, setState, number, money, ratio, duration, clock, dateTime, store,
    place, firing, alertWords, firingFor, currentEvent, plannedEvent, planCurves, planTotal, planVersion} from '../app.js';
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

function figure(name, drop = null) {
    const now = h('strong', {class: 'now'}), against = h('span', {class: 'against'}, h('span', {}), ' ', h('span', {})); /* breaks between the two, not within one */
    return h('div', {class: 'figure', 'data-drop': drop}, h('span', {class: 'figure-name'}, name), now, against);
}
/* "plan 40 (82 %) · last 35" */
function setFigure(element, value, plan, last, format) {
    setText(element.children[1], format(value));
    const planned = Number.isFinite(plan) ? `plan ${format(plan)}` + (plan > 0 && Number.isFinite(value) ? ` (${ratio(value / plan)})` : '') : '';
    const before = Number.isFinite(last) ? `last ${format(last)}` : '';
    setText(element.children[2].children[0], planned + (planned && before ? ' ·' : ''));
    setText(element.children[2].children[1], before);
    const behind = plan > 0 && Number.isFinite(value) ? value / plan : 1;
    setAttribute(element, 'data-state', behind < 0.5 ? 'crit' : behind < 0.8 ? 'warn' : 'ok');
}

/* "4 100 orders (3 900 to 4 300; plan 5 000, 82 %)": where it ends when it goes on as so far, and how sure that is. */
function paceWords(pace, format, unit) {
    if (!Number.isFinite(pace?.at))
        return '';
    const range = Number.isFinite(pace.low) && Number.isFinite(pace.high) ? `${format(pace.low)} to ${format(pace.high)}` : '';
    const plan = pace.plan > 0 ? `plan ${format(pace.plan)}, ${ratio(pace.at / pace.plan)}` : '';
    const aside = [range, plan].filter(Boolean).join('; ');
    return `${format(pace.at)} ${unit}` + (aside ? ` (${aside})` : '');
}

export function open(main) {
    const title = h('h1', {}), phase = h('p', {class: 'phase'}), countdown = h('p', {class: 'countdown'}, h('span', {class: 'figure-name'}), h('strong', {class: 'now'}));
    const cards = h('ul', {class: 'cards markets', 'aria-label': 'Markets'});
    const total = figure('Orders per minute, all markets');
    total.classList.add('total');
    const noMarkets = h('p', {class: 'empty'}, 'No orders yet: no series commerce:orders_per_minute has a sample.');
    const charts = h('div', {class: 'charts', 'data-drop': 5}); /* in the kiosk; with the chart of all markets above it earlier */
    const strip = h('ul', {class: 'strip', 'aria-label': 'Services by trouble'});
    const more = h('p', {class: 'quiet'});
    const alerts = h('ul', {class: 'plain-list'}), quiet = h('p', {class: 'empty'}, '● No alert is firing.');
    const notes = h('ul', {class: 'plain-list notes'}), noNotes = h('p', {class: 'empty'}, 'Nothing was noted yet.');
    main.append(h('div', {class: 'event-head'}, h('div', {}, title, phase), countdown, total), cards, noMarkets,
        h('section', {'aria-labelledby': 'strip-title'}, h('h2', {id: 'strip-title'}, 'Services'), strip, more), charts,
        h('div', {class: 'columns', 'data-drop': 1},
            h('section', {'aria-labelledby': 'alerts-title'}, h('h2', {id: 'alerts-title'}, 'Alerts'), alerts, quiet),
            h('section', {'aria-labelledby': 'notes-title'}, h('h2', {id: 'notes-title'}, 'What happened'), notes, noNotes)));

    const of = (labels) => labels.market || 'all markets';
    /* Curves are put together once per event and import, not once a second. */
    function remembered(make) {
        let at = '', made = [];
        return () => {
            const key = `${plannedEvent()?.name}/${planVersion()}`;
            if (key !== at) {
                at = key;
                made = make();
            }
            return made;
        };
    }
    function ordersByMarket() {
        const sums = new Map();
        for (const one of markets())
            if (Number.isFinite(one.orders_per_minute))
                sums.set(one.market, (sums.get(one.market) ?? 0) + one.orders_per_minute);
        return sums;
    }
    /* The sum of all markets against plan and last event comes first; with one market it is that market's own chart. */
    const totalBox = h('div', {class: 'charts one flat', 'data-drop': 5, hidden: true});
    charts.before(totalBox);
    let sumChart = null;
    function followTotal() {
        /* The stream names plans before their minutes are here: all charts then ask for their history at once. */
        const planned = Object.values(currentEvent()?.markets ?? {}).some((one) => Number.isFinite(one.orders?.plan) || Number.isFinite(one.orders?.last));
        const wanted = ordersByMarket().size > 1 && (planned || planTotal('orders').length > 0);
        if (wanted && !sumChart) {
            sumChart = makeChart(totalBox, {
                title: 'Orders per minute, all markets', format: number,
                history: () => [{query: HISTORY, label: (labels) => (labels.__name__ === ORDERS ? 'now' : null)}],
                live: () => [['now', [...ordersByMarket().values()].reduce((sum, one) => sum + one, 0)]],
                curves: remembered(() => planTotal('orders')),
            });
        }
        show(totalBox, sumChart !== null);
        setAttribute(charts, 'data-drop', sumChart ? 2 : 5);
    }
    const orders = makeChart(charts, {
        title: 'Orders per minute by market', format: number,
        history: () => [{query: HISTORY, label: (labels) => (labels.__name__ === ORDERS ? of(labels) : null)}],
        live: () => [...ordersByMarket()],
        curves: remembered(() => planCurves('orders')),
    });
    const revenues = new Map(); /* currency → chart */
    function revenueChart(currency) {
        revenues.set(currency, makeChart(charts, {
            title: `Revenue per minute, ${currency || 'no currency'}`, format: number,
            history: () => [{query: HISTORY, label: (labels) => (labels.__name__ === REVENUE && (labels.currency ?? '') === currency ? of(labels) : null)}],
            live: () => markets().filter((one) => one.currency === currency && Number.isFinite(one.revenue_per_minute)).map((one) => [one.market, one.revenue_per_minute]),
            curves: remembered(() => planCurves('revenue', (market) => plannedEvent()?.markets?.[market]?.currency === currency)),
        }));
    }

    function update() {
        const event = currentEvent(), list = markets();
        setText(title, event?.title || event?.name || 'Event');
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
            figure('Orders/min'), figure('Revenue/min'), figure('Orders so far', 4), figure('Revenue so far', 4), h('p', {class: 'pace', 'data-drop': 3})), (card, one) => {
            setFigure(card.children[1], one.orders_per_minute, one.event?.orders?.plan, one.event?.orders?.last, number);
            setFigure(card.children[2], one.revenue_per_minute, one.event?.revenue?.plan, one.event?.revenue?.last, (x) => money(x, one.currency));
            const sofar = one.event?.total;
            show(card.children[3], Boolean(sofar?.orders));
            show(card.children[4], Boolean(sofar?.revenue));
            setFigure(card.children[3], sofar?.orders?.now, sofar?.orders?.plan, sofar?.orders?.last, number);
            setFigure(card.children[4], sofar?.revenue?.now, sofar?.revenue?.plan, sofar?.revenue?.last, (x) => money(x, one.currency));
            const over = event?.ends <= store.now();
            setText(card.children[3].firstChild, over ? 'Orders in all' : 'Orders so far');
            setText(card.children[4].firstChild, over ? 'Revenue in all' : 'Revenue so far');
            const pace = over ? null : one.event?.on_pace_for;
            const words = [paceWords(pace?.orders, (x) => `${number(x)}`, 'orders'), paceWords(pace?.revenue, number, one.currency)].filter(Boolean);
            setText(card.children[5], words.length ? `On pace for ${words.join('; ')}` : '');
            show(card.children[5], words.length > 0);
        });
        for (const currency of new Set(list.filter((one) => Number.isFinite(one.revenue_per_minute)).map((one) => one.currency)))
            if (!revenues.has(currency))
                revenueChart(currency);
        followTotal();
        for (const chart of [sumChart, orders, ...revenues.values()])
            chart?.update();

        const services = store.rows('services').sort((a, b) => (b.trouble ?? 0) - (a.trouble ?? 0));
        patchList(strip, services.slice(0, STRIP_MAX), (row) => row.service, () => h('li', {}, h('a', {}, stateMark('unknown'), ' ', h('bdi', {}), h('span', {class: 'why', 'data-drop': 4}))),
            (li, row) => {
                const link = li.firstChild;
                setAttribute(link, 'href', place.href('/services', {service: row.service}));
                setState(link.children[0], row.state);
                setText(link.children[1], row.service);
                setText(link.children[2], row.state === 'ok' || !row.why ? '' : ' ' + row.why);
            });
        const left = Math.max(0, services.length - STRIP_MAX) + (store.more.services ?? 0);
        setText(more, left > 0 ? `and ${number(left)} more, in less trouble` : services.length ? '' : 'No service has sent a sample yet.');

        const active = firing().slice(0, 8);
        show(quiet, active.length === 0);
        patchList(alerts, active, (alert) => alert.key, () => h('li', {}, stateMark('crit'), ' ', h('span', {}), ' ', h('span', {class: 'quiet'})), (li, alert) => {
            setState(li.firstChild, alert.severity === 'page' ? 'crit' : 'warn', alert.severity === 'page' ? 'page' : alert.severity || 'alert');
            setText(li.children[1], alertWords(alert));
            setText(li.children[2], firingFor(alert));
        });
        const noted = store.entries('annotations').map(([key, row]) => ({key, ...row})).filter((note) => Number.isFinite(note.t)).sort((a, b) => b.t - a.t).slice(0, NOTES_MAX);
        show(noNotes, noted.length === 0);
        patchList(notes, noted, (note) => note.key, (note) => h('li', {}, h('time', {datetime: new Date(note.t).toISOString(), title: dateTime(note.t)}, clock(note.t)),
            ' ', h('span', {class: 'kind'}, note.kind ?? 'note'), ' ', h('span', {}, [note.service, note.text].filter(Boolean).join(': ')),
            note.user ? h('span', {class: 'quiet'}, ` ${note.user}`) : null));
    }
    function tick() {
        const event = currentEvent(), now = store.now();
        setText(quiet, store.freshness().state === 'live' ? '● No alert is firing.' : '? Whether an alert fires is not known: no data arrives.');
        const starts = event?.starts, ends = event?.ends;
        const [what, left] = !event ? ['', 0] : now < starts ? ['Doors open in', starts - now] : now < ends ? ['Ends in', ends - now] : Number.isFinite(ends) ? ['Ended', now - ends] : ['', 0];
        show(countdown, what !== '');
        setText(countdown.children[0], what);
        setText(countdown.children[1], what === 'Ended' ? `${duration(left)} ago` : duration(left));
        setText(phase, !event ? 'No event is planned: figures stand without plan and last event.'
            : [event.phase ? `Phase: ${event.phase}` : '', now >= starts && now < ends ? `open for ${duration(now - starts)}` : '',
                Number.isFinite(starts) ? `doors open ${dateTime(starts)}` : ''].filter(Boolean).join(' · '));
    }
    return {
        update, tick,
        close() {
            for (const chart of [sumChart, orders, ...revenues.values()])
                chart?.close();
        },
    };
}

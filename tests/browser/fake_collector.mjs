/* fake_collector.mjs - plays the contract of docs/stream.md for states that are hard to bring about with real programs.
 *
 *   const fake = await startFake();            fake.url
 *   fake.set({alerts: {…}});                   rows that the next frame changes; null removes one
 *   fake.kill(); await fake.revive();          the collector goes away and comes back with another epoch
 *   fake.stall = true                          nothing new arrives, heartbeats only; quiet: not even these
 *   fake.tick();                               one frame now
 *   fake.delay_ms = 1500                       queries are answered that late
 *
 * It serves the page as dashboards/embed.sh joins it, with the collector's Content-Security-Policy. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {dirname, extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
/* The collector's own text, so that the tests fail with it when it forbids what the page does. */
const POLICY = [.../#define POLICY([\s\S]*?)\n\n/.exec(readFileSync(join(ROOT, 'collector/http/assets.c'), 'utf8'))[1].matchAll(/"([^"]*)"/g)].map((part) => part[1]).join('');
const VIEWS = ['/', '/event', '/services', '/journeys', '/alerts', '/targets', '/explore'];
const TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.txt': 'text/plain'};

/* A sale as a function of time: the same second always has the same figures. */
const wave = (t, seconds, low, high) => low + (high - low) * (0.5 + 0.5 * Math.sin((t / 1000 / seconds) * 2 * Math.PI));
export const SALE = {
    tide: (t, market) => wave(t, 2700, 24, 41) * {de: 1, fr: 0.6, jp: 0.4}[market],
    orders: (t, market) => SALE.tide(t, market) * (1 + 0.07 * Math.sin(t / 9000) + 0.03 * Math.sin(t / 2300 + market.length)),
    revenue: (t, market) => SALE.orders(t, market) * BASKET[market],
};
const BASKET = {de: 82, fr: 71, jp: 9800};
const expected = {orders: (t, market) => SALE.tide(t, market), revenue: (t, market) => SALE.tide(t, market) * BASKET[market]};
const MARKETS = [['de', 'EUR'], ['fr', 'EUR'], ['jp', 'JPY']];
const STEPS = ['home', 'search', 'product', 'cart', 'address', 'shipping', 'payment', 'order'];

export function sections(t) {
    const service = (name, tier, trouble, state, signals, why) => ({service: name, tier, stack: 'otel', state, why, trouble, t, signals});
    return {
        services: {
            shop: service('shop', 'app', 2, 'ok', {throughput_rps: wave(t, 60, 180, 240), error_ratio: 0, 'response_seconds:p95': wave(t, 40, 0.04, 0.06), inflight: 3, cache_hit_ratio: 0.97, db_connections_ratio: 0.2}),
            search: service('search', 'app', 1, 'ok', {throughput_rps: wave(t, 30, 60, 80), error_ratio: 0.001, 'response_seconds:p95': 0.021, inflight: 1, cache_hit_ratio: 0.91}),
            stock: service('stock', 'app', 40, 'warn', {throughput_rps: 12.5, error_ratio: 0, 'response_seconds:p95': 0.3, inflight: 9, db_connections_ratio: 0.86}, 'db_connections_ratio 86 % is over 80 %'),
            mail: service('mail', 'worker', 30, 'unknown', {}, 'no sample for 3 scrape intervals'),
        },
        markets: Object.fromEntries(MARKETS.map(([market, currency]) => [`shop/${market}/web/${currency}`,
            {service: 'shop', market, channel: 'web', currency, orders_per_minute: SALE.orders(t, market), revenue_per_minute: SALE.revenue(t, market)}])),
        steps: Object.fromEntries(STEPS.map((step, index) => [`shop/${step}`,
            {service: 'shop', step, index, rps: 60 * Math.pow(0.72, index), error_ratio: step === 'payment' ? 0.021 : 0.001, failure_ratio: step === 'payment' ? 0.001 : 0.0, 'response_seconds:p95': 0.03 + index * 0.01}])),
        alerts: {},
        targets: {
            'shop/127.0.0.1:9483': {job: 'shop', instance: '127.0.0.1:9483', service: 'shop', url: 'http://127.0.0.1:9483/metrics', health: 'up', error: '', last_scrape: t, duration_seconds: 0.004},
            'mail/127.0.0.1:9999': {job: 'mail', instance: '127.0.0.1:9999', service: 'mail', url: 'http://127.0.0.1:9999/metrics', health: 'down', error: 'connection refused', last_scrape: t - 4000, duration_seconds: 0.001},
        },
        coverage: {
            shop: {service: 'shop', signals: {response_time: {present: true}, errors: {present: true}, throughput: {present: true}, checkout: {present: true}, payments: {present: true}, api: {present: true}, cache: {present: true}, database: {present: true}}},
            search: {service: 'search', signals: {response_time: {present: true}, errors: {present: true}, throughput: {present: true}, checkout: {present: false}, payments: {present: false}, api: {present: false, cure: 'expose commerce_dependency_duration_seconds in search'}, cache: {present: true}, database: {present: false, cure: 'expose db_client_connection_count in search'}}},
        },
        event: {},
        annotations: {n1: {t: t - 240_000, kind: 'phase', text: 'doors open', service: '', user: ''}, n2: {t: t - 90_000, kind: 'deploy', text: 'checkout v42', service: 'shop', user: 'ana'}},
        status: {collector: {version: '0.1.0', started: t - 3_600_000, newest: t, series: 4211, samples_per_second: 812, stream_clients: 1}},
    };
}
export const ALERTS = {
    stuck: (since) => ({name: 'PaymentStuck', state: 'firing', severity: 'page', service: 'shop', since, value: 2.96, summary: 'shop: payment-gateway does not answer',
        description: 'The oldest payment in flight waits for 2.96s; its budget is 1.5 s.', labels: {service: 'shop', tier: 'app', dependency: 'payment-gateway', severity: 'page'},
        expr: 'max by (service, tier, dependency) (commerce_dependency_oldest_inflight_seconds{source="",dependency="payment-gateway"}) > 1.5'}),
    errors: (since) => ({name: 'PaymentGatewayErrors', state: 'firing', severity: 'page', service: 'shop', since, value: 12, summary: 'shop: payments fail at the gateway', description: '12 payments ended in an error.',
        labels: {service: 'shop', tier: 'app', severity: 'page'}, expr: 'sum by (service) (increase(commerce_payments_total[10s])) >= 3'}),
    cache: (since) => ({name: 'CacheLost', state: 'firing', severity: 'ticket', service: 'shop', since, value: 0.04, summary: 'shop: the catalogue cache serves 4% of its requests', description: 'Every miss goes to the database.',
        labels: {service: 'shop', tier: 'app', severity: 'ticket'}, expr: 'commerce:cache_hit_ratio < 0.2'}),
};
/* An event as the collector sends it: doors opened four minutes before the fixture began, plan and last event by the minute. */
const DOORS = Math.floor(Date.now() / 60_000) * 60_000 - 240_000, ENDS = DOORS + 7_200_000;
const PLANNED = {plan: 1.1, last: 0.8};
const pace = (at) => ({at, low: at * 0.95, high: at * 1.05, plan: at * 1.2, pace: 0.83});
export const EVENT = (t) => ({name: 'black-friday', title: 'Black Friday', phase: 'rush', starts: DOORS, ends: ENDS, zone: 'Europe/Berlin',
    countdown_ms: t < DOORS ? DOORS - t : Math.max(0, ENDS - t),
    markets: Object.fromEntries(MARKETS.map(([market, currency]) => {
        const beside = (name) => ({now: SALE[name](t, market), ...Object.fromEntries(Object.entries(PLANNED).map(([kind, k]) => [kind, expected[name](t, market) * k]))});
        const total = (name) => Object.fromEntries(Object.entries({now: 1, ...PLANNED}).map(([kind, k]) => [kind, Math.round(expected[name](DOORS, market) * k * (t - DOORS) / 60_000)]));
        return [market, {currency, orders: beside('orders'), revenue: beside('revenue'), total: {orders: total('orders'), revenue: total('revenue')},
            on_pace_for: {orders: pace(SALE.orders(0, market) * 120), revenue: pace(SALE.revenue(0, market) * 120)}}];
    }))});
/* A page and a ticket fire while the event is on. */
export const fire = (fake) => fake.set({alerts: {aaaa: ALERTS.stuck(Date.now() - 42_000), cccc: ALERTS.cache(Date.now() - 12_000)}, event: {bf: EVENT}});
/* As GET /api/crest/v1/events/black-friday. */
export const EVENT_DETAIL = {name: 'black-friday', title: 'Black Friday', zone: 'Europe/Berlin', starts: DOORS, ends: ENDS, phase: 'rush',
    phases: [{name: 'warm-up', starts: DOORS - 1_800_000}, {name: 'rush', starts: DOORS + 60_000}],
    markets: Object.fromEntries(MARKETS.map(([market, currency]) => [market, {currency, ...Object.fromEntries(Object.entries(PLANNED).map(([kind, k]) =>
        [kind, {first_minute: -30, ...Object.fromEntries(['orders', 'revenue'].map((name) => [name, Array.from({length: 150}, (_, i) => expected[name](DOORS + (i - 30) * 60_000, market) * k)]))}]))}]))};

const withoutLast = () => ({...EVENT_DETAIL, last_event: 'summer', markets: Object.fromEntries(Object.entries(EVENT_DETAIL.markets).map(([market, {currency, plan}]) => [market, {currency, plan}]))});

export async function startFake({port = 0} = {}) {
    const dir = mkdtempSync(join(tmpdir(), 'crest-web-'));
    const version = execFileSync(join(ROOT, 'dashboards/embed.sh'), ['--dir', dir], {encoding: 'utf8'}).trim();
    const clients = new Set(), sockets = new Set();
    let server = null, extra = {}, removed = {}, seq = 0, epoch = 1, timer = 0, upSince = Date.now() - 900_000;
    const down = []; /* stretches without data: [from, to] */
    const fake = {url: '', requests: [], notes: [], noteError: '', lastEvent: false, old: false, hiddenServices: {}, more: undefined, streams: 0, refused: 0, ticks: 0, stall: false, quiet: false, refuse: false, delay_ms: 0, set, tick, kill, revive, stop, raw};

    /* As of a version before ours: fewer sections, rows with little in them. */
    const OLD = {services: {shop: {service: 'shop'}}, alerts: {a: {name: 'Old', state: 'firing'}}, markets: {m: {market: 'de'}}, steps: {s: {service: 'shop', step: 'cart'}},
        targets: {t: {job: 'shop'}}, coverage: {shop: {service: 'shop'}}, event: {e: {name: 'black-friday'}}, annotations: {n: {text: 'x'}}, unheard: {of: {a: 1}}};
    function state(t) {
        if (fake.old)
            return {...OLD, status: {collector: {version: '0.0.1', newest: t}}};
        const now = sections(t);
        for (const [section, rows] of Object.entries(extra))
            for (const [key, row] of Object.entries(rows))
                (now[section] ??= {})[key] = typeof row === 'function' ? row(t) : row;
        return now;
    }
    function send(res, event, data) {
        res.write(`id: ${epoch}-${++seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    }
    function everySecond() {
        fake.ticks++;
        if (!fake.quiet)
            tick();
    }
    function tick(t = Date.now()) {
        for (const res of clients)
            if (fake.stall)
                send(res, 'hb', {t});
            else
                send(res, 'delta', {t, sections: state(t), removed, more: fake.more});
        removed = {};
    }
    function set(changes) {
        for (const [section, rows] of Object.entries(changes)) {
            for (const [key, row] of Object.entries(rows)) {
                if (row === null) {
                    delete extra[section]?.[key];
                    (removed[section] ??= []).push(key);
                } else {
                    (extra[section] ??= {})[key] = row;
                }
            }
        }
        if (changes.alerts)
            for (const res of clients)
                send(res, 'alert', {t: Date.now(), sections: {alerts: state(Date.now()).alerts}, removed});
    }
    function raw(text) {
        for (const res of clients)
            res.write(text);
    }
    /* Two questions of the page's own, and errors as Prometheus words them. */
    function range(params) {
        const query = params.get('query'), start = Number(params.get('start')) * 1000, end = Number(params.get('end')) * 1000, step = Number(params.get('step')) * 1000;
        const values = (f) => {
            const list = [];
            for (let t = start; t <= Math.min(end, Date.now()); t += step)
                if (t >= upSince && !down.some(([from, to]) => t > from && t < to) && !fake.holes?.some(([from, to]) => t > from && t < to))
                    list.push([t / 1000, String(f(t))]);
            return list;
        };
        let result = [];
        const made = /^fixture_(\d+)$/.exec(query); /* as many series as a board asks for */
        if (made)
            result = [{metric: {__name__: query}, values: values((t) => wave(t, 20 + Number(made[1]), 0, 100))}];
        else if (query.includes('orders_per_minute|'))
            result = MARKETS.flatMap(([market, currency]) => [
                {metric: {__name__: 'commerce:orders_per_minute', market, currency}, values: values((t) => SALE.orders(t, market))},
                {metric: {__name__: 'commerce:revenue_per_minute', market, currency}, values: values((t) => SALE.revenue(t, market))}]);
        else if (query.startsWith('commerce:throughput_rps{market="",'))
            result = Object.entries(state(Date.now()).services).filter(([, row]) => Number.isFinite(row.signals?.throughput_rps))
                .map(([service, {tier, stack}]) => ({metric: {__name__: 'commerce:throughput_rps', service, tier, stack}, values: values((t) => state(t).services[service].signals.throughput_rps)}));
        else if (query.startsWith('commerce:route_'))
            result = STEPS.map((step) => ({metric: {__name__: query.split('{')[0], service: 'shop', route: step},
                values: values(() => sections(0).steps[`shop/${step}`][query.includes('p95') ? 'response_seconds:p95' : 'failure_ratio'])}));
        else if (query.includes('service="shop"'))
            result = Object.keys(sections(0).services.shop.signals).map((name) => ({metric: {__name__: `commerce:${name}`, service: 'shop', tier: 'app'},
                values: values((t) => sections(t).services.shop.signals[name])}));
        else if (/^(commerce:throughput_rps|up)$/.test(query))
            result = ['shop', 'search'].map((service) => ({metric: {__name__: query, service}, values: values((t) => sections(t).services[service].signals.throughput_rps)}));
        return result;
    }
    function handle(req, res) {
        const url = new URL(req.url, 'http://fake');
        fake.requests.push(req.url);
        const json = (status, body) => setTimeout(() => {
            res.writeHead(status, {'Content-Type': 'application/json'});
            res.end(JSON.stringify(body));
        }, fake.delay_ms);
        if (url.pathname === '/api/crest/v1/stream') {
            if (fake.refuse) {
                fake.refused++;
                res.writeHead(503, {'Retry-After': '1'});
                res.end();
                return;
            }
            fake.streams++;
            res.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store'});
            res.write('retry: 2000\n\n');
            send(res, 'snapshot', {t: Date.now(), sections: state(Date.now()), more: fake.more});
            clients.add(res);
            req.on('close', () => clients.delete(res));
        } else if (url.pathname === '/api/crest/v1/events/black-friday' && !fake.old) {
            json(200, {status: 'success', data: fake.lastEvent ? withoutLast() : EVENT_DETAIL});
        } else if (url.pathname === '/api/crest/v1/events/summer') {
            json(200, {status: 'success', data: {...EVENT_DETAIL, name: 'summer', starts: DOORS - 600_000, ends: DOORS - 60_000, markets: {}}});
        } else if (url.pathname === '/api/crest/v1/annotations' && req.method === 'POST') {
            body(req).then((text) => {
                const note = JSON.parse(text);
                fake.notes.push({note, origin: req.headers.origin});
                if (fake.noteError) {
                    json(400, {status: 'error', errorType: 'bad_data', error: fake.noteError});
                    return;
                }
                set({annotations: {[`w${fake.notes.length}`]: {t: note.t, kind: note.kind, text: note.text, service: note.service, user: ''}}});
                json(200, {status: 'success', data: {id: fake.notes.length}});
            });
        } else if (url.pathname === '/api/crest/v1/state') {
            json(200, {id: `${epoch}-${seq}`, t: Date.now(), sections: {...state(Date.now()), services: {...state(Date.now()).services, ...fake.hiddenServices}}});
        } else if (url.pathname === '/api/v1/query_range') {
            json(200, {status: 'success', data: {resultType: 'matrix', result: range(url.searchParams)}});
        } else if (url.pathname === '/api/v1/query' && req.method === 'POST') {
            body(req).then((text) => {
                const form = new URLSearchParams(text), t = Number(form.get('time')) * 1000;
                const parts = [...form.get('query').matchAll(/label_replace\(([^\n]*)\n, "__chart__", "(\d+)"/g)];
                if (parts.some(([, expr]) => expr.includes('(('))) {
                    json(400, {status: 'error', errorType: 'bad_data', error: 'parse error'});
                    return;
                }
                json(200, {status: 'success', data: {resultType: 'vector', result: parts.flatMap(([, expr, owner]) =>
                    range(new URLSearchParams({query: expr, start: t / 1000, end: t / 1000 + 0.5, step: 1})).filter((one) => one.values.length)
                        .map((one) => ({metric: {...one.metric, __chart__: owner}, value: one.values[0]})))}});
            });
        } else if (url.pathname === '/api/v1/query') {
            if (url.searchParams.get('query').includes('('.repeat(2)))
                json(400, {status: 'error', errorType: 'bad_data', error: 'invalid parameter "query": 1:3: parse error: unclosed left parenthesis'});
            else
                json(200, {status: 'success', data: {resultType: 'vector', result: range(new URLSearchParams({query: url.searchParams.get('query'), start: Date.now() / 1000 - 1, end: Date.now() / 1000, step: 1}))
                    .map((one) => ({metric: one.metric, value: one.values.at(-1)}))}});
        } else {
            const name = VIEWS.includes(url.pathname) ? 'index.html' : url.pathname.startsWith(`/web/${version}/`) ? url.pathname.slice(version.length + 6) : '';
            try {
                const body = readFileSync(join(dir, name.replaceAll('..', '')));
                res.writeHead(200, {'Content-Type': TYPES[extname(name)], 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-cache'});
                res.end(body);
            } catch {
                res.writeHead(404);
                res.end('not found\n');
            }
        }
    }
    async function body(req) {
        let text = '';
        for await (const part of req)
            text += part;
        return text;
    }
    async function listen(at) {
        server = createServer(handle);
        server.on('connection', (socket) => {
            sockets.add(socket);
            socket.on('close', () => sockets.delete(socket));
        });
        await new Promise((resolve) => server.listen(at, '127.0.0.1', resolve));
        timer = setInterval(everySecond, 1000);
    }
    /* As kill -9: the port closes, connections break. */
    function kill() {
        clearInterval(timer);
        server.close();
        for (const socket of sockets)
            socket.destroy();
        clients.clear();
    }
    async function revive() {
        epoch++;
        await listen(Number(new URL(fake.url).port));
    }
    function stop() {
        kill();
        rmSync(dir, {recursive: true, force: true});
    }
    await listen(port);
    fake.url = `http://127.0.0.1:${server.address().port}`;
    return fake;
}

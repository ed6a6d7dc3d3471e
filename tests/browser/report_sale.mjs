/* report_sale.mjs - a two-hour sale with everything that a report tells, in a collector of its own.
 *
 *   await withReport(async ({html, file, url}) => { … });        // the sale's report, as text and on disk
 *
 * Two markets; a shop that restarts once; a gateway that fails for ten minutes, with its alerts; a silent agent; annotations; names
 * that a page must not believe. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {withCollector} from './collector.mjs';
import {RemoteWrite, STALE} from './remote_write.mjs';

const BIN = process.env.CREST_BIN ?? 'build/release';
export const STARTS = Date.UTC(2025, 10, 28, 19), MINUTES = 120, STEP_S = 10;
const RUSH = (minute) => 20 + 60 * Math.exp(-((minute - 15) ** 2) / 200) + 25 * Math.exp(-((minute - 80) ** 2) / 500);
const OPERATIONS = ['cart', 'address', 'shipping', 'payment', 'order'], BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, Infinity];

function counters(second) {
    const minute = second / 60, burning = minute >= 40 && minute < 50, rate = burning ? 0.45 : 1, rows = [];
    for (const [market, currency, scale, price] of [['de', 'EUR', 1, 8249], ['jp', 'JPY', 0.4, 9100]]) {
        const orders = RUSH(minute) * rate * scale * STEP_S / 60;
        rows.push([`commerce_orders_total`, {market, currency, channel: 'web'}, orders], ['commerce_revenue_minor_units_total', {market, currency, channel: 'web'}, Math.round(orders) * price]);
    }
    for (const operation of OPERATIONS) {
        const fails = burning && operation === 'payment' ? 12 : operation === 'order' && second % 700 === 0 ? 1 : 0;
        rows.push(['commerce_operations_total', {operation, outcome: 'ok'}, RUSH(minute) / 4], ['commerce_operations_total', {operation, outcome: 'timeout'}, fails]);
        if (operation === 'payment')
            rows.push(['commerce_operations_total', {operation, outcome: 'declined'}, second % 30 === 0 ? 1 : 0]);
        BOUNDS.forEach((le, i) => rows.push(['commerce_operation_duration_seconds_bucket', {operation, le: le === Infinity ? '+Inf' : String(le)}, RUSH(minute) / 4 * Math.min(1, (i + 1) / (burning ? 7 : 3))]));
    }
    BOUNDS.forEach((le, i) => rows.push(['commerce_checkout_duration_seconds_bucket', {le: le === Infinity ? '+Inf' : String(le)}, RUSH(minute) / 6 * Math.min(1, (i + 1) / 5)]));
    rows.push(['http_server_request_duration_seconds_count', {http_route: '/checkout/payment', http_response_status_code: '200'}, 40], ['http_server_request_duration_seconds_count', {http_route: '/checkout/payment', http_response_status_code: '504'}, burning ? 11 : 0]);
    return rows;
}

async function sell(url) {
    const write = new RemoteWrite(url), total = new Map(), whole = new Map();
    for (let second = -60; second <= MINUTES * 60; second += STEP_S) {
        const time = STARTS + second * 1000;
        if (second === 3600) /* the shop restarts: its counters begin anew */
            total.clear();
        for (const [name, labels, more] of counters(Math.max(0, second))) {
            const key = JSON.stringify([name, labels]), rise = second > 0 ? Math.round(more) : 0;
            total.set(key, (total.get(key) ?? 0) + rise);
            whole.set(key, (whole.get(key) ?? 0) + rise);
            if (second < 5400 || second > 5700)
                write.add({__name__: name, job: 'shop', instance: 'shop:9483', service: 'shop', ...labels}, time, total.get(key));
        }
        write.add({__name__: 'commerce_orders_total', job: 'shop', instance: 'shop:9483', service: 'shop', market: 'de', source: 'load'}, time, second + 60);
        if (second < 5400 || second > 5700)
            write.add({__name__: 'up', job: 'shop', instance: 'shop:9483', service: 'shop'}, time, 1);
        write.add({__name__: 'up', job: 'gateway', instance: 'gateway:9484'}, time, second >= 2400 && second < 2460 ? 0 : 1);
        for (const [alertname, from, to, severity] of [['PaymentGatewayErrors', 2420, 3010, 'page'], ['CheckoutSlow', 2450, 2900, 'ticket']])
            if (second >= from && second <= to)
                write.add({__name__: 'ALERTS', alertname, alertstate: 'firing', severity, service: 'shop'}, time, second + STEP_S > to ? STALE : 1);
    }
    await write.send();
    return Object.fromEntries(['de', 'jp'].map((market) => [market, ['commerce_orders_total', 'commerce_revenue_minor_units_total'].map((name) =>
        [...whole].filter(([key]) => key.includes(`"${name}"`) && key.includes(`"market":"${market}"`)).reduce((sum, [, value]) => sum + value, 0))]));
}

function writeFiles(folder) {
    const lines = ['minute,market,channel,sessions,orders,revenue'], last = ['minute,market,orders,revenue'];
    for (let minute = 0; minute < MINUTES; minute++)
        for (const [market, scale, price, decimals] of [['de', 1, 82.49, 2], ['jp', 0.4, 9100, 0]]) {
            const orders = RUSH(minute) * scale * 1.04;
            lines.push(`+${minute},${market},web,${Math.round(orders * 30)},${orders.toFixed(2)},${(orders * price).toFixed(decimals)}`);
            last.push(`+${minute},${market},${(orders * 0.8).toFixed(2)},${(orders * 0.8 * price).toFixed(decimals)}`);
        }
    writeFileSync(join(folder, 'plan.csv'), lines.join('\n') + '\n');
    writeFileSync(join(folder, 'last.csv'), last.join('\n') + '\n');
    writeFileSync(join(folder, 'sale.yml'), `name: sale\ntitle: Black Friday <b>2025</b>\nservice: shop\nwindow: {zone: Europe/Berlin, starts: "2025-11-28T20:00", length: ${MINUTES}m}\n` +
        'markets: {de: EUR, jp: JPY}\nphases: [{name: doors open, at: +0}, {name: second wave, at: +70}]\nplan: plan.csv\nlast: last.csv\n');
}

export function withReport(run) {
    return withCollector(async (url) => {
        const folder = mkdtempSync(join(tmpdir(), 'crest-report-')), file = join(folder, 'report.html');
        const crest = (...args) => execFileSync(join(BIN, 'crest-collector'), [...args, '--url', url], {encoding: 'utf8'});
        try {
            const sold = await sell(url);
            writeFiles(folder);
            crest('event', 'import', join(folder, 'sale.yml'));
            for (const [minute, kind, service, text] of [[-5, 'phase', '-', 'warm-up done, caches hot'], [31, 'deploy', 'shop', 'v42 with new payment client'], [44, 'note', 'shop', '<script>alert(1)</script> gateway called, rolling back'], [49, 'deploy', 'shop', 'v41 again'], [72, 'note', '-', 'second wave mailed']])
                crest('mark', kind, service, text, '--at', new Date(STARTS + minute * 60000).toISOString().replace('.000', ''));
            crest('report', 'sale', '-o', file);
            await run({html: readFileSync(file, 'utf8'), file, url, sold, crest, folder});
        } finally {
            rmSync(folder, {recursive: true, force: true});
        }
    });
}

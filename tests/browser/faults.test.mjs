/* Collectors that are real and killed, old, slow, or larger than a frame. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {EVENT} from './fake_collector.mjs';
import {charted, ready, until, withPage, withTab} from './browser.mjs';
import {withCollector} from './collector.mjs';
import {RemoteWrite} from './remote_write.mjs';

const BIN = process.env.CREST_BIN ?? 'build/release';
const VIEWS = ['event', 'services', 'journeys', 'alerts', 'targets', 'explore'];

/* What an agent and its rules would send, once a second, from minutes ago until stopped; while nobody listens it waits, as in a spool. */
function feed(url, seconds) {
    const write = new RemoteWrite(url);
    let sent = Math.floor(Date.now() / 1000) - seconds, stopped = false, fast = true;
    const done = (async () => {
        while (!stopped) {
            const to = Math.floor(Date.now() / 1000);
            try {
                for (let t = sent + 1; t <= to; t++)
                    for (const [market, currency, k] of [['de', 'EUR', 1], ['jp', 'JPY', 0.4]]) {
                        const labels = {service: 'shop', tier: 'app', stack: 'otel', market, channel: 'web', currency};
                        write.add({__name__: 'commerce:orders_per_minute', ...labels}, t * 1000, 30 * k + t % 7);
                        write.add({__name__: 'commerce:revenue_per_minute', ...labels}, t * 1000, (30 * k + t % 7) * 80);
                    }
                for (let t = sent + 1; t <= to; t++)
                    write.add({__name__: 'up', job: 'shop', instance: 'shop:9483', service: 'shop'}, t * 1000, 1);
                await write.send();
                sent = to;
            } catch { /* the collector is away: all of it again, it takes what it has without complaint */
            }
            await new Promise((resolve) => setTimeout(resolve, fast ? 300 : 1000));
            fast = false;
        }
    })();
    return {async stop() {
        stopped = true;
        await done;
    }};
}
function importEvent(url) {
    const folder = mkdtempSync(join(tmpdir(), 'crest-event-'));
    const lines = ['minute,market,orders,revenue'];
    for (let minute = -5; minute < 60; minute++)
        lines.push(`${minute < 0 ? minute : `+${minute}`},de,40,3200.00`, `${minute < 0 ? minute : `+${minute}`},jp,16,128000`);
    try {
        writeFileSync(join(folder, 'plan.csv'), lines.join('\n') + '\n');
        writeFileSync(join(folder, 'last.csv'), lines.join('\n').replaceAll(',40,', ',20,').replaceAll(',16,', ',8,') + '\n');
        writeFileSync(join(folder, 'sale.yml'), `name: sale\ntitle: Friday\nwindow: {zone: UTC, starts: "${new Date(Date.now() - 120_000).toISOString().slice(0, 19)}Z", length: 60m}\n` +
            'markets: {de: EUR, jp: JPY}\nphases: [{name: first hour, at: +0}]\nplan: plan.csv\nlast: last.csv\n');
        execFileSync(join(BIN, 'crest-collector'), ['event', 'import', join(folder, 'sale.yml'), '--url', url], {encoding: 'utf8'});
    } finally {
        rmSync(folder, {recursive: true, force: true});
    }
}
const holes = (page, figure) => page.evaluate(async (figure) => {
    const details = document.querySelectorAll('figure.chart')[figure].querySelector('details');
    for (const open of details.open ? [false, true] : [true]) {
        const toggled = new Promise((resolve) => details.addEventListener('toggle', resolve, {once: true}));
        details.open = open;
        await toggled;
    }
    const rows = [...details.querySelectorAll('tbody tr')];
    return [rows.length, rows.filter((row) => row.cells[1].textContent === '–').length];
}, figure);

if (await ready()) {
    test('a real collector: an event with its plan, a note, kill -9 and back, and the gap is filled', () => withCollector((url, collector) => withTab({}, async ({page, problems}) => {
        importEvent(url);
        const agent = feed(url, 400);
        try {
            await page.goto(`${url}/event?from=now-5m`);
            await page.waitForSelector('body[data-fresh=live]');
            await page.locator('h1', {hasText: 'Friday'}).waitFor();
            assert.match(await page.locator('.event-head').innerText(), /Phase: first hour · open for [\s\S]*Ends in\s*\d+ min/);
            await page.locator('.card', {hasText: /de EUR[\s\S]*plan 40\.?0? \(\d+ %\) · last 20/}).waitFor();
            await page.waitForFunction(() => [...document.querySelectorAll('figure.chart')][1]?.querySelectorAll('.legend bdi').length === 6);
            assert.deepEqual(await page.locator('figure.chart').nth(1).locator('.legend bdi').allInnerTexts(), ['de', 'jp', 'de plan', 'jp plan', 'de last event', 'jp last event']);
            await charted(page, 4);
            await page.keyboard.press('n');
            await page.getByLabel('In words').fill('queue page on');
            await page.getByLabel('In words').press('Enter');
            await page.locator('.notes', {hasText: 'queue page on'}).waitFor();

            await until(async () => { /* all that was before the page was opened is there */
                const [rows, empty] = await holes(page, 1);
                return rows > 50 && empty === 0;
            }, 'the history was complete');
            const killed = Date.now();
            await collector.kill();
            await page.locator('.stale', {hasText: 'The collector does not answer'}).waitFor();
            await until(() => Date.now() - killed > 8000, 'the outage was longer than a row of the table');
            await collector.start();
            await page.waitForSelector('body[data-fresh=live]');
            await page.locator('.notes', {hasText: 'queue page on'}).waitFor();
            await until(async () => {
                const [rows, empty] = await holes(page, 1);
                return rows > 50 && empty === 0;
            }, 'the gap was filled from what the agent had kept');
            assert.deepEqual(problems.filter((words) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)/.test(words)), []);
            problems.length = 0; /* the browser itself reports the lost connection */
        } finally {
            await agent.stop();
        }
    })));

    test('an old collector, without sections, members and events, leaves every view standing', () => withPage({}, async ({page, fake, problems, open}) => {
        fake.old = true;
        for (const view of VIEWS) {
            await page.goto(`${fake.url}/${view}?q=up`);
            await page.waitForSelector(`main[data-view=${view}]`);
            await page.waitForSelector('body[data-fresh=live], body[data-fresh=empty]');
            await page.locator('main h1').first().waitFor();
        }
        await page.goto(`${fake.url}/services`);
        await page.locator('.services tbody tr', {hasText: 'shop'}).waitFor();
        assert.match(await page.locator('.services tbody tr').first().innerText(), /\?\s*unknown\s+shop[\s\S]*–\s+–/);
        await page.goto(`${fake.url}/event`);
        await page.locator('h1', {hasText: 'black-friday'}).waitFor();
        await page.locator('.phase', {hasText: /\S/}).or(page.locator('.card').first()).first().waitFor();
        assert.deepEqual(problems.filter((words) => !words.includes('404')), []);
        problems.length = 0; /* the browser reports each 404 */
    }));

    test('a slow collector: live figures at once, charts when their history comes, and nothing twice', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        fake.delay_ms = 4000;
        await open('/event');
        await page.locator('.card .now').first().waitFor();
        assert.match(await page.locator('.card .now').first().innerText(), /^\d/);
        assert.equal(await page.locator('figure.chart').first().getAttribute('aria-busy'), 'true');
        await charted(page, 4);
        await page.waitForFunction(() => [...document.querySelectorAll('.legend bdi')].some((one) => one.textContent === 'de plan'));
        assert.equal(fake.requests.filter((one) => one.startsWith('/api/v1/query_range')).length, 1);
        /* Another view is not disturbed by answers that come after it was opened. */
        await page.goto(`${fake.url}/event?from=now-6h`);
        await page.waitForSelector('main[data-view=event]');
        await page.getByRole('navigation').getByRole('link', {name: 'Services'}).click();
        await page.waitForSelector('main[data-view=services]');
        await page.locator('.services tbody tr').first().waitFor();
        assert.equal(await page.locator('figure.chart').count(), 0);
    }));

    test('ten thousand services: the worst are shown, the rest is counted and found', () => withPage({}, async ({page, fake, open}) => {
        const service = (i) => ({service: `svc-${String(i).padStart(5, '0')}`, tier: 'app', stack: 'otel', state: 'ok', trouble: 1000 - i, signals: {throughput_rps: i}});
        fake.set({services: Object.fromEntries(Array.from({length: 196}, (_, i) => [`svc-${i}`, (t) => ({...service(i), t})]))});
        fake.hiddenServices = Object.fromEntries(Array.from({length: 9800}, (_, i) => [`svc-${i + 196}`, {...service(i + 196), t: Date.now(), trouble: 0}]));
        fake.more = {services: 9800};
        await open('/services');
        await page.locator('.empty', {hasText: /9[\s\u202f]?800 more services, in less trouble than these, are not shown: the filter finds them/}).waitFor();
        assert.equal(await page.locator('.services tbody tr').count(), 200);
        assert.equal(fake.requests.filter((one) => one.includes('/state')).length, 0, 'nobody asked for the rest');
        await page.getByLabel('Filter services').fill('svc-09876');
        await page.locator('.services tbody tr', {hasText: 'svc-09876'}).waitFor();
        assert.equal(await page.locator('.services tbody tr').count(), 1);
        await page.getByRole('link', {name: 'svc-09876'}).click();
        await page.locator('.panel h2', {hasText: 'svc-09876'}).waitFor();
        await page.getByLabel('Filter services').fill('no such service');
        await page.locator('.empty', {hasText: 'No service matches'}).waitFor();
        await open('/event');
        await page.locator('p', {hasText: /and 9[\s\u202f]?976 more, in less trouble/}).waitFor();
    }));
}

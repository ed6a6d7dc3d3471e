/* bench.mjs - what the page costs, for tests/bench/page.c (make bench-page): prints `row<TAB>unit<TAB>value` lines.
 *
 * PAGE_SECONDS (60): how long the processor is measured. PAGE_FRAMES (3600): frames of an hour, sent as fast as the page
 * draws them; PAGE_REAL=1 sends them once a second instead, which takes the hour. */
import {execFileSync} from 'node:child_process';
import {readFileSync, readdirSync} from 'node:fs';
import {gzipSync} from 'node:zlib';
import {chromium} from 'playwright-core';
import {EVENT, startFake} from './fake_collector.mjs';

const SECONDS = Number(process.env.PAGE_SECONDS ?? 60), FRAMES = Number(process.env.PAGE_FRAMES ?? 3600), REAL = process.env.PAGE_REAL === '1';
const CHARTS = 50, TICKS = Number(execFileSync('getconf', ['CLK_TCK'], {encoding: 'utf8'}));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const row = (name, unit, value) => console.log(`${name}\t${unit}\t${value}`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* The processor's time of a process and all below it: the browser, its renderers, its GPU process. */
function treeOf(root) {
    const parents = new Map();
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
            const text = readFileSync(`/proc/${pid}/stat`, 'utf8'), fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
            parents.set(Number(pid), {parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12])});
        } catch { /* it ended meanwhile */
        }
    }
    const inside = new Set([root]);
    for (let grown = true; grown;) {
        grown = false;
        for (const [pid, {parent}] of parents)
            if (inside.has(parent) && !inside.has(pid))
                grown = Boolean(inside.add(pid));
    }
    return [...inside].map((pid) => ({pid, seconds: (parents.get(pid)?.ticks ?? 0) / TICKS, kind: kindOf(pid)}));
}
function kindOf(pid) {
    try {
        return /--type=([a-z-]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1] ?? 'browser';
    } catch {
        return 'gone';
    }
}
function cpuSince(before, after) {
    const kinds = {};
    for (const {pid, seconds, kind} of after)
        kinds[kind] = (kinds[kind] ?? 0) + seconds - (before.find((one) => one.pid === pid)?.seconds ?? 0);
    return {kinds, sum: Object.values(kinds).reduce((a, b) => a + b, 0)};
}
async function collected(session) {
    for (let i = 0; i < 3; i++) {
        await session.send('HeapProfiler.collectGarbage');
        await sleep(200);
    }
    return (await session.send('Runtime.getHeapUsage')).usedSize / 1024 / 1024;
}

const fake = await startFake();
fake.set({event: {bf: EVENT}});
const server = await chromium.launchServer({executablePath: CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : []});
const browser = await chromium.connect(server.wsEndpoint());
const newPage = async (width = 1920, height = 1080) => (await browser.newContext({viewport: {width, height}})).newPage();
const failed = [];
async function opened(path) {
    const page = await newPage();
    page.on('pageerror', (error) => failed.push(error.stack));
    page.on('console', (message) => failed.push(message.text()));
    await page.goto(fake.url + path);
    await page.waitForSelector('body[data-fresh=live]', {timeout: 120_000});
    await page.waitForFunction(() => document.querySelector('main figure canvas') && [...document.querySelectorAll('main figure')].every((one) => one.getAttribute('aria-busy') === 'false'), null, {timeout: 120_000});
    return page;
}

/* ---- the first view ---- */
{
    fake.requests.length = 0;
    const page = await opened('/');
    await sleep(2000);
    const asked = [...fake.requests];
    let bytes = 0;
    for (const path of asked.filter((one) => !one.startsWith('/api/')))
        bytes += gzipSync(Buffer.from(await (await page.request.get(fake.url + path)).body()), {level: 9}).length;
    row('first view, requests', 'requests', asked.length);
    row('first view, files compressed', 'KB', bytes / 1024);
    await page.context().close();
}

/* ---- 50 charts of 600 points, once a second ---- */
{
    const board = {crest_board: 1, title: 'bench', charts: Array.from({length: CHARTS}, (_, i) => ({expr: `fixture_${i}`, title: `Series ${i}`, unit: 'number'}))};
    const idle = await newPage();
    await idle.goto('about:blank');
    await sleep(3000);
    const before = treeOf(server.process().pid);
    await sleep(10_000);
    const nothing = cpuSince(before, treeOf(server.process().pid));
    await idle.context().close();
    row('an empty tab', '% of a core', (nothing.sum / 10) * 100);

    for (const [width, height, words] of [[1920, 1080, 'on a screen of 1920 × 1080'], [3840, 3600, 'all in sight']]) {
        const page = await newPage(width, height);
        page.on('pageerror', (error) => failed.push(error.stack));
        await page.goto(fake.url + '/explore');
        await page.evaluate((text) => localStorage.setItem('crest.board', text), JSON.stringify(board));
        await page.goto(`${fake.url}/explore?board=here&from=now-10m`);
        await page.waitForFunction((n) => document.querySelectorAll('.board figure').length === n && [...document.querySelectorAll('.board figure')].every((one) => one.getAttribute('aria-busy') === 'false'), CHARTS, {timeout: 120_000});
        const figures = () => page.evaluate(() => [...document.querySelectorAll('.board figure')]
            .filter((one) => one.getBoundingClientRect().top < innerHeight).map((one) => one.querySelector('.value').textContent));
        await sleep(5000);
        const first = await figures(), from = treeOf(server.process().pid);
        await sleep(SECONDS * 1000);
        const used = cpuSince(from, treeOf(server.process().pid)), last = await figures();
        if (last.length !== first.length || last.every((one, i) => one === first[i]))
            failed.push('the board stood still');
        row(`50 charts at 1 Hz ${words}`, '% of a core', (used.sum / SECONDS) * 100);
        for (const [kind, seconds] of Object.entries(used.kinds).filter(([, seconds]) => seconds / SECONDS > 0.002))
            row(`${kind}, ${words}`, '% of a core', (seconds / SECONDS) * 100);
        row(`drawn ${words}`, 'charts', last.length);
        await page.context().close();
    }
}

/* ---- an hour of frames ---- */
{
    const page = await opened('/event?from=now-15m');
    const session = await page.context().newCDPSession(page);
    const start = Date.now();
    let sent = 0;
    fake.quiet = true;
    async function frames(n) {
        for (let i = 0; i < n; i++) {
            fake.tick(REAL ? Date.now() : start + ++sent * 1000);
            await (REAL ? sleep(1000) : page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => resolve()))));
        }
    }
    await frames(REAL ? 60 : 1000); /* the window of 15 minutes is full: from here on nothing may grow */
    const before = await collected(session);
    await frames(FRAMES / 2);
    const middle = await collected(session);
    await frames(FRAMES / 2);
    const after = await collected(session);
    row('heap before', 'MB', before);
    row('heap after half an hour', 'MB', middle);
    row('heap after an hour', 'MB', after);
    row('an hour adds', 'KB', (after - before) * 1024);
    row('nodes', 'nodes', (await session.send('Memory.getDOMCounters')).nodes);
    await page.context().close();
}
await browser.close();
await server.close();
fake.stop();
if (failed.length) {
    console.error(failed.join('\n'));
    process.exit(1);
}
process.exit(0);

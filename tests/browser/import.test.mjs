/* A purchase in a real browser, in a shop that guards itself with tokens: its recording becomes a journey that buys again, as
 * somebody else, without edits, once and under load. */
import assert from 'node:assert/strict';
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {ready, withTab} from './browser.mjs';

const BIN = process.env.CREST_BIN ?? 'build/release', CARD = '4242424242424242';

/* A program on a free port; {url, stop}. */
async function start(name, ...args) {
    const running = spawn(join(BIN, name), [...args, '--listen', '127.0.0.1:0'], {stdio: ['ignore', 'pipe', 'ignore']});
    const ended = new Promise((resolve) => running.on('exit', resolve));
    const url = await new Promise((resolve, reject) => {
        let text = '';
        running.on('error', reject);
        running.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
        running.stdout.on('data', (part) => {
            const address = /listening (\S+)\n/.exec(text += part);
            if (address)
                resolve(`http://${address[1]}`);
        });
    });
    return {url, stop: () => (running.kill('SIGTERM'), ended)};
}
async function withShop(run) {
    const gateway = await start('crest-shop', 'gateway', '--latency', '2ms', '--jitter', '1ms', '--decline', '0');
    try {
        const shop = await start('crest-shop', '--gateway', gateway.url, '--require-token');
        try {
            await run(shop.url);
        } finally {
            await shop.stop();
        }
    } finally {
        await gateway.stop();
    }
}

async function buy(page, url) {
    await page.goto(url + '/');
    await page.locator('input[name=q]').fill('a');
    await page.getByRole('button', {name: 'Search'}).click();
    await page.locator('main ul a').nth(2).click();
    await page.locator('#quick').click();
    await page.waitForFunction(() => document.getElementById('units').textContent === '1 in the cart');
    await page.locator('input[name=quantity]').fill('2');
    await page.getByRole('button', {name: 'Add to cart'}).click();
    await page.getByRole('link', {name: 'Check out'}).click();
    for (const [name, value] of [['name', 'Ann'], ['street', 'Hauptstraße 1'], ['city', 'Köln'], ['postcode', '50667']])
        await page.locator(`input[name=${name}]`).fill(value);
    await page.getByRole('button', {name: 'Continue'}).click();
    await page.locator('select').selectOption('express');
    await page.getByRole('button', {name: 'Continue'}).click();
    await page.locator('input[name=card]').fill(CARD);
    await page.getByRole('button', {name: 'Continue'}).click();
    return page.locator('#order').innerText();
}

if (await ready())
    test('a recorded purchase in a shop with renewed tokens runs green without edits, once and under load', () => withShop(async (url) => {
        const folder = mkdtempSync(join(tmpdir(), 'crest-import-')), har = join(folder, 'shop.har'), journey = join(folder, 'shop.hurl');
        const loadgen = (...args) => execFileSync(join(BIN, 'crest-loadgen'), args, {stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8'});
        const tell = (...args) => {
            const {status, stderr} = spawnSync(join(BIN, 'crest-loadgen'), args, {stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8'});
            assert.equal(status, 0, stderr);
            return stderr;
        };
        try {
            await withTab({recordHar: {path: har, mode: 'full', content: 'embed'}}, async ({page, problems}) => {
                assert.equal(await buy(page, url), '1');
                problems.splice(0); /* the shop has no icon, which the browser misses */
            });
            assert.ok(existsSync(har));
            if (process.env.KEEP_HAR)
                (await import('node:fs')).copyFileSync(har, process.env.KEEP_HAR);
            loadgen('import', 'har', har, '-o', journey);
            const text = readFileSync(journey, 'utf8');
            assert.ok(!text.includes(CARD), 'no card number is written down');
            assert.match(text, /X-CSRF-Token: \{\{csrf/i);
            assert.match(text, /csrf: \{\{csrf\w*\}\}/);
            assert.doesNotMatch(text, /[0-9a-f]{32}/, 'no token and no session id stays in it');
            assert.match(text, /\/order\/\{\{/);

            const card = ['--variable', `card=${CARD}`];
            assert.match(tell('test', journey, ...card), /Succeeded files: +1 \(100\.0%\)/);
            const result = JSON.parse(loadgen('run', journey, ...card, '--users', '3', '--sessions', '9', '--think-scale', '0', '--max-lag', '1h', '--grace', '60s', '--quiet', '--json', '-'));
            assert.equal(result.sessions.completed, 9);
            assert.equal(result.requests.failed, 0);
            const {rows} = await (await fetch(url + '/ledger')).json();
            const orders = (source) => rows.filter((row) => row.source === source).reduce((sum, row) => sum + row.orders, 0);
            assert.deepEqual([orders(''), orders('synthetic'), orders('load')], [1, 1, 9]);
        } finally {
            rmSync(folder, {recursive: true, force: true});
        }
    }));

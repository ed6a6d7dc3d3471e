/* The report as leadership opens it: a file from a mail, without network and without scripts, on a screen and on paper. */
import assert from 'node:assert/strict';
import {copyFileSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {axeOf, ready, withTab} from './browser.mjs';
import {withReport} from './report_sale.mjs';

/* A tab that reaches nothing but the file; every request is kept. */
async function withFile(file, options, run) {
    await withTab(options, async ({page}) => {
        const asked = [];
        await page.route('**/*', (route) => {
            asked.push(route.request().url());
            return route.request().url().startsWith('file:') ? route.continue() : route.abort();
        });
        await page.goto('file://' + file);
        await run(page, asked);
    });
}
const grouped = (value, decimals) => value.toFixed(decimals).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

if (await ready())
    test('the report is read without network and scripts, light, dark, narrow and on A4, and says what was sold', () => withReport(async ({html, file, sold, crest, folder}) => {
        await withFile(file, {javaScriptEnabled: false, offline: true}, async (page, asked) => {
            assert.deepEqual(asked, ['file://' + file]);
            assert.equal(await page.locator('script, link, img, iframe, object').count(), 0);
            assert.match(await page.locator('.verdict').innerText(), /fell short of its plan in every market: 93\s% of the planned revenue in de and 95\s% in jp\.$/);
            const table = await page.locator('table.sale').innerText();
            for (const [market, scale, decimals] of [['de', 100, 2], ['jp', 1, 0]]) {
                assert.ok(table.includes(grouped(sold[market][0], 0)), `${market}: ${sold[market][0]} orders in ${table}`);
                assert.ok(table.includes(grouped(sold[market][1] / scale, decimals)), `${market}: ${sold[market][1]} in ${table}`);
            }
            for (const heading of ['Orders and revenue', 'Checkout', 'Time-line', 'Errors', 'Data gaps', 'Method', 'Queries'])
                assert.ok(await page.getByRole('heading', {name: heading, exact: true}).isVisible(), heading);
            const timeline = await page.locator('.timeline').innerText();
            assert.match(timeline, /PaymentGatewayErrors/);
            assert.match(timeline, /<script>alert\(1\)<\/script> gateway called/);
            assert.match(await page.locator('table.words').innerText(), /shop shop:9483\s+21:29:50\s+5\smin\s20\ss\s+no samples/);
            assert.equal(await page.locator('svg').count(), 4);
            assert.ok((await page.locator('svg').first().boundingBox()).height > 150);
            /* every figure leads to its query */
            for (const target of await page.locator('a.q').evaluateAll((links) => links.map((link) => link.getAttribute('href'))))
                assert.equal(await page.locator(`li[id="${target.slice(1)}"]`).count(), 1, target);

            const pdf = (await page.pdf({preferCSSPageSize: true})).toString('latin1');
            const sizes = [...pdf.matchAll(/\/MediaBox\s*\[([^\]]+)\]/g)].map((found) => found[1].trim().split(/\s+/).map(Number));
            assert.ok(sizes.length > 0 && sizes.every(([, , width, height]) => Math.abs(width - 595) < 2 && Math.abs(height - 842) < 2), JSON.stringify(sizes));
            assert.ok(Number(/\/Count (\d+)/.exec(pdf)[1]) <= 5, 'a two-hour sale fits five pages');
        });
        for (const colorScheme of ['light', 'dark'])
            await withFile(file, {colorScheme}, async (page) => assert.deepEqual(await axeOf(page), [], colorScheme));
        await withFile(file, {width: 360}, async (page) => {
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling at 360 px');
            /* what is wider scrolls in its own box, with the keyboard, too */
            assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('table')].filter((table) => table.checkVisibility() && !table.closest('.wide[tabindex="0"], details')).map((table) => table.className)), []);
        });
        await withFile(file, {width: 680}, async (page) => { /* 180 mm */
            await page.emulateMedia({media: 'print'});
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 680), 'nothing is cut on paper');
            for (const selector of ['figure', 'table.whole', '.sale tbody', '.verdict'])
                assert.equal(await page.locator(selector).first().evaluate((part) => getComputedStyle(part).breakInside), 'avoid', selector);
            assert.equal(await page.locator('h2').first().evaluate((part) => getComputedStyle(part).breakAfter), 'avoid');
        });

        crest('report', 'sale', '-o', join(folder, 'again.html'));
        assert.equal(readFileSync(join(folder, 'again.html'), 'utf8'), html);

        /* An event to come is a report, too. */
        writeFileSync(join(folder, 'next.yml'), readFileSync(join(folder, 'sale.yml'), 'utf8').replace('name: sale', 'name: next').replace('2025-11-28', '2035-11-28'));
        crest('event', 'import', join(folder, 'next.yml'));
        crest('report', 'next', '-o', join(folder, 'next.html'));
        if (process.env.KEEP_REPORT)
            [[file, 'report.html'], [join(folder, 'next.html'), 'next.html']].forEach(([from, to]) => copyFileSync(from, join(process.env.KEEP_REPORT, to)));
        await withFile(join(folder, 'next.html'), {}, async (page) => {
            assert.match(await page.locator('.verdict').innerText(), /^Nothing is known of Black Friday <b>2025<\/b> yet/);
            assert.deepEqual(await axeOf(page), []);
        });
    }));

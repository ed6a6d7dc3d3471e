/* The page as crest-collector itself serves it: headers, caching, both encodings, and a first sample that arrives. */
import assert from 'node:assert/strict';
import {request} from 'node:http';
import {test} from 'node:test';
import {gunzipSync} from 'node:zlib';
import {ready, withTab} from './browser.mjs';
import {withCollector} from './collector.mjs';

/* fetch would decode for us: this one shows what is on the wire. */
function get(url, headers = {}) {
    return new Promise((resolve, reject) => {
        request(url, {headers, agent: false}, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('end', () => resolve({status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts)}));
        }).on('error', reject).end();
    });
}

test('every view is the page, with a strict policy and an ETag; its files are kept for ever', () => withCollector(async (url) => {
    const page = await get(`${url}/`);
    for (const path of ['/event', '/services', '/journeys', '/alerts', '/targets', '/explore'])
        assert.equal((await get(url + path)).body.compare(page.body), 0, path);
    assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'; require-trusted-types-for 'script'/);
    assert.doesNotMatch(page.headers['content-security-policy'], /unsafe/);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    assert.equal(page.headers['cache-control'], 'no-cache');
    assert.equal((await get(`${url}/`, {'If-None-Match': `"other", W/${page.headers.etag}`})).status, 304);
    assert.equal((await get(`${url}/`, {'If-None-Match': '"other"'})).status, 200);

    const script = /src="(\/web\/[0-9a-f]{16})\/app\.js"/.exec(page.body)[1];
    for (const name of ['app.js', 'chart.js', 'app.css', 'views/event.js', 'uPlot-LICENSE.txt']) {
        const plain = await get(`${url}${script}/${name}`), small = await get(`${url}${script}/${name}`, {'Accept-Encoding': 'br, gzip'});
        assert.equal(plain.headers['content-encoding'], undefined);
        assert.equal(small.headers['content-encoding'], 'gzip');
        assert.equal(gunzipSync(small.body).compare(plain.body), 0, name);
        assert.match(small.headers['cache-control'], /immutable/);
    }
    for (const path of ['/web/0000000000000000/app.js', `${script}/index.html`, `${script}/../app.js`, `${script}/nothing.js`, '/nothing'])
        assert.equal((await get(url + path)).status, 404, path);
}));

if (await ready()) {
    test('the real collector and the page understand each other, from no sample to the first', () => withCollector((url) => withTab({}, async ({page}) => {
        await page.goto(`${url}/services`);
        await page.waitForSelector('body[data-fresh=empty]');
        assert.match(await page.locator('.stale').innerText(), /no sample yet/);
        await page.goto(`${url}/explore?q=vector(42)`);
        await page.locator('td.num', {hasText: '42'}).waitFor();
        await page.getByLabel('Expression').fill('sum by (__name__) ({__name__=~"commerce:.+"})');
        await page.keyboard.press('Enter');
        await page.locator('td', {hasText: 'Nothing matches'}).waitFor();
    })));
}

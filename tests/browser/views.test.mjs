/* What each view tells: order, figures, words, ranges, notes, boards, tables, paper. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {test} from 'node:test';
import {ALERTS, EVENT, EVENT_DETAIL, SALE} from './fake_collector.mjs';
import {axeOf, charted, ready, until, withPage} from './browser.mjs';

const VIEWS = ['event', 'services', 'journeys', 'alerts', 'targets', 'explore'];
const texts = (page, selector) => page.locator(selector).allInnerTexts();
const legendOf = (page, title) => page.locator('figure.chart').filter({has: page.locator('figcaption', {hasText: title})}).locator('.legend li');

if (await ready()) {
    test('services stand by trouble, and one that turns bad goes to the top', () => withPage({}, async ({page, fake, open}) => {
        await open('/services');
        assert.deepEqual(await texts(page, '.services tbody th bdi'), ['stock', 'mail', 'shop', 'search']);
        fake.set({services: {shop: (t) => ({service: 'shop', tier: 'app', stack: 'otel', state: 'crit', why: 'payments hang', trouble: 103, t, signals: {throughput_rps: 12}})}});
        await page.waitForFunction(() => document.querySelector('.services tbody bdi').textContent === 'shop');
        const first = page.locator('.services tbody tr').first();
        assert.match(await first.innerText(), /■\s*critical[\s\S]*shop[\s\S]*payments hang/);
    }));

    test('the small line beside a service has its two minutes at once, and a hole where nothing was known', () => withPage({}, async ({page, fake, open}) => {
        fake.quiet = true; /* one snapshot, no frame after it: what is drawn before it came by a query */
        const end = Date.now() - 40_000;
        fake.holes = [[end - 30_000, end]];
        await open('/services');
        const line = (name) => page.locator('.services tbody tr', {hasText: name}).locator('.trend path').getAttribute('d').then((d) => d ?? '');
        const xs = async (name) => [...(await line(name)).matchAll(/[ML](-?[\d.]+)/g)].map((one) => Number(one[1]));
        await until(async () => (await xs('search')).length > 30, 'the past was drawn');
        const drawn = await xs('search');
        assert.ok(Math.min(...drawn) < 5 && Math.max(...drawn) > 100, drawn.join());
        assert.equal((await line('search')).match(/M/g).length, 2); /* before the hole and after it */
        assert.ok(!drawn.some((x) => x > 55 && x < 70), drawn.join());
        assert.equal(await line('mail'), ''); /* no signal, no line */
        assert.equal(fake.requests.filter((one) => one.includes('throughput_rps')).length, 1); /* one question for all */
        fake.quiet = false;
        await until(async () => (await xs('search')).filter((x) => x >= 115).length >= 5, 'it goes on by the second'); /* the past has every other one */
    }));

    test('a service without a signal is unknown, by shape and word, never green', () => withPage({}, async ({page, fake, open}) => {
        fake.set({services: {blind: (t) => ({service: 'blind', tier: '', stack: '', state: 'unknown', why: 'it is scraped, but no signal is known', trouble: 20, t, signals: {}})}});
        await open('/services');
        const row = page.locator('.services tbody tr', {hasText: 'blind'});
        assert.match(await row.innerText(), /\?\s*unknown[\s\S]*no signal is known/);
        const [mine, green] = await page.evaluate(() => ['blind', 'shop'].map((name) => getComputedStyle([...document.querySelectorAll('.services tbody tr')].find((tr) => tr.querySelector('bdi').textContent === name).querySelector('.state')).color));
        assert.notEqual(mine, green);
        assert.doesNotMatch(await row.innerText(), /ok|\d/);
    }));

    test('what was ok is not green once data is stale or the collector away', () => withPage({}, async ({page, fake, problems, open}) => {
        await open('/services');
        const mark = page.locator('.services tbody tr', {hasText: 'shop'}).locator('.state');
        const look = () => mark.evaluate((one) => [getComputedStyle(one).color, getComputedStyle(one.firstChild, '::before').content, getComputedStyle(one.lastChild, '::before').content]);
        const [green, ...plain] = await look();
        assert.deepEqual(plain, ['none', 'none']);
        const unknown = await page.locator('.services tbody tr', {hasText: 'mail'}).locator('.state').evaluate((one) => getComputedStyle(one).color);
        assert.notEqual(green, unknown);
        fake.stall = true;
        await page.waitForSelector('body[data-fresh=stale]');
        assert.deepEqual(await look(), [unknown, '"?"', '"was "']);
        fake.stall = false;
        await page.waitForSelector('body[data-fresh=live]');
        assert.equal((await look())[0], green);
        fake.kill();
        await page.waitForSelector('body[data-fresh=away]');
        assert.deepEqual(await look(), [unknown, '"?"', '"was "']);
        problems.length = 0; /* the browser reports the lost connection */
    }));

    test('a journey is a funnel in the order of its steps, business failures apart from technical ones', () => withPage({}, async ({page, open}) => {
        await open('/journeys');
        await charted(page, 2);
        assert.deepEqual(await texts(page, '.funnel tbody th'), ['home', 'search', 'product', 'cart', 'address', 'shipping', 'payment', 'order']);
        const payment = await page.locator('.funnel tbody tr').nth(6).locator('td').allInnerTexts();
        assert.match(payment[0], /^8\.\d+\/s$/);
        assert.equal(payment[1], '90 ms');
        assert.match(payment[2], /●\s*0\.1 %/);
        assert.equal(payment[3], '2.0 %');
        /* Both charts have what was before the page was opened. */
        for (const title of ['p95 by step', 'Technical failures by step']) {
            const figure = page.locator('figure.chart').filter({has: page.locator('figcaption', {hasText: title})});
            await figure.locator('summary').click();
            await until(async () => await figure.locator('.chart-table tbody tr').count() > 20, `${title} has its past`);
            assert.deepEqual(await figure.locator('.chart-table thead th').allInnerTexts(), ['Time', 'home', 'search', 'product', 'cart', 'address', 'shipping', 'payment', 'order']);
        }
        const widths = await page.evaluate(() => [...document.querySelectorAll('.funnel .bar')].map((bar) => parseFloat(bar.style.width)));
        assert.ok(widths.every((width, i) => i === 0 ? width === 100 : width < widths[i - 1]), widths.join());
    }));

    test('alerts: firing before pending, pages first, with labels, value and a link to the chart', () => withPage({}, async ({page, fake, open}) => {
        const now = Date.now();
        fake.set({alerts: {a: ALERTS.cache(now - 12_000), b: {...ALERTS.errors(now - 9_000), state: 'pending'}, c: ALERTS.stuck(now - 42_000)}});
        await open('/alerts');
        assert.deepEqual(await texts(page, '.alert h2'), ['shop: payment-gateway does not answer', 'shop: the catalogue cache serves 4% of its requests', 'shop: payments fail at the gateway']);
        assert.deepEqual((await texts(page, '.alert .state')).map((one) => one.replace(/\s+/g, ' ')), ['■ page', '▲ ticket', '? pending']);
        const first = page.locator('.alert').first();
        assert.match(await first.innerText(), /firing for \d+ (s|min)[\s\S]*dependency\s+payment-gateway[\s\S]*PaymentStuck · since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d · value 2\.96/);
        await first.getByRole('link', {name: 'Open its chart'}).click();
        await page.waitForSelector('main[data-view=explore]');
        assert.equal(await page.getByLabel('Expression').inputValue(), 'max by (service, tier, dependency) (commerce_dependency_oldest_inflight_seconds{source="",dependency="payment-gateway"})');
    }));

    test('targets show their error, coverage what is blind or idle and the line that cures it', () => withPage({}, async ({page, fake, open}) => {
        fake.set({coverage: {mail: {service: 'mail', signals: {response_time: {present: true, idle: true}, errors: {present: false, cure: 'expose http_server_request_duration_seconds in mail'}}}}});
        await open('/targets');
        const first = page.locator('.targets tbody tr').first();
        assert.match(await first.innerText(), /■\s*down[\s\S]*mail · 127\.0\.0\.1:9999[\s\S]*http:\/\/127\.0\.0\.1:9999\/metrics[\s\S]*\d+ s ago[\s\S]*connection refused/);
        assert.match(await page.locator('.targets tbody tr').nth(1).innerText(), /●\s*up[\s\S]*shop/);
        const words = (await page.locator('.coverage tbody tr', {hasText: 'mail'}).locator('.word').allInnerTexts());
        assert.deepEqual(words, ['idle', 'blind', 'unknown', 'unknown', 'unknown', 'unknown', 'unknown', 'unknown']);
        assert.match(await page.locator('.cures').innerText(), /mail: Errors\s*expose http_server_request_duration_seconds in mail/);
    }));

    test('the event says its phase, what is left, what came in so far and where it goes', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        await open('/event');
        await page.locator('h1', {hasText: 'Black Friday'}).waitFor();
        assert.match(await page.locator('.event-head').innerText(), /Phase: rush · open for \d+ min[\s\S]*Ends in\s*1 h \d+ min/);
        const card = page.locator('.card').first();
        assert.match(await card.innerText(), /de EUR[\s\S]*Orders\/min\s+[\d.]+\s+plan [\d.]+ \(\d+ %\) · last [\d.]+[\s\S]*Orders so far\s+\d+\s+plan \d+[\s\S]*Revenue so far\s+[\d\s\u202f.k]+EUR/);
        const pace = EVENT(Date.now()).markets.de.on_pace_for.orders;
        assert.match((await card.innerText()).replaceAll('\u202f', ''), new RegExp(`On pace for ${Math.round(pace.at)} orders \\(${Math.round(pace.low)} to ${Math.round(pace.high)}; plan ${Math.round(pace.plan)}, 83 %\\)`));
        fake.set({event: {bf: (t) => ({...EVENT(t), phase: 'warm-up', starts: t + 200_000})}});
        await page.locator('.countdown', {hasText: /Doors open in\s*3 min/}).waitFor();
        /* The end: what it came to, and no forecast, whatever an older collector still says. */
        fake.set({event: {bf: (t) => ({...EVENT(t), starts: t - 7_260_000, ends: t - 60_000, countdown_ms: 0, phase: 'over'})}});
        await page.locator('.card .figure-name', {hasText: 'Orders in all'}).first().waitFor();
        assert.equal(await page.locator('.pace:visible').count(), 0);
        assert.match(await page.locator('.countdown').innerText(), /Ended\s+1 min/);
    }));

    test('plan and last event are lines that reach beyond now, and the crosshair reads them there', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        await open('/event?from=event');
        await charted(page, 4);
        await page.waitForFunction(() => [...document.querySelectorAll('.legend bdi')].some((one) => one.textContent === 'de plan'));
        assert.deepEqual(await page.locator('figure.chart').first().locator('.legend bdi').allInnerTexts(), ['now', 'plan', 'last event']);
        /* uPlot's canvas and ours: something is drawn at the far right, two hours from now. */
        await page.locator('figure.chart').nth(1).scrollIntoViewIfNeeded();
        const box = await page.locator('figure.chart').nth(1).locator('.u-over').boundingBox();
        await page.mouse.move(box.x + box.width * 0.9, box.y + 30);
        const caption = page.locator('figure.chart').nth(1).locator('figcaption');
        await page.waitForFunction(() => /\d\d:\d\d:\d\d/.test(document.querySelectorAll('figcaption')[1].textContent));
        const said = await caption.innerText(), t = EVENT_DETAIL.starts + 0.9 * (EVENT_DETAIL.ends - EVENT_DETAIL.starts);
        assert.match(said, new RegExp([-60_000, 0, 60_000].map((d) => new Date(t + d).toTimeString().slice(0, 5)).join('|')), said);
        const read = Object.fromEntries((await legendOf(page, 'by market').allInnerTexts()).map((one) => one.split(/\s*\n\s*|\s+(?=\S+$)/)));
        assert.equal(read.de, '–', 'nothing was measured yet there');
        const minute = Math.floor((t - EVENT_DETAIL.starts) / 60_000) + 30, plan = EVENT_DETAIL.markets.de.plan.orders;
        assert.ok([-1, 0, 1].some((d) => Math.abs(Number(read['de plan']) - plan[minute + d]) < 0.06), `${read['de plan']} against ${plan[minute]}`);
        const drawn = await page.evaluate(() => {
            const canvas = document.querySelectorAll('figure.chart canvas')[1], ctx = canvas.getContext('2d');
            const {data} = ctx.getImageData(Math.round(canvas.width * 0.8), 10, 60, Math.round(canvas.height * 0.7));
            const found = new Set();
            for (let i = 0; i < data.length; i += 4)
                if (data[i + 3] > 200)
                    found.add(`${data[i] >> 5},${data[i + 1] >> 5},${data[i + 2] >> 5}`);
            return found.size;
        });
        assert.ok(drawn >= 3, `${drawn} colours right of now`);
    }));

    test('an event whose last one is another event gets that one\'s curve from the store', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        fake.lastEvent = true;
        await open('/event');
        await page.waitForFunction(() => [...document.querySelectorAll('.legend bdi')].some((one) => one.textContent === 'de last event'));
        assert.ok(fake.requests.includes('/api/crest/v1/events/summer'));
    }));

    test('ranges: relative, since doors open, the whole event, by list and by key', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        await open('/event');
        const asked = () => fake.requests.filter((one) => one.startsWith('/api/v1/query_range')).map((one) => new URLSearchParams(one.slice(one.indexOf('?')))).at(-1);
        const width = () => Number(asked().get('end')) - Number(asked().get('start'));
        await charted(page, 3);
        assert.ok(Math.abs(width() - 900) < 10, String(width()));
        await page.getByLabel('Time range').selectOption('now-5m');
        await until(() => Math.abs(width() - 300) < 10, 'five minutes were asked for');
        await page.keyboard.press('Escape');
        await page.locator('h1').click();
        await page.keyboard.press(']');
        await page.waitForFunction(() => location.search.includes('from=now-15m'));
        await page.getByLabel('Time range').selectOption('open');
        await until(() => Math.abs(Number(asked().get('start')) * 1000 - EVENT_DETAIL.starts) < 3000, 'history began when doors opened');
        assert.match(page.url(), /from=open/);
        await page.getByLabel('Time range').selectOption('event');
        await until(() => Number(asked().get('step')) === 12, 'the whole event was asked for');
        await page.locator('h1').click();
        await page.keyboard.press('0');
        await page.waitForFunction(() => location.search === '');
    }));

    test('while an event is about to open or is short, the Event view shows all of it unless the address says otherwise', () => withPage({}, async ({page, fake, open}) => {
        const selected = () => page.getByLabel('Time range').inputValue(), now = Date.now();
        for (const [path, starts, minutes, range] of [['/event', 60, 120, 'event'], ['/event', -240, 10, 'event'], ['/event', -240, 120, 'now-15m'], ['/event', 7200, 10, 'now-15m'],
            ['/event?from=now-15m', 60, 120, 'now-15m'], ['/services', 60, 120, 'now-15m']]) {
            fake.set({event: {bf: (t) => ({...EVENT(t), starts: now + starts * 1000, ends: now + starts * 1000 + minutes * 60_000})}});
            await open(path);
            await page.locator('.top').waitFor();
            assert.equal(await selected(), range, `${path}, doors in ${starts} s, for ${minutes} min`);
        }
        fake.set({event: {bf: EVENT}});
    }));

    test('the time axis says the minute it means, also between two milliseconds', () => withPage({}, async ({page, fake, open}) => {
        await page.addInitScript(() => { /* canvas keeps no text: what is written is taken down */
            const write = CanvasRenderingContext2D.prototype.fillText, now = performance.now.bind(performance);
            let calls = 0;
            window.written = [];
            CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
                window.written.push(text);
                write.call(this, text, ...rest);
            };
            performance.now = () => Math.floor(now()) + (calls++ % 10) / 10;
        });
        fake.set({event: {bf: EVENT}});
        await open('/event?from=now-1h');
        await charted(page, 4);
        await until(async () => (await page.evaluate(() => window.written.filter((one) => /^\d\d:\d\d$/.test(one)).length)) > 20, 'the axes were drawn');
        const times = await page.evaluate(() => window.written.filter((one) => /^\d\d:\d\d(:\d\d)?$/.test(one)));
        const wrong = times.filter((one) => !/^\d\d:\d[05]$/.test(one));
        assert.deepEqual(wrong.slice(0, 5), [], 'ticks of an hour stand at every fifth or tenth minute');
    }));

    test('a note is written by key, refused in words, and is a mark on every chart', () => withPage({}, async ({page, fake, problems, open}) => {
        await open('/event');
        await charted(page, 3);
        await page.keyboard.press('n');
        await page.locator('dialog.note[open]').waitFor();
        assert.deepEqual(await axeOf(page), []);
        fake.noteError = 'kind is [a-z][a-z0-9_-]*';
        await page.getByLabel('In words').fill('cache warmed');
        await page.keyboard.press('Enter');
        await page.locator('dialog.note .error', {hasText: 'It was not written: kind is [a-z][a-z0-9_-]*'}).waitFor();
        fake.noteError = '';
        await page.getByLabel('Kind').selectOption('deploy');
        await page.getByLabel('Service, if').fill('shop');
        await page.getByRole('button', {name: 'Write'}).click();
        await page.locator('dialog.note').waitFor({state: 'hidden'});
        const {note, origin} = fake.notes.at(-1);
        assert.deepEqual([note.kind, note.text, note.service, origin], ['deploy', 'cache warmed', 'shop', fake.url]);
        assert.ok(Math.abs(note.t - Date.now()) < 120_000);
        await page.locator('.notes', {hasText: /deploy\s*shop: cache warmed/}).waitFor();
        fake.kill();
        await page.getByRole('button', {name: 'Note'}).click();
        await page.getByLabel('In words').fill('lost');
        await page.getByRole('button', {name: 'Write'}).click();
        await page.locator('dialog.note .error', {hasText: 'the collector does not answer'}).waitFor();
        assert.equal(await page.getByLabel('In words').inputValue(), 'lost');
        problems.length = 0; /* the browser reports the 400 and the lost connection */
    }));

    test('a board is kept from Explore, is in the address, goes to a file and comes back by choice and by drop', () => withPage({}, async ({page, fake, problems, open}) => {
        await open('/explore?q=commerce:throughput_rps');
        await charted(page);
        await page.getByLabel('Title of the chart').fill('Traffic');
        await page.getByRole('button', {name: 'Keep on the board'}).click();
        await page.locator('.board figcaption', {hasText: 'Traffic'}).waitFor();
        await page.getByLabel('Expression').fill('fixture_7');
        await page.keyboard.press('Enter');
        await page.locator('main > .charts figcaption', {hasText: 'fixture_7'}).waitFor();
        await page.getByLabel('Unit').selectOption('seconds');
        await page.getByRole('button', {name: 'Keep on the board'}).click();
        await page.waitForFunction(() => document.querySelectorAll('.board figure').length === 2);
        await page.getByLabel('Title of the board').fill('War room');
        await page.getByLabel('Title of the board').press('Tab');
        await page.waitForFunction(() => location.search.includes('War'));
        assert.deepEqual(await axeOf(page), []);
        const expected = {crest_board: 1, title: 'War room', charts: [{expr: 'commerce:throughput_rps', title: 'Traffic', unit: 'rps'}, {expr: 'fixture_7', title: '', unit: 'seconds'}]};
        assert.deepEqual(JSON.parse(new URL(page.url()).searchParams.get('board')), expected);
        const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', {name: 'Download the board file'}).click()]);
        assert.equal(download.suggestedFilename(), 'war-room.crest-board.json');
        const text = await readFile(await download.path(), 'utf8');
        assert.deepEqual(JSON.parse(text), expected);
        /* A person with the address only. */
        await open(new URL(page.url()).pathname + new URL(page.url()).search);
        await charted(page, 3);
        assert.equal(await page.locator('.board figure').count(), 2);
        /* Values come once a second, in one question for all charts. */
        const posts = () => fake.requests.filter((one) => one === '/api/v1/query').length, before = posts();
        await until(() => posts() >= before + 3, 'the board asked for newer values');
        await page.getByRole('button', {name: 'Remove Traffic'}).click();
        await page.waitForFunction(() => document.querySelectorAll('.board figure').length === 1);
        await page.getByRole('button', {name: 'Close the board'}).click();
        await page.waitForFunction(() => !location.search.includes('board='));
        await page.getByLabel('Board file').setInputFiles({name: 'war.json', mimeType: 'application/json', buffer: Buffer.from(text)});
        await page.waitForFunction(() => document.querySelectorAll('.board figure').length === 2);
        for (const [wrong, words] of [['{', 'it is no JSON'], ['[]', 'it is no JSON object'], ['{"crest_board":2,"charts":[]}', 'this page knows 1'],
            ['{"crest_board":1,"charts":[{"expr":"up"},{"expr":""}]}', 'charts\\[1\\]\\.expr is no expression'], ['{"crest_board":1,"charts":[{"expr":"up","unit":"x"}]}', 'charts\\[0\\]\\.unit is none of']]) {
            await page.getByLabel('Board file').setInputFiles({name: 'wrong.json', mimeType: 'application/json', buffer: Buffer.from(wrong)});
            await page.locator('.board-box .error', {hasText: new RegExp(words)}).waitFor();
        }
        assert.equal(await page.locator('.board figure').count(), 2, 'what is wrong changes nothing');
        await page.evaluate((board) => {
            const data = new DataTransfer();
            data.items.add(new File([board], 'dropped.json', {type: 'application/json'}));
            document.querySelector('main').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
        }, JSON.stringify({crest_board: 1, charts: Array.from({length: 50}, (_, i) => ({expr: `fixture_${i}`, title: `Series ${i} with a title that makes the address long`}))}));
        await page.waitForFunction(() => document.querySelectorAll('.board figure').length === 50);
        await page.locator('.board-box', {hasText: 'too long for the address: hand on its file'}).waitFor();
        await charted(page, 50);
        assert.deepEqual(problems, []);
    }));

    test('no view is wider than its screen, from 360 px to 4K, and charts stay readable', () => withPage({}, async ({page, fake, open}) => {
        fake.set({alerts: {a: ALERTS.stuck(Date.now() - 42_000)}, event: {bf: EVENT}});
        for (const [width, height] of [[360, 740], [1280, 800], [1920, 1080], [3840, 2160]]) {
            await page.setViewportSize({width, height});
            for (const view of VIEWS) {
                await open(`/${view}?q=up&service=shop`);
                await page.waitForSelector(`main[data-view=${view}]`);
                await charted(page, {event: 4, services: 6, journeys: 2, explore: 1}[view] ?? 0);
                const [wide, narrowest, smallest] = await page.evaluate(() => [document.documentElement.scrollWidth,
                    Math.min(...[...document.querySelectorAll('.plot')].map((plot) => plot.clientWidth)),
                    Math.min(...[...document.querySelectorAll('main p, main td, main th, main a, main button')].filter((one) => one.offsetWidth).map((one) => parseFloat(getComputedStyle(one).fontSize)))]);
                assert.ok(wide <= width, `${view} at ${width} px is ${wide} px wide`);
                assert.ok(narrowest >= 250, `${view} at ${width} px has a chart of ${narrowest} px`);
                assert.ok(smallest >= (width > 2400 ? 18 : 12), `${view} at ${width} px has letters of ${smallest} px`);
            }
        }
    }));

    test('paper: charts are drawn dark on white, all of them, without controls', () => withPage({colorScheme: 'dark'}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        await open('/event');
        await charted(page, 4);
        await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
        await page.emulateMedia({media: 'print'});
        const [charts, canvases, tools, light] = await page.evaluate(() => {
            const ink = (canvas) => { /* no pixel that can be seen is near white: dark ink on paper */
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let dark = 0, pale = 0;
                for (let i = 0; i < data.length; i += 4)
                    if (data[i + 3] > 200)
                        (data[i] + data[i + 1] + data[i + 2] > 3 * 225 ? pale++ : dark++);
                return pale > dark;
            };
            const all = [...document.querySelectorAll('figure canvas')];
            return [document.querySelectorAll('figure.chart').length, all.length, getComputedStyle(document.querySelector('.tools')).display, all.some(ink)];
        });
        assert.deepEqual([canvases, tools, light], [charts, 'none', false]);
        assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()), '#fff');
        await page.emulateMedia({media: null});
        await page.evaluate(() => dispatchEvent(new Event('afterprint')));
        const pdf = await page.pdf({format: 'A4', printBackground: false});
        assert.ok(pdf.length > 20_000 && pdf.subarray(0, 5).toString() === '%PDF-', String(pdf.length));
    }));

    test('behind each chart is a table with words and units, and arrow keys speak its values', () => withPage({}, async ({page, fake, open}) => {
        fake.set({event: {bf: EVENT}});
        await open('/event');
        await charted(page, 4);
        await page.waitForFunction(() => document.querySelectorAll('figure')[1].querySelectorAll('.legend li').length === 9);
        const figure = page.locator('figure.chart').nth(1);
        const plot = figure.locator('.plot');
        assert.equal(await plot.getAttribute('aria-label'), 'Orders per minute by market');
        assert.equal(await plot.getAttribute('aria-details'), await figure.locator('details').getAttribute('id'));
        await figure.locator('summary').click();
        await figure.locator('tbody tr').first().waitFor();
        assert.match(await figure.locator('caption').innerText(), /Orders per minute by market, \d+ of \d+ points/);
        assert.deepEqual((await figure.locator('thead th').allInnerTexts()), ['Time', 'de', 'fr', 'jp', 'de plan', 'fr plan', 'jp plan', 'de last event', 'fr last event', 'jp last event']);
        const [time, value] = await figure.locator('tbody tr').nth(20).locator('th, td').allInnerTexts();
        assert.ok(Math.abs(Number(value) - SALE.orders(new Date(time.replace(' ', 'T')).getTime(), 'de')) < 0.06, `${time}: ${value}`);
        await plot.focus();
        await page.keyboard.press('End');
        await page.keyboard.press('ArrowLeft');
        await figure.locator('[role=status]', {hasText: /^\d\d:\d\d:\d\d: de [\d.]+, fr [\d.]+, jp [\d.]+, de plan [\d.]+/}).waitFor({state: 'attached'});
    }));
}

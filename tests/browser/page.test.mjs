/* The page as a person meets it: what fires is first and in words, what stops is said, every view by mouse or keyboard. */
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ALERTS, fire} from './fake_collector.mjs';
import {axeOf, charted, ready, until, withPage} from './browser.mjs';

const VIEWS = ['event', 'services', 'journeys', 'alerts', 'targets', 'explore'];

if (await ready()) {
    test('the first view takes at most 8 requests and 100 KB', () => withPage({}, async ({page, fake, open}) => {
        await open('/');
        await charted(page, 3);
        const ticks = fake.ticks; /* a frame later, so that a request too many has its time */
        await until(() => fake.ticks > ticks, 'another frame was sent');
        assert.ok(fake.requests.length <= 8, fake.requests.join('\n'));
        const {gzipSync} = await import('node:zlib');
        let bytes = 0;
        for (const path of fake.requests.filter((one) => !one.startsWith('/api/')))
            bytes += gzipSync(Buffer.from(await (await page.request.get(fake.url + path)).body()), {level: 9}).length;
        assert.ok(bytes > 20_000 && bytes <= 100 * 1024, String(bytes));
    }));

    test('an alert appears on every view without a reload and goes when it is resolved', () => withPage({}, async ({page, fake, open}) => {
        await open('/services');
        assert.equal(await page.locator('.alarm').isVisible(), false);
        await page.evaluate(() => (window.sameDocument = true));
        fake.quiet = true; /* the alert's own event brings it, not the next second's delta */
        fake.set({alerts: {aaaa: ALERTS.stuck(Date.now() - 42_000)}});
        await page.getByRole('link', {name: /shop: payment-gateway does not answer/}).first().waitFor();
        fake.quiet = false;
        assert.equal(await page.evaluate(() => window.sameDocument), true);
        assert.match(await page.locator('.alarm-first').innerText(), /payment-gateway does not answer\s+firing (4\d|5\d|\d+ min.*) ?s?/);
        assert.match(await page.title(), /^■ shop: payment-gateway/);
        for (const view of VIEWS) {
            await page.getByRole('navigation').getByRole('link', {name: new RegExp(`^${view}`, 'i')}).click();
            await page.waitForSelector(`main[data-view=${view}]`);
            /* The largest words of the screen, above everything but the bar of links. */
            const [alarm, others] = await page.evaluate(() => {
                const size = (element) => parseFloat(getComputedStyle(element).fontSize);
                return [size(document.querySelector('.alarm-words')), Math.max(...[...document.querySelectorAll('main *')].filter((e) => e.textContent).map(size))];
            });
            assert.ok(alarm > others, `${view}: ${alarm} against ${others}`);
        }
        fake.set({alerts: {aaaa: null}});
        await page.locator('.alarm').waitFor({state: 'hidden'});
        await page.locator('[role=alert]', {hasText: /Resolved: shop: payment-gateway/}).waitFor({state: 'attached'});
    }));

    test('a collector that was killed is missed at once, and the gap is filled when it is back', () => withPage({}, async ({page, fake, problems, open}) => {
        await open('/event?from=now-5m');
        await charted(page, 3);
        const killed = Date.now();
        fake.kill();
        await page.locator('.stale', {hasText: /collector does not answer\. Figures are from \d\d:\d\d:\d\d/}).waitFor();
        await until(() => Date.now() - killed > 7000, 'the outage was longer than a row of the table');
        fake.holes = [[killed, Date.now()]];
        await fake.revive();
        await page.waitForSelector('body[data-fresh=live]');
        /* The history still lacks the stretch: a hole, never a flat line. Then the agents' spools have filled it. */
        const empty = () => page.evaluate(async () => {
            const details = document.querySelector('.chart details');
            for (const open of details.open ? [false, true] : [true]) {
                const toggled = new Promise((resolve) => details.addEventListener('toggle', resolve, {once: true}));
                details.open = open;
                await toggled;
            }
            const rows = [...details.querySelectorAll('tbody tr')];
            return [rows.length, rows.filter((row) => [...row.cells].slice(1).every((cell) => cell.textContent === '–')).length];
        });
        await until(async () => {
            const [rows, holes] = await empty();
            return rows >= 50 && holes >= 1;
        }, 'the missing stretch was shown as a hole');
        fake.holes = [];
        await until(async () => (await empty())[1] === 0, 'the gap was filled');
        assert.equal(problems.filter((words) => !words.includes('ERR_CONNECTION_REFUSED') && !words.includes('ERR_INCOMPLETE_CHUNKED') && !words.includes('ERR_CONNECTION_RESET')
            && !words.includes('ERR_EMPTY_RESPONSE')).length, 0, problems.join('\n'));
        problems.length = 0; /* the browser itself reports the lost connection */
    }));

    test('data that stops is stale within 3 s while the collector still answers', () => withPage({}, async ({page, fake, open}) => {
        await page.clock.install(); /* the page's time is ours: how fast the machine is does not matter */
        await open('/services');
        fake.quiet = true;
        await page.clock.pauseAt(new Date(Date.now() + 5000));
        await page.clock.runFor(5000);
        await page.locator('.stale', {hasText: 'No new samples since'}).waitFor();
        const state = () => page.evaluate(() => document.body.dataset.fresh);
        fake.tick();
        await until(async () => {
            await page.clock.runFor(20);
            return (await state()) === 'live';
        }, 'a new sample was seen');
        assert.equal(await page.locator('.stale').isVisible(), false);
        await page.clock.runFor(2500);
        assert.equal(await state(), 'live');
        await page.clock.runFor(600);
        assert.equal(await state(), 'stale', 'three seconds later');
        assert.match(await page.locator('.stale').innerText(), /No new samples since \d\d:\d\d:\d\d\. The collector answers/);
        assert.equal(fake.streams, 1);
    }));

    test('a stream of nonsense and a refused stream are survived', () => withPage({}, async ({page, fake, problems, open}) => {
        await open('/event');
        const before = fake.streams;
        fake.raw('event: delta\ndata: {"t":1,"sections":{"servi\n\n');
        await page.waitForFunction(() => document.body.dataset.fresh === 'live');
        await until(() => fake.streams > before, 'the page asked for a new stream');
        fake.refuse = true;
        const refused = fake.refused;
        fake.raw('event: delta\ndata: null\n\n');
        await until(() => {
            if (fake.refused === refused) /* until it is seen: the page may just be between two streams */
                fake.raw('event: delta\ndata: null\n\n');
            return fake.refused > refused;
        }, 'a stream was refused');
        await page.locator('.stale', {hasText: 'The collector does not answer'}).waitFor();
        fake.refuse = false;
        await page.waitForSelector('body[data-fresh=live]');
        assert.equal(problems.filter((words) => !words.includes('503')).length, 0, problems.join('\n'));
        problems.length = 0; /* the browser reports each 503 */
    }));

    test('names with control characters and other directions stay in their place', () => withPage({}, async ({page, fake, open}) => {
        fake.set({services: {x: (t) => ({service: 'a\u202eb\u0007<img src=x>', tier: 'app', stack: 'otel', state: 'ok', trouble: 900, t, signals: {throughput_rps: 1}}),
            y: (t) => ({service: 'متجر', tier: 'app', stack: 'otel', state: 'crit', why: 'x'.repeat(300), trouble: 901, t, signals: {}})}});
        await open('/services');
        assert.equal(await page.locator('.services bdi').nth(1).innerText(), 'a\ufffdb\ufffd<img src=x>');
        assert.equal(await page.locator('main img').count(), 0);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    }));

    test('axe finds nothing on any view, light, dark and at high contrast', () => withPage({}, async ({page, fake, open}) => {
        fire(fake);
        for (const [view, theme] of [...VIEWS.map((one) => [one, 'light']), ...VIEWS.map((one) => [one, 'dark']), ['event', 'contrast'], ['alerts', 'contrast']]) {
            await open(`/${view}?theme=${theme}&service=shop&q=up`);
            await page.waitForSelector(`main[data-view=${view}]`);
            if (view !== 'alerts' && view !== 'targets')
                await charted(page);
            assert.deepEqual(await axeOf(page), [], `${view} ${theme}`);
        }
    }));

    test('every view and action is reached with the keyboard alone', () => withPage({}, async ({page, fake, open}) => {
        fire(fake);
        await open('/event');
        for (const [i, view] of VIEWS.entries()) {
            await page.keyboard.press(String(i + 1));
            await page.waitForSelector(`main[data-view=${view}]`);
        }
        await page.keyboard.press('?');
        await page.locator('dialog[open]').waitFor();
        assert.deepEqual(await axeOf(page), []);
        await page.keyboard.press('Escape');
        await page.keyboard.press('p');
        await page.locator('.stale', {hasText: 'Paused'}).waitFor();
        await page.keyboard.press('p');
        await page.keyboard.press('2');
        await page.waitForSelector('main[data-view=services]');
        await page.keyboard.press('/');
        await page.keyboard.type('stock');
        await page.waitForFunction(() => document.querySelectorAll('.services tbody tr').length === 1);
        assert.match(page.url(), /filter=stock/);
        await page.keyboard.press('Tab');
        while (!(await page.evaluate(() => document.activeElement.matches('.services a'))))
            await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => location.search.includes('service=stock'));
        /* A chart: select with Shift and arrows, Enter zooms, z undoes. */
        await page.evaluate(() => document.activeElement.blur());
        fake.delay_ms = 1500; /* live points are there first, then history comes under the cursor */
        await page.keyboard.press('1');
        await page.waitForSelector('main[data-view=event] .chart canvas');
        await page.locator('.plot').first().focus();
        await page.keyboard.press('Shift+ArrowLeft');
        await charted(page, 3);
        for (let i = 0; i < 8; i++)
            await page.keyboard.press('Shift+ArrowLeft');
        await page.locator('figure [role=status]', {hasText: /Selected from/}).first().waitFor();
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => /from=\d+&to=\d+/.test(location.search));
        await page.keyboard.press('z');
        await page.waitForFunction(() => !location.search.includes('to='));
        /* Single keys can be turned off, and stay off. */
        await page.keyboard.press('?');
        await page.locator('#keys-on').focus();
        await page.keyboard.press('Space');
        await page.keyboard.press('Escape');
        await page.locator('dialog.help').waitFor({state: 'hidden'});
        await page.keyboard.press('3');
        await page.getByRole('button', {name: 'Keys and help'}).press('Enter');
        await page.locator('dialog[open]').waitFor();
        assert.match(page.url(), /\/event/);
        assert.equal(await page.locator('main[data-view=event]').count(), 1);
    }));

    test('a key pressed before the closed overlay is gone from the picture is not lost', () => withPage({}, async ({page, open}) => {
        await open('/event');
        await page.keyboard.press('?');
        await page.locator('dialog[open]').waitFor();
        await page.evaluate(() => { /* in one go: no picture is drawn between the two */
            for (const key of ['Escape', 'p'])
                document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        });
        await page.locator('.stale', {hasText: 'Paused'}).waitFor();
    }));

    test('a drag over a chart zooms all of them and the button undoes it; the crosshair is shared', () => withPage({}, async ({page, open}) => {
        await open('/event');
        await charted(page, 3);
        /* A chart that arrives moves the others while the mouse is under way: a person aims again. */
        const aim = async (part, y) => {
            const box = await page.locator('.plot .u-over').first().boundingBox(); /* none while charts are made anew */
            if (box)
                await page.mouse.move(box.x + box.width * part, box.y + y, {steps: 4});
        };
        await until(async () => {
            await aim(0.5, 40);
            return page.evaluate(() => [...document.querySelectorAll('figcaption')].filter((one) => /\d\d:\d\d:\d\d/.test(one.textContent)).length >= 2);
        }, 'two charts show the crosshair');
        await until(async () => {
            await aim(0.5, 40);
            await page.mouse.down();
            await aim(0.8, 60);
            await page.mouse.up();
            return page.evaluate(() => /from=\d+&to=\d+/.test(location.search));
        }, 'a drag zooms');
        await page.getByRole('button', {name: 'Undo zoom'}).click();
        await page.waitForFunction(() => !location.search.includes('to='));
    }));

    test('Explore keeps its expression in the address and shows where one is wrong', () => withPage({}, async ({page, problems, open}) => {
        await open('/explore');
        await page.getByLabel('Expression').fill('commerce:throughput_rps');
        await page.keyboard.press('Enter');
        await page.locator('td.num').first().waitFor();
        assert.match(page.url(), /q=commerce%3Athroughput_rps/);
        await page.waitForSelector('.chart canvas');
        await page.getByLabel('Expression').fill('rate((up');
        await page.keyboard.press('Enter');
        await page.locator('p.error', {hasText: '1:3: parse error'}).waitFor();
        problems.length = 0; /* the browser reports the 400 */
    }));

    test('it fits 360 px, and forced colours keep shapes and words', () => withPage({width: 360, height: 740, forcedColors: 'active'}, async ({page, fake, open}) => {
        fire(fake);
        for (const view of VIEWS) {
            await open(`/${view}?q=up`);
            await page.waitForSelector(`main[data-view=${view}]`);
            await charted(page, ['event', 'journeys', 'explore'].includes(view) ? 1 : 0);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= 360, `${view} is ${wide} px wide`);
            const off = await page.evaluate(() => [...document.querySelectorAll('main :is(.services, .funnel, .targets, .coverage) :is(td, th)')]
                .filter((cell) => cell.offsetWidth && cell.getBoundingClientRect().right > innerWidth).map((cell) => cell.textContent));
            assert.deepEqual(off, [], `${view}: cells beyond the edge`);
            assert.match(await page.locator('.alarm-first').innerText(), /■ shop: payment-gateway does not answer/);
        }
        assert.deepEqual(await axeOf(page), []);
    }));
}

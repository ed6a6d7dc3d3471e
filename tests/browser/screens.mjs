/* screens.mjs DIR [NAME…] - pictures of every view (or of those named), light and dark, at 360, 1280 and 1920 px, from the fixture's sale with the
 * gateway fault; make screens writes docs/screens/. For people to look at, and to be judged in ten seconds. */
import {mkdirSync} from 'node:fs';
import {chromium} from 'playwright-core';
import {ALERTS, EVENT, sections, startFake} from './fake_collector.mjs';

const VIEWS = [['event', '/event'], ['services', '/services'], ['service', '/services?service=shop'], ['journeys', '/journeys'], ['alerts', '/alerts'], ['targets', '/targets'],
    ['explore', '/explore?q=commerce:throughput_rps']];
const BOARD = {crest_board: 1, title: 'Checkout', charts: [['commerce:throughput_rps', 'Traffic', 'rps'], ...[3, 5, 8, 13, 21].map((n) => [`fixture_${n}`, `Queue ${n}`, 'number'])]
    .map(([expr, title, unit]) => ({expr, title, unit}))};
const WIDE = [['kiosk', '/event?kiosk'], ['whole-event', '/event?from=event'], ['board', '/explore?board=' + encodeURIComponent(JSON.stringify(BOARD))]];
const SIZES = [[360, 740], [1280, 800], [1920, 1080]];
const [dir, ...only] = process.argv.slice(2);

mkdirSync(dir, {recursive: true});
const fake = await startFake();
const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: process.getuid() === 0 ? ['--no-sandbox'] : []});
const fire = () => fake.set({alerts: {aaaa: ALERTS.stuck(Date.now() - 42_000), bbbb: ALERTS.errors(Date.now() - 31_000), cccc: ALERTS.cache(Date.now() - 12_000)}, event: {bf: EVENT},
    services: {shop: (t) => ({...sections(t).services.shop, state: 'crit', why: 'PaymentStuck: payment-gateway does not answer', trouble: 103})}});
async function shoot(page, name, path) {
    fire();
    await page.goto(fake.url + path);
    await page.waitForSelector('body[data-fresh=live]');
    await page.waitForSelector('main[data-view]');
    await page.waitForFunction(() => [...document.querySelectorAll('main figure')].every((one) => one.getAttribute('aria-busy') === 'false'));
    await page.waitForTimeout(1200); /* small lines have their history */
    await page.screenshot({path: `${dir}/${name}.png`});
}
await Promise.all(['light', 'dark'].map(async (colorScheme) => {
    for (const [width, height] of SIZES) {
        const tab = await browser.newContext({viewport: {width, height}, colorScheme});
        const page = await tab.newPage();
        for (const [name, path] of [...VIEWS, ...(width === 1920 ? WIDE : width === 1280 ? WIDE.slice(0, 1) : [])])
            if (only.length === 0 || only.includes(name))
                await shoot(page, `${name}-${width}-${colorScheme}`, path);
        await tab.close();
    }
}));
await browser.close();
fake.stop();

/* The page on a wall: one screen, letters that can be read from afar, nobody at the keyboard. */
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fire, sections} from './fake_collector.mjs';
import {ready, until, withPage} from './browser.mjs';

if (await ready()) {
    /* What reaches beyond the screen, and letters under 12 px: those of the elements and those that charts are drawn with. */
    const misfits = (page) => page.evaluate(() => {
        const wrong = new Set(), main = document.querySelector('main');
        if (main.scrollHeight > main.clientHeight + 1 || document.documentElement.scrollHeight > innerHeight)
            wrong.add(`${main.scrollHeight} px in ${main.clientHeight}`);
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node; (node = walk.nextNode());) {
            const box = node.parentElement.getBoundingClientRect(), style = getComputedStyle(node.parentElement);
            if (!node.data.trim() || !node.parentElement.checkVisibility() || style.clipPath !== 'none' || node.parentElement.closest('.reader-only'))
                continue;
            const pixels = parseFloat(style.fontSize) * (node.parentElement.currentCSSZoom ?? 1);
            if (pixels > 0 && pixels < 12)
                wrong.add(`${pixels} px: ${node.data}`);
            if (box.bottom > innerHeight + 1 || box.right > innerWidth + 1)
                wrong.add(`beyond the screen: ${node.data}`);
        }
        return [...wrong];
    });

    test('a kiosk fits one screen in letters that can be read, also while pages fire', () => withPage({}, async ({page, fake, open}) => {
        for (const [width, height] of [[1280, 800], [1920, 1080]]) {
            await page.setViewportSize({width, height});
            fire(fake);
            for (const view of ['event', 'services', 'journeys', 'alerts', 'targets']) {
                await open(`/${view}?kiosk=3600`);
                await page.waitForSelector(`main[data-view=${view}]`);
                await until(async () => (await misfits(page)).length === 0, `${view} fits: ${await misfits(page)}`);
            }
            await open('/event?kiosk=3600');
            await page.locator('.charts.one figure .plot').waitFor(); /* orders against plan stay, and so do the markets */
            assert.ok(await page.locator('.card .figure:visible').count() >= 6);
            fake.set({alerts: {aaaa: null, bbbb: null, cccc: null}});
            await page.locator('.pace').first().waitFor(); /* there is more room: it is used */
            await until(async () => (await misfits(page)).length === 0, 'it fits with more on it');
        }
    }));

    test('a kiosk takes turns, shows its own age and counts what it has no room for', () => withPage({width: 1920, height: 1080}, async ({page, fake, open}) => {
        fire(fake);
        fake.set({services: Object.fromEntries(Array.from({length: 60}, (_, i) => [`s${i}`, (t) => ({...sections(t).services.search, service: `s${i}`})]))});
        await open('/services?kiosk=3600');
        await page.locator('.kiosk-bar', {hasText: /\d\d more rows · next: Journeys/}).waitFor();
        assert.match(await page.locator('.services tbody tr:visible').first().innerText(), /stock/);
        await until(async () => (await misfits(page)).length === 0, 'it fits');
        await page.locator('.kiosk-bar', {hasText: /\d\d:\d\d:\d\d · live/}).waitFor();
        await open('/event?kiosk=5');
        for (const view of ['services', 'journeys', 'alerts', 'targets', 'event'])
            await page.waitForSelector(`main[data-view=${view}]`);
    }));
}

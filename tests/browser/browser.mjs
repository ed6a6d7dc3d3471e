/* browser.mjs - Debian's Chromium under playwright-core, and the reasons for which there may be none.
 *
 *   import {ready, withPage} from './browser.mjs';
 *   if (await ready()) test('…', () => withPage({width: 1280}, async ({page, fake, problems}) => { … }));
 *
 * problems holds every console message, exception and violation of the Content-Security-Policy; a test that leaves some
 * fails unless it emptied the list itself. */
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {after, test} from 'node:test';
import {startFake} from './fake_collector.mjs';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', process.env.CHROMIUM ?? ''].find((path) => path && existsSync(path));
const PATIENCE_MS = 90_000; /* a wait for something that happens at once may take this long on a busy machine */
let chromium = null, browser = null;

/* Registers one skipped test when there is no browser (tests/ALLOWED_SKIPS says which are allowed). */
export async function ready() {
    if (Number(process.versions.node.split('.')[0]) < 20) {
        test('browser_tests_need_node_20', {skip: `this is node ${process.versions.node}`}, () => {});
        return false;
    }
    if (!CHROMIUM) {
        test('browser_tests_need_chromium', {skip: 'chromium is not installed'}, () => {});
        return false;
    }
    ({chromium} = await import('playwright-core'));
    browser = await chromium.launch({executablePath: CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : []});
    after(() => browser.close());
    return true;
}

/* Waits until condition() holds here, not in the page. */
export async function until(condition, words) {
    for (const end = Date.now() + PATIENCE_MS; !(await condition()); await new Promise((resolve) => setTimeout(resolve, 50)))
        assert.ok(Date.now() < end, `waited in vain until ${words}`);
}
/* The charts of the view have their history and are drawn. */
export function charted(page, least = 1) {
    return page.waitForFunction((least) => {
        const all = [...document.querySelectorAll('main figure.chart')];
        return all.length >= least && all.every((one) => one.getAttribute('aria-busy') === 'false'
            && (one.querySelector('canvas') || one.getBoundingClientRect().top >= innerHeight)); /* below the screen nothing is drawn */
    }, least);
}

/* A tab of its own; run gets page and problems. */
export async function withTab({width = 1280, height = 800, ...context}, run) {
    const tab = await browser.newContext({viewport: {width, height}, ...context});
    tab.setDefaultTimeout(PATIENCE_MS);
    const page = await tab.newPage();
    const problems = [];
    page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(error.stack));
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective + ' ' + event.blockedURI)));
    try {
        await run({page, problems});
        assert.deepEqual(problems, []);
    } finally {
        await tab.close();
    }
}
/* The same before a fake collector of its own; open(path) waits until data are live. */
export async function withPage(options, run) {
    const fake = await startFake();
    try {
        await withTab(options, ({page, problems}) => run({page, fake, problems, open: async (path) => {
            await page.goto(fake.url + path);
            await page.waitForSelector('body[data-fresh=live]');
        }}));
    } finally {
        fake.stop();
    }
}
export async function axeOf(page) {
    const {source} = (await import('axe-core')).default;
    /* In a world of its own: the page's policy forbids foreign code, and it stays forbidden. */
    const session = await page.context().newCDPSession(page);
    const {frameTree} = await session.send('Page.getFrameTree');
    const {executionContextId: contextId} = await session.send('Page.createIsolatedWorld', {frameId: frameTree.frame.id, worldName: 'axe'});
    const run = async (expression) => {
        const answer = await session.send('Runtime.evaluate', {expression, contextId, awaitPromise: true, returnByValue: true});
        if (answer.exceptionDetails)
            throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
        return answer.result.value;
    };
    await run(source + ';0');
    const found = await run('axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) => ({id: v.id, nodes: v.nodes.map((n) => n.html.slice(0, 160) + " | " + (n.any[0]?.message ?? n.all[0]?.message ?? ""))}))))');
    return JSON.parse(found);
}

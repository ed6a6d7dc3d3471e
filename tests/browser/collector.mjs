/* collector.mjs - a real crest-collector on a free port, with a data folder that goes with it.
 *
 *   await withCollector(async (url, collector) => { … });
 *   await collector.kill(); await collector.start();      kill -9, and back on the same port and data */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const BIN = process.env.CREST_BIN ?? 'build/release';

export async function withCollector(run) {
    const data = mkdtempSync(join(tmpdir(), 'crest-data-'));
    let running = null, ended = null, listen = '127.0.0.1:0';
    async function start() {
        running = spawn(join(BIN, 'crest-collector'), ['--listen', listen, '--data', data], {stdio: ['ignore', 'pipe', 'inherit']});
        ended = new Promise((resolve) => running.on('exit', resolve));
        listen = await new Promise((resolve, reject) => {
            let text = '';
            running.on('error', reject);
            running.on('exit', (code) => reject(new Error(`crest-collector ended with ${code}`)));
            running.stdout.on('data', (part) => {
                text += part;
                const address = /listening (\S+)\n/.exec(text);
                if (address)
                    resolve(address[1]);
            });
        });
    }
    async function kill(signal = 'SIGKILL') {
        running?.kill(signal);
        await ended;
        running = null;
    }
    try {
        await start();
        await run(`http://${listen}`, {start, kill});
    } finally {
        await kill('SIGTERM');
        rmSync(data, {recursive: true, force: true});
    }
}

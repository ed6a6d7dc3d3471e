/* collector.mjs - a real crest-collector on a free port, with a data folder that goes with it.
 *
 *   await withCollector(async (url) => { … }); */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const BIN = process.env.CREST_BIN ?? 'build/release';

export async function withCollector(run) {
    const data = mkdtempSync(join(tmpdir(), 'crest-data-'));
    const collector = spawn(join(BIN, 'crest-collector'), ['--listen', '127.0.0.1:0', '--data', data], {stdio: ['ignore', 'pipe', 'inherit']});
    const ended = new Promise((resolve) => collector.on('exit', resolve));
    try {
        const url = await new Promise((resolve, reject) => {
            let text = '';
            collector.on('error', reject);
            collector.on('exit', (code) => reject(new Error(`crest-collector ended with ${code}`)));
            collector.stdout.on('data', (part) => {
                text += part;
                const address = /listening (\S+)\n/.exec(text);
                if (address)
                    resolve(`http://${address[1]}`);
            });
        });
        await run(url);
    } finally {
        collector.kill('SIGTERM');
        await ended;
        rmSync(data, {recursive: true, force: true});
    }
}

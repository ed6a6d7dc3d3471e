/* remote_write.mjs - samples into a real collector, as an agent would send them (remote write 1.0).
 *
 *   const write = new RemoteWrite(url);
 *   write.add({__name__: 'up', job: 'shop'}, 1700000000000, 1);      // or STALE, where a series ends
 *   await write.send();                                          // throws unless it was acknowledged
 *
 * snappy is written as literals only: valid, and as long as what it packs. */
export const STALE = Symbol('the end of a series');
const bytes = (text) => Buffer.from(text, 'utf8');

function varint(value) {
    const out = [];
    for (let rest = BigInt(value); ; rest >>= 7n) {
        if (rest < 128n)
            return Buffer.from([...out, Number(rest)]);
        out.push(Number(rest & 127n) | 128);
    }
}
const field = (number, content) => Buffer.concat([varint(number << 3 | 2), varint(content.length), content]);

function sample(time, value) {
    const number = Buffer.alloc(9);
    number[0] = 1 << 3 | 1;
    if (value === STALE)
        number.writeBigUInt64LE(0x7ff0000000000002n, 1);
    else
        number.writeDoubleLE(value, 1);
    return field(2, Buffer.concat([number, Buffer.from([2 << 3]), varint(time)]));
}
function snappy(content) {
    const parts = [varint(content.length)];
    for (let at = 0; at < content.length; at += 65536) {
        const piece = content.subarray(at, at + 65536), head = Buffer.alloc(3);
        head[0] = 61 << 2;
        head.writeUInt16LE(piece.length - 1, 1);
        parts.push(head, piece);
    }
    return Buffer.concat(parts);
}

export class RemoteWrite {
    #series = new Map();
    constructor(url) {
        this.url = `${url}/api/v1/write`;
    }
    add(labels, time, value) {
        const pairs = Object.entries(labels).filter(([, text]) => text).sort(([a], [b]) => a < b ? -1 : 1), key = JSON.stringify(pairs);
        if (!this.#series.has(key))
            this.#series.set(key, {pairs, samples: []});
        this.#series.get(key).samples.push(sample(time, value));
    }
    async send() {
        const all = [...this.#series.values()];
        this.#series.clear();
        for (let at = 0; at < all.length; at += 50) {
            const body = Buffer.concat(all.slice(at, at + 50).map(({pairs, samples}) => field(1, Buffer.concat([
                ...pairs.map(([name, text]) => field(1, Buffer.concat([field(1, bytes(name)), field(2, bytes(text))]))), ...samples]))));
            const answer = await fetch(this.url, {method: 'POST', body: snappy(body),
                headers: {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0'}});
            if (!answer.ok)
                throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
        }
    }
}

/* sse.js - one server-sent-event stream that comes back by itself.
 *
 *   const link = connect('/api/crest/v1/stream', {frame(kind, data), state(link)});
 *   link.close(); link.open();
 *
 * EventSource alone gives up for good on a 503 and does not notice a network that swallows packets: we close it on every
 * error and open a new one after 1, 2, 4, 8, then 15 s (with jitter), naming the last id; silence for longer than the
 * heartbeat counts as an error. */

const SILENCE_MS = 12_000; /* heartbeats come every 10 s */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const KINDS = ['snapshot', 'delta', 'alert', 'hb'];

export function connect(url, on) {
    const link = {
        status: 'connecting', /* connecting, open, waiting, closed */
        attempt: 0,
        retryAt: 0, /* performance.now() of the next try, while waiting */
        lastAt: 0,
        lastId: '',
        faults: 0, /* frames that were no JSON */
    };
    let source = null, retryTimer = 0, silenceTimer = 0;

    function set(status) {
        link.status = status;
        on.state(link);
    }
    function stop() {
        source?.close();
        source = null;
        clearTimeout(retryTimer);
        clearTimeout(silenceTimer);
    }
    function fail() {
        stop();
        const wait = BACKOFF_MS[Math.min(link.attempt, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random());
        link.attempt++;
        link.retryAt = performance.now() + wait;
        retryTimer = setTimeout(start, wait);
        set('waiting');
    }
    function watchSilence() {
        clearTimeout(silenceTimer);
        silenceTimer = setTimeout(fail, SILENCE_MS);
    }
    function receive(kind, event) {
        watchSilence();
        link.lastAt = performance.now();
        let data;
        try {
            data = JSON.parse(event.data);
        } catch {
            data = null;
        }
        if (data === null || typeof data !== 'object' || !Number.isFinite(data.t)) {
            /* Half a frame or another program: what we know may be wrong, so ask for a snapshot. */
            link.faults++;
            link.lastId = '';
            fail();
            return;
        }
        if (event.lastEventId)
            link.lastId = event.lastEventId;
        link.attempt = 0;
        if (link.status !== 'open')
            set('open');
        on.frame(kind, data);
    }
    function start() {
        stop();
        set('connecting');
        source = new EventSource(link.lastId ? `${url}?last=${encodeURIComponent(link.lastId)}` : url);
        for (const kind of KINDS)
            source.addEventListener(kind, (event) => receive(kind, event));
        source.onerror = fail;
        watchSilence();
    }

    link.open = () => {
        if (link.status === 'closed' || link.status === 'waiting') {
            link.attempt = 0;
            start();
        }
    };
    link.close = () => {
        stop();
        set('closed');
    };
    start();
    return link;
}

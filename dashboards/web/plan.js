/* plan.js - what was planned for the event of the moment, and what the last one brought in, by the minute: curves that
 * stand beside live lines and reach beyond now. Asked for once per event, again now and then (it may be imported anew).
 *
 *   plannedEvent()                         the event with its phases, or null
 *   planCurves('orders', (market) => …)    a plan and a last event per market that is chosen
 *   planTotal('orders', (market) => …)     the same added up (orders; money only within a currency) */

const PLAN_AGAIN_MS = 300_000, PLAN_RETRY_MS = 10_000, MINUTE_MS = 60_000;
const plan = {name: null, starts: 0, event: null, last: null, due: 0, version: 0};

export function plannedEvent() {
    return plan.event && plan.name === currentEvent()?.name ? plan.event : null;
}
async function apiData(address) {
    const reply = await fetch(address);
    const body = await reply.json();
    if (body.status !== 'success')
        throw new Error(body.error ?? String(reply.status));
    return body.data;
}
/* An event that names another as its last one has no curve of it in its files: the store knows what it brought in. */
async function lastOf(event) {
    if (!event.last_event)
        return null;
    const last = await apiData('/api/crest/v1/events/' + encodeURIComponent(event.last_event));
    const step = Math.max(MINUTE_MS, Math.ceil((last.ends - last.starts) / 10_000 / MINUTE_MS) * MINUTE_MS);
    const selector = last.service ? `,service=${JSON.stringify(last.service)}` : '';
    const series = await queryRange(`sum by (__name__, market, currency) ({__name__=~"commerce:orders_per_minute|commerce:revenue_per_minute"${selector}})`,
        last.starts, last.ends, step, step);
    const found = {};
    for (const one of series) {
        const values = [];
        for (let t = last.starts; t < last.ends; t += step)
            values.push(one.points.get(t) ?? null);
        const market = (found[one.labels.market] ??= {step});
        market[one.labels.__name__ === 'commerce:orders_per_minute' ? 'orders' : 'revenue'] = values;
    }
    return found;
}
/* Called with every frame: does nothing while what we know is of this event and not old. */
async function followPlan() {
    const now = currentEvent();
    if (!now || typeof now.name !== 'string') {
        plan.name = null;
        return;
    }
    if (plan.name === now.name && plan.starts === now.starts && performance.now() < plan.due)
        return;
    if (plan.name !== now.name || plan.starts !== now.starts)
        Object.assign(plan, {event: null, last: null});
    Object.assign(plan, {name: now.name, starts: now.starts, due: performance.now() + PLAN_AGAIN_MS});
    try {
        const event = await apiData('/api/crest/v1/events/' + encodeURIComponent(now.name));
        const last = await lastOf(event).catch(() => null);
        if (plan.name !== now.name)
            return;
        Object.assign(plan, {event, last, version: plan.version + 1});
    } catch { /* an old collector, or one that is away: the stream's own figures stand alone until it answers */
        plan.due = performance.now() + PLAN_RETRY_MS;
    }
}

function curveOf(market, name, kind) {
    const event = plannedEvent(), curve = event?.markets?.[market]?.[kind];
    if (curve && Array.isArray(curve[name]) && Number.isFinite(curve.first_minute))
        return {from: event.starts + curve.first_minute * MINUTE_MS, step: MINUTE_MS, values: curve[name]};
    const known = kind === 'last' && event ? plan.last?.[market] : null;
    return known?.[name] ? {from: event.starts, step: known.step, values: known[name]} : null;
}
const KIND_WORDS = {plan: 'plan', last: 'last event'};
export function planCurves(name, choose = () => true) {
    const markets = Object.keys(plannedEvent()?.markets ?? {}).filter(choose).sort();
    return ['plan', 'last'].flatMap((kind) => markets.map((market) => [market, curveOf(market, name, kind)]).filter(([, curve]) => curve)
        .map(([market, curve]) => ({...curve, kind, of: market, label: `${market} ${KIND_WORDS[kind]}`})));
}
/* Minutes that one market does not know are unknown in the sum: half a plan is none. */
export function planTotal(name, choose = () => true) {
    return ['plan', 'last'].map((kind) => {
        const parts = planCurves(name, choose).filter((one) => one.kind === kind);
        if (!parts.length || parts.some((one) => one.step !== parts[0].step))
            return null;
        const from = Math.max(...parts.map((one) => one.from)), end = Math.min(...parts.map((one) => one.from + one.values.length * one.step));
        const values = [];
        for (let t = from; t < end; t += parts[0].step) {
            let sum = 0;
            for (const one of parts) {
                const value = one.values[Math.round((t - one.from) / one.step)];
                sum = sum === null || !Number.isFinite(value) ? null : sum + value;
            }
            values.push(sum);
        }
        return {kind, from, step: parts[0].step, values, label: KIND_WORDS[kind]};
    }).filter(Boolean);
}
export function planVersion() {
    return plannedEvent() ? plan.version : 0;
}

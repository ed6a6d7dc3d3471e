/* format.js - numbers, times and money in few characters. Unknown is "–", never 0. */

const UNKNOWN = '–';
function known(x) {
    return typeof x === 'number' && Number.isFinite(x);
}

/* 12 345; toLocaleString takes a hundred times as long, and live charts ask often. */
function grouped(whole) {
    const text = String(whole);
    return whole > -1000 && whole < 1000 ? text : `${text.slice(0, -3)}\u202f${text.slice(-3)}`;
}
export function number(x) {
    if (!known(x))
        return x === Infinity ? '∞' : UNKNOWN;
    const size = Math.abs(x);
    if (size >= 1e9) return (x / 1e9).toFixed(size >= 1e10 ? 1 : 2) + ' G';
    if (size >= 1e6) return (x / 1e6).toFixed(size >= 1e7 ? 1 : 2) + ' M';
    if (size < 1e5 && Number.isInteger(x)) return grouped(x);
    if (size >= 1e5) return (x / 1e3).toFixed(0) + ' k';
    if (size >= 100) return grouped(Math.round(x));
    if (size >= 10) return x.toFixed(1);
    return size >= 1 ? x.toFixed(2) : String(Number(x.toPrecision(2)));
}
export function ratio(x) {
    if (!known(x)) return UNKNOWN;
    const percent = x * 100;
    const size = Math.abs(percent);
    return (size >= 10 || percent === 0 ? percent.toFixed(0) : size >= 1 ? percent.toFixed(1) : String(Number(percent.toPrecision(1)))) + ' %';
}
export function seconds(x) {
    if (!known(x)) return x === Infinity ? 'stuck' : UNKNOWN;
    if (x === 0) return '0 s';
    if (x < 0.001) return (x * 1e6).toFixed(0) + ' µs';
    if (x < 1) return (x * 1e3).toFixed(x < 0.01 ? 1 : 0) + ' ms';
    return x < 100 ? x.toFixed(x < 10 ? 2 : 1) + ' s' : duration(x * 1000);
}
export function money(x, currency) {
    return known(x) ? number(x) + ' ' + currency : UNKNOWN;
}

/* 42 s, 3 min 20 s, 2 h 5 min, 3 d 4 h */
export function duration(ms) {
    if (!known(ms)) return UNKNOWN;
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return s + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min' + (s % 60 ? ' ' + (s % 60) + ' s' : '');
    if (s < 86400) return Math.floor(s / 3600) + ' h' + (s % 3600 >= 60 ? ' ' + Math.floor((s % 3600) / 60) + ' min' : '');
    return Math.floor(s / 86400) + ' d' + (s % 86400 >= 3600 ? ' ' + Math.floor((s % 86400) / 3600) + ' h' : '');
}

const two = (n) => String(n).padStart(2, '0');
export function clock(ms) {
    if (!known(ms)) return UNKNOWN;
    const d = new Date(ms);
    return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}
export function dateTime(ms) {
    if (!known(ms)) return UNKNOWN;
    const d = new Date(ms);
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(ms)}`;
}

/* The unit of a signal stands in its name: …_seconds:p95, …_ratio, …_rps, …_per_minute. */
export function signal(name, value) {
    if (/_ratio(:|$)/.test(name)) return ratio(value);
    if (/_seconds(:|$)/.test(name)) return seconds(value);
    if (/_rps(:|$)/.test(name)) return number(value) + (known(value) ? '/s' : '');
    if (/_per_minute(:|$)/.test(name)) return number(value) + (known(value) ? '/min' : '');
    return number(value);
}

#!/usr/bin/env python3
"""make_sale.py - writes sale.sse, the recorded stream that the golden screens show: a sale of 60 s in three markets whose
payment gateway stops answering 18 s before the end. Same bytes every time."""
import json
import math

T0 = 1795802400000  # 2026-11-27T18:00:00Z
FAULT = 42
STEPS = ["home", "search", "product", "cart", "checkout", "payment", "order"]


def rate(i):
    return round(20 + 12 * math.sin(i / 9) + 3 * math.sin(i * 1.7), 2)


def services(i, t):
    broken = i >= FAULT
    rows = {
        "shop": {"tier": "app", "stack": "otel", "state": "crit" if broken else "ok", "trouble": 103.2 if broken else 0,
                 "signals": {"throughput_rps": rate(i), "error_ratio": round(0.21 if broken else 0.002, 3),
                             "response_seconds:p95": 2.9 if broken else 0.048, "inflight": 3 + (3 * (i - FAULT) if broken else 0),
                             "cache_hit_ratio": 0.97, "db_connections_ratio": 0.1, "orders_per_minute": 84.1,
                             "queue_drain_seconds": "+Inf" if broken else 0}},
        "catalogue": {"tier": "app", "stack": "micrometer", "state": "warn", "why": "response time is over its soft bound",
                      "trouble": 4.1, "signals": {"throughput_rps": round(rate(i) * 3, 2), "error_ratio": 0,
                                                  "response_seconds:p95": 0.31, "inflight": 2, "cache_hit_ratio": 0.62}},
        "stock": {"tier": "app", "stack": "otel", "state": "unknown", "why": "no sample for 12 s", "trouble": 1, "signals": {}},
        "search": {"tier": "app", "stack": "nginx", "state": "ok", "trouble": 0,
                   "signals": {"throughput_rps": round(rate(i) * 2, 2), "error_ratio": 0.0004, "response_seconds:p95": 0.021, "inflight": 1}},
    }
    if broken:
        rows["shop"]["why"] = "PaymentStuck: payment-gateway does not answer"
    for name, row in rows.items():
        row.update({"service": name, "t": t})
    return rows


def markets(i):
    drop = 0.3 if i >= FAULT else 1
    out = {}
    for market, channel, currency, share, price in [("de", "web", "EUR", 1.5, 62), ("us", "app", "USD", 1.1, 71), ("jp", "web", "JPY", 0.6, 8800)]:
        orders = round(rate(i) * share * drop, 1)
        out[f"shop/{market}/{channel}/{currency}"] = {
            "service": "shop", "market": market, "channel": channel, "currency": currency,
            "orders_per_minute": orders, "revenue_per_minute": round(orders * price, 2)}
    return out


def steps(i):
    out = {}
    for n, step in enumerate(STEPS):
        bad = step == "payment" and i >= FAULT
        out[f"shop/{step}"] = {
            "service": "shop", "step": step, "index": n, "rps": round(rate(i) * 0.8 ** n, 2),
            "error_ratio": 0.84 if bad else 0.03 if step == "payment" else 0.001,
            "failure_ratio": 0.81 if bad else 0.0, "response_seconds:p95": 2.9 if bad else 0.02 + n * 0.01}
    return out


def event(i):
    r, markets = rate(i), {}
    for market, currency, share, plan, last, price in [("de", "EUR", 1.5, 40, 31, 62), ("us", "USD", 1.1, 28, 25, 71), ("jp", "JPY", .6, 14, 12, 8800)]:
        so_far = round(share * (200 + sum(rate(k) for k in range(i)) / 60))
        pace = round(so_far / (plan * (10 + i / 60)), 3)
        whole = plan * 130
        now = round(r * share * (0.3 if i >= FAULT else 1), 1)
        markets[market] = {
            "currency": currency,
            "orders": {"now": now, "plan": plan if i < 30 else plan + 6, "last": last},
            "revenue": {"now": round(now * price), "plan": (plan if i < 30 else plan + 6) * price, "last": last * price},
            "total": {"orders": {"now": so_far, "plan": round(plan * (10 + i / 60), 1), "last": round(last * (10 + i / 60), 1)},
                      "revenue": {"now": so_far * price, "plan": round(plan * (10 + i / 60) * price), "last": round(last * (10 + i / 60) * price)}},
            "on_pace_for": {"orders": {"at": round(whole * pace), "low": round(whole * pace * .93), "high": round(whole * pace * 1.06),
                                       "plan": whole, "pace": pace}}}
    return {"black-friday": {"name": "black-friday", "title": "Black Friday", "phase": "doors open", "starts": T0 - 600000, "ends": T0 + 7200000,
                             "zone": "Europe/Berlin", "countdown_ms": 7200000 - i * 1000, "markets": markets}}


def alerts(i):
    out = {}
    if i >= FAULT:
        out["a1b2c3d4e5f60708"] = {
            "name": "PaymentStuck", "state": "firing", "severity": "page", "service": "shop", "since": T0 + FAULT * 1000, "value": 2.96,
            "summary": "shop: payment-gateway does not answer",
            "description": "The oldest payment has waited for 2.96 s; customers cannot pay. First moved: payment-gateway, 2 s before the rest.",
            "labels": {"alertname": "PaymentStuck", "service": "shop"}, "expr": "commerce:oldest_inflight_seconds{service=\"shop\"} > 2"}
        out["00000000000000b2"] = {
            "name": "OrdersFallen", "state": "pending", "severity": "page", "service": "shop", "since": T0 + (FAULT + 3) * 1000, "value": 0.3,
            "summary": "orders are at 30 % of the plan", "labels": {}, "expr": "commerce:orders_per_minute < 0.5 * plan"}
    out["00000000000000c3"] = {
        "name": "CatalogueSlow", "state": "firing", "severity": "ticket", "service": "catalogue", "since": T0 - 185000, "value": 0.31,
        "summary": "catalogue: p95 is 310 ms, its bound is 250 ms", "labels": {}, "expr": "commerce:response_seconds:p95 > 0.25"}
    return out


def targets(i, t):
    out = {}
    for service, port in [("shop", 9483), ("catalogue", 9490), ("search", 9491)]:
        out[f"{service}/127.0.0.1:{port}"] = {"job": service, "instance": f"127.0.0.1:{port}", "service": service, "url": f"http://127.0.0.1:{port}/metrics",
                                              "health": "up", "error": "", "last_scrape": t - 300, "duration_seconds": 0.004}
    out["stock/127.0.0.1:9492"] = {"job": "stock", "instance": "127.0.0.1:9492", "service": "stock", "url": "http://127.0.0.1:9492/metrics",
                                   "health": "down", "error": "cannot connect to 127.0.0.1:9492: Connection refused", "last_scrape": T0 - 12000, "duration_seconds": 0.001}
    return out


def coverage():
    signals = ["response_time", "errors", "throughput", "checkout", "payments", "api", "cache", "database"]
    have = {"shop": signals, "catalogue": ["response_time", "errors", "throughput", "api", "cache"], "search": signals[:3], "stock": []}
    return {s: {"service": s, "signals": {n: {"present": True} if n in have[s] else {
        "present": False, "cure": f"scrape_configs: - job_name: {s}  # brings {n}"} for n in signals}} for s in have}


def annotations():
    return {"1": {"t": T0 - 600000, "kind": "phase", "text": "doors open", "service": "", "user": ""},
            "2": {"t": T0 + 20000, "kind": "deploy", "text": "checkout v42", "service": "shop", "user": "mira"}}


def frame(i):
    t = T0 + i * 1000
    return {"services": services(i, t), "markets": markets(i), "steps": steps(i), "alerts": alerts(i), "event": event(i),
            "targets": targets(i, t), "coverage": coverage(), "annotations": annotations(),
            "status": {"collector": {"version": "0.1.0", "started": T0 - 3600000, "newest": t, "series": 4211, "samples_per_second": 1900, "stream_clients": 3}}}


def emit(out, seq, name, data):
    out.write(f"id: 5a1e-{seq}\nevent: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n")


with open("sale.sse", "w") as out:
    out.write("retry: 2000\n\n")
    before = frame(0)
    emit(out, 1, "snapshot", {"t": T0, "sections": before})
    for i in range(1, 61):
        now = frame(i)
        changed = {s: {k: r for k, r in rows.items() if before[s].get(k) != r} for s, rows in now.items()}
        emit(out, i + 1, "delta", {"t": T0 + i * 1000, "sections": {s: r for s, r in changed.items() if r}})
        before = now

#include "loadgen/engine/answer.h"

static void note_encoding(struct answer *a, const struct conn_response *r)
{
    struct span encoding;
    if (!r->undecoded || !hurl_header(r->headers, SPAN("content-encoding"), 0, &encoding))
        return;
    snprintf(a->body_error, sizeof a->body_error, "its Content-Encoding says '%.*s'",
             (int)(encoding.len > 40 ? 40 : encoding.len), encoding.ptr);
    a->exchange.body_error = a->body_error;
}

void answer_of(struct answer *a, const struct conn_response *r, struct span url, struct span redirects)
{
    *a = (struct answer){.exchange = {.status = r->status,
                                      .version = r->version,
                                      .url = url,
                                      .headers = r->headers,
                                      .body = r->body,
                                      .raw = r->raw,
                                      .duration_us = r->done_us - r->sent_us,
                                      .ip = span_str(r->ip),
                                      .redirects = redirects}};
    note_encoding(a, r);
    const struct conn_certificate *c = r->certificate;
    if (!c)
        return;
    a->certificate = (struct hurl_certificate){.subject = span_str(c->subject),
                                               .issuer = span_str(c->issuer),
                                               .serial_number = span_str(c->serial_number),
                                               .alt_names = span_str(c->alt_names),
                                               .pem = span_str(c->pem),
                                               .starts_s = c->starts_s,
                                               .expires_s = c->expires_s};
    a->exchange.certificate = &a->certificate;
}

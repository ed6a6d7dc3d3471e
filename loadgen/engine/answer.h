/* answer.h - a connection's response as the exchange that the language looks at.
 *
 *   struct answer a;
 *   answer_of(&a, response, url, redirects);
 *   r = hurl_verify(scope, entry, &a.exchange, &why);
 *   hurl_exchange_done(&a.exchange); */
#pragma once

#include "loadgen/engine/conn.h"
#include "loadgen/hurl/run.h"

struct answer {
    struct hurl_exchange exchange;
    struct hurl_certificate certificate;
    char body_error[96];
};
/* Everything is borrowed from the response and the spans; redirects: a JSON list, empty for none. */
void answer_of(struct answer *a, const struct conn_response *response, struct span url, struct span redirects);

/* buyer.h - a customer of crest-shop: a session with a cookie, a cart, a checkout, a payment.
 *
 *   struct buyer b = {.url = e2e_url(shop)};                     // .run = "load/1": X-Crest-Run
 *   buyer_add(&b, "SKU-0001", 2);
 *   buyer_check_out(&b);                                           // address, shipping
 *   struct paid paid = buyer_pay(&b, BUYER_CARD);                  // {200, "", order 7} or {200, "payment_declined"}
 *
 * Everything but the payment must succeed, else the test fails. One thread per buyer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUYER_CARD "4242424242424242"
#define BUYER_CARD_DECLINED "4000000000000002"
#define BUYER_CARD_ERROR "4000000000000119"

struct buyer {
    const char *url;   /* of the shop */
    const char *run;   /* X-Crest-Run; NULL: a customer */
    const char *query; /* for the first request: "market=jp&channel=app"; NULL: none */
    char cookie[128];
    char failure[256]; /* why a request before the payment failed; buyers run in threads, where no test can fail */
};
struct paid {
    int status;     /* of HTTP, negative: no answer */
    char error[64]; /* the answer's error type, "" when it went well */
    int64_t order, amount;
};
/* 0, or -1 with words in failure. */
int buyer_add(struct buyer *b, const char *sku, unsigned quantity);
int buyer_check_out(struct buyer *b);
struct paid buyer_pay(struct buyer *b, const char *card);
/* The three of them; an error before the payment is status -1. */
struct paid buyer_buy(struct buyer *b, const char *sku, unsigned quantity, const char *card);

/* server.h - crest-shop: routes, workers, control, ledger. */
#pragma once

struct options;
int shop_main(const struct options *options);

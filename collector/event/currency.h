/* currency.h - how many decimals a currency's money has (ISO 4217 minor units), and money as text. */
#pragma once

#include "lib/base/number.h"

/* 2 for most. */
int currency_decimals(struct span code);
/* 10^decimals: minor units in a major one. */
double currency_scale(struct span code);
/* Three capital letters? Whether somebody issues it is not looked at. */
bool currency_is_code(struct span code);
/* "12,345.60 EUR": grouped by thousands, the currency's decimals. Returns the length. */
#define MONEY_TEXT_MAX 64
size_t money_format(char text[MONEY_TEXT_MAX], double major, struct span code);
/* "12,345.6" with that many decimals. */
size_t amount_format(char text[MONEY_TEXT_MAX], double v, int decimals);

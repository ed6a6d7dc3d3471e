/* currency.h - how many decimals a currency's money has (ISO 4217 minor units), and money as text. */
#pragma once

#include "lib/base/number.h"

/* 2 for most. */
int currency_decimals(struct span code);
/* 10^decimals: minor units in a major one. */
double currency_scale(struct span code);
/* Three capital letters? Whether somebody issues it is not looked at. */
bool currency_is_code(struct span code);
#define MONEY_TEXT_MAX 64
/* "12,345.60": grouped by thousands, with that many decimals. Returns the length. */
size_t amount_format(char text[MONEY_TEXT_MAX], double v, int decimals);

/* names.h - what a name or a value tells: is it a secret, is it an id, how would a variable be called?
 *
 *   if (is_card_number(value)) ...                           // never into a file
 *   if (is_secret_name(SPAN("user[password]"))) ...
 *   name_variable(&names, &out, SPAN("X-CSRF-Token"));       // csrf_token, csrf_token_2, …
 */
#pragma once

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/hash.h"

#define STEP_NAME_BYTES 60 /* a step's name made of a path */

/* 13 to 19 digits, blanks and dashes between them, of a card scheme (first digit 2 to 6) and with Luhn's check digit. */
bool is_card_number(struct span value);
/* Where a card number stands in a longer text; false: nowhere. */
bool find_card_number(struct span text, size_t *ret_start, size_t *ret_len);
/* Password, PIN, CVC, one-time code, API key, … by its name (not CSRF tokens: they come from a response). */
bool is_secret_name(struct span name);
/* The number of a card, by its name. */
bool is_card_name(struct span name);
/* A piece of a path that names one thing of many: numbers, UUIDs, hex, SKU-0001. */
bool looks_like_id(struct span piece);
/* A field that names one thing of many or proves something: id, orderId, csrf_token, sku, nonce, … */
bool is_id_name(struct span name);
/* Does the path (without a query) end as style sheets, scripts, fonts and pictures do? */
bool is_asset_path(struct span path);
/* Would it be a wonder if the same text stood elsewhere by chance? Tokens and ids of some length. */
bool is_distinctive(struct span value);

/* Names of variables, each once. */
struct variable_names {
    struct strmap taken;
};
void variable_names_init(struct variable_names *names);
void variable_names_done(struct variable_names *names);
/* Append a name made of `hint` that nothing has yet; errors stick in the buffer. */
void name_variable(struct variable_names *names, struct buf *out, struct span hint);

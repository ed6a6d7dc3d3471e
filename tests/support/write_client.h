/* write_client.h - a remote-write sender that costs next to nothing: one blocking connection, one request at a time.
 *
 *   struct write_client *c = write_client_new(port);          // connects at the first request
 *   int status = write_client_send(c, body, why, sizeof why);  // HTTP status or a negative errno; why: the answer's text unless 2xx
 *   write_client_free(c);
 *
 * To 127.0.0.1, path /api/v1/write, remote write 1.0. One thread uses a client. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct write_client;
struct write_client *write_client_new(uint16_t port); /* ends the program when there is no memory */
void write_client_free(struct write_client *c);
/* -ETIMEDOUT: no answer within a minute. After an error the next request has a new connection. */
MUST_USE int write_client_send(struct write_client *c, struct span body, char *why, size_t why_bytes);

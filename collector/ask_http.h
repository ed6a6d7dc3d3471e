/* ask_http.h - one request of a command to the collector of --url. */
#pragma once

#include "collector/ask.h"
#include "lib/wire/http_client.h"

/* The exit code; what went wrong was said on stderr. *ret_body (may be NULL) is set on success only; the caller buf_done()s. */
int ask_http(const struct options *o, const char *method, const char *path, struct span body, struct buf *ret_body);

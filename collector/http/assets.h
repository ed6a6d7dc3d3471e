/* assets.h - the web app as dashboards/embed.sh compiled it in: compressed once, at build time.
 *
 *   for (const struct asset *a = ASSETS; a->name; a++) …
 *
 * /web/VERSION/NAME never changes, so browsers keep it for ever; the page itself is asked about every time (ETag). */
#pragma once

#include <stddef.h>

struct asset {
    const char *name; /* "app.js", "views/event.js"; "index.html" is the page of every view */
    const char *content_type;
    const char *etag; /* with its quotes */
    const unsigned char *gzip;
    size_t gzip_bytes, bytes;
};
extern const struct asset ASSETS[]; /* ended by name NULL */
extern const char ASSETS_VERSION[]; /* hash of all files but the page, which names it */

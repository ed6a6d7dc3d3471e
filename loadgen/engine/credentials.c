#include "loadgen/engine/credentials.h"

#include <errno.h>
#include <stdlib.h>

#include "loadgen/engine/netrc.h"

/* An entry without a netrc file that it names fails; one that only may have one goes on without. */
MUST_USE static int from_netrc(struct buf *out, const struct hurl_request *q, const struct entry_options *o,
                               const struct url *url, struct hurl_failure *why)
{
    char own[4096];
    const char *path = o->netrc_file, *home = getenv("HOME");
    if (!path) {
        snprintf(own, sizeof own, "%s/.netrc", home ? home : "");
        path = own;
    }
    int r = netrc_find(path, url->host, url->user, out);
    if (r == -ENOMEM || r == 0)
        return r;
    if (r == -ENOENT || o->netrc_optional)
        return 0; /* no file, as in curl, or no such machine in it */
    why->kind = HURL_FAILED_RUN;
    why->at = q->at;
    snprintf(why->text, sizeof why->text, "the netrc file '%.120s' cannot be read: %s", path, strerror(-r));
    return -EINVAL;
}

int credentials_find(struct buf *out, struct hurl_scope *s, const struct hurl_request *q, const struct entry_options *o,
                     const struct url *url, struct hurl_failure *why)
{
    if (q->n_basic_auth) {
        int r = hurl_render(s, &q->basic_auth[0].key, out, why);
        buf_char(out, ':');
        return r < 0 ? r : hurl_render(s, &q->basic_auth[0].value, out, why);
    }
    if (o->user) {
        buf_str(out, o->user);
        return buf_error(out);
    }
    if (url->user.ptr && (url->password.ptr || !(o->netrc || o->netrc_optional || o->netrc_file))) {
        url_decode(out, url->user, false);
        buf_char(out, ':');
        url_decode(out, url->password, false);
        return buf_error(out);
    }
    return o->netrc || o->netrc_optional || o->netrc_file ? from_netrc(out, q, o, url, why) : 0;
}

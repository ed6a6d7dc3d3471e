/* run.h - runs a tree's language against one exchange: templates, captures, asserts. Knows no network.
 *
 *   struct hurl_scope scope = {...};                          // a session's variables and memory
 *   r = hurl_render(&scope, &entry->request.url, &out, &why);
 *   ...the engine sends it and gets an answer...
 *   r = hurl_verify(&scope, entry, &exchange, &why);          // status, captures, asserts, in hurl's order
 *   hurl_exchange_done(&exchange);
 *
 * Not thread-safe by itself: one scope per thread; the tree is only read. */
#pragma once

#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"
#include "loadgen/hurl/value.h"

struct hurl_scope {
    const struct hurl_file *file;
    struct hurl_value *values; /* one per hurl_file.variables; HURL_VALUE_NONE: not set */
    struct arena *keep;        /* as long as the values: what captures bring */
    struct arena *scratch;     /* the owner resets it between steps */
    struct rng *rng;
    bool no_coercion;      /* option no-jsonpath-coercion: JSONPath gives lists */
    const char *file_root; /* where files that the journey names lie; NULL: beside it */
};

/* The server's own certificate. */
struct hurl_certificate {
    struct span subject, issuer, serial_number, alt_names, pem;
    int64_t starts_s, expires_s; /* Unix time */
};
/* What the engine got: plain data, borrowed until hurl_exchange_done. */
struct hurl_exchange {
    int status;
    int version; /* 10, 11, 20, 30 */
    struct span url;
    struct span headers;    /* raw "Name: value\r\n" lines of the final response */
    struct span body;       /* without Content-Encoding */
    struct span raw;        /* as it came */
    const char *body_error; /* why the body could not be decoded; NULL: it could */
    int64_t duration_us;
    struct span ip;
    const struct hurl_certificate *certificate; /* NULL: not TLS, or not known */
    struct span redirects;                      /* JSON list of the URLs that redirects led to, in order; empty: none */
    /* filled when first asked for */
    struct span text; /* the body in UTF-8, by its character set */
    int text_state;   /* 0: not looked at; 1: good; -1: is none */
    char text_why[80];
    struct span json_root;
    int json_state; /* 0: not looked at; 1: good; -1: not JSON */
    char json_why[96];
    void *document; /* xmlDoc */
};
/* Frees what queries built; not what the engine brought. */
void hurl_exchange_done(struct hurl_exchange *x);
/* The i-th header of that name, case ignored; false when there are fewer. */
bool hurl_header(struct span headers, struct span name, size_t i, struct span *ret_value);

enum hurl_failure_kind {
    HURL_FAILED_STATUS,   /* the HTTP status is another than asserted */
    HURL_FAILED_PROTOCOL, /* version, protocol queries, a filter that cannot be applied */
    HURL_FAILED_QUERY,    /* a query that cannot be asked: the body is not JSON, the expression is none */
    HURL_FAILED_CAPTURE,
    HURL_FAILED_ASSERT, /* the answer says something else than asserted */
    HURL_FAILED_RUN     /* the journey itself: undefined variable, unprintable value */
};
#define HURL_FAILURE_TEXT_MAX 256
struct hurl_failure {
    enum hurl_failure_kind kind;
    struct hurl_place at;
    char text[HURL_FAILURE_TEXT_MAX];
};
/* One that says nothing yet; cheaper than zeroes all over. */
static inline void hurl_failure_init(struct hurl_failure *why)
{
    why->kind = HURL_FAILED_STATUS;
    why->at = (struct hurl_place){0};
    why->text[0] = '\0';
}

/* Append the template with its expressions written. -EINVAL: *why is set (HURL_FAILED_RUN); -ENOMEM or
 * -ENOSPC of the buffer. */
MUST_USE int hurl_render(struct hurl_scope *s, const struct hurl_template *t, struct buf *out,
                         struct hurl_failure *why);
/* The template as one text, of the tree or in the scratch arena. The same errors. */
MUST_USE int hurl_text(struct hurl_scope *s, const struct hurl_template *t, struct span *ret, struct hurl_failure *why);
/* A session's start: what @generate gives. -ENOMEM. */
MUST_USE int hurl_start_session(struct hurl_scope *s);
/* The bytes of a file that the journey names, in the scratch arena. -EINVAL: *why is set; -ENOMEM. */
MUST_USE int hurl_file_bytes(struct hurl_scope *s, const struct hurl_template *name, struct hurl_place at,
                             struct span *ret, struct hurl_failure *why);
/* Where a file that the journey `journey` reads or writes is: beside it, or under root when that is not NULL. *ret from malloc. -EPERM: the name leads
 * elsewhere; -ENOMEM. */
MUST_USE int hurl_file_path(const char *journey, const char *root, struct span name, char **ret);
/* The value of an operand (option `variable`). */
MUST_USE int hurl_operand_value(struct hurl_scope *s, const struct hurl_operand *o, struct hurl_value *ret,
                                struct hurl_failure *why);
/* Check the response as hurl does: version and status, then captures (they set variables), header lines, asserts, body;
 * the first failure ends it. Where a capture finds nothing and an assert on the content fails too, the assert is the
 * failure: a declined payment has no order id to capture. An entry without a response passes. 0, -EINVAL with *why,
 * -ENOMEM. */
MUST_USE int hurl_verify(struct hurl_scope *s, const struct hurl_entry *entry, struct hurl_exchange *x,
                         struct hurl_failure *why);
/* Who is told what came of each piece of a response. Values and texts live until it returns. */
struct hurl_listener {
    void *ctx;
    void (*result)(void *ctx, struct hurl_place at, const struct hurl_failure *why); /* NULL: it holds */
    void (*captured)(void *ctx, struct span name, const struct hurl_value *v, bool redact);
};
/* The same without stopping at the first assert that fails, and with hurl's own order of what counts: version and status; when they hold the
 * captures up to the first that finds nothing; when all did, every assert. Without `asserts` only the captures. The first failure is in *why. */
MUST_USE int hurl_verify_all(struct hurl_scope *s, const struct hurl_entry *entry, struct hurl_exchange *x,
                             bool asserts, const struct hurl_listener *listener, struct hurl_failure *why);

/* words.h - every word of the Hurl language in tables: sections, queries, filters, predicates, options.
 *
 *   const struct hurl_filter_def *f = hurl_filter_find(SPAN("count"));     // NULL: no such filter
 *   if (!f->executed) ...                                                  // known to the parser, refused at
 * check
 *
 * The parser reads arguments as the tables say, `check` refuses what is not executed yet by the same tables,
 * and suggestions for misspelt words come from them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

enum hurl_section_kind {
    HURL_SECTION_QUERY,
    HURL_SECTION_FORM,
    HURL_SECTION_MULTIPART,
    HURL_SECTION_COOKIES,
    HURL_SECTION_BASIC_AUTH,
    HURL_SECTION_OPTIONS,
    HURL_SECTION_CAPTURES,
    HURL_SECTION_ASSERTS
};
struct hurl_section_def {
    const char *name;
    enum hurl_section_kind kind;
    bool in_response;
};

/* What follows a word. */
enum hurl_arg {
    HURL_ARG_NONE = 0,
    HURL_ARG_TEXT,     /* "quoted", templates inside */
    HURL_ARG_PATTERN,  /* "quoted" or /regex/ */
    HURL_ARG_INT,      /* integer, may be negative, or a template */
    HURL_ARG_NUMBER,   /* number or a quoted text, for < and > */
    HURL_ARG_VALUE,    /* any predicate value */
    HURL_ARG_STRING,   /* a text or bytes, written or of a file, or a template */
    HURL_ARG_ATTRIBUTE /* a bare word or quoted text (certificate) */
};

enum hurl_query_kind {
    HURL_QUERY_STATUS,
    HURL_QUERY_VERSION,
    HURL_QUERY_URL,
    HURL_QUERY_REDIRECTS,
    HURL_QUERY_IP,
    HURL_QUERY_HEADER,
    HURL_QUERY_COOKIE,
    HURL_QUERY_BODY,
    HURL_QUERY_BYTES,
    HURL_QUERY_RAWBYTES,
    HURL_QUERY_JSONPATH,
    HURL_QUERY_XPATH,
    HURL_QUERY_REGEX,
    HURL_QUERY_VARIABLE,
    HURL_QUERY_DURATION,
    HURL_QUERY_SHA256,
    HURL_QUERY_MD5,
    HURL_QUERY_CERTIFICATE
};
struct hurl_query_def {
    const char *name;
    enum hurl_query_kind kind;
    enum hurl_arg arg;
    bool executed;
    bool protocol; /* about the exchange, not its content: a failing assert is outcome "assert", not
                      "business" */
};

enum hurl_filter_kind {
    HURL_FILTER_COUNT,
    HURL_FILTER_FIRST,
    HURL_FILTER_LAST,
    HURL_FILTER_NTH,
    HURL_FILTER_SPLIT,
    HURL_FILTER_REPLACE,
    HURL_FILTER_REPLACE_REGEX,
    HURL_FILTER_REGEX,
    HURL_FILTER_JSONPATH,
    HURL_FILTER_XPATH,
    HURL_FILTER_TO_INT,
    HURL_FILTER_TO_FLOAT,
    HURL_FILTER_TO_STRING,
    HURL_FILTER_TO_HEX,
    HURL_FILTER_TO_DATE,
    HURL_FILTER_DATE_FORMAT,
    HURL_FILTER_DAYS_AFTER_NOW,
    HURL_FILTER_DAYS_BEFORE_NOW,
    HURL_FILTER_URL_ENCODE,
    HURL_FILTER_URL_DECODE,
    HURL_FILTER_URL_QUERY_PARAM,
    HURL_FILTER_HTML_ESCAPE,
    HURL_FILTER_HTML_UNESCAPE,
    HURL_FILTER_BASE64_ENCODE,
    HURL_FILTER_BASE64_DECODE,
    HURL_FILTER_BASE64_URL_ENCODE,
    HURL_FILTER_BASE64_URL_DECODE,
    HURL_FILTER_DECODE,
    HURL_FILTER_UTF8_ENCODE,
    HURL_FILTER_UTF8_DECODE,
    HURL_FILTER_LOCATION
};
#define HURL_FILTER_ARGS_MAX 2
struct hurl_filter_def {
    const char *name;
    enum hurl_filter_kind kind;
    enum hurl_arg args[HURL_FILTER_ARGS_MAX];
    bool executed;
};

enum hurl_predicate_kind {
    HURL_EQUAL,
    HURL_NOT_EQUAL,
    HURL_GREATER,
    HURL_GREATER_EQUAL,
    HURL_LESS,
    HURL_LESS_EQUAL,
    HURL_STARTS_WITH,
    HURL_ENDS_WITH,
    HURL_CONTAINS,
    HURL_INCLUDES,
    HURL_MATCHES,
    HURL_EXISTS,
    HURL_IS_EMPTY,
    HURL_IS_INTEGER,
    HURL_IS_FLOAT,
    HURL_IS_NUMBER,
    HURL_IS_BOOLEAN,
    HURL_IS_STRING,
    HURL_IS_COLLECTION,
    HURL_IS_LIST,
    HURL_IS_OBJECT,
    HURL_IS_DATE,
    HURL_IS_ISO_DATE,
    HURL_IS_UUID,
    HURL_IS_IPV4,
    HURL_IS_IPV6
};
struct hurl_predicate_def {
    const char *name;
    enum hurl_predicate_kind kind;
    enum hurl_arg arg;
    bool executed;
};

enum hurl_option_kind {
    HURL_OPTION_LOCATION,
    HURL_OPTION_LOCATION_TRUSTED,
    HURL_OPTION_MAX_REDIRS,
    HURL_OPTION_RETRY,
    HURL_OPTION_RETRY_INTERVAL,
    HURL_OPTION_DELAY,
    HURL_OPTION_REPEAT,
    HURL_OPTION_SKIP,
    HURL_OPTION_VARIABLE,
    HURL_OPTION_COMPRESSED,
    HURL_OPTION_INSECURE,
    HURL_OPTION_CONNECT_TIMEOUT,
    HURL_OPTION_MAX_TIME,
    HURL_OPTION_HTTP10,
    HURL_OPTION_HTTP11,
    HURL_OPTION_HTTP2,
    HURL_OPTION_IPV4,
    HURL_OPTION_IPV6,
    HURL_OPTION_USER,
    HURL_OPTION_HEADER,
    HURL_OPTION_PATH_AS_IS,
    HURL_OPTION_VERBOSE,
    HURL_OPTION_VERY_VERBOSE,
    HURL_OPTION_VERBOSITY,
    HURL_OPTION_LIMIT_RATE,
    HURL_OPTION_PROXY,
    HURL_OPTION_NO_PROXY,
    HURL_OPTION_RESOLVE,
    HURL_OPTION_CONNECT_TO,
    HURL_OPTION_UNIX_SOCKET,
    HURL_OPTION_CA_FILE,
    HURL_OPTION_CERT,
    HURL_OPTION_KEY,
    HURL_OPTION_PINNED_KEY,
    HURL_OPTION_OUTPUT,
    HURL_OPTION_DIGEST,
    HURL_OPTION_NETRC,
    HURL_OPTION_NETRC_FILE,
    HURL_OPTION_NETRC_OPTIONAL,
    HURL_OPTION_NO_COERCION,
    HURL_OPTION_REFUSED /* not executed; `false` says nothing and is taken */
};
enum hurl_option_type {
    HURL_OPTION_BOOL,
    HURL_OPTION_COUNT,     /* integer; -1 only where the option says so */
    HURL_OPTION_TIME,      /* 10, 10ms, 2s, 1m; the unit of a bare number is the option's */
    HURL_OPTION_TEXT,      /* the rest of the line */
    HURL_OPTION_DEFINITION /* name=value */
};
struct hurl_option_def {
    const char *name;
    enum hurl_option_kind kind;
    enum hurl_option_type type;
    bool executed;
    bool seconds; /* HURL_OPTION_TIME: a bare number means seconds (curl's time-outs), else milliseconds */
};

/* The definition of a word; NULL when there is none. Sections are looked up by the part they stand in. */
const struct hurl_section_def *hurl_section_find(struct span name, bool in_response);
const struct hurl_query_def *hurl_query_find(struct span name);
const struct hurl_filter_def *hurl_filter_find(struct span name);
const struct hurl_predicate_def *hurl_predicate_find(struct span name);
const struct hurl_option_def *hurl_option_find(struct span name);
/* All names of the language, one after the other: i from 0, NULL at the end. The conformance test asks whether a file uses each. */
const char *hurl_query_name(size_t i);
const char *hurl_filter_name(size_t i);
const char *hurl_predicate_name(size_t i);
const char *hurl_option_name(size_t i);
const char *hurl_section_name(size_t i);
/* Of `cookie "x[Max-Age]"` (case ignored) and `certificate "Subject"`: true for other queries. */
bool hurl_attribute_known(enum hurl_query_kind query, struct span name);
/* The word of that kind nearest to `word`, or NULL. */
const char *hurl_section_suggest(struct span word, bool in_response);
const char *hurl_query_suggest(struct span word);
const char *hurl_filter_suggest(struct span word);
const char *hurl_predicate_suggest(struct span word);
const char *hurl_option_suggest(struct span word);

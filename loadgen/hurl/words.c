#include "loadgen/hurl/words.h"

#include "lib/base/problem.h"

#define YES true
#define LATER false /* refused */

static const struct hurl_section_def SECTIONS[] = {
    {"Query", HURL_SECTION_QUERY, false},         {"QueryStringParams", HURL_SECTION_QUERY, false},
    {"Form", HURL_SECTION_FORM, false},           {"FormParams", HURL_SECTION_FORM, false},
    {"Multipart", HURL_SECTION_MULTIPART, false}, {"MultipartFormData", HURL_SECTION_MULTIPART, false},
    {"Cookies", HURL_SECTION_COOKIES, false},     {"BasicAuth", HURL_SECTION_BASIC_AUTH, false},
    {"Options", HURL_SECTION_OPTIONS, false},     {"Captures", HURL_SECTION_CAPTURES, true},
    {"Asserts", HURL_SECTION_ASSERTS, true},
};

static const struct hurl_query_def QUERIES[] = {
    {"status", HURL_QUERY_STATUS, HURL_ARG_NONE, YES, true},
    {"version", HURL_QUERY_VERSION, HURL_ARG_NONE, YES, true},
    {"url", HURL_QUERY_URL, HURL_ARG_NONE, YES, true},
    {"redirects", HURL_QUERY_REDIRECTS, HURL_ARG_NONE, YES, true},
    {"ip", HURL_QUERY_IP, HURL_ARG_NONE, YES, true},
    {"header", HURL_QUERY_HEADER, HURL_ARG_TEXT, YES, false},
    {"cookie", HURL_QUERY_COOKIE, HURL_ARG_TEXT, YES, false},
    {"body", HURL_QUERY_BODY, HURL_ARG_NONE, YES, false},
    {"bytes", HURL_QUERY_BYTES, HURL_ARG_NONE, YES, false},
    {"rawbytes", HURL_QUERY_RAWBYTES, HURL_ARG_NONE, YES, false},
    {"jsonpath", HURL_QUERY_JSONPATH, HURL_ARG_TEXT, YES, false},
    {"xpath", HURL_QUERY_XPATH, HURL_ARG_TEXT, YES, false},
    {"regex", HURL_QUERY_REGEX, HURL_ARG_PATTERN, YES, false},
    {"variable", HURL_QUERY_VARIABLE, HURL_ARG_TEXT, YES, false},
    {"duration", HURL_QUERY_DURATION, HURL_ARG_NONE, YES, false},
    {"sha256", HURL_QUERY_SHA256, HURL_ARG_NONE, YES, false},
    {"md5", HURL_QUERY_MD5, HURL_ARG_NONE, YES, false},
    {"certificate", HURL_QUERY_CERTIFICATE, HURL_ARG_ATTRIBUTE, YES, true},
};

static const struct hurl_filter_def FILTERS[] = {
    {"count", HURL_FILTER_COUNT, {0}, YES},
    {"first", HURL_FILTER_FIRST, {0}, YES},
    {"last", HURL_FILTER_LAST, {0}, YES},
    {"nth", HURL_FILTER_NTH, {HURL_ARG_INT}, YES},
    {"split", HURL_FILTER_SPLIT, {HURL_ARG_TEXT}, YES},
    {"replace", HURL_FILTER_REPLACE, {HURL_ARG_PATTERN, HURL_ARG_TEXT}, YES},
    {"replaceRegex", HURL_FILTER_REPLACE_REGEX, {HURL_ARG_PATTERN, HURL_ARG_TEXT}, YES},
    {"regex", HURL_FILTER_REGEX, {HURL_ARG_PATTERN}, YES},
    {"jsonpath", HURL_FILTER_JSONPATH, {HURL_ARG_TEXT}, YES},
    {"xpath", HURL_FILTER_XPATH, {HURL_ARG_TEXT}, YES},
    {"toInt", HURL_FILTER_TO_INT, {0}, YES},
    {"toFloat", HURL_FILTER_TO_FLOAT, {0}, YES},
    {"toString", HURL_FILTER_TO_STRING, {0}, YES},
    {"toHex", HURL_FILTER_TO_HEX, {0}, YES},
    {"toDate", HURL_FILTER_TO_DATE, {HURL_ARG_TEXT}, YES},
    {"dateFormat", HURL_FILTER_DATE_FORMAT, {HURL_ARG_TEXT}, YES},
    {"format", HURL_FILTER_DATE_FORMAT, {HURL_ARG_TEXT}, YES},
    {"daysAfterNow", HURL_FILTER_DAYS_AFTER_NOW, {0}, YES},
    {"daysBeforeNow", HURL_FILTER_DAYS_BEFORE_NOW, {0}, YES},
    {"urlEncode", HURL_FILTER_URL_ENCODE, {0}, YES},
    {"urlDecode", HURL_FILTER_URL_DECODE, {0}, YES},
    {"urlQueryParam", HURL_FILTER_URL_QUERY_PARAM, {HURL_ARG_TEXT}, YES},
    {"htmlEscape", HURL_FILTER_HTML_ESCAPE, {0}, YES},
    {"htmlUnescape", HURL_FILTER_HTML_UNESCAPE, {0}, YES},
    {"base64Encode", HURL_FILTER_BASE64_ENCODE, {0}, YES},
    {"base64Decode", HURL_FILTER_BASE64_DECODE, {0}, YES},
    {"base64UrlSafeEncode", HURL_FILTER_BASE64_URL_ENCODE, {0}, YES},
    {"base64UrlSafeDecode", HURL_FILTER_BASE64_URL_DECODE, {0}, YES},
    {"charsetDecode", HURL_FILTER_DECODE, {HURL_ARG_TEXT}, YES},
    {"decode", HURL_FILTER_DECODE, {HURL_ARG_TEXT}, YES}, /* its older name */
    {"utf8Encode", HURL_FILTER_UTF8_ENCODE, {0}, YES},
    {"utf8Decode", HURL_FILTER_UTF8_DECODE, {0}, YES},
    {"location", HURL_FILTER_LOCATION, {0}, YES},
};

static const struct hurl_predicate_def PREDICATES[] = {
    {"==", HURL_EQUAL, HURL_ARG_VALUE, YES},
    {"!=", HURL_NOT_EQUAL, HURL_ARG_VALUE, YES},
    {">", HURL_GREATER, HURL_ARG_NUMBER, YES},
    {">=", HURL_GREATER_EQUAL, HURL_ARG_NUMBER, YES},
    {"<", HURL_LESS, HURL_ARG_NUMBER, YES},
    {"<=", HURL_LESS_EQUAL, HURL_ARG_NUMBER, YES},
    {"startsWith", HURL_STARTS_WITH, HURL_ARG_STRING, YES},
    {"endsWith", HURL_ENDS_WITH, HURL_ARG_STRING, YES},
    {"contains", HURL_CONTAINS, HURL_ARG_VALUE, YES},
    {"includes", HURL_INCLUDES, HURL_ARG_VALUE, YES},
    {"matches", HURL_MATCHES, HURL_ARG_PATTERN, YES},
    {"exists", HURL_EXISTS, HURL_ARG_NONE, YES},
    {"isEmpty", HURL_IS_EMPTY, HURL_ARG_NONE, YES},
    {"isInteger", HURL_IS_INTEGER, HURL_ARG_NONE, YES},
    {"isFloat", HURL_IS_FLOAT, HURL_ARG_NONE, YES},
    {"isNumber", HURL_IS_NUMBER, HURL_ARG_NONE, YES},
    {"isBoolean", HURL_IS_BOOLEAN, HURL_ARG_NONE, YES},
    {"isString", HURL_IS_STRING, HURL_ARG_NONE, YES},
    {"isCollection", HURL_IS_COLLECTION, HURL_ARG_NONE, YES},
    {"isList", HURL_IS_LIST, HURL_ARG_NONE, YES},
    {"isObject", HURL_IS_OBJECT, HURL_ARG_NONE, YES},
    {"isDate", HURL_IS_DATE, HURL_ARG_NONE, YES},
    {"isIsoDate", HURL_IS_ISO_DATE, HURL_ARG_NONE, YES},
    {"isUuid", HURL_IS_UUID, HURL_ARG_NONE, YES},
    {"isIpv4", HURL_IS_IPV4, HURL_ARG_NONE, YES},
    {"isIpv6", HURL_IS_IPV6, HURL_ARG_NONE, YES},
    /* words of older files */
    {"equals", HURL_EQUAL, HURL_ARG_VALUE, YES},
    {"notEquals", HURL_NOT_EQUAL, HURL_ARG_VALUE, YES},
    {"greaterThan", HURL_GREATER, HURL_ARG_NUMBER, YES},
    {"greaterThanOrEquals", HURL_GREATER_EQUAL, HURL_ARG_NUMBER, YES},
    {"lessThan", HURL_LESS, HURL_ARG_NUMBER, YES},
    {"lessThanOrEquals", HURL_LESS_EQUAL, HURL_ARG_NUMBER, YES},
};

static const struct hurl_option_def OPTIONS[] = {
    {"location", HURL_OPTION_LOCATION, HURL_OPTION_BOOL, YES, false},
    {"location-trusted", HURL_OPTION_LOCATION_TRUSTED, HURL_OPTION_BOOL, YES, false},
    {"max-redirs", HURL_OPTION_MAX_REDIRS, HURL_OPTION_COUNT, YES, false},
    {"retry", HURL_OPTION_RETRY, HURL_OPTION_COUNT, YES, false},
    {"retry-interval", HURL_OPTION_RETRY_INTERVAL, HURL_OPTION_TIME, YES, false},
    {"delay", HURL_OPTION_DELAY, HURL_OPTION_TIME, YES, false},
    {"repeat", HURL_OPTION_REPEAT, HURL_OPTION_COUNT, YES, false},
    {"skip", HURL_OPTION_SKIP, HURL_OPTION_BOOL, YES, false},
    {"variable", HURL_OPTION_VARIABLE, HURL_OPTION_DEFINITION, YES, false},
    {"compressed", HURL_OPTION_COMPRESSED, HURL_OPTION_BOOL, YES, false},
    {"insecure", HURL_OPTION_INSECURE, HURL_OPTION_BOOL, YES, false},
    {"connect-timeout", HURL_OPTION_CONNECT_TIMEOUT, HURL_OPTION_TIME, YES, true},
    {"max-time", HURL_OPTION_MAX_TIME, HURL_OPTION_TIME, YES, true},
    {"http1.0", HURL_OPTION_HTTP10, HURL_OPTION_BOOL, YES, false},
    {"http1.1", HURL_OPTION_HTTP11, HURL_OPTION_BOOL, YES, false},
    {"http2", HURL_OPTION_HTTP2, HURL_OPTION_BOOL, YES, false},
    {"ipv4", HURL_OPTION_IPV4, HURL_OPTION_BOOL, YES, false},
    {"ipv6", HURL_OPTION_IPV6, HURL_OPTION_BOOL, YES, false},
    {"user", HURL_OPTION_USER, HURL_OPTION_TEXT, YES, false},
    {"header", HURL_OPTION_HEADER, HURL_OPTION_TEXT, YES, false},
    {"path-as-is", HURL_OPTION_PATH_AS_IS, HURL_OPTION_BOOL, YES, false},
    {"verbose", HURL_OPTION_VERBOSE, HURL_OPTION_BOOL, YES, false},
    {"very-verbose", HURL_OPTION_VERY_VERBOSE, HURL_OPTION_BOOL, YES, false},
    {"verbosity", HURL_OPTION_VERBOSITY, HURL_OPTION_TEXT, YES, false},
    {"limit-rate", HURL_OPTION_LIMIT_RATE, HURL_OPTION_COUNT, YES, false},
    {"proxy", HURL_OPTION_PROXY, HURL_OPTION_TEXT, YES, false},
    {"no-proxy", HURL_OPTION_NO_PROXY, HURL_OPTION_TEXT, YES, false},
    {"resolve", HURL_OPTION_RESOLVE, HURL_OPTION_TEXT, YES, false},
    {"connect-to", HURL_OPTION_CONNECT_TO, HURL_OPTION_TEXT, YES, false},
    {"cacert", HURL_OPTION_CA_FILE, HURL_OPTION_TEXT, YES, false},
    {"cert", HURL_OPTION_CERT, HURL_OPTION_TEXT, YES, false},
    {"key", HURL_OPTION_KEY, HURL_OPTION_TEXT, YES, false},
    {"unix-socket", HURL_OPTION_UNIX_SOCKET, HURL_OPTION_TEXT, YES, false},
    {"output", HURL_OPTION_OUTPUT, HURL_OPTION_TEXT, YES, false},
    {"pinnedpubkey", HURL_OPTION_PINNED_KEY, HURL_OPTION_TEXT, YES, false},
    {"netrc", HURL_OPTION_NETRC, HURL_OPTION_BOOL, YES, false},
    {"netrc-file", HURL_OPTION_NETRC_FILE, HURL_OPTION_TEXT, YES, false},
    {"netrc-optional", HURL_OPTION_NETRC_OPTIONAL, HURL_OPTION_BOOL, YES, false},
    {"digest", HURL_OPTION_DIGEST, HURL_OPTION_BOOL, YES, false},
    {"no-jsonpath-coercion", HURL_OPTION_NO_COERCION, HURL_OPTION_BOOL, YES, false},
    {"http3", HURL_OPTION_REFUSED, HURL_OPTION_BOOL, LATER, false},
    {"aws-sigv4", HURL_OPTION_REFUSED, HURL_OPTION_TEXT, LATER, false},
    {"ntlm", HURL_OPTION_REFUSED, HURL_OPTION_BOOL, LATER, false},
    {"negotiate", HURL_OPTION_REFUSED, HURL_OPTION_BOOL, LATER, false},
};

#define FIND(TABLE, word)                                                                                              \
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++)                                                                      \
        if (span_equal(span_str(TABLE[i].name), word))                                                                 \
            return &TABLE[i];                                                                                          \
    return NULL

const struct hurl_section_def *hurl_section_find(struct span name, bool in_response)
{
    for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++)
        if (SECTIONS[i].in_response == in_response && span_equal(span_str(SECTIONS[i].name), name))
            return &SECTIONS[i];
    return NULL;
}

const struct hurl_query_def *hurl_query_find(struct span name)
{
    FIND(QUERIES, name);
}

const struct hurl_filter_def *hurl_filter_find(struct span name)
{
    FIND(FILTERS, name);
}

const struct hurl_predicate_def *hurl_predicate_find(struct span name)
{
    FIND(PREDICATES, name);
}

const struct hurl_option_def *hurl_option_find(struct span name)
{
    FIND(OPTIONS, name);
}

bool hurl_attribute_known(enum hurl_query_kind query, struct span name)
{
    static const char *const COOKIES[] = {"Value", "Expires", "Max-Age",  "Domain",
                                          "Path",  "Secure",  "HttpOnly", "SameSite"};
    static const char *const CERTIFICATES[] = {"Subject",       "Issuer",           "Start-Date", "Expire-Date",
                                               "Serial-Number", "Subject-Alt-Name", "Value"};
    bool cookie = query == HURL_QUERY_COOKIE;
    if (!cookie && query != HURL_QUERY_CERTIFICATE)
        return true;
    for (size_t i = 0; i < (cookie ? ARRAY_LEN(COOKIES) : ARRAY_LEN(CERTIFICATES)); i++)
        if (cookie ? span_equal_nocase(name, span_str(COOKIES[i])) : span_equal(name, span_str(CERTIFICATES[i])))
            return true;
    return false;
}

#define NAME_AT(TABLE, i) return (i) < ARRAY_LEN(TABLE) ? TABLE[i].name : NULL

const char *hurl_query_name(size_t i)
{
    NAME_AT(QUERIES, i);
}

const char *hurl_filter_name(size_t i)
{
    NAME_AT(FILTERS, i);
}

const char *hurl_predicate_name(size_t i)
{
    NAME_AT(PREDICATES, i);
}

const char *hurl_option_name(size_t i)
{
    NAME_AT(OPTIONS, i);
}

const char *hurl_section_name(size_t i)
{
    NAME_AT(SECTIONS, i);
}

#define WORD_BYTES_MAX 64u /* longer words are no typing mistakes */
#define SUGGEST(TABLE, word, condition)                                                                                \
    const char *names[ARRAY_LEN(TABLE)];                                                                               \
    size_t n = 0;                                                                                                      \
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++)                                                                      \
        if (condition)                                                                                                 \
            names[n++] = TABLE[i].name;                                                                                \
    char text[WORD_BYTES_MAX + 1];                                                                                     \
    if (word.len == 0 || word.len > WORD_BYTES_MAX)                                                                    \
        return NULL;                                                                                                   \
    memcpy(text, word.ptr, word.len);                                                                                  \
    text[word.len] = '\0';                                                                                             \
    return suggest(text, names, n)

const char *hurl_section_suggest(struct span word, bool in_response)
{
    SUGGEST(SECTIONS, word, SECTIONS[i].in_response == in_response);
}

const char *hurl_query_suggest(struct span word)
{
    SUGGEST(QUERIES, word, true);
}

const char *hurl_filter_suggest(struct span word)
{
    SUGGEST(FILTERS, word, true);
}

const char *hurl_predicate_suggest(struct span word)
{
    SUGGEST(PREDICATES, word, true);
}

const char *hurl_option_suggest(struct span word)
{
    SUGGEST(OPTIONS, word, true);
}

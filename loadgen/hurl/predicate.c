#include <arpa/inet.h>
#include <errno.h>

#include "lib/base/number.h"
#include "lib/match/regex.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"

enum verdict { NO = 0, YES = 1, MISMATCH = 2 }; /* a mismatch of kinds fails, with `not` too */

static bool is_number(const struct hurl_value *v)
{
    return v->kind == HURL_VALUE_INT || v->kind == HURL_VALUE_FLOAT || v->kind == HURL_VALUE_BIG;
}

static bool is_json(const struct hurl_value *v)
{
    return v->kind == HURL_VALUE_LIST || v->kind == HURL_VALUE_OBJECT || v->kind == HURL_VALUE_NODES;
}

static bool equal_numbers(const struct hurl_value *a, const struct hurl_value *b)
{
    if (a->kind == HURL_VALUE_INT && b->kind == HURL_VALUE_INT)
        return a->integer == b->integer;
    if (a->kind == HURL_VALUE_BIG && b->kind == HURL_VALUE_BIG)
        return span_equal(a->text, b->text);
    return a->number == b->number;
}

static bool equal(const struct hurl_value *a, const struct hurl_value *b)
{
    if (is_number(a) && is_number(b))
        return equal_numbers(a, b);
    if (is_json(a) && is_json(b))
        return json_text_equal(a->text, b->text);
    if (a->kind != b->kind)
        return false;
    if (a->kind == HURL_VALUE_BOOL)
        return a->boolean == b->boolean;
    if (a->kind == HURL_VALUE_DATE)
        return a->integer == b->integer;
    return a->kind == HURL_VALUE_NULL || span_equal(a->text, b->text);
}

static enum verdict compare(enum hurl_predicate_kind kind, const struct hurl_value *a, const struct hurl_value *b)
{
    int order;
    bool dates = a->kind == HURL_VALUE_DATE && b->kind == HURL_VALUE_DATE;
    if (dates || (a->kind == HURL_VALUE_INT && b->kind == HURL_VALUE_INT)) {
        order = (a->integer > b->integer) - (a->integer < b->integer);
    } else if (is_number(a) && is_number(b)) {
        if (a->number != a->number || b->number != b->number)
            return NO;
        order = (a->number > b->number) - (a->number < b->number);
    } else if (a->kind == HURL_VALUE_TEXT && b->kind == HURL_VALUE_TEXT) {
        order = span_compare(a->text, b->text);
    } else {
        return MISMATCH;
    }
    switch (kind) {
    case HURL_GREATER:
        return order > 0;
    case HURL_GREATER_EQUAL:
        return order >= 0;
    case HURL_LESS:
        return order < 0;
    default:
        return order <= 0;
    }
}

static bool includes(struct span list, const struct hurl_value *wanted)
{
    struct buf json;
    buf_init(&json, 1u << 20); /* the wanted value is one of the file's */
    bool found = false;
    struct json_text_walk w = json_text_walk(list);
    struct span item;
    if (hurl_value_to_json(wanted, &json) == 0 && buf_error(&json) == 0)
        while (!found && json_text_item(&w, &item))
            found = json_text_equal(item, buf_view(&json));
    buf_done(&json);
    return found;
}

static enum verdict text_predicate(enum hurl_predicate_kind kind, const struct hurl_value *a,
                                   const struct hurl_value *b)
{
    bool list = a->kind == HURL_VALUE_LIST || a->kind == HURL_VALUE_NODES;
    if (list && (kind == HURL_CONTAINS || kind == HURL_INCLUDES))
        return includes(a->text, b);
    if (kind == HURL_INCLUDES && a->lone)
        return equal(a, b);
    bool texts = a->kind == HURL_VALUE_TEXT && b->kind == HURL_VALUE_TEXT;
    bool bytes = a->kind == HURL_VALUE_BYTES && b->kind == HURL_VALUE_BYTES;
    if ((!texts && !bytes) || kind == HURL_INCLUDES)
        return MISMATCH;
    if (kind == HURL_STARTS_WITH)
        return span_starts(a->text, b->text);
    if (kind == HURL_ENDS_WITH)
        return a->text.len >= b->text.len && span_equal(span_from(a->text, a->text.len - b->text.len), b->text);
    return b->text.len == 0 || span_search(a->text, b->text) < a->text.len;
}

static bool is_uuid(struct span s)
{
    if (s.len != 36)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], lower = (char)(c | 0x20);
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f')))
            return false;
    }
    return true;
}

static bool is_address(int family, struct span s)
{
    char text[64];
    unsigned char bytes[16];
    if (s.len >= sizeof text)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

static enum verdict kind_predicate(enum hurl_predicate_kind kind, const struct hurl_value *v)
{
    bool text = v->kind == HURL_VALUE_TEXT;
    int64_t ms;
    switch (kind) {
    case HURL_IS_EMPTY:
        if (is_json(v))
            return json_text_count(v->text) == 0;
        return text || v->kind == HURL_VALUE_BYTES ? (enum verdict)(v->text.len == 0) : MISMATCH;
    case HURL_IS_INTEGER:
        return v->kind == HURL_VALUE_INT || v->kind == HURL_VALUE_BIG;
    case HURL_IS_FLOAT:
        return v->kind == HURL_VALUE_FLOAT;
    case HURL_IS_NUMBER:
        return is_number(v);
    case HURL_IS_BOOLEAN:
        return v->kind == HURL_VALUE_BOOL;
    case HURL_IS_STRING:
        return text;
    case HURL_IS_COLLECTION:
        return is_json(v) || v->kind == HURL_VALUE_BYTES;
    case HURL_IS_LIST:
        return v->kind == HURL_VALUE_LIST;
    case HURL_IS_OBJECT:
        return v->kind == HURL_VALUE_OBJECT || v->kind == HURL_VALUE_NODES; /* hurl counts a set of nodes as one */
    case HURL_IS_DATE:
        return v->kind == HURL_VALUE_DATE;
    case HURL_IS_ISO_DATE:
        return text ? (enum verdict)(parse_rfc3339_ms(v->text, &ms) == 0) : MISMATCH;
    case HURL_IS_UUID:
        return text ? (enum verdict)is_uuid(v->text) : MISMATCH;
    case HURL_IS_IPV4:
        return text ? (enum verdict)is_address(AF_INET, v->text) : MISMATCH;
    case HURL_IS_IPV6:
        return text ? (enum verdict)is_address(AF_INET6, v->text) : MISMATCH;
    default:
        return MISMATCH;
    }
}

MUST_USE static int matches(struct hurl_scope *s, const struct hurl_operand *pattern, const struct hurl_value *v,
                            enum verdict *ret, struct hurl_failure *why)
{
    *ret = MISMATCH;
    if (v->kind != HURL_VALUE_TEXT)
        return 0;
    struct regex *re;
    bool owned;
    EVAL_TRY(eval_pattern(s, pattern, &re, &owned, why));
    struct span group;
    size_t n;
    int found = regex_search(re, v->text, 0, &group, 1, &n);
    if (owned)
        regex_free(re);
    if (found < 0)
        return eval_fail(why, HURL_FAILED_PROTOCOL, pattern->at, "the regular expression is too costly on this text");
    *ret = found > 0;
    return 0;
}

/* "actual: integer 3, wanted: not > integer 5" */
static void explain(const struct hurl_predicate *p, const struct hurl_value *actual, const struct hurl_value *wanted,
                    struct hurl_failure *why)
{
    struct buf text;
    buf_init(&text, 4 * HURL_FAILURE_TEXT_MAX);
    buf_str(&text, "wanted: ");
    if (p->negated)
        buf_str(&text, "not ");
    buf_str(&text, p->def->name);
    if (p->operand.kind == HURL_OPERAND_PATTERN) {
        buf_printf(&text, " /" SPAN_FMT "/", SPAN_ARG(p->operand.bytes));
    } else if (p->operand.kind != HURL_OPERAND_NONE) {
        buf_char(&text, ' ');
        hurl_value_describe(wanted, &text);
    }
    buf_str(&text, ", actual: ");
    hurl_value_describe(actual, &text);
    eval_fail(why, HURL_FAILED_ASSERT, p->at, "%s", text.data ? text.data : "assert failed");
    buf_done(&text);
}

int eval_predicate(struct hurl_scope *s, const struct hurl_predicate *p, const struct hurl_value *actual,
                   bool *ret_holds, struct hurl_failure *why)
{
    struct hurl_value wanted = {0};
    enum hurl_predicate_kind kind = p->def->kind;
    enum verdict verdict = MISMATCH;
    if (p->operand.kind != HURL_OPERAND_NONE)
        EVAL_TRY(hurl_operand_value(s, &p->operand, &wanted, why));
    if (p->operand.kind == HURL_OPERAND_FILE && actual->kind == HURL_VALUE_TEXT)
        wanted.kind = HURL_VALUE_TEXT; /* body == file,…; compares texts */
    if (kind == HURL_EXISTS) {
        bool empty_nodes = actual->kind == HURL_VALUE_NODES && json_text_count(actual->text) == 0;
        verdict = actual->kind != HURL_VALUE_NONE && !empty_nodes;
    } else if (actual->kind == HURL_VALUE_NONE) { /* nothing is of any kind: `not` holds */
        verdict = kind == HURL_IS_EMPTY && actual->lone ? YES : NO;
    } else {
        switch (kind) {
        case HURL_EQUAL:
            verdict = equal(actual, &wanted);
            break;
        case HURL_NOT_EQUAL:
            verdict = !equal(actual, &wanted);
            break;
        case HURL_GREATER:
        case HURL_GREATER_EQUAL:
        case HURL_LESS:
        case HURL_LESS_EQUAL:
            verdict = compare(kind, actual, &wanted);
            break;
        case HURL_STARTS_WITH:
        case HURL_ENDS_WITH:
        case HURL_CONTAINS:
        case HURL_INCLUDES:
            verdict = text_predicate(kind, actual, &wanted);
            break;
        case HURL_MATCHES:
            EVAL_TRY(matches(s, &p->operand, actual, &verdict, why));
            break;
        default:
            verdict = kind_predicate(kind, actual);
        }
    }
    *ret_holds = verdict != MISMATCH && (verdict == YES) != p->negated;
    if (!*ret_holds)
        explain(p, actual, &wanted, why);
    return 0;
}

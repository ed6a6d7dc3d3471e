/* XPath 1.0 by libxml2: over its HTML parser for pages (the CSRF token), over the XML parser for XML. Nothing
 * is fetched and no entity is expanded. */
#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"

/* libxml2 prints to stderr unless told otherwise; the message is ours to give. */
static void silent(void *ctx, xmlErrorPtr error)
{
    (void)ctx;
    (void)error;
}

void *xpath_document_new(struct span text, bool html)
{
    if (text.len == 0 || text.len > BODY_BYTES_MAX)
        return NULL;
    int n = (int)text.len;
    if (html)
        return htmlReadMemory(text.ptr, n, NULL, "UTF-8",
                              HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET);
    /* it is UTF-8 by now, whatever its declaration says */
    return xmlReadMemory(text.ptr, n, NULL, "UTF-8", XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NONET);
}

void xpath_document_free(void *document)
{
    xmlFreeDoc(document);
}

MUST_USE static int nodes_value(struct hurl_scope *s, xmlNodeSet *set, struct hurl_value *ret)
{
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    buf_char(&out, '[');
    int n = set ? set->nodeNr : 0;
    for (int i = 0; i < n && i < XPATH_NODES_MAX; i++) {
        xmlChar *text = xmlXPathCastNodeToString(set->nodeTab[i]);
        buf_str(&out, i ? ",\"" : "\"");
        json_text_escape(&out, span_str((const char *)text));
        buf_char(&out, '"');
        xmlFree(text);
    }
    buf_char(&out, ']');
    ret->kind = HURL_VALUE_NODES;
    return eval_keep_buf(s, &out, &ret->text);
}

MUST_USE static int object_value(struct hurl_scope *s, xmlXPathObject *object, struct hurl_value *ret)
{
    bool ok = true;
    *ret = (struct hurl_value){0};
    switch (object->type) {
    case XPATH_NODESET:
        return nodes_value(s, object->nodesetval, ret);
    case XPATH_BOOLEAN:
        *ret = hurl_value_bool(object->boolval != 0);
        return 0;
    case XPATH_NUMBER:
        *ret = hurl_value_float(object->floatval);
        return 0;
    case XPATH_STRING:
        *ret = hurl_value_text(arena_span(s->scratch, span_str((const char *)object->stringval), &ok));
        return ok ? 0 : -ENOMEM;
    default:
        return -EINVAL;
    }
}

/* The prefixes that the document declares, the outermost one of each name; the default namespace is `_`, as in hurl. */
static void register_namespaces(xmlXPathContext *context, const xmlNode *node)
{
    const xmlNode *root = node;
    while (node) {
        for (const xmlNs *ns = node->type == XML_ELEMENT_NODE ? node->nsDef : NULL; ns; ns = ns->next) {
            const xmlChar *prefix = ns->prefix ? ns->prefix : (const xmlChar *)"_";
            if (!xmlXPathNsLookup(context, prefix))
                xmlXPathRegisterNs(context, prefix, ns->href);
        }
        if (node->type == XML_ELEMENT_NODE && node->children) {
            node = node->children;
            continue;
        }
        while (node != root && !node->next)
            node = node->parent;
        node = node == root ? NULL : node->next;
    }
}

/* ---- compiled once ----
 * libxml2 writes into a compiled expression while it evaluates it, so only one thread may have it: whoever comes takes it out of its slot and puts it
 * back; whoever finds the slot empty meanwhile makes one, which stays if nobody else's is there again. */

MUST_USE static int compile(struct span expression, xmlXPathCompExpr **ret)
{
    char *words = span_dup(expression);
    xmlXPathContext *context = xmlXPathNewContext(NULL);
    int r = -ENOMEM;
    if (words && context) {
        context->error = silent;
        *ret = xmlXPathCtxtCompile(context, (const xmlChar *)words);
        r = *ret ? 0 : -EINVAL;
    }
    xmlXPathFreeContext(context);
    free(words);
    return r;
}

static void give_back(struct xpath_slot *slot, xmlXPathCompExpr *compiled)
{
    void *empty = NULL;
    if (!slot || !atomic_compare_exchange_strong(&slot->idle, &empty, compiled))
        xmlXPathFreeCompExpr(compiled);
}

MUST_USE static int evaluate(struct hurl_scope *s, xmlXPathCompExpr *compiled, xmlDoc *document, struct hurl_value *ret)
{
    xmlXPathContext *context = xmlXPathNewContext(document);
    if (!context)
        return -ENOMEM;
    context->error = silent;
    register_namespaces(context, xmlDocGetRootElement(document));
    xmlXPathObject *object = xmlXPathCompiledEval(compiled, context);
    int r = object ? object_value(s, object, ret) : -EINVAL;
    xmlXPathFreeObject(object);
    xmlXPathFreeContext(context);
    return r;
}

int eval_xpath(struct hurl_scope *s, const struct hurl_operand *expression, struct span text, bool html,
               void **document, struct hurl_value *ret, struct hurl_failure *why)
{
    struct xpath_slot *slot = expression->xpath;
    xmlXPathCompExpr *compiled = slot ? atomic_exchange(&slot->idle, NULL) : NULL;
    int r = 0;
    if (!compiled) {
        struct span words;
        EVAL_TRY(eval_text(s, &expression->text, &words, why));
        r = compile(words, &compiled);
    }
    if (r == 0 && !*document)
        *document = xpath_document_new(text, html);
    bool parsed = *document;
    if (r == 0 && parsed)
        r = evaluate(s, compiled, *document, ret);
    if (compiled)
        give_back(slot, compiled);
    if (r == 0 && !parsed)
        return eval_fail(why, HURL_FAILED_QUERY, expression->at, "the text is not %s", html ? "HTML" : "XML");
    return r == -EINVAL ? eval_fail(why, HURL_FAILED_QUERY, expression->at, "this XPath expression cannot be evaluated")
                        : r;
}

void xpath_init(void)
{
    xmlInitParser();
}

int xpath_slot_new(struct arena *a, struct span expression, struct xpath_slot **ret)
{
    xmlXPathCompExpr *compiled = NULL;
    struct xpath_slot *slot = arena_alloc(a, sizeof *slot);
    int r = slot ? compile(expression, &compiled) : -ENOMEM;
    if (r < 0)
        return r;
    atomic_init(&slot->idle, compiled);
    *ret = slot;
    return 0;
}

void xpath_slot_done(struct xpath_slot *slot)
{
    xmlXPathFreeCompExpr(atomic_load(&slot->idle));
}

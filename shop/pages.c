/* HTML of the shop: small, valid, without scripts (but for one button, see page_quick_add). */
#include "shop/visit.h"

void page_raw(struct visit *v, const char *html)
{
    buf_str(&v->body, html);
}

void page_text(struct visit *v, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            page_raw(v, "&amp;");
            break;
        case '<':
            page_raw(v, "&lt;");
            break;
        case '>':
            page_raw(v, "&gt;");
            break;
        case '"':
            page_raw(v, "&quot;");
            break;
        case '\'':
            page_raw(v, "&#39;");
            break;
        default:
            buf_char(&v->body, text.ptr[i]);
        }
    }
}

void page_printf(struct visit *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(&v->body, format, args);
    va_end(args);
}

/* ISO 4217: EUR has two decimals, JPY none. */
void page_price(struct visit *v, int64_t amount_minor)
{
    if (v->session.market == MARKET_JP)
        page_printf(v, "&yen;%lld", (long long)amount_minor);
    else
        page_printf(v, "%lld.%02lld &euro;", (long long)(amount_minor / 100), (long long)(amount_minor % 100));
}

void page_begin(struct visit *v, const char *title)
{
    page_printf(v,
                "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width\">"
                "<title>%s - Crest shop</title>",
                title);
    if (v->shop->require_token)
        page_printf(v, "<meta name=\"csrf-token\" content=\"%s\">", v->session.csrf);
    page_printf(v,
                "</head>\n<body>\n<nav><a href=\"/\">Home</a> <a "
                "href=\"/cart\">Cart</a> <a href=\"/wishlist\">Wish list</a> <a "
                "href=\"/compare\">Compare</a></nav>\n<main>\n<h1>%s</h1>\n",
                title);
}

void page_form(struct visit *v, const char *action)
{
    page_printf(v, "<form method=\"post\" action=\"%s\">\n<input type=\"hidden\" name=\"csrf\" value=\"%s\">\n", action,
                v->session.csrf);
}

/* The sku is one of the catalogue: letters, digits and a dash. */
void page_quick_add(struct visit *v, const char *sku)
{
    static const char SCRIPT[] =
        "<script>\n"
        "document.getElementById('quick').onclick = async (event) => {\n"
        "    const meta = document.querySelector('meta[name=csrf-token]');\n"
        "    const answer = await (await fetch('/api/cart', {method: 'POST',\n"
        "        headers: {'Content-Type': 'application/json', 'X-CSRF-Token': meta.content},\n"
        "        body: JSON.stringify({sku: event.target.dataset.sku, quantity: 1})})).json();\n"
        "    meta.content = answer.token;\n"
        "    document.querySelectorAll('input[name=csrf]').forEach((field) => field.value = answer.token);\n"
        "    document.getElementById('units').textContent = `${answer.units} in the cart`;\n"
        "};\n"
        "</script>\n";
    page_printf(v,
                "<p><button type=\"button\" id=\"quick\" data-sku=\"%s\">Quick add</button> <output "
                "id=\"units\"></output></p>\n",
                sku);
    page_raw(v, SCRIPT);
}

void page_end(struct visit *v)
{
    page_raw(v, "</main>\n</body>\n</html>\n");
}

void page_error(struct visit *v)
{
    buf_clear(&v->body);
    page_begin(v, "Sorry");
    page_printf(v, "<p class=\"error\" data-type=\"%s\">", v->error_type);
    page_text(v, span_str(v->error_message));
    page_raw(v, "</p>\n");
    page_end(v);
}

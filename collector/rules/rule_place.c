#include "collector/rules/rule_place.h"

struct walk {
    struct span source;
    size_t at;
    uint32_t line, column;
    char quote; /* '\'' or '"' when quoted */
};

static void step(struct walk *w)
{
    w->column++;
    if (w->source.ptr[w->at++] == '\n') {
        w->line++;
        w->column = 1;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct walk *w)
{
    while (w->at < w->source.len && is_blank(w->source.ptr[w->at]))
        step(w);
}

/* To the byte where the value begins: behind a quote, or on the line below a block indicator. */
static bool enter(struct walk *w, const struct yaml_node *node)
{
    while (w->at < w->source.len && (w->line < node->line || w->column < node->column))
        step(w);
    if (w->at == w->source.len)
        return false;
    char c = w->source.ptr[w->at];
    if (node->quoted && (c == '"' || c == '\'')) {
        w->quote = c;
        step(w);
    } else if (node->quoted && (c == '|' || c == '>')) {
        while (w->at < w->source.len && w->source.ptr[w->at] != '\n')
            step(w);
    }
    return true;
}

/* Bring the source to the value's next character c; false when it is not there. */
static bool meet(struct walk *w, char c)
{
    if (w->at < w->source.len && w->source.ptr[w->at] != c)
        skip_blanks(w);
    if (w->at < w->source.len && w->quote == '"' && w->source.ptr[w->at] == '\\') {
        step(w);
        skip_blanks(w); /* an escaped line end */
    }
    if (w->quote == '\'' && c == '\'' && w->at + 1 < w->source.len && w->source.ptr[w->at + 1] == '\'')
        step(w); /* '' stands for one */
    return w->at < w->source.len && w->source.ptr[w->at] == c;
}

void rule_place(struct span source, const struct yaml_node *node, size_t offset, uint32_t *ret_line,
                uint32_t *ret_column)
{
    *ret_line = node->line;
    *ret_column = node->column;
    struct walk w = {.source = source, .line = 1, .column = 1};
    if (!enter(&w, node))
        return;
    uint32_t line = w.line, column = w.column;
    for (size_t i = 0; i <= offset && i < node->text.len; i++) {
        char c = node->text.ptr[i];
        if (is_blank(c)) { /* met together with the word behind it */
            if (i == offset && w.at < source.len && is_blank(source.ptr[w.at])) {
                line = w.line;
                column = w.column;
            }
            continue;
        }
        if (!meet(&w, c))
            return;
        line = w.line;
        column = w.column;
        step(&w);
        if (offset >= node->text.len && i == node->text.len - 1) { /* the end: behind the last byte */
            line = w.line;
            column = w.column;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

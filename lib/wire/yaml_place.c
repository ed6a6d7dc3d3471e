#include "lib/wire/yaml_place.h"

static void step(struct yaml_place *p)
{
    const unsigned char *c = (const unsigned char *)p->text.ptr + p->at;
    size_t left = p->text.len - p->at;
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    if (c[0] == '\r' && left > 1 && c[1] == '\n')
        n = 2;
    if (n > left)
        n = left;
    bool ours = c[0] == '\n' || c[0] == '\r';
    bool theirs = ours || (n == 2 && c[0] == 0xc2 && c[1] == 0x85) ||
                  (n == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] & 0xfe) == 0xa8);
    p->at += n;
    p->mark_column++;
    if (theirs) {
        p->mark_line++;
        p->mark_column = 0;
    }
    if (ours) {
        p->line++;
        p->line_start = p->at;
    }
}

static void start_over(struct yaml_place *p)
{
    *p = (struct yaml_place){.text = p->text};
}

static void tell(const struct yaml_place *p, size_t at, uint32_t *ret_line, uint32_t *ret_column)
{
    *ret_line = (uint32_t)p->line + 1;
    *ret_column = (uint32_t)(at - p->line_start) + 1;
}

size_t yaml_place_of(struct yaml_place *p, size_t mark_line, size_t mark_column, uint32_t *ret_line,
                     uint32_t *ret_column)
{
    if (mark_line < p->mark_line || (mark_line == p->mark_line && mark_column < p->mark_column))
        start_over(p);
    while (p->at < p->text.len &&
           (p->mark_line < mark_line || (p->mark_line == mark_line && p->mark_column < mark_column)))
        step(p);
    tell(p, p->at, ret_line, ret_column);
    return p->at;
}

void yaml_place_of_byte(struct yaml_place *p, size_t at, uint32_t *ret_line, uint32_t *ret_column)
{
    if (at < p->at)
        start_over(p);
    while (p->at < at && p->at < p->text.len)
        step(p);
    size_t from = p->at < at ? p->at : at;
    tell(p, from < p->line_start ? p->line_start : from, ret_line, ret_column);
}

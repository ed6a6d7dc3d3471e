/* main.c - crest-tui. */
#include "tui/console.h"

int main(int argc, char **argv)
{
    struct options *o;
    int r = options_parse(&CONSOLE_PROGRAM, argc, argv, &o);
    if (r != OPTIONS_RUN)
        return r;
    r = console_run(o);
    options_free(o);
    return r;
}

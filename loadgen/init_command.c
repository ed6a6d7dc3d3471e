/* crest-loadgen init: a ready mix as a plan and journeys, to be run as they are or changed. */
#include <errno.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "loadgen/commands.h"
#include "loadgen/mix/mix.h"

/* Each mix once; their files are not neighbours in the list. */
static bool is_first(const struct mix_file *f)
{
    for (const struct mix_file *g = MIX_FILES; g < f; g++)
        if (strcmp(g->mix, f->mix) == 0)
            return false;
    return true;
}

static int refuse_mix(const char *given)
{
    const char *names[32];
    size_t n = 0;
    for (const struct mix_file *f = MIX_FILES; f->mix; f++)
        if (is_first(f) && n < ARRAY_LEN(names))
            names[n++] = f->mix;
    fprintf(stderr, "crest-loadgen: there is no mix '%s':", given);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

/* false after saying why; what stands there already is never written over. */
static bool write_file(const char *folder, const struct mix_file *f)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, f->name) < 0)
        return false;
    int r = access(path, F_OK) == 0 ? -EEXIST : file_write(path, f->bytes, f->n);
    if (r < 0)
        fprintf(stderr, "crest-loadgen: %s: %s\n", path, strerror(-r));
    return r == 0;
}

int command_init(const struct options *o)
{
    const char *mix = options_operand(o, 0), *folder = options_operand_count(o) > 1 ? options_operand(o, 1) : mix;
    size_t files = 0;
    for (const struct mix_file *f = MIX_FILES; f->mix; f++)
        files += strcmp(f->mix, mix) == 0;
    if (files == 0)
        return refuse_mix(mix);
    int r = dir_make(folder);
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: %s: %s\n", folder, strerror(-r));
        return EXIT_FAILED;
    }
    for (const struct mix_file *f = MIX_FILES; f->mix; f++)
        if (strcmp(f->mix, mix) == 0 && !write_file(folder, f))
            return EXIT_FAILED;
    printf("%zu files in %s. Next: crest-loadgen run %s/plan.yml --variable host=http://127.0.0.1:9483\n", files,
           folder, folder);
    return EXIT_OK;
}

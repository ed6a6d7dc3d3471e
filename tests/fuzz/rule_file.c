/* Any bytes as a rule file: refused with at least one problem that has a place inside the file, or a set that can be walked. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "collector/rules/rule_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void walk(const struct rule_set *set)
{
    size_t n = 0;
    for (size_t g = 0; g < set->n_groups; g++)
        for (size_t i = 0; i < set->groups[g].n_rules; i++, n++) {
            const struct rule_def *r = &set->groups[g].rules[i];
            if (r->name.len == 0 || r->query.len == 0 || r->key.len == 0 || r->reads_from >= (int)i || r->line == 0)
                abort();
            for (size_t k = 1; k < r->labels.n; k++)
                if (span_compare(r->labels.pairs[k - 1].name, r->labels.pairs[k].name) >= 0)
                    abort();
        }
    if (n != set->n_rules)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("rules", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const char *const paths[] = {path};
    struct problems problems;
    problems_init(&problems);
    struct rule_set *set = NULL;
    int r = rule_set_load(paths, 1, 60000, &set, &problems);
    if (r == 0) {
        if (problems_errors(&problems))
            abort();
        walk(set);
        rule_set_free(set);
    } else if (r == -EINVAL && problems_errors(&problems) == 0) {
        abort();
    }
    for (size_t i = 0; i < problems.n; i++)
        if (problems.list[i].text[0] == '\0')
            abort();
    problems_done(&problems);
    close(fd);
    return 0;
}

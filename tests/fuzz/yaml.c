/* yaml.c - any bytes as a YAML file: refused with a problem, or a tree that can be walked to its end within
 * YAML_NODES_MAX. Input of libFuzzer; kept crashes are files. */
#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t walk(const struct yaml_node *node, unsigned depth)
{
    size_t count = 1, children = 0;
    bool b;
    uint64_t u;
    int64_t i;
    double f;
    if (depth > YAML_DEPTH_MAX * YAML_DEPTH_MAX || (node->text.ptr && node->text.ptr[node->text.len] != '\0'))
        abort();
    if (yaml_as_bool(node, &b) == 0 && yaml_as_f64(node, &f) == 0)
        abort(); /* nothing is both */
    if (yaml_as_u64(node, &u) == 0 && u <= INT64_MAX && (yaml_as_i64(node, &i) < 0 || (uint64_t)i != u))
        abort();
    YAML_EACH(node, child)
    {
        count += walk(child, depth + 1);
        children++;
    }
    if (children != node->n || count > YAML_NODES_MAX)
        abort();
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct problems ps;
    struct yaml *doc = NULL;
    problems_init(&ps);
    int r = yaml_parse("fuzz.yml", span_of((const char *)data, n), &doc, &ps);
    if (r == 0) {
        if (problems_errors(&ps) > 0)
            abort();
        walk(yaml_root(doc), 0);
        yaml_free(doc);
    } else if (r == -EINVAL && problems_errors(&ps) == 0) {
        abort();
    }
    problems_done(&ps);
    return 0;
}

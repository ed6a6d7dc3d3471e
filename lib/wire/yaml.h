/* yaml.h - YAML into our own tree, each node with its place.
 *
 *   struct yaml *doc;
 *   r = yaml_parse("prometheus.yml", text, &doc, &problems);
 *   const struct yaml_node *jobs = yaml_get(yaml_root(doc), "scrape_configs");
 *   YAML_EACH(jobs, job) { ... yaml_get(job, "job_name") ... }
 *   yaml_free(doc);
 *
 *   // or by table, which also refuses unknown keys with a suggestion and reports every error:
 *   static const struct yaml_field FIELDS[] = {
 *       {"job_name", YAML_FIELD_TEXT, offsetof(struct job, name), .required = true},
 *       {"scrape_interval", YAML_FIELD_DURATION, offsetof(struct job, interval_ms)},
 *       {"static_configs", YAML_FIELD_NODE, offsetof(struct job, static_configs)}, {0}};
 *   r = yaml_read(node, FIELDS, &job, &problems);       // -EINVAL: problems has them
 *
 * Events of libyaml; aliases and merge keys (<<) are resolved under YAML_NODES_MAX; plain scalars are read as Go's yaml reads
 * them (yes/no are text unless a bool is asked for; 0x, 0o numbers; ~ and empty are null). Nested at most YAML_DEPTH_MAX.
 * One document per file; an empty file is a null root. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/problem.h"

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };
struct yaml_node {
    enum yaml_kind kind;
    bool quoted;           /* a quoted or block scalar: always text */
    uint32_t line, column; /* from 1, in bytes; of an alias: where it stands, its children where they are written */
    struct span text;      /* YAML_SCALAR; NUL-terminated */
    struct span key;       /* this node's key when it is in a map; NUL-terminated */
    uint32_t key_line, key_column;
    struct yaml_node *first, *next; /* children of a list or map, in order */
    size_t n;                       /* children */
};
struct yaml;
/* -EINVAL: a problem was added (syntax, duplicate key, too many nodes, several documents); -ENOMEM. `file` is for messages. */
MUST_USE int yaml_parse(const char *file, struct span text, struct yaml **ret, struct problems *problems);
/* The symbol differs from the name because libyaml calls an exported yaml_free of its own. */
void yaml_free(struct yaml *y) __asm__("crest_yaml_free");
const struct yaml_node *yaml_root(const struct yaml *y);
const char *yaml_file(const struct yaml *y);
/* The value of a key in a map; NULL when absent, or when node is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* A scalar as Go's yaml gives it to a typed field: -EINVAL for anything else (NULL, quoted text, lists). A bool takes yes/no,
 * on/off too; numbers take _, 0x, 0o, 0b and a leading 0 for octal; an integer may be written as 1e3; f64 has .inf and .nan.
 * -ERANGE: an integer that does not fit. */
MUST_USE int yaml_as_bool(const struct yaml_node *node, bool *ret);
MUST_USE int yaml_as_u64(const struct yaml_node *node, uint64_t *ret);
MUST_USE int yaml_as_i64(const struct yaml_node *node, int64_t *ret);
MUST_USE int yaml_as_f64(const struct yaml_node *node, double *ret);
/* "a map", "a list", "text", "nothing": for messages. */
const char *yaml_kind_name(const struct yaml_node *node);
#define YAML_EACH(parent, child)                                                                                       \
    for (const struct yaml_node *child = (parent) ? (parent)->first : NULL; child; child = child->next)

enum yaml_field_type {
    YAML_FIELD_TEXT = 1, /* const char *, lives as long as the document; null leaves the default */
    YAML_FIELD_BOOL,     /* bool */
    YAML_FIELD_U64,      /* uint64_t within min..max (max 0: no bound) */
    YAML_FIELD_F64,      /* double */
    YAML_FIELD_DURATION, /* int64_t ms, Prometheus duration; min and max in ms */
    YAML_FIELD_BYTES,    /* uint64_t, "10MB"; within min..max */
    YAML_FIELD_NODE,     /* const struct yaml_node *, read by the caller */
    YAML_FIELD_IGNORED,  /* known, not used: one notice with `help` */
    YAML_FIELD_REFUSED   /* known, not supported here: an error with `help` */
};
struct yaml_field {
    const char *key;
    enum yaml_field_type type;
    size_t offset;
    bool required;
    uint64_t min, max;
    const char *help;
};
/* Fills *into for the keys present; every problem is added, -EINVAL when there was an error. A null leaves the default (a
 * NODE field gets the null node). map NULL or a null node is an empty map: only `required` can complain. */
MUST_USE int yaml_read(const struct yaml *doc, const struct yaml_node *map, const struct yaml_field *fields, void *into,
                       struct problems *problems);
/* Shorthand for a problem at a node's place. */
void yaml_problem(const struct yaml *doc, const struct yaml_node *at, struct problems *problems, const char *format,
                  ...) PRINTF_LIKE(4, 5);

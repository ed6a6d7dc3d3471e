#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* Its beginning and its end: the runner shows 16 KB of a test. */
#define FAIL_HEAD_BYTES 4000
#define FAIL_TAIL_BYTES 8000

void check_fail(const char *file, int line, const char *format, ...)
{
    char *text = NULL; /* cmocka's own print_error cuts at 1 KB */
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    fflush(stdout);
    if (n > FAIL_HEAD_BYTES + FAIL_TAIL_BYTES)
        fprintf(stderr, "%.*s\n[%d bytes]\n%s\n", FAIL_HEAD_BYTES, text, n - FAIL_HEAD_BYTES - FAIL_TAIL_BYTES,
                text + n - FAIL_TAIL_BYTES);
    else if (n >= 0)
        fprintf(stderr, "%s\n", text);
    free(text);
    _fail(file, line);
    abort(); /* _fail jumps out of the test; it does not say so to the compiler */
}

void check_double_bits_at(double actual, double expected, const char *file, int line)
{
    if (bits_of(actual) != bits_of(expected))
        check_fail(file, line, "%.17g (0x%016llx) != %.17g (0x%016llx)", actual, (unsigned long long)bits_of(actual),
                   expected, (unsigned long long)bits_of(expected));
}

/* Doubles as integers in their own order, -0 and 0 the same. */
static int64_t place_of(double v)
{
    int64_t bits = (int64_t)bits_of(v);
    return bits < 0 ? INT64_MIN - bits : bits;
}

void check_double_ulps_at(double actual, double expected, uint64_t ulps, const char *file, int line)
{
    if (isnan(actual) && isnan(expected))
        return;
    int64_t a = place_of(actual), b = place_of(expected);
    uint64_t apart = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    if (isnan(actual) || isnan(expected) || apart > ulps)
        check_fail(file, line, "%.17g is %llu ulps from %.17g, at most %llu allowed", actual, (unsigned long long)apart,
                   expected, (unsigned long long)ulps);
}

void check_span_at(struct span actual, const char *expected, const char *file, int line)
{
    if (!span_equal(actual, span_str(expected)))
        check_fail(file, line, "\"" SPAN_FMT "\" != \"%s\"", SPAN_ARG(actual), expected);
}

void check_contains_at(const char *hay, const char *needle, const char *file, int line)
{
    if (!hay || !strstr(hay, needle))
        check_fail(file, line, "\"%s\" is not in:\n%s", needle, hay ? hay : "(NULL)");
}

void check_errno_at(int actual, int expected, const char *what, const char *file, int line)
{
    if (actual != expected)
        check_fail(file, line, "%s is %d (%s), expected %d (%s)", what, actual, strerror(abs(actual)), expected,
                   strerror(abs(expected)));
}

struct check_random check_random_new(const char *test)
{
    uint64_t seed = 1;
    const char *given = getenv("CREST_SEED");
    if (given && strcmp(given, "random") == 0)
        seed = (uint64_t)mono_ns() & UINT32_MAX;
    else if (given && parse_u64(given, UINT64_MAX, &seed) < 0)
        check_failed("CREST_SEED=%s is neither a number nor random", given);
    print_message("%s: CREST_SEED=%llu\n", test, (unsigned long long)seed);
    return (struct check_random){seed};
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t check_random_u64(struct check_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t check_random_below(struct check_random *r, uint64_t n)
{
    return check_random_u64(r) % n;
}

#define CAPTURE_BYTES_MAX (4u << 20)
static struct {
    FILE *file;
    int saved;
} captures[3];

void check_capture_start(int fd)
{
    fflush(NULL);
    captures[fd].file = tmpfile();
    captures[fd].saved = dup(fd);
    if (!captures[fd].file || captures[fd].saved < 0 || dup2(fileno(captures[fd].file), fd) < 0)
        check_failed("cannot capture descriptor %d: %s", fd, strerror(errno));
}

char *check_capture_end(int fd)
{
    fflush(NULL);
    (void)dup2(captures[fd].saved, fd);
    close(captures[fd].saved);
    char *text = calloc(1, CAPTURE_BYTES_MAX + 1);
    if (!text)
        check_failed("out of memory");
    rewind(captures[fd].file);
    (void)!fread(text, 1, CAPTURE_BYTES_MAX, captures[fd].file);
    fclose(captures[fd].file);
    return text;
}

unsigned check_slowness(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 10;
#else
    return 1;
#endif
}

unsigned check_patience(void)
{
    return check_slowness() > 5 ? check_slowness() : 5;
}

const char *check_shared_path(const char *name)
{
    static char path[4096];
    const char *base = getenv("CREST_SHARED");
    snprintf(path, sizeof path, "%s/%s", base && *base ? base : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

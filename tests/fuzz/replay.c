/* replay: what stands in for libFuzzer in `make test`: every file of the target's corpus once, and each with a few
 * hundred small mutations. Crashes that fuzzing found are files of the corpus, so they stay fixed.
 *
 * A target is tests/fuzz/NAME.c with LLVMFuzzerTestOneInput; its corpus is tests/fuzz/corpus/NAME/. */
#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "lib/base/file.h"

#define INPUT_BYTES_MAX (1u << 20)
#define MUTATIONS 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_exact(const char *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* exactly as large as the input, so that ASan sees one byte too far */
    if (!copy)
        check_failed("out of memory");
    memcpy(copy, data, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static size_t mutate(struct check_random *r, char *data, size_t n, size_t cap)
{
    static const char INTERESTING[] = "\0\x01\x7f\x80\xff\"'\\{}[](),:;=#%$\n\r\t -+.0123456789eEaZ";
    for (uint64_t k = 1 + check_random_below(r, 4); k; k--) {
        size_t at = n ? check_random_below(r, n) : 0;
        size_t len = n - at ? 1 + check_random_below(r, n - at < 16 ? n - at : 16) : 0;
        switch (check_random_below(r, 5)) {
        case 0: /* change a byte */
            if (n)
                data[at] = INTERESTING[check_random_below(r, sizeof INTERESTING - 1)];
            break;
        case 1: /* flip a bit */
            if (n)
                data[at] = (char)(data[at] ^ 1 << check_random_below(r, 8));
            break;
        case 2: /* cut a piece out */
            memmove(data + at, data + at + len, n - at - len);
            n -= len;
            break;
        case 3: /* repeat a piece */
            if (n + len <= cap) {
                memmove(data + at + len, data + at, n - at);
                n += len;
            }
            break;
        default: /* cut the end off */
            n = at;
        }
    }
    return n;
}

static void fuzz_target_survives_its_corpus_and_small_mutations(void **state)
{
    (void)state;
    char pattern[512];
    snprintf(pattern, sizeof pattern, "tests/fuzz/corpus/%s/*", program_invocation_short_name);
    struct file_list files;
    check_ok(file_glob(pattern, &files));
    if (files.n == 0)
        check_failed("%s: no corpus", pattern);
    struct check_random r = check_random_new(program_invocation_short_name);
    for (size_t i = 0; i < files.n; i++) {
        char *data;
        size_t n;
        check_ok(file_read(files.paths[i], INPUT_BYTES_MAX, &data, &n));
        run_exact(data, n);
        size_t cap = 2 * n + 64;
        AUTO_FREE char *changed = malloc(cap);
        assert_non_null(changed);
        for (unsigned k = 0; k < MUTATIONS / check_slowness(); k++) {
            memcpy(changed, data, n);
            run_exact(changed, mutate(&r, changed, n, cap));
        }
        free(data);
    }
    file_list_done(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fuzz_target_survives_its_corpus_and_small_mutations)};
    return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL);
}

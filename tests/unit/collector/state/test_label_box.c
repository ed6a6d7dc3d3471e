#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "collector/state/label_box.h"

static struct label PAIRS[] = {{SPAN_INIT("alertname"), SPAN_INIT("Slow")},
                               {SPAN_INIT("note"), SPAN_INIT("")},
                               {SPAN_INIT("service"), SPAN_INIT("sh\0op")}};
static const struct labels SET = {PAIRS, 3};

static void label_box_gives_back_what_it_packed(void **unused)
{
    (void)unused;
    struct label_box *a = NULL, *b = NULL;
    check_ok(label_box_new(&SET, &a));
    assert_true(labels_equal(&a->labels, &SET));
    check_ok(label_box_unpack(a->packed, &b));
    assert_true(labels_equal(&b->labels, &SET));
    assert_true(span_equal(a->packed, b->packed));
    struct buf out;
    buf_init(&out, 1024);
    labels_pack(&out, &SET);
    assert_true(span_equal(buf_view(&out), a->packed));
    buf_done(&out);
    free(a);
    free(b);
}

static void label_box_holds_the_empty_set(void **unused)
{
    (void)unused;
    struct label_box *a = NULL, *b = NULL;
    check_ok(label_box_new(&(struct labels){NULL, 0}, &a));
    check_ok(label_box_unpack(a->packed, &b));
    assert_int_equal(b->labels.n, 0);
    free(a);
    free(b);
}

/* Every cut and every changed byte is refused or gives a set that lies within the bytes (ASan watches). */
static void label_box_refuses_bytes_that_do_not_add_up(void **unused)
{
    (void)unused;
    struct label_box *a = NULL, *b = NULL;
    check_ok(label_box_new(&SET, &a));
    char bytes[256];
    assert_true(a->packed.len < sizeof bytes);
    for (size_t n = 0; n < a->packed.len; n++) {
        memcpy(bytes, a->packed.ptr, n);
        check_errno(label_box_unpack(span_of(bytes, n), &b), -EBADMSG);
    }
    for (size_t i = 0; i < a->packed.len; i++) {
        memcpy(bytes, a->packed.ptr, a->packed.len);
        bytes[i] = (char)(bytes[i] ^ 0x81);
        if (label_box_unpack(span_of(bytes, a->packed.len), &b) == 0) {
            size_t sum = 0;
            for (size_t k = 0; k < b->labels.n; k++)
                sum += b->labels.pairs[k].name.len + b->labels.pairs[k].value.len;
            assert_int_equal(sum + 4 + 8 * b->labels.n, a->packed.len);
            free(b);
        }
    }
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_box_gives_back_what_it_packed),
        cmocka_unit_test(label_box_holds_the_empty_set),
        cmocka_unit_test(label_box_refuses_bytes_that_do_not_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

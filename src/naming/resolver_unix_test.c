#include "naming_test.h"

TEST(resolver_unix, a_path_is_one_endpoint)
{
    static const struct {
        const weir_resolver_type *type;
        const char *target, *path, *found;
    } targets[] = {
        {&weir_resolver_unix, "unix:/run/x", "/run/x", "unix:/run/x"},
        {&weir_resolver_unix, "unix:x", "x", "unix:x"},
        {&weir_resolver_unix, "unix:///run/x", "run/x", "unix:/run/x"},
        {&weir_resolver_unix_abstract, "unix-abstract:x", "x", "unix:@x"},
    };
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct told told = {0};
        weir_resolver *resolver;
        weir_resolver_request r = {loop, targets[i].target, "", targets[i].path, &count_events,
                                   &told};
        assert_ok(targets[i].type->start(&resolver, &r, NULL));
        run_until(loop, told.found == 1);
        assert_true(has_found(&told, targets[i].found));
        follow_no_more(resolver, &told);
    }
    weir_loop_free(loop);
}

TEST(resolver_unix, what_is_no_path_is_refused_with_a_sentence)
{
    char longest[109];
    const struct {
        const char *authority, *path, *says;
    } bad[] = {
        {"", "", "no path of 1 to 107 bytes"},
        {"", longest, "no path of 1 to 107 bytes"},
        {"", "a b", "a blank or a control byte"},
        {"host", "x", "names a host"},
    };
    weir_loop *loop = new_loop();
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct told told = {0};
        weir_resolver *resolver = NULL;
        weir_why why = {""};
        weir_resolver_request r = {loop,        "unix:x",      bad[i].authority,
                                   bad[i].path, &count_events, &told};
        assert_err(weir_resolver_unix.start(&resolver, &r, &why), WEIR_EINVAL);
        assert_says(why.text, bad[i].says);
        assert_null(resolver);
    }
    weir_loop_free(loop);
}

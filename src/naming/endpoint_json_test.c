#include <stdlib.h>
#include <weir/naming/endpoint.h>

#include "test.h"

static weir_arena *mem;
static weir_endpoint found;
static weir_why why;

static weir_err read(const char *json)
{
    if (!mem)
        mem = weir_arena_new();
    return weir_endpoint_read(&found, mem, weir_str_from(json), &why);
}

static void done(void)
{
    weir_arena_free(mem);
    mem = NULL;
}

TEST(endpoint_json, all_members_are_read_and_others_left_alone)
{
    assert_ok(read("{\"address\":\"a:1\",\"weight\":3,\"zone\":\"north\",\"later\":[1],"
                   "\"metadata\":{\"version\":\"2\"}}"));
    assert_string_equal(found.address.ptr, "a:1");
    assert_int_equal(found.weight, 3);
    assert_string_equal(found.zone.ptr, "north");
    assert_string_equal(found.metadata.ptr, "{\"version\":\"2\"}");
    assert_ok(read("{\"address\":\"a:1\"}"));
    assert_int_equal(found.weight, 1);
    assert_int_equal(found.zone.len, 0);
    assert_int_equal(found.metadata.len, 0);
    done();
}

TEST(endpoint_json, the_form_of_curator_is_read)
{
    assert_ok(read("{\"name\":\"svc\",\"id\":\"7\",\"address\":\"10.0.0.1\",\"port\":8080,"
                   "\"payload\":null,\"serviceType\":\"DYNAMIC\"}"));
    assert_string_equal(found.address.ptr, "10.0.0.1:8080");
    assert_ok(read("{\"address\":\"::1\",\"port\":80}"));
    assert_string_equal(found.address.ptr, "[::1]:80");
    done();
}

TEST(endpoint_json, what_others_write_wrongly_is_refused_with_a_sentence)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "not JSON"},
        {"10.0.0.1:80", "not JSON"},
        {"[]", "not a JSON object"},
        {"{\"address\":\"a:1\"", "not JSON: line 1"},
        {"{}", "\"address\" is missing"},
        {"{\"address\":7}", "\"address\" must be a string"},
        {"{\"address\":\"\"}", "\"address\" is missing"},
        {"{\"address\":\"a\",\"port\":70000}", "\"port\" must be a whole number"},
        {"{\"address\":\"a:1\",\"weight\":0}", "\"weight\" must be a whole number"},
        {"{\"address\":\"a:1\",\"weight\":-3}", "\"weight\" must be a whole number"},
        {"{\"address\":\"a:1\",\"weight\":1.5}", "\"weight\" must be a whole number"},
        {"{\"address\":\"a:1\",\"zone\":{}}", "\"zone\" must be a string"},
        {"{\"address\":\"a:1\",\"metadata\":\"x\"}", "\"metadata\" must be an object"},
        {"{\"address\":\"a:1\",\"address\":\"b:1\"}", "duplicate"},
        {"{\"address\":\"\xff\"}", "not JSON"},
        {"{\"address\":\"a\\u0000:1\"}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(read(bad[i].json), WEIR_EMALFORMED);
        if (!strstr(why.text, bad[i].says))
            assert_string_equal(why.text, bad[i].says);
    }
    done();
}

TEST(endpoint_json, huge_and_deeply_nested_text_is_refused)
{
    size_t size = 10 << 20;
    char *text = malloc(size + 1);
    memset(text, '[', size);
    text[size] = '\0';
    assert_err(read(text), WEIR_EMALFORMED);
    assert_non_null(strstr(why.text, "longer than"));
    text[60000] = '\0';
    memcpy(text, "{\"a\":", 5);
    assert_err(read(text), WEIR_EMALFORMED);
    free(text);
    done();
}

TEST(endpoint_json, what_is_written_is_read_back_the_same)
{
    weir_str text;
    weir_endpoint e = {WEIR_STR("unix:/run/x"), 5, WEIR_STR("s\"1"), WEIR_STR("{\"a\": [1, 2]}")};
    mem = weir_arena_new();
    assert_ok(weir_endpoint_write(&text, mem, &e));
    assert_ok(read(text.ptr));
    assert_true(weir_str_eq(found.address, e.address));
    assert_int_equal(found.weight, 5);
    assert_true(weir_str_eq(found.zone, e.zone));
    assert_string_equal(found.metadata.ptr, "{\"a\":[1,2]}");
    e = (weir_endpoint){.address = WEIR_STR("a:1")};
    assert_ok(weir_endpoint_write(&text, mem, &e));
    assert_string_equal(text.ptr, "{\"address\":\"a:1\"}");
    e.metadata = WEIR_STR("not an object");
    assert_err(weir_endpoint_write(&text, mem, &e), WEIR_EINVAL);
    e = (weir_endpoint){.address = WEIR_STR("a:1"), .zone = WEIR_STR("\xff")};
    assert_err(weir_endpoint_write(&text, mem, &e), WEIR_EINVAL);
    done();
}

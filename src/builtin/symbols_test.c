#include "test.h"

#include "symbols.h"
#include <weir/codec/google/protobuf/compiler/plugin.weir.h>
#include <weir/codec/google/protobuf/descriptor.weir.h>
#include <weir/codec/google/protobuf/struct.weir.h>

static weir__symbols *make(const weir_file *const *roots, size_t count)
{
    weir__symbols *symbols = NULL;
    assert_ok(weir__symbols_new(&symbols, roots, count));
    return symbols;
}

static void expect_file(const weir__symbols *symbols, const char *symbol, const char *file)
{
    const weir_file *found = weir__symbols_declares(symbols, weir_str_from(symbol));
    assert_string_equal(found ? found->name : "none", file);
}

TEST(symbols, everything_that_a_file_declares_is_found)
{
    const weir_file *roots[] = {&google_protobuf_struct_file};
    weir__symbols *symbols = make(roots, 1);
    const char *own = "google/protobuf/struct.proto";
    expect_file(symbols, "google.protobuf.Value", own);
    expect_file(symbols, "google.protobuf.Value.number_value", own);
    expect_file(symbols, "google.protobuf.Value.kind", own);
    expect_file(symbols, "google.protobuf.Struct.FieldsEntry", own);
    expect_file(symbols, "google.protobuf.NullValue", own);
    expect_file(symbols, "google.protobuf.NULL_VALUE", own);
    expect_file(symbols, "google.protobuf", "none");
    expect_file(symbols, "google.protobuf.Valu", "none");
    expect_file(symbols, "", "none");
    assert_true(weir__symbols_is_message(symbols, WEIR_STR("google.protobuf.Value")));
    assert_false(weir__symbols_is_message(symbols, WEIR_STR("google.protobuf.NullValue")));
    weir__symbols_free(symbols);
}

TEST(symbols, imported_files_are_there_once)
{
    const weir_file *roots[] = {&google_protobuf_compiler_plugin_file,
                                &google_protobuf_descriptor_file};
    weir__symbols *symbols = make(roots, 2);
    assert_int_equal(weir__symbols_files(symbols), 2);
    expect_file(symbols, "google.protobuf.FieldDescriptorProto",
                "google/protobuf/descriptor.proto");
    const weir_file *file =
        weir__symbols_file(symbols, WEIR_STR("google/protobuf/descriptor.proto"));
    assert_ptr_equal(file, &google_protobuf_descriptor_file);
    assert_true(weir__symbols_number(symbols, file) < 2);
    assert_null(weir__symbols_file(symbols, WEIR_STR("descriptor.proto")));
    weir__symbols_free(symbols);
}

TEST(symbols, without_files_nothing_is_found)
{
    weir__symbols *symbols = make(NULL, 0);
    expect_file(symbols, "a.B", "none");
    size_t count;
    assert_null(weir__symbols_file(symbols, WEIR_STR("a.proto")));
    assert_null(weir__symbols_extensions(symbols, WEIR_STR("a.B"), &count));
    weir__symbols_free(symbols);
}

/** A file with two extensions of FieldOptions, one of them inside a message. */
static weir_file extending_file(weir_arena *mem)
{
    static const google_protobuf_field_descriptor_proto outer = {
        .name = {"outer", 5},
        .extendee = {".google.protobuf.FieldOptions", 29},
        .number = 50001,
        .has_name = true,
        .has_extendee = true,
        .has_number = true};
    static const google_protobuf_field_descriptor_proto inner = {
        .name = {"inner", 5},
        .extendee = {".google.protobuf.FieldOptions", 29},
        .number = 50000,
        .has_name = true,
        .has_extendee = true,
        .has_number = true};
    static const google_protobuf_descriptor_proto scope = {
        .name = {"Scope", 5}, .has_name = true, .extension = {&inner, 1}};
    google_protobuf_file_descriptor_proto proto = {.name = WEIR_STR("x.proto"),
                                                   .package = WEIR_STR("x"),
                                                   .has_name = true,
                                                   .has_package = true,
                                                   .message_type = {&scope, 1},
                                                   .extension = {&outer, 1}};
    weir_str bytes;
    assert_ok(google_protobuf_file_descriptor_proto_encode(&proto, mem, &bytes));
    return (weir_file){
        .name = "x.proto", .descriptor = (const uint8_t *)bytes.ptr, .descriptor_len = bytes.len};
}

TEST(symbols, extensions_are_found_by_message_and_number)
{
    weir_arena *mem = weir_arena_new();
    weir_file file = extending_file(mem);
    const weir_file *roots[] = {&file, &google_protobuf_descriptor_file};
    weir__symbols *symbols = make(roots, 2);
    weir_str options = WEIR_STR("google.protobuf.FieldOptions");
    size_t count;
    const weir__extension *found = weir__symbols_extensions(symbols, options, &count);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].number, 50000);
    assert_int_equal(found[1].number, 50001);
    assert_ptr_equal(weir__symbols_extension(symbols, options, 50001)->file, &file);
    assert_null(weir__symbols_extension(symbols, options, 50002));
    assert_null(weir__symbols_extension(symbols, WEIR_STR("x.Scope"), 50000));
    expect_file(symbols, "x.outer", "x.proto");
    expect_file(symbols, "x.Scope.inner", "x.proto");
    weir__symbols_free(symbols);
    weir_arena_free(mem);
}

TEST(symbols, a_descriptor_that_is_none_is_an_error)
{
    weir_file file = {
        .name = "bad.proto", .descriptor = (const uint8_t *)"\xff", .descriptor_len = 1};
    const weir_file *roots[] = {&file};
    weir__symbols *symbols;
    assert_err(weir__symbols_new(&symbols, roots, 1), WEIR_EMALFORMED);
}

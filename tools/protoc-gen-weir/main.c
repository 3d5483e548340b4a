/* protoc-gen-weir: reads a CodeGeneratorRequest from stdin, writes a CodeGeneratorResponse. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "options.h"

typedef google_protobuf_compiler_code_generator_response response;
typedef google_protobuf_compiler_code_generator_response_file response_file;

static const struct program program = {
    .name = "protoc-gen-weir",
    .summary = "protoc's plugin for C with weir: protoc --weir_out=OUT x.proto makes x.weir.h and\n"
               "x.weir.c, with messages, service tables and client stubs.\n"
               "\n"
               "Parameters, for --weir_opt=NAME=VALUE or --weir_out=NAME=VALUE,...:OUT:\n"
               "  prefix=NAME        C names begin with NAME instead of the package\n"
               "  export=MACRO       put before declarations of data and functions\n"
               "  comments=no        leave the .proto's comments out (yes)",
};

/** @return a sentence, or NULL */
static const char *read_parameter(weir_arena *mem, options *opts, const char *name,
                                  const char *value)
{
    if (strcmp(name, "prefix") == 0)
        opts->prefix = value;
    else if (strcmp(name, "export") == 0)
        opts->exported = *value ? format(mem, "%s ", value) : "";
    else if (strcmp(name, "comments") == 0 && strcmp(value, "yes") == 0)
        opts->comments = true;
    else if (strcmp(name, "comments") == 0 && strcmp(value, "no") == 0)
        opts->comments = false;
    else
        return format(mem, "unknown parameter \"%s=%s\" (see protoc-gen-weir --help)", name, value);
    return NULL;
}

static const char *read_parameters(weir_arena *mem, options *opts, weir_str text)
{
    char *copy = allocate(mem, 1, text.len + 1), *rest = copy;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    for (char *pair; (pair = strsep(&rest, ",")) != NULL;) {
        if (*pair == '\0')
            continue;
        char *value = pair;
        const char *name = strsep(&value, "=");
        const char *why = read_parameter(mem, opts, name, value ? value : "");
        if (why)
            return why;
    }
    return NULL;
}

static response_file make_file(generator *g, const char *suffix,
                               void (*generate)(generator *, printer *))
{
    printer out = {0};
    weir_arena *mem = g->schema->mem;
    generate(g, &out);
    weir_str content = weir_arena_copy(mem, weir_str_of(out.ptr, out.len));
    if (!content.ptr)
        fatal("out of memory");
    printer_free(&out);
    return (response_file){
        .has_name = true,
        .name = weir_str_from(format(mem, "%s%s", g->file->base, suffix)),
        .has_content = true,
        .content = content,
    };
}

/** @return a sentence, or NULL with two files made */
static const char *generate_file(const schema *s, weir_str name, response_file out[2])
{
    const file *f = schema_file(s, name);
    if (!f)
        return format(s->mem, "%.*s: not in the request", WEIR_STR_ARGS(name));
    const char *why = check_file(s, f);
    if (why)
        return why;
    generator g = {.schema = s, .file = f};
    out[0] = make_file(&g, ".weir.h", generate_header);
    out[1] = make_file(&g, ".weir.c", generate_source);
    const char *twice = names_duplicate(&g.names);
    if (twice)
        why = format(s->mem, "%.*s: two things would be called \"%s\" in C: rename one",
                     WEIR_STR_ARGS(name), twice);
    names_free(&g.names);
    return why;
}

static const char *generate_all(weir_arena *mem, const proto_request *request, response *answer)
{
    options opts = {.exported = "", .comments = true};
    const char *why = read_parameters(mem, &opts, request->parameter);
    if (why)
        return why;
    schema s;
    schema_init(&s, mem, &opts, request);
    weir_strs names = request->file_to_generate;
    response_file *files = allocate(mem, names.len * 2, sizeof *files);
    for (size_t i = 0; i < names.len && !why; i++)
        why = generate_file(&s, names.items[i], &files[2 * i]);
    answer->file.items = files;
    answer->file.len = why ? 0 : names.len * 2;
    return why;
}

static weir_str read_input(weir_arena *mem)
{
    printer in = {0};
    char block[65536];
    for (size_t len; (len = fread(block, 1, sizeof block, stdin)) > 0;)
        print_str(&in, weir_str_of(block, len));
    weir_str bytes = weir_arena_copy(mem, weir_str_of(in.ptr, in.len));
    printer_free(&in);
    return bytes;
}

static int write_output(weir_arena *mem, const response *answer)
{
    weir_str bytes = {0};
    weir_err err = google_protobuf_compiler_code_generator_response_encode(answer, mem, &bytes);
    if (err)
        return failure(&program, "cannot encode the response: %s", weir_err_text(err));
    if (fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0)
        return failure(&program, "cannot write the response: %s", strerror(errno));
    return EXIT_SUCCESS;
}

static int run(weir_arena *mem)
{
    weir_str input = read_input(mem);
    proto_request *request;
    weir_err err = google_protobuf_compiler_code_generator_request_decode(&request, mem, input);
    if (ferror(stdin) || err || input.len == 0)
        return failure(&program, "stdin holds no request of protoc's: run it as "
                                 "protoc --weir_out=OUT x.proto");
    response answer = {
        .has_supported_features = true,
        .supported_features =
            GOOGLE_PROTOBUF_COMPILER_CODE_GENERATOR_RESPONSE_FEATURE_PROTO3_OPTIONAL,
    };
    const char *why = generate_all(mem, request, &answer);
    answer.has_error = why != NULL;
    answer.error = weir_str_from(why);
    return write_output(mem, &answer);
}

int main(int argc, char **argv)
{
    options_read(&program, argc, argv);
    weir_arena *mem = weir_arena_new();
    if (!mem)
        fatal("out of memory");
    int status = run(mem);
    weir_arena_free(mem);
    return status;
}

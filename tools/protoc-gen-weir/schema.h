/* Everything that protoc sent, with the C names of things and a way to find a type by its name. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stdbool.h>
#include <weir/codec/google/protobuf/compiler/plugin.weir.h>
#include <weir/codec/google/protobuf/descriptor.weir.h>
#include <weir/codec/message.h>

typedef google_protobuf_compiler_code_generator_request proto_request;
typedef google_protobuf_file_descriptor_proto proto_file;
typedef google_protobuf_descriptor_proto proto_message;
typedef google_protobuf_enum_descriptor_proto proto_enum;
typedef google_protobuf_field_descriptor_proto proto_field;
typedef google_protobuf_service_descriptor_proto proto_service;
typedef google_protobuf_method_descriptor_proto proto_method;

/** The plugin's parameter, "--weir_opt=a=b,c=d". */
typedef struct options {
    const char *prefix;   /**< instead of the package in C names; NULL: the package */
    const char *exported; /**< put before declarations, such as WEIR_API; "" for nothing */
    bool comments;        /**< carry comments over */
} options;

/** Where something is in its file: see SourceCodeInfo.Location.path. */
typedef struct path {
    const int32_t *items;
    size_t len;
} path;

typedef struct file file;

/** A message or an enum. */
typedef struct type {
    const file *in;
    const char *name;              /**< "package.Outer.Inner" */
    const char *symbol;            /**< "package_outer_inner" */
    const proto_message *message;  /**< or NULL */
    const proto_enum *enumeration; /**< or NULL */
    path at;
} type;

struct file {
    const proto_file *proto;
    const char *base;   /**< "path/to/file" */
    const char *symbol; /**< "path_to_file_file": the weir_file */
    const char *prefix; /**< of C names, "" or "package_" */
    bool shipped;       /**< weir has it: google/protobuf/... and two of google/rpc */
    bool proto3;
    type *types; /**< in the order of declaration, a message before those inside it */
    size_t type_count;
};

typedef struct schema {
    weir_arena *mem;
    const options *opts;
    file *files;
    size_t file_count;
    type **by_name;
    size_t type_count;
} schema;

void schema_init(schema *s, weir_arena *mem, const options *opts, const proto_request *request);

/** NULL when protoc did not send it. */
const file *schema_file(const schema *s, weir_str name);

/** @param name  as in a field: ".package.Outer.Inner" */
const type *schema_type(const schema *s, weir_str name);

/** `parent`, and in it item `index` of field number `field`. */
path path_child(weir_arena *mem, path parent, int32_t field, size_t index);

/* Field numbers in descriptor.proto that paths are made of. */
enum {
    PATH_FILE_MESSAGE = 4,
    PATH_FILE_ENUM = 5,
    PATH_FILE_SERVICE = 6,
    PATH_MESSAGE_FIELD = 2,
    PATH_MESSAGE_NESTED = 3,
    PATH_MESSAGE_ENUM = 4,
    PATH_MESSAGE_ONEOF = 8,
    PATH_ENUM_VALUE = 2,
    PATH_SERVICE_METHOD = 2
};

#endif

/* A service's methods with what templates say about them. */
#ifndef SERVICE_H
#define SERVICE_H

#include "generate.h"

typedef struct method {
    const proto_method *proto;
    path at;
    bool client_streams;
    bool server_streams;
    printer_var vars[12];
} method;

typedef struct service {
    const proto_service *proto;
    const char *symbol; /**< "package_greeter" */
    path at;
    method *methods;
    size_t method_count;
    printer_var vars[5];
} service;

/** The file's services, as many as it declares. */
service *services_of(const generator *g);

#endif

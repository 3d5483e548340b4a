/* One program for every way to run the application: as a whole, or a module per process.
 *   example-social ADDR:PORT REGISTRY users,relations,messages,gateway
 *   example-social 127.0.0.1:0 zk://127.0.0.1:2181/social users &   (each module, once or more) */
#include <stdio.h>
#include <stdlib.h>

#include "modules.h"

/* Those who keep something keep it by person, in memory: a process more or less moves people to
 * another one, which knows nothing of them. With a database behind the modules any policy will do.
 */
static const char config[] =
    "{\"loadBalancingConfig\":[{\"weir_consistent_hash\":{}}],"
    "\"methodConfig\":[{\"name\":[{}],\"timeout\":\"5s\",\"waitForReady\":true,"
    "\"retryPolicy\":{\"maxAttempts\":3,\"initialBackoff\":\"0.05s\",\"maxBackoff\":\"1s\","
    "\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}";

static weir_channel *channel_to(const char *registry, const char *service)
{
    char target[500];
    snprintf(target, sizeof target, "%s/%s", registry, service);
    return weir_channel_new(target, &(weir_channel_opts){.service_config = config});
}

static weir_err add_module(weir_server *server, const char *module, peers *others)
{
    if (strcmp(module, "users") == 0)
        return users_serve(server);
    if (strcmp(module, "relations") == 0)
        return relations_serve(server);
    if (strcmp(module, "messages") == 0)
        return messages_serve(server);
    if (strcmp(module, "gateway") == 0)
        return gateway_serve(server, others);
    fprintf(stderr, "example-social: there is no module \"%s\"\n", module);
    return WEIR_EINVAL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: example-social ADDR:PORT REGISTRY MODULE,MODULE...\n");
        return 2;
    }
    weir_server *server = weir_server_new(NULL);
    peers others = {
        .users = channel_to(argv[2], "social.Users"),
        .relations = channel_to(argv[2], "social.Relations"),
        .messages = channel_to(argv[2], "social.Messages"),
    };
    if (!server || !others.users || !others.relations || !others.messages)
        return 1;
    for (char *module = strtok(argv[3], ","); module; module = strtok(NULL, ","))
        if (add_module(server, module, &others))
            return 2;
    if (weir_server_register(server, argv[2], NULL))
        return 1;
    int status = weir_server_run(server, argv[1]);
    weir_channel_free(others.users);
    weir_channel_free(others.relations);
    weir_channel_free(others.messages);
    return status;
}

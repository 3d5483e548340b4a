/* A client that lives with servers that come and go: it spreads its calls by how quickly they are
 * answered, tries again elsewhere within a budget, and leaves a server out that fails again and
 * again. 29-resilient-client static:///ADDR:PORT,ADDR:PORT CALLS; also zk:///, file:///, dns:/// */
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "greeter.weir.h"

static const char config[] =
    "{"
    "  \"loadBalancingConfig\": [{\"outlier_detection_experimental\": {"
    "    \"failurePercentageEjection\": {\"threshold\": 50, \"minimumHosts\": 2},"
    "    \"childPolicy\": [{\"weir_p2c\": {}}]}}],"
    "  \"methodConfig\": [{"
    "    \"name\": [{\"service\": \"greeter.Greeter\"}],"
    "    \"timeout\": \"2s\","
    "    \"waitForReady\": true,"
    "    \"retryPolicy\": {\"maxAttempts\": 4, \"initialBackoff\": \"0.05s\","
    "      \"maxBackoff\": \"1s\", \"backoffMultiplier\": 2,"
    "      \"retryableStatusCodes\": [\"UNAVAILABLE\", \"RESOURCE_EXHAUSTED\"]}}],"
    "  \"retryThrottling\": {\"maxTokens\": 100, \"tokenRatio\": 0.1}"
    "}";

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    weir_channel *channel =
        weir_channel_new(argv[1], &(weir_channel_opts){.service_config = config});
    weir_arena *mem = weir_arena_new();
    int failed = 0, calls = atoi(argv[2]);
    if (!channel || !mem)
        return 1;
    for (int i = 0; i < calls; i++) {
        greeter_hello_reply *reply;
        weir_status status = greeter_greeter_say_hello(
            channel, mem, &(greeter_hello_request){.name = WEIR_STR("ann")}, &reply, NULL);
        if (status.code) {
            failed++;
            fprintf(stderr, "%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
        }
        weir_arena_reset(mem);
    }
    printf("%d calls, %d failed\n", calls, failed);
    weir_arena_free(mem);
    weir_channel_free(channel);
    return failed > 0;
}

/* Service configs, endpoints as JSON, and files of endpoints: whatever is accepted holds what its
 * header promises, and an endpoint that is written is read back the same. */
#include <stdlib.h>
#include <weir/naming/naming.h>

#include "endpoint_file.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void config(weir_str json)
{
    weir_service_config *c;
    weir_why why = {{0}};
    if (weir_service_config_read(&c, json, &why)) {
        check(why.text[0] != '\0');
        return;
    }
    const weir_method_config *m = weir_service_config_method(c, "/a.B/C");
    if (m) {
        check(m->timeout_us >= 0 && m->retry.max_attempts <= WEIR_ATTEMPTS_MAX);
        check(m->retry.max_attempts == 0 || m->retry.codes != 0);
        check(m->retry.max_attempts == 0 || m->hedging.max_attempts == 0);
    }
    check(weir_service_config_throttling(c).max_tokens <= 1000);
    const weir_balance_config *b = weir_service_config_balance(c);
    check((unsigned)b->policy <= WEIR_BALANCE_CONSISTENT_HASH && b->subset <= WEIR_ENDPOINTS_MAX);
    weir_service_config_unref(c);
}

static void endpoint(weir_str json)
{
    weir_arena *mem = weir_arena_new();
    weir_endpoint e, again;
    weir_str text;
    if (mem && weir_endpoint_read(&e, mem, json, NULL) == WEIR_OK) {
        check(e.address.len > 0 && e.weight >= 1 && e.weight <= 10000);
        weir_err err = weir_endpoint_write(&text, mem, &e);
        check(err == WEIR_OK);
        err = weir_endpoint_read(&again, mem, text, NULL);
        check(err == WEIR_OK && weir_str_eq(e.address, again.address) && e.weight == again.weight &&
              weir_str_eq(e.zone, again.zone) && weir_str_eq(e.metadata, again.metadata));
    }
    weir_arena_free(mem);
}

static void lines(weir_str text)
{
    weir_endpoints *list;
    weir_why why = {{0}};
    if (weir_endpoints_new(&list))
        return;
    if (weir__endpoints_parse(list, text, "f", &why))
        check(why.text[0] != '\0');
    check(weir_endpoints_count(list) <= WEIR__FILE_LINES_MAX);
    for (size_t i = 0; i < weir_endpoints_count(list); i++) {
        const weir_endpoint *e = weir_endpoints_at(list, i);
        check(e->address.len > 0 && e->address.len <= WEIR_ENDPOINT_ADDRESS_MAX);
        check(e->weight >= 1 && e->weight <= 10000 && weir_str_is_utf8(e->zone));
    }
    weir_endpoints_unref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config(weir_str_of(data, size));
    endpoint(weir_str_of(data, size));
    lines(weir_str_of(data, size));
    return 0;
}

/**
 * @file
 * The poller that a test is to run with.
 */
#ifndef WEIR_POLLER_TEST_H
#define WEIR_POLLER_TEST_H

#include <stdlib.h>
#include <string.h>
#include <weir/net/loop.h>

/** The build runs the tests of a layer once for each poller and names it in the environment. */
static inline weir_poller_kind test_poller(void)
{
    const char *name = getenv("WEIR_TEST_POLLER");
    return !name || strcmp(name, "epoll") == 0 ? WEIR_POLLER_EPOLL
           : strcmp(name, "level") == 0        ? WEIR_POLLER_EPOLL_LEVEL
                                               : WEIR_POLLER_POLL;
}

#endif

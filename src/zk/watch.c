/* Watches: the client keeps an arm until it has fired, whether somebody still wants to know or not,
 * so that a watch in the user's memory can go away at any time. */
#include "zk_client.h"

#include <stdlib.h>
#include <string.h>

static void release_if_unused(weir__zk_arm *arm)
{
    if (arm->watch || arm->requests > 0 || arm->client)
        return;
    weir_list_remove(&arm->node);
    free(arm);
}

static void detach(weir__zk_arm *arm)
{
    if (arm->watch)
        arm->watch->arm = NULL;
    arm->watch = NULL;
    arm->set = false;
}

void weir_zk_unwatch(weir_zk_watch *watch)
{
    weir__zk_arm *arm = watch->arm;
    if (!arm)
        return;
    detach(arm);
    release_if_unused(arm);
}

weir__zk_arm *weir__zk_arm_of(weir_zk *zk, weir_zk_watch *watch, int kind, const char *path)
{
    weir__zk_arm *arm = watch->arm;
    if (arm && arm->kind == kind && strcmp(arm->path, path) == 0) {
        arm->requests++;
        return arm;
    }
    arm = calloc(1, sizeof *arm + strlen(path) + 1);
    if (!arm)
        return NULL;
    weir_zk_unwatch(watch);
    strcpy(arm->path, path);
    arm->kind = kind;
    arm->requests = 1;
    arm->watch = watch;
    watch->arm = arm;
    weir_list_append(&zk->arms, &arm->node);
    return arm;
}

void weir__zk_arm_unwanted(weir__zk_arm *arm)
{
    if (!arm->set && arm->requests == 1)
        detach(arm);
}

void weir__zk_arm_done(weir__zk_arm *arm, bool client)
{
    arm->requests--;
    if (client) {
        arm->client = true;
        arm->set = arm->watch != NULL;
    } else if (!arm->set && arm->requests == 0) {
        detach(arm);
    }
    release_if_unused(arm);
}

/** It stays with the watch when a further operation will set it again. */
static void fire(weir__zk_arm *arm, weir_zk_event event)
{
    weir_zk_watch *watch = arm->set ? arm->watch : NULL;
    arm->set = false;
    if (arm->requests == 0)
        detach(arm);
    release_if_unused(arm);
    if (watch)
        watch->fn(watch, event, watch->user);
}

static weir_zk_event event_of(int type)
{
    if (type == ZOO_CREATED_EVENT)
        return WEIR_ZK_CREATED;
    if (type == ZOO_DELETED_EVENT)
        return WEIR_ZK_DELETED;
    return type == ZOO_CHILD_EVENT ? WEIR_ZK_CHILDREN : WEIR_ZK_CHANGED;
}

void weir__zk_on_watch(zhandle_t *handle WEIR_UNUSED, int type, int state WEIR_UNUSED,
                       const char *path WEIR_UNUSED, void *user)
{
    weir__zk_arm *arm = user;
    if (type == ZOO_SESSION_EVENT) /* the session tells of itself */
        return;
    arm->client = false;
    fire(arm, event_of(type));
}

static weir__zk_arm *first_set(weir_zk *zk)
{
    weir_list_each (node, following, &zk->arms) {
        weir__zk_arm *arm = WEIR_CONTAINER_OF(node, weir__zk_arm, node);
        if (arm->set)
            return arm;
    }
    return NULL;
}

void weir__zk_end_arms(weir_zk *zk, bool tell)
{
    weir__zk_arm *arm;
    weir_list_each (node, following, &zk->arms) {
        arm = WEIR_CONTAINER_OF(node, weir__zk_arm, node);
        arm->client = false;
        if (!tell)
            detach(arm);
        release_if_unused(arm);
    }
    while ((arm = first_set(zk)))
        fire(arm, WEIR_ZK_GONE);
}

#include "robot.h"

#include <stdio.h>
#include <stdlib.h>

void plan_user_name(const robot *self, uint32_t index, char out[ROBOT_NAME])
{
    snprintf(out, ROBOT_NAME, "%s%u", self->opts.prefix, index);
}

void plan_room_name(const robot *self, const group *room, char out[ROBOT_NAME])
{
    snprintf(out, ROBOT_NAME, "%s-%u-of-%u", self->opts.prefix, room->index, room->members);
}

/** Each user's peers are those whose number differs in a few low bits: user ^ 1, user ^ 3, ... */
static uint32_t peer_of(uint32_t of, uint32_t i)
{
    return of ^ (2 * i + 1);
}

static uint32_t count_pairs(const options *opts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < opts->direct; i++) {
        for (uint32_t u = 0; u < opts->users; u++)
            count += peer_of(u, i) > u && peer_of(u, i) < opts->users;
    }
    return count;
}

static void make_pairs(robot *self)
{
    uint32_t made = 0;
    for (uint32_t i = 0; i < self->opts.direct; i++) {
        for (uint32_t u = 0; u < self->opts.users; u++) {
            uint32_t peer = peer_of(u, i);
            if (peer <= u || peer >= self->opts.users)
                continue;
            self->groups[made] = (group){.index = made, .members = 2, .peers = {u, peer}};
            made++;
        }
    }
}

static uint32_t member_of(const robot *self, const group *of, uint32_t i)
{
    if (self->opts.direct > 0)
        return of->peers[i];
    return (uint32_t)(((uint64_t)of->index * self->opts.room_size + i) % self->opts.users);
}

static void make_groups(robot *self)
{
    if (self->opts.direct > 0)
        make_pairs(self);
    for (uint32_t g = 0; g < self->group_count; g++) {
        group *of = &self->groups[g];
        of->index = g;
        of->members = self->opts.direct > 0 ? 2 : self->opts.room_size;
        of->senders = of->members < ROBOT_SENDERS ? of->members : ROBOT_SENDERS;
        if (self->opts.fan_out > 0)
            of->senders = 1;
        for (uint32_t i = 0; i < of->members; i++)
            self->users[member_of(self, of, i)].in_count++;
        self->membership_count += of->members;
        self->sender_count += of->senders;
    }
}

/** Gives each user its part of `memberships`, and fills them. @return false: out of memory */
static bool make_memberships(robot *self)
{
    self->memberships = calloc(self->membership_count, sizeof *self->memberships);
    if (!self->memberships)
        return false;
    membership *next = self->memberships;
    for (uint32_t u = 0; u < self->opts.users; u++) {
        self->users[u].in = next;
        next += self->users[u].in_count;
        self->users[u].in_count = 0;
    }
    for (uint32_t g = 0; g < self->group_count; g++) {
        group *of = &self->groups[g];
        for (uint32_t i = 0; i < of->members; i++) {
            user *who = &self->users[member_of(self, of, i)];
            membership *made = &who->in[who->in_count++];
            *made = (membership){.user = who,
                                 .group = of,
                                 .sender = i < of->senders ? i : ROBOT_SENDERS,
                                 .last_numbers = calloc(of->senders, sizeof(uint32_t))};
            if (!made->last_numbers)
                return false;
        }
    }
    return true;
}

/** First the first senders of all groups, then the second ones: so messages go everywhere. */
static bool share_senders(robot *self)
{
    for (uint32_t w = 0; w < self->opts.loops; w++) {
        self->workers[w].senders = calloc(self->sender_count, sizeof(membership *));
        if (!self->workers[w].senders)
            return false;
    }
    for (uint32_t s = 0; s < ROBOT_SENDERS; s++) {
        for (size_t i = 0; i < self->membership_count; i++) {
            membership *from = &self->memberships[i];
            worker *to = from->user->worker;
            if (from->sender == s)
                to->senders[to->sender_count++] = from;
        }
    }
    return true;
}

bool plan_make(robot *self)
{
    const options *opts = &self->opts;
    self->group_count = opts->direct > 0 ? count_pairs(opts) : opts->rooms;
    self->groups = calloc(self->group_count, sizeof *self->groups);
    self->users = calloc(opts->users, sizeof *self->users);
    self->workers = calloc(opts->loops, sizeof *self->workers);
    self->fan_out.took_us = calloc(opts->users, sizeof *self->fan_out.took_us);
    if (!self->groups || !self->users || !self->workers || !self->fan_out.took_us)
        return false;
    for (uint32_t u = 0; u < opts->users; u++) {
        self->users[u].index = u;
        self->users[u].worker = &self->workers[u % opts->loops];
    }
    make_groups(self);
    return make_memberships(self) && share_senders(self);
}

void plan_free(robot *self)
{
    for (size_t i = 0; self->memberships && i < self->membership_count; i++)
        free(self->memberships[i].last_numbers);
    for (uint32_t w = 0; self->workers && w < self->opts.loops; w++)
        free(self->workers[w].senders);
    free(self->memberships);
    free(self->groups);
    free(self->users);
    free(self->workers);
    free(self->fan_out.took_us);
}

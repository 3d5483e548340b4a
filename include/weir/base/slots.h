/**
 * @file
 * Slots: numbers for objects, so that an id can outlive its object. An id is a loop's number, a
 * place in that loop's table and a generation, 64 bits together; when the object is gone the
 * generation has moved on.
 *
 * Each slot also counts what other threads have queued for its object, so that they can be told
 * "gone" and "would block" without entering the loop. No locks but for growth; slots never move.
 */
#ifndef WEIR_BASE_SLOTS_H
#define WEIR_BASE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

/** A table of at most 2^20 objects. */
typedef struct weir_slots weir_slots;

/**
 * @param after  no id will have a generation up to this one: weir_slots_generation() of an earlier
 *               table whose ids must not come again; 0 for none
 * @thread any
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_slots_new(weir_slots **out, uint32_t after);

/** The highest generation that this table has used up. @thread any */
WEIR_API uint32_t weir_slots_generation(const weir_slots *slots);

/** NULL is fine. No id of it may be in use by another thread. */
WEIR_API void weir_slots_free(weir_slots *slots);

/** What an id holds. Live generations are odd, so that the id 0 names nothing. */
static inline uint64_t weir_slot_id(unsigned loop_number, uint32_t index, uint32_t generation)
{
    return (uint64_t)loop_number << 52 | (uint64_t)index << 32 | generation;
}

static inline unsigned weir_slot_loop(uint64_t id)
{
    return (unsigned)(id >> 52);
}

/**
 * Takes a slot.
 * @param kind    what sort of object, by address: weir_slots_get() asks for it again
 * @param object  found by weir_slots_get() until weir_slots_remove()
 * @param loop_number  goes into the id
 * @param limit_bytes  what others may queue, see weir_slots_charge()
 * @thread any
 * @errors WEIR_EFULL, WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_slots_add(weir_slots *slots, const void *kind, void *object,
                                                 unsigned loop_number, uint32_t limit_bytes,
                                                 uint64_t *id);

/** The id names nothing from now on. @thread the object's */
WEIR_API void weir_slots_remove(weir_slots *slots, uint64_t id);

/** The object, or NULL when it is gone or of another kind. @thread the object's */
WEIR_API void *weir_slots_get(weir_slots *slots, const void *kind, uint64_t id);

/** Whether the id's object was still there a moment ago. @thread any */
WEIR_API bool weir_slots_alive(weir_slots *slots, uint64_t id);

/**
 * Marks the object: up to 32 bits that other threads set and none takes back, all zero at first.
 * @param marks   set, all or none; may be 0, to ask only
 * @param unless  none of these may be there
 * @thread any
 * @errors WEIR_ECLOSED: it is gone. WEIR_ESTATE: one of `unless` is there, nothing was set.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_slots_mark(weir_slots *slots, uint64_t id, uint32_t marks,
                                                  uint32_t unless);

/**
 * Counts `bytes` as queued for the object, unless its limit is queued already.
 * @thread any
 * @errors WEIR_ECLOSED: it is gone. WEIR_EAGAIN: at the limit; noted for weir_slots_unblock().
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_slots_charge(weir_slots *slots, uint64_t id, uint32_t bytes);
/** Takes back what weir_slots_charge() counted. Gone is fine. @return what is still queued */
WEIR_API uint32_t weir_slots_discharge(weir_slots *slots, uint64_t id, uint32_t bytes);
/** Whether somebody was told WEIR_EAGAIN since the last time this was asked. @thread the object's
 */
WEIR_API bool weir_slots_unblock(weir_slots *slots, uint64_t id);

WEIR_END_DECLS

#endif

/**
 * @file
 * What a message of the robot says about itself, in its client_id: so that whoever gets it knows
 * whether it is the next one of its sender, and how long it took.
 */
#ifndef CHAT_ROBOT_TAG_H
#define CHAT_ROBOT_TAG_H

#include <weir/base/base.h>

enum {
    TAG_MAX = 64 /**< bytes of its text */
};

typedef struct tag {
    uint32_t run;    /**< random: messages of earlier runs are not counted */
    uint32_t group;  /**< its index */
    uint32_t sender; /**< its index among the group's senders */
    uint32_t number; /**< counts the sender's in this group, from 1 */
    int64_t time_us; /**< when it was due, from the run's beginning */
} tag;

weir_str tag_write(const tag *self, char out[TAG_MAX]);
/** @return false: not one of ours */
bool tag_read(tag *out, weir_str text);

#endif

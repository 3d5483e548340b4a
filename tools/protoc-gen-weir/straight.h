/* Straight-line code for what encoding does most: x_measure() and x_write(). */
#ifndef STRAIGHT_H
#define STRAIGHT_H

#include "generate.h"
#include "member.h"

/** @param members  by number, `count` of them */
void print_straight(const generator *g, printer *out, const type *t, const member *members,
                    size_t count);

#endif

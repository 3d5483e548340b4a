/* Comments of the .proto, found by the path of what they are about. */
#ifndef COMMENTS_H
#define COMMENTS_H

#include "printer.h"
#include "schema.h"

/**
 * Prints a doc comment, if the .proto has one there or `more` is not NULL.
 * @param indent  spaces before each line
 * @param more    weir's own sentence, the last line
 */
void print_comment(const schema *s, printer *out, const file *f, path at, int indent,
                   const char *more);

#endif

/** @file Text in a terminal: what it may contain, how wide it is, and where its rows end. */
#ifndef CHAT_TERMINAL_WRAP_H
#define CHAT_TERMINAL_WRAP_H

#include <weir/weir.h>

/**
 * Other people's text must not move our cursor, change our colours or turn our lines around:
 * control characters (C0, DEL, C1), line separators and what changes the direction of writing
 * become U+FFFD, line ends and tabs become blanks. Bytes that are not UTF-8 become U+FFFD, too.
 * @param out   a NUL-terminated text, cut between characters where `room` ends
 * @param room  bytes; three for each of `from` and one always do
 * @return its length
 */
size_t text_clean(char *out, size_t room, weir_str from);

/** Columns, by the locale's wcwidth(): 2 for Chinese, 0 for what is drawn over another. */
unsigned text_width(weir_str text);

/**
 * The next row of a text: as many characters as fit, ended between words where there is such a
 * place, or beside a wide character. At least one character, however narrow it is.
 * @param rest  moved behind the row and the blanks that ended it
 * @return the row
 */
weir_str text_row(weir_str *rest, unsigned columns);

#endif

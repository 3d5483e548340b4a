/* What both programs put into their messages, and how both are called. */
#ifndef CONTENT_H
#define CONTENT_H

#define SMALL_TEXT "eighteen bytes now"

#define CHAT_ID     UINT64_C(123456789012)
#define CHAT_TIME   INT64_C(1700000000123456)
#define CHAT_SENDER "user-4711"
#define CHAT_ROOM   "room/general"
#define CHAT_BODY                                                                                  \
    "The quick brown fox jumps over the lazy dog, and then it does so again because one time is "  \
    "never enough for a fox. Greetings from the market square; coffee is on me. Pack my box with " \
    "five dozen liquor jugs. How vexingly quick daft zebras jump! Sphinx of black quartz, judge "  \
    "my vow. See all of you on Friday."
#define CHAT_TAGS     "greeting", "fox"
#define CHAT_MENTIONS 1001, 20002, 300003, 4000004, 50000005

#define USAGE "usage: %s small|chat serialize|parse|reuse COUNT\n"

#endif

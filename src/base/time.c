#include <weir/base/time.h>

#include "digits.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_SECOND 1000000
#define DAY_SECONDS   86400

/** "2026-01-31T12:34:56." of the second that this thread asked for last. */
typedef struct second_text {
    int64_t second;
    size_t len; /* 0: nothing cached yet */
    char text[WEIR_WALL_TEXT_MAX];
} second_text;

static _Thread_local second_text cached;

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000;
}

weir_time weir_time_now(void)
{
    return (weir_time){clock_us(CLOCK_MONOTONIC)};
}

weir_wall weir_wall_now(void)
{
    return (weir_wall){clock_us(CLOCK_REALTIME)};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/** gmtime_r() would take the time zone's lock, which a child of fork() may find held. */
static void format_second(second_text *out, int64_t second)
{
    int64_t day = floor_div(second, DAY_SECONDS);
    int in_day = (int)(second - day * DAY_SECONDS);
    /* Proleptic Gregorian calendar in eras of 400 years whose years begin on 1 March. */
    int64_t shifted = day + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int from_march = (int)((5 * of_year + 2) / 153);
    int month = from_march < 10 ? from_march + 3 : from_march - 9;
    int day_of_month = (int)(of_year - (153 * from_march + 2) / 5 + 1);

    out->second = second;
    out->len = (size_t)snprintf(out->text, sizeof out->text, "%04lld-%02d-%02dT%02d:%02d:%02d.",
                                (long long)(year + era * 400 + (month <= 2)), month, day_of_month,
                                in_day / 3600, in_day / 60 % 60, in_day % 60);
}

size_t weir_wall_text(weir_wall t, char *out)
{
    int64_t second = floor_div(t.us, US_PER_SECOND);
    int fraction = (int)(t.us % US_PER_SECOND);
    if (fraction < 0)
        fraction += US_PER_SECOND;
    if (cached.len == 0 || cached.second != second)
        format_second(&cached, second);
    memcpy(out, cached.text, sizeof cached.text); /* a fixed size is a few moves, not a call */
    char *digits = out + cached.len;
    weir__digit_pair(digits, (unsigned)fraction / 10000);
    weir__digit_pair(digits + 2, (unsigned)fraction / 100 % 100);
    weir__digit_pair(digits + 4, (unsigned)fraction % 100);
    digits[6] = 'Z';
    digits[7] = '\0';
    return cached.len + 7;
}

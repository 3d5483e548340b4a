#include <weir/base/time.h>

#include "digits.h"
#include "time_impl.h"

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

static char *put_pair(char *at, int number, char behind)
{
    weir__digit_pair(at, (unsigned)number);
    at[2] = behind;
    return at + 3;
}

/** At least four digits, and a sign before the common era. */
static char *put_year(char *at, int64_t year)
{
    char text[WEIR__DIGITS_MAX + 4], *end = text + sizeof text;
    char *first = weir__digits_before(end, (uint64_t)(year < 0 ? -year : year));
    while (end - first < 4 - (year < 0))
        *--first = '0';
    if (year < 0)
        *--first = '-';
    memcpy(at, first, (size_t)(end - first));
    return at + (end - first);
}

/* gmtime_r() would take the time zone's lock, which a child of fork() may find held. */
size_t weir__second_text(char *out, int64_t second)
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

    char *at = put_year(out, year + era * 400 + (month <= 2));
    *at++ = '-';
    at = put_pair(at, month, '-');
    at = put_pair(at, day_of_month, 'T');
    at = put_pair(at, in_day / 3600, ':');
    at = put_pair(at, in_day / 60 % 60, ':');
    at = put_pair(at, in_day % 60, '.');
    return (size_t)(at - out);
}

void weir__microseconds_text(char *out, unsigned us)
{
    weir__digit_pair(out, us / 10000);
    weir__digit_pair(out + 2, us / 100 % 100);
    weir__digit_pair(out + 4, us % 100);
}

size_t weir_wall_text(weir_wall t, char *out)
{
    int64_t second = floor_div(t.us, US_PER_SECOND);
    int fraction = (int)(t.us % US_PER_SECOND);
    if (fraction < 0)
        fraction += US_PER_SECOND;
    if (cached.len == 0 || cached.second != second) {
        cached.second = second;
        cached.len = weir__second_text(cached.text, second);
    }
    memcpy(out, cached.text, sizeof cached.text); /* a fixed size is a few moves, not a call */
    char *digits = out + cached.len;
    weir__microseconds_text(digits, (unsigned)fraction);
    digits[6] = 'Z';
    digits[7] = '\0';
    return cached.len + 7;
}

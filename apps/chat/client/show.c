#include "show.h"

#include <time.h>

/** Text of other people must not move our cursor or change our colours. */
static void put_text(FILE *out, weir_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        putc_unlocked(c < 0x20 || c == 0x7f ? ' ' : c, out);
    }
}

static void put_time(FILE *out, int64_t timestamp_us)
{
    time_t seconds = (time_t)(timestamp_us / 1000000);
    struct tm local;
    char text[16];
    if (localtime_r(&seconds, &local) && strftime(text, sizeof text, "%H:%M:%S ", &local) > 0)
        fputs(text, out);
}

static const char *name_of(chat_notification_type type)
{
    switch (type) {
    case CHAT_NOTIFICATION_TYPE_WELCOME:
        return "welcome";
    case CHAT_NOTIFICATION_TYPE_SYSTEM:
        return "system";
    case CHAT_NOTIFICATION_TYPE_WARNING:
        return "warning";
    case CHAT_NOTIFICATION_TYPE_ALERT:
        return "alert";
    case CHAT_NOTIFICATION_TYPE_OVERFLOW:
        return "overflow";
    default:
        return "info";
    }
}

void show_notification(FILE *out, const chat_notification *note)
{
    flockfile(out);
    put_time(out, note->timestamp_us);
    putc_unlocked('[', out);
    put_text(out, note->topic);
    fprintf(out, "%s%s] ", note->topic.len > 0 ? " " : "", name_of(note->type));
    put_text(out, note->title);
    if (note->body.len > 0) {
        fputs(": ", out);
        put_text(out, note->body);
    }
    if (note->sender.len > 0) {
        fputs(" (", out);
        put_text(out, note->sender);
        putc_unlocked(')', out);
    }
    if (note->missed > 0)
        fprintf(out, " (%llu missed)", (unsigned long long)note->missed);
    putc_unlocked('\n', out);
    funlockfile(out);
}

void show_message(FILE *out, const chat_chat_message *message)
{
    flockfile(out);
    put_time(out, message->timestamp_us);
    switch (message->type) {
    case CHAT_CHAT_MESSAGE_TYPE_JOINED:
    case CHAT_CHAT_MESSAGE_TYPE_LEFT:
        fputs("* ", out);
        put_text(out, message->user);
        fputs(message->type == CHAT_CHAT_MESSAGE_TYPE_JOINED ? " has joined" : " has left", out);
        break;
    case CHAT_CHAT_MESSAGE_TYPE_WELCOME:
        fputs("* ", out);
        put_text(out, message->text);
        break;
    case CHAT_CHAT_MESSAGE_TYPE_OVERFLOW:
        fprintf(out, "* %llu messages were missed", (unsigned long long)message->missed);
        break;
    default:
        putc_unlocked('<', out);
        put_text(out, message->user);
        fputs("> ", out);
        put_text(out, message->text);
    }
    putc_unlocked('\n', out);
    funlockfile(out);
}

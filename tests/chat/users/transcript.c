/* What happened, a line each, fields between spaces; transcripts.py reads them:
 *   C CONVERSATION KIND MEMBER,MEMBER...            it is made, and whose it is
 *   S USER NUMBER CONVERSATION                      said; numbers go up by one per user
 *   A USER NUMBER CONVERSATION SEQ ID               acknowledged
 *   F USER CLIENT-ID CODE TEXT                      refused for good
 *   X USER NUMBER                                   given up: the user came back without it
 *   M USER CONVERSATION SEQ ID SENDER CLIENT-ID TEXT   seen
 * Conversations of pairs are known when somebody has said something: those lines have 0. */
#include <inttypes.h>

#include "users.h"

void transcript_place(world *self, const place *of)
{
    fprintf(self->transcript, "C %" PRIu64 " %d ", of->id, (int)of->kind);
    for (unsigned i = 0; i < of->count; i++)
        fprintf(self->transcript, "%s%s", i > 0 ? "," : "", self->users[of->members[i]].name);
    fputc('\n', self->transcript);
}

void transcript_said(const person *from, const place *to, unsigned number)
{
    fprintf(from->world->transcript, "S %s %u %" PRIu64 "\n", from->name, number, to->id);
}

void transcript_sent(const person *from, const chat_sent *sent)
{
    const chat_send_message_response *is = sent->message;
    fprintf(from->world->transcript, "A %s %.*s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", from->name,
            (int)sent->client_id.len, sent->client_id.ptr, is->conversation, is->seq, is->id);
}

void transcript_failed(const person *from, const chat_send_failed *failed)
{
    fprintf(from->world->transcript, "F %s %.*s %u %.*s\n", from->name, (int)failed->client_id.len,
            failed->client_id.ptr, failed->code, (int)failed->text.len, failed->text.ptr);
}

void transcript_abandoned(const person *from, unsigned number)
{
    fprintf(from->world->transcript, "X %s %u\n", from->name, number);
}

void transcript_seen(const person *by, const chat_message *m)
{
    fprintf(by->world->transcript, "M %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %.*s %.*s %.*s\n",
            by->name, m->conversation, m->seq, m->id, (int)m->sender.len, m->sender.ptr,
            (int)m->client_id.len, m->client_id.ptr, (int)m->text.len, m->text.ptr);
}

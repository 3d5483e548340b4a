#include "state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int read_positions(FILE *file, chat_client *client)
{
    char name[CHAT_CLIENT_NAME_MAX + 1];
    chat_client_position at;
    if (fscanf(file, "weir-chat 1 %64s\n", name) != 1 ||
        strcmp(name, chat_client_name(client)) != 0)
        return EINVAL;
    int got;
    while ((got = fscanf(file, "%" SCNu64 " %" SCNu64 "\n", &at.conversation, &at.seq)) == 2) {
        if (chat_client_set_position(client, at))
            return EINVAL;
    }
    return got == EOF ? 0 : EINVAL;
}

int state_load(const char *path, chat_client *client)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? 0 : errno;
    int result = read_positions(file, client);
    fclose(file);
    return result;
}

static int write_positions(FILE *file, const chat_client *client)
{
    size_t room = CHAT_CLIENT_CONVERSATIONS_MAX;
    chat_client_position *at = malloc(room * sizeof *at);
    if (!at)
        return ENOMEM;
    size_t count = chat_client_positions(client, at, room);
    fprintf(file, "weir-chat 1 %s\n", chat_client_name(client));
    for (size_t i = 0; i < count && i < room; i++)
        fprintf(file, "%" PRIu64 " %" PRIu64 "\n", at[i].conversation, at[i].seq);
    free(at);
    return ferror(file) ? EIO : 0;
}

int state_save(const char *path, const chat_client *client)
{
    char *next;
    if (asprintf(&next, "%s.new", path) < 0)
        return ENOMEM;
    FILE *file = fopen(next, "we");
    int result = file ? write_positions(file, client) : errno;
    if (file && fclose(file) && !result)
        result = errno;
    if (!result && rename(next, path))
        result = errno;
    free(next);
    return result;
}

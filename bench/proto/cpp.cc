// The C++ half of the comparison: does one thing COUNT times with Google's library.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bench.pb.h"
#include "content.h"

namespace
{

char out[4096];

void fill(bench::Small *small)
{
    small->set_text(SMALL_TEXT);
}

void fill(bench::Chat *chat)
{
    chat->set_id(CHAT_ID);
    chat->set_timestamp_us(CHAT_TIME);
    chat->set_kind(bench::KIND_IMAGE);
    chat->set_sender(CHAT_SENDER);
    chat->set_room(CHAT_ROOM);
    chat->set_body(CHAT_BODY);
    for (std::int64_t mention : {CHAT_MENTIONS})
        chat->add_mentions(mention);
    for (const char *tag : {CHAT_TAGS})
        chat->add_tags(tag);
}

template <typename Message> std::size_t serialize(const Message &message)
{
    std::size_t size = message.ByteSizeLong();
    if (size > sizeof out || !message.SerializeToArray(out, static_cast<int>(size)))
        std::abort();
    return size;
}

template <typename Message> void parse(Message *message, std::size_t size)
{
    if (!message->ParseFromArray(out, static_cast<int>(size)))
        std::abort();
}

template <typename Message> int run(const char *what, long count)
{
    Message message, reused;
    fill(&message);
    std::size_t size = serialize(message);
    for (long i = 0; i < count; i++) {
        if (std::strcmp(what, "serialize") == 0)
            message.SerializeToArray(out, sizeof out);
        else if (std::strcmp(what, "parse") == 0)
            parse(std::make_unique<Message>().get(), size);
        else
            parse(&reused, size);
    }
    std::printf("%zu\n", size);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, USAGE, argv[0]);
        return 2;
    }
    long count = std::strtol(argv[3], nullptr, 10);
    return std::strcmp(argv[1], "chat") == 0 ? run<bench::Chat>(argv[2], count)
                                             : run<bench::Small>(argv[2], count);
}

/* Reading into and writing from a buffer's blocks. */
#include "buf_impl.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

enum {
    READ_BLOCKS = 4,
    WRITE_VIEWS = 64
};

/** Fresh blocks for what the last block cannot take. @return how many were put into `iov` */
static int fresh_blocks(weir_pool *pool, size_t want, weir__buf_block **blocks, struct iovec *iov)
{
    int count = 0;
    while (want > 0 && count < READ_BLOCKS) {
        weir__buf_block *block = weir__buf_block_new(pool, WEIR__BUF_FULL);
        if (!block)
            break;
        size_t room = (size_t)(block->limit - block->end);
        size_t len = room < want ? room : want;
        blocks[count] = block;
        iov[count++] = (struct iovec){block->end, len};
        want -= len;
    }
    return count;
}

/** Counts in `len` bytes that were read into `iov`, the first `used` of it in the last block. */
static void keep_read(weir_buf *buf, size_t len, const struct iovec *iov, bool in_last,
                      weir__buf_block **blocks, int count)
{
    buf->len += len;
    if (in_last) {
        size_t part = len < iov->iov_len ? len : iov->iov_len;
        buf->last->end += part;
        len -= part;
        iov++;
    }
    for (int i = 0; i < count; i++) {
        size_t part = len < iov[i].iov_len ? len : iov[i].iov_len;
        if (part > 0) {
            blocks[i]->end += part;
            weir__buf_link(buf, blocks[i]);
        } else {
            weir__buf_block_free(buf->pool, blocks[i]);
        }
        len -= part;
    }
}

/** The common case: an empty buffer, and no more is wanted than a block holds. */
static ssize_t read_block(weir_buf *buf, int fd, size_t max)
{
    weir__buf_block *block = weir__buf_block_new(buf->pool, max);
    if (!block) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t got = read(fd, block->end, max);
    if (got > 0) {
        block->end += got;
        buf->len = (size_t)got;
        weir__buf_link(buf, block);
    } else {
        int saved = errno;
        weir__buf_block_free(buf->pool, block);
        errno = saved;
    }
    return got;
}

static size_t room_of(const struct iovec *iov, int count)
{
    size_t room = 0;
    for (int i = 0; i < count; i++)
        room += iov[i].iov_len;
    return room;
}

/** Into the room of the last block, and fresh ones. */
static ssize_t read_blocks(weir_buf *buf, int fd, size_t max, bool *full)
{
    struct iovec iov[READ_BLOCKS + 1];
    weir__buf_block *blocks[READ_BLOCKS];
    size_t room = weir__buf_room(buf);
    if (room > max)
        room = max;
    int used = room > 0;
    if (used)
        iov[0] = (struct iovec){buf->last->end, room};
    int count = fresh_blocks(buf->pool, max - room, blocks, iov + used);
    if (used + count == 0) {
        errno = max == 0 ? EINVAL : ENOMEM;
        return -1;
    }
    ssize_t got = readv(fd, iov, used + count);
    int saved = errno;
    *full = got > 0 && (size_t)got == room_of(iov, used + count);
    keep_read(buf, got > 0 ? (size_t)got : 0, iov, used, blocks, count);
    errno = saved;
    return got;
}

ssize_t weir_buf_readv(weir_buf *buf, int fd, size_t max, bool *full)
{
    bool ignored;
    if (!full)
        full = &ignored;
    if (buf->last || max == 0 || max > WEIR__BUF_FULL)
        return read_blocks(buf, fd, max, full);
    ssize_t got = read_block(buf, fd, max);
    *full = got > 0 && (size_t)got == max;
    return got;
}

int weir_buf_iov(const weir_buf *buf, struct iovec *iov, int max)
{
    int count = 0;
    for (weir__buf_block *block = buf->first; block && count < max; block = block->next) {
        if (block->end > block->start)
            iov[count++] = (struct iovec){block->start, (size_t)(block->end - block->start)};
    }
    return count;
}

ssize_t weir_buf_writev(weir_buf *buf, int fd)
{
    struct iovec iov[WRITE_VIEWS];
    int count = weir_buf_iov(buf, iov, WRITE_VIEWS);
    if (count == 0)
        return 0;
    ssize_t sent = writev(fd, iov, count);
    if (sent > 0)
        weir_buf_retrieve(buf, (size_t)sent);
    return sent;
}

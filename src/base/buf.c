#include "buf_impl.h"

#include <stdint.h>
#include <string.h>

enum {
    SHRINK_MAX = 1024
};

/* Blocks. */

static char *bytes_of(weir__buf_store *store)
{
    return (char *)store + sizeof *store + sizeof(weir__buf_block);
}

weir__buf_block *weir__buf_block_new(weir_pool *pool, size_t len)
{
    const size_t overhead = sizeof(weir__buf_store) + sizeof(weir__buf_block) + WEIR__BUF_HEADROOM;
    if (len > SIZE_MAX - overhead)
        return NULL;
    size_t size = len + overhead <= WEIR__BUF_SMALL   ? WEIR__BUF_SMALL
                  : len + overhead <= WEIR__BUF_BLOCK ? WEIR__BUF_BLOCK
                                                      : weir_pool_round(len + overhead);
    weir__buf_store *store = weir_pool_get(pool, size);
    if (!store)
        return NULL;
    *store = (weir__buf_store){.refs = 1, .size = size};
    weir__buf_block *block = (weir__buf_block *)(void *)(store + 1);
    char *start = bytes_of(store) + WEIR__BUF_HEADROOM;
    *block = (weir__buf_block){.store = store,
                               .start = start,
                               .end = start,
                               .limit = (char *)store + size,
                               .front = bytes_of(store)};
    return block;
}

/** A block that shows bytes of a store which others may show too. */
static weir__buf_block *view_new(weir_pool *pool, weir__buf_store *store, char *start, size_t len)
{
    weir__buf_block *view = weir_pool_get(pool, sizeof *view);
    if (!view)
        return NULL;
    *view = (weir__buf_block){.store = store,
                              .start = start,
                              .end = start + len,
                              .limit = start + len,
                              .front = start,
                              .own_size = sizeof *view};
    return view;
}

static void store_unref(weir_pool *pool, weir__buf_store *store)
{
    if (--store->refs > 0)
        return;
    if (store->release)
        store->release(store->user);
    weir_pool_put(pool, store, store->size ? store->size : sizeof *store);
}

void weir__buf_block_free(weir_pool *pool, weir__buf_block *block)
{
    weir__buf_store *store = block->store;
    if (block->own_size)
        weir_pool_put(pool, block, block->own_size);
    store_unref(pool, store);
}

void weir__buf_link(weir_buf *buf, weir__buf_block *block)
{
    block->next = NULL;
    if (buf->last)
        buf->last->next = block;
    else
        buf->first = block;
    buf->last = block;
}

/** Links a filled block in front. Nothing is appended to it while others follow. */
static void link_first(weir_buf *buf, weir__buf_block *block)
{
    block->next = buf->first;
    if (buf->first)
        block->limit = block->end;
    else
        buf->last = block;
    buf->first = block;
}

static void drop_first(weir_buf *buf)
{
    weir__buf_block *block = buf->first;
    buf->first = block->next;
    if (!buf->first)
        buf->last = NULL;
    weir__buf_block_free(buf->pool, block);
}

/* The queue. */

void weir_buf_init(weir_buf *buf, weir_pool *pool)
{
    *buf = (weir_buf){.pool = pool};
}

void weir_buf_clear(weir_buf *buf)
{
    while (buf->first)
        drop_first(buf);
    buf->len = 0;
}

weir_str weir_buf_front(const weir_buf *buf)
{
    for (const weir__buf_block *block = buf->first; block; block = block->next)
        if (block->end > block->start)
            return weir_str_of(block->start, (size_t)(block->end - block->start));
    return weir_str_of(NULL, 0);
}

bool weir_buf_peek_at(const weir_buf *buf, size_t offset, void *out, size_t len)
{
    if (offset > buf->len || len > buf->len - offset)
        return false;
    char *to = out;
    for (const weir__buf_block *block = buf->first; len > 0; block = block->next) {
        size_t have = (size_t)(block->end - block->start);
        if (offset >= have) {
            offset -= have;
            continue;
        }
        size_t part = have - offset < len ? have - offset : len;
        memcpy(to, block->start + offset, part);
        offset = 0;
        to += part;
        len -= part;
    }
    return true;
}

bool weir_buf_peek(const weir_buf *buf, void *out, size_t len)
{
    return weir_buf_peek_at(buf, 0, out, len);
}

const char *weir_buf_pullup(weir_buf *buf, size_t len)
{
    if (len > buf->len || len == 0)
        return len ? NULL : "";
    if ((size_t)(buf->first->end - buf->first->start) >= len)
        return buf->first->start;
    weir__buf_block *block = weir__buf_block_new(buf->pool, len);
    if (!block)
        return NULL;
    weir_buf_peek(buf, block->start, len);
    size_t total = buf->len;
    weir_buf_retrieve(buf, len);
    block->end += len;
    link_first(buf, block);
    buf->len = total;
    return block->start;
}

void weir_buf_retrieve(weir_buf *buf, size_t len)
{
    if (len > buf->len)
        len = buf->len;
    buf->len -= len;
    while (buf->first) {
        size_t part = (size_t)(buf->first->end - buf->first->start);
        if (len < part) {
            buf->first->start += len;
            return;
        }
        len -= part;
        drop_first(buf);
        if (len == 0 && buf->len > 0)
            return;
    }
}

bool weir_buf_read(weir_buf *buf, void *out, size_t len)
{
    if (!weir_buf_peek(buf, out, len))
        return false;
    weir_buf_retrieve(buf, len);
    return true;
}

static void fill(weir__buf_block *block, const char *bytes, size_t len)
{
    memcpy(block->end, bytes, len);
    block->end += len;
}

/** Bytes in blocks of their own, at the end of `buf`. @return false: out of memory */
static bool append_blocks(weir_buf *buf, const char *bytes, size_t len)
{
    while (len > 0) {
        weir__buf_block *block =
            weir__buf_block_new(buf->pool, len < WEIR__BUF_FULL ? len : WEIR__BUF_FULL);
        if (!block)
            return false;
        weir__buf_link(buf, block);
        size_t room = weir__buf_room(buf);
        size_t part = len < room ? len : room;
        fill(block, bytes, part);
        buf->len += part;
        bytes += part;
        len -= part;
    }
    return true;
}

static weir_err append_to_empty(weir_buf *buf, const char *bytes, size_t len)
{
    if (append_blocks(buf, bytes, len))
        return WEIR_OK;
    weir_buf_clear(buf);
    return WEIR_ENOMEM;
}

weir_err weir_buf_append(weir_buf *buf, const void *bytes, size_t len)
{
    size_t room = weir__buf_room(buf);
    if (len == 0)
        return WEIR_OK;
    if (len <= room) {
        fill(buf->last, bytes, len);
        buf->len += len;
        return WEIR_OK;
    }
    if (!buf->last)
        return append_to_empty(buf, bytes, len);
    size_t part = len < room ? len : room;
    weir_buf more; /* first, so that a failure changes nothing */
    weir_buf_init(&more, buf->pool);
    if (!append_blocks(&more, (const char *)bytes + part, len - part)) {
        weir_buf_clear(&more);
        return WEIR_ENOMEM;
    }
    if (part > 0)
        fill(buf->last, bytes, part);
    buf->len += part;
    weir_buf_move(buf, &more);
    return WEIR_OK;
}

void weir_buf_shrink(weir_buf *buf)
{
    if (buf->len == 0 || buf->len > SHRINK_MAX ||
        (buf->first == buf->last && buf->first->store->size <= WEIR__BUF_SMALL))
        return;
    weir_buf small;
    weir_buf_init(&small, buf->pool);
    weir__buf_block *block = weir__buf_block_new(buf->pool, buf->len);
    if (!block)
        return;
    weir__buf_link(&small, block);
    for (const weir__buf_block *from = buf->first; from; from = from->next)
        fill(block, from->start, (size_t)(from->end - from->start));
    small.len = buf->len;
    weir_buf_clear(buf);
    weir_buf_move(buf, &small);
}

void *weir_buf_reserve(weir_buf *buf, size_t len)
{
    if (buf->last && weir__buf_room(buf) >= len)
        return buf->last->end;
    weir__buf_block *block = weir__buf_block_new(buf->pool, len);
    if (!block)
        return NULL;
    weir__buf_link(buf, block);
    return block->end;
}

void weir_buf_commit(weir_buf *buf, size_t len)
{
    if (len > 0) {
        buf->last->end += len;
        buf->len += len;
    } else if (buf->len == 0) {
        weir_buf_clear(buf); /* an empty buffer holds no block */
    }
}

weir_err weir_buf_prepend(weir_buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return WEIR_OK;
    weir__buf_block *block = buf->first;
    if (!block || (size_t)(block->start - block->front) < len || block->store->refs > 1) {
        block = weir__buf_block_new(buf->pool, len);
        if (!block)
            return WEIR_ENOMEM;
        block->end += len;
        link_first(buf, block);
    } else {
        block->start -= len;
    }
    memcpy(block->start, bytes, len);
    buf->len += len;
    return WEIR_OK;
}

weir_err weir_buf_append_ref(weir_buf *buf, const void *bytes, size_t len,
                             weir_buf_release_fn release, void *user)
{
    if (len == 0) {
        if (release)
            release(user);
        return WEIR_OK;
    }
    weir__buf_store *store = weir_pool_get(buf->pool, sizeof *store);
    weir__buf_block *view = NULL;
    if (store) {
        *store = (weir__buf_store){.refs = 1, .release = release, .user = user};
        /* The bytes stay unchanged: a view has no room, so nothing is written through it. */
        view = view_new(buf->pool, store, (char *)(uintptr_t)bytes, len);
    }
    if (!view) {
        weir_pool_put(buf->pool, store, sizeof *store);
        if (release)
            release(user);
        return WEIR_ENOMEM;
    }
    weir__buf_link(buf, view);
    buf->len += len;
    return WEIR_OK;
}

void weir_buf_move(weir_buf *to, weir_buf *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->len += from->len;
    from->first = from->last = NULL;
    from->len = 0;
}

weir_err weir_buf_move_len(weir_buf *to, weir_buf *from, size_t len)
{
    if (len >= from->len) {
        weir_buf_move(to, from);
        return WEIR_OK;
    }
    while (len > 0) {
        weir__buf_block *block = from->first;
        size_t part = (size_t)(block->end - block->start);
        if (part > len) {
            weir__buf_block *view = view_new(to->pool, block->store, block->start, len);
            if (!view)
                return WEIR_ENOMEM;
            block->store->refs++;
            block->start += len;
            block->front = block->start;
            weir__buf_link(to, view);
            part = len;
        } else {
            from->first = block->next;
            weir__buf_link(to, block);
        }
        from->len -= part;
        to->len += part;
        len -= part;
    }
    return WEIR_OK;
}

/** Whether `needle` is at `at`, which is in `block`. */
static bool matches(const weir__buf_block *block, const char *at, weir_str needle)
{
    for (;;) {
        size_t here = (size_t)(block->end - at);
        size_t part = needle.len < here ? needle.len : here;
        if (memcmp(at, needle.ptr, part) != 0)
            return false;
        needle = weir_str_of(needle.ptr + part, needle.len - part);
        if (needle.len == 0)
            return true;
        block = block->next;
        if (!block)
            return false;
        at = block->start;
    }
}

int64_t weir_buf_find(const weir_buf *buf, size_t from, weir_str needle)
{
    if (needle.len == 0)
        return -1;
    size_t before = 0; /* bytes in the blocks before this one */
    for (const weir__buf_block *block = buf->first; block; block = block->next) {
        size_t len = (size_t)(block->end - block->start);
        const char *at = block->start + (from <= before        ? 0
                                         : from - before < len ? from - before
                                                               : len);
        while ((at = memchr(at, needle.ptr[0], (size_t)(block->end - at)))) {
            if (matches(block, at, needle))
                return (int64_t)(before + (size_t)(at - block->start));
            at++;
        }
        before += len;
    }
    return -1;
}

int64_t weir_buf_find_crlf(const weir_buf *buf)
{
    return weir_buf_find(buf, 0, WEIR_STR("\r\n"));
}

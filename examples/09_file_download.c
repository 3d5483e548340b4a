/* Sends one file to whoever connects, and closes: `09-file-download 127.0.0.1:8000 FILE`, then
 * `nc 127.0.0.1 8000 </dev/null >copy`. The file is mapped once and sent by reference: nothing of
 * it is copied into the process, however large it is and however many read it slowly. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/net/net.h>

static bool map_file(const char *path, weir_str *out)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool known = fstat(fd, &about) == 0;
    size_t len = known ? (size_t)about.st_size : 0;
    /* An empty file cannot be mapped, and need not be. */
    void *bytes = len > 0 ? mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0) : NULL;
    close(fd);
    *out = weir_str_of(bytes, len);
    return known && bytes != MAP_FAILED;
}

/** The kernel reads the pages when the peer has room for them. If the file is cut short meanwhile
 * it says EFAULT, and the connection ends with an error. */
static weir_err send_by_reference(weir_conn *conn, weir_str bytes)
{
    weir_buf out;
    weir_buf_init(&out, weir_loop_pool(weir_conn_loop(conn)));
    weir_err err = weir_buf_append_ref(&out, bytes.ptr, bytes.len, NULL, NULL);
    if (!err)
        err = weir_conn_send_buf(conn, &out);
    weir_buf_clear(&out);
    return err;
}

static void on_up(weir_conn *conn, void *user)
{
    const weir_str *file = user;
    weir_err err = file->len > 0 ? send_by_reference(conn, *file) : WEIR_OK;
    if (err)
        weir_conn_abort(conn, err);
    else
        weir_conn_close(conn); /* after the last byte has gone */
}

static const weir_conn_ops download = {.on_up = on_up};

int main(int argc, char **argv)
{
    weir_str file;
    if (argc != 3) {
        fprintf(stderr, "usage: %s ADDR:PORT FILE\n", argv[0]);
        return 2;
    }
    if (!map_file(argv[2], &file)) {
        perror(argv[2]);
        return 1;
    }
    /* One that has not taken a byte for a minute makes room for others. */
    weir_tcp_server_opts opts = {.conn.idle_us = WEIR_SECONDS(60)};
    return weir_tcp_serve(argv[1], &download, &file, &opts) != WEIR_OK;
}

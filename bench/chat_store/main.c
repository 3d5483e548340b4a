/* How many messages a second the chat's storage stores: bench-chat-store URL [SECONDS [FLIGHT...]]
 *
 * Each job does what a send does: looks whether the sender's client_id is there, whether the sender
 * is a member, takes the conversation's next seq, and inserts 100 bytes of text. So many are in
 * flight, submitted by two threads. The database must be a new one:
 *
 *     bench-chat-store sqlite:/var/tmp/bench.db
 *     tests/support/with_mariadb.py sh -c 'bench-chat-store $WEIR_MARIADB_URL' */
#include "schema.h"
#include "storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CONVERSATIONS = 1000,
    MEMBERS = 10, /* of each */
    SUBMITTERS = 2,
    FLIGHT_MAX = 4096,
    BUCKET_US = 50,
    BUCKETS = 40000, /* up to 2 s */
    TEXT_BYTES = 100
};

static const db_query ADD_CONVERSATION = {
    "INSERT INTO conversations (id, kind, title, last_seq, created_us) VALUES (?, 2, '', 0, 0)",
    NULL};
static const db_query ADD_MEMBER = {
    "INSERT INTO members (conversation, user_id, role, first_seq, delivered_seq, read_seq)"
    " VALUES (?, ?, 1, 1, 0, 0)",
    NULL};
static const db_query FIND_SENT = {
    "SELECT id, conversation, seq, time_us FROM messages WHERE sender_id = ? AND client_id = ?",
    NULL};
static const db_query FIND_MEMBER = {
    "SELECT role FROM members WHERE conversation = ? AND user_id = ?", NULL};
static const db_query NEXT_SEQ = {
    "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq",
    "UPDATE conversations SET last_seq = LAST_INSERT_ID(last_seq + 1) WHERE id = ?"};
static const db_query ADD_MESSAGE = {
    "INSERT INTO messages (id, conversation, seq, sender_id, client_id, kind, title, text, time_us)"
    " VALUES (?, ?, ?, ?, ?, 1, '', ?, ?)",
    NULL};

struct submitter;

typedef struct send {
    storage_job job;
    struct submitter *by;
    int64_t id, conversation, sender, seq;
    char client_id[37];
    weir_time begun;
} send;

typedef struct submitter {
    storage *s;
    weir_list idle; /* lock: of sends, by their job's node */
    pthread_mutex_t lock;
    pthread_cond_t some;
    unsigned in_flight;
    uint64_t random;
    weir_time end;
} submitter;

static _Atomic int64_t next_id = 1;
static _Atomic uint64_t failures;
static bool is_mariadb;
/* The storage threads count here. */
static _Atomic uint32_t latencies[BUCKETS];
static send sends[FLIGHT_MAX];

static void must(weir_err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "%s: %s\n", weir_err_name(err), what);
    exit(EXIT_FAILURE);
}

static weir_err get_one(db *d, const db_query *query, const db_value *values, size_t count,
                        int64_t *out)
{
    db_rows rows;
    weir_err err = db_query_rows(d, &rows, query, values, count);
    *out = 0;
    if (!err && db_next(&rows))
        *out = db_column_int(&rows, 0);
    return db_rows_end(&rows);
}

static weir_err take_seq(db *d, int64_t conversation, int64_t *seq)
{
    if (!is_mariadb)
        return get_one(d, &NEXT_SEQ, DB_VALUES(db_int(conversation)), seq);
    weir_err err = db_exec(d, &NEXT_SEQ, DB_VALUES(db_int(conversation)));
    *seq = db_last_id(d);
    return err;
}

static weir_err run_send(db *d, storage_job *job)
{
    static const char text[TEXT_BYTES] = {'t'};
    send *self = WEIR_CONTAINER_OF(job, send, job);
    const db_value sender = db_int(self->sender);
    const db_value client = db_text(weir_str_from(self->client_id));
    int64_t found = 0, role = 0;
    weir_err err = get_one(d, &FIND_SENT, DB_VALUES(sender, client), &found);
    if (!err)
        err = get_one(d, &FIND_MEMBER, DB_VALUES(db_int(self->conversation), sender), &role);
    if (!err && (found || !role))
        err = WEIR_ESTATE;
    if (!err)
        err = take_seq(d, self->conversation, &self->seq);
    if (err)
        return err;
    return db_exec(d, &ADD_MESSAGE,
                   DB_VALUES(db_int(self->id), db_int(self->conversation), db_int(self->seq),
                             sender, client, db_text(weir_str_of(text, sizeof text)),
                             db_int(weir_wall_now().us)));
}

static void done_send(storage_job *job, weir_err err, const char *why)
{
    send *self = WEIR_CONTAINER_OF(job, send, job);
    submitter *by = self->by;
    if (err && failures++ == 0)
        fprintf(stderr, "%s: %s\n", weir_err_name(err), why);
    const int64_t bucket = weir_time_diff(weir_time_now(), self->begun) / BUCKET_US;
    latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    pthread_mutex_lock(&by->lock);
    weir_list_append(&by->idle, &self->job.node);
    by->in_flight--;
    pthread_cond_signal(&by->some);
    pthread_mutex_unlock(&by->lock);
}

static void submit_one(submitter *self, send *one)
{
    one->by = self;
    one->job = (storage_job){.run = run_send, .done = done_send};
    one->id = next_id++;
    one->conversation = 1 + weir_random_below(&self->random, CONVERSATIONS);
    one->sender = (one->conversation - 1) * MEMBERS + weir_random_below(&self->random, MEMBERS);
    snprintf(one->client_id, sizeof one->client_id, "%016llx%016llx",
             (unsigned long long)weir_random_next(&self->random), (unsigned long long)one->id);
    one->begun = weir_time_now();
    must(storage_submit(self->s, &one->job), "submit");
}

static void submit_all(void *user)
{
    submitter *self = user;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        const bool over = !weir_time_before(weir_time_now(), self->end);
        if (over && self->in_flight == 0)
            break;
        weir_list *node = over ? NULL : weir_list_pop(&self->idle);
        if (!node) {
            pthread_cond_wait(&self->some, &self->lock);
            continue;
        }
        self->in_flight++;
        pthread_mutex_unlock(&self->lock);
        submit_one(self, WEIR_CONTAINER_OF(WEIR_CONTAINER_OF(node, storage_job, node), send, job));
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

static double percentile_ms(uint64_t count, double part)
{
    uint64_t sum = 0;
    for (int i = 0; i < BUCKETS; i++) {
        sum += latencies[i];
        if ((double)sum >= part * (double)count)
            return (i + 1) * BUCKET_US / 1000.0;
    }
    return BUCKETS * BUCKET_US / 1000.0;
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run_load(storage *s, unsigned flight, int seconds)
{
    static submitter submitters[SUBMITTERS];
    weir_thread *threads[SUBMITTERS];
    for (int i = 0; i < BUCKETS; i++)
        latencies[i] = 0;
    storage_stats before, after;
    storage_get_stats(s, &before);
    const weir_time begun = weir_time_now();
    const double cpu = cpu_s();
    const unsigned count = flight < SUBMITTERS ? flight : SUBMITTERS; /* each has some of them */
    for (unsigned t = 0; t < count; t++) {
        submitter *self = &submitters[t];
        *self = (submitter){.s = s,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .some = PTHREAD_COND_INITIALIZER,
                            .random = (uint64_t)begun.us + t,
                            .end = weir_time_add(begun, WEIR_SECONDS(seconds))};
        weir_list_init(&self->idle);
        for (unsigned i = t; i < flight; i += count)
            weir_list_append(&self->idle, &sends[i].job.node);
        must(weir_thread_start(&threads[t], "submit", submit_all, self), "thread");
    }
    for (unsigned t = 0; t < count; t++)
        weir_thread_join(threads[t]);
    const double took = (double)weir_time_diff(weir_time_now(), begun) / 1e6;
    storage_get_stats(s, &after);
    const uint64_t jobs = after.jobs - before.jobs;
    printf("%6u %12.0f %10.0f %10.1f %10.2f %10.2f %10.1f\n", flight, (double)jobs / took,
           (double)(after.commits - before.commits) / took,
           (double)jobs / (double)(after.commits - before.commits + 1), percentile_ms(jobs, 0.5),
           percentile_ms(jobs, 0.99), (cpu_s() - cpu) * 1e6 / (double)jobs);
    fflush(stdout);
}

static void make_conversations(const char *url)
{
    weir_why why;
    db *d = NULL;
    must(db_open(&d, url, &why), why.text);
    must(schema_migrate(d, &why), why.text);
    must(db_begin(d, false), db_error(d));
    for (int64_t c = 1; c <= CONVERSATIONS; c++) {
        must(db_exec(d, &ADD_CONVERSATION, DB_VALUES(db_int(c))), "the database is not a new one");
        for (int64_t m = 0; m < MEMBERS; m++)
            must(db_exec(d, &ADD_MEMBER, DB_VALUES(db_int(c), db_int((c - 1) * MEMBERS + m))),
                 db_error(d));
    }
    must(db_commit(d), db_error(d));
    db_close(d);
}

int main(int argc, char **argv)
{
    static const unsigned flights[] = {1, 64, 256, 1000};
    if (argc < 2) {
        fprintf(stderr, "usage: %s URL [SECONDS [FLIGHT...]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    weir_why why;
    storage *s = NULL;
    const int seconds = argc > 2 ? atoi(argv[2]) : 5;
    is_mariadb = !db_is_single_writer(argv[1]);
    make_conversations(argv[1]);
    must(storage_open(&s, &(storage_opts){.url = argv[1]}, &why), why.text);
    printf("%6s %12s %10s %10s %10s %10s %10s\n", "flight", "sends/s", "commits/s", "per commit",
           "p50 ms", "p99 ms", "cpu us");
    if (argc > 3) {
        for (int i = 3; i < argc; i++)
            run_load(s, (unsigned)atoi(argv[i]) % FLIGHT_MAX, seconds);
    } else {
        for (size_t i = 0; i < sizeof flights / sizeof *flights; i++)
            run_load(s, flights[i], seconds);
    }
    storage_close(s);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

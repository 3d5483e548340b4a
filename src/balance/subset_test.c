#include <weir/balance/balancer.h>

#include <stdio.h>

#include "test.h"

enum {
    BACKENDS = 100,
    CLIENTS = 1000,
    SIZE = 20
};

static void make_hashes(uint64_t *hashes, size_t count)
{
    char text[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "backend-%zu:80", i);
        hashes[i] = weir_balance_hash(weir_str_from(text));
    }
}

static size_t count_of(const bool *chosen, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += chosen[i];
    return found;
}

/* 200 clients each: a standard deviation of 13. */
TEST(subset, clients_spread_evenly)
{
    uint64_t hashes[BACKENDS];
    bool chosen[BACKENDS];
    unsigned clients[BACKENDS] = {0}, least = CLIENTS, most = 0;
    make_hashes(hashes, BACKENDS);
    for (uint64_t client = 0; client < CLIENTS; client++) {
        weir_balance_subset(hashes, BACKENDS, SIZE, client, chosen);
        assert_int_equal(count_of(chosen, BACKENDS), SIZE);
        for (int i = 0; i < BACKENDS; i++)
            clients[i] += chosen[i];
    }
    for (int i = 0; i < BACKENDS; i++) {
        least = clients[i] < least ? clients[i] : least;
        most = clients[i] > most ? clients[i] : most;
    }
    printf("subsets of 20 of 100 backends, 1000 clients: %u to %u clients each\n", least, most);
    assert_in_range(least, 145, 200);
    assert_in_range(most, 200, 255);
}

TEST(subset, a_backend_that_goes_or_comes_costs_a_client_at_most_one_connection)
{
    uint64_t hashes[BACKENDS];
    bool all[BACKENDS], fewer[BACKENDS];
    unsigned changed = 0;
    make_hashes(hashes, BACKENDS);
    for (uint64_t client = 0; client < CLIENTS; client++) {
        unsigned lost = 0, gained = 0;
        weir_balance_subset(hashes, BACKENDS, SIZE, client, all);
        weir_balance_subset(hashes, BACKENDS - 1, SIZE, client, fewer);
        for (int i = 0; i < BACKENDS - 1; i++) {
            lost += all[i] && !fewer[i];
            gained += !all[i] && fewer[i];
        }
        assert_int_equal(lost, 0);
        assert_int_equal(gained, all[BACKENDS - 1]);
        changed += gained;
    }
    assert_in_range(changed, 145, 255);
}

TEST(subset, the_order_of_the_list_is_all_the_same)
{
    uint64_t hashes[BACKENDS], reversed[BACKENDS];
    bool a[BACKENDS], b[BACKENDS];
    make_hashes(hashes, BACKENDS);
    for (int i = 0; i < BACKENDS; i++)
        reversed[i] = hashes[BACKENDS - 1 - i];
    weir_balance_subset(hashes, BACKENDS, SIZE, 5, a);
    weir_balance_subset(reversed, BACKENDS, SIZE, 5, b);
    for (int i = 0; i < BACKENDS; i++)
        assert_int_equal(a[i], b[BACKENDS - 1 - i]);
}

TEST(subset, sizes_at_the_edges)
{
    static const size_t sizes[] = {0, 1, 2, 99, 100, 101, SIZE_MAX};
    uint64_t hashes[BACKENDS];
    bool chosen[BACKENDS];
    make_hashes(hashes, BACKENDS);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weir_balance_subset(hashes, BACKENDS, sizes[i], 9, chosen);
        assert_int_equal(count_of(chosen, BACKENDS), sizes[i] < BACKENDS ? sizes[i] : BACKENDS);
    }
    weir_balance_subset(hashes, 0, 5, 9, chosen);
}

TEST(subset, equal_hashes_do_not_make_it_larger)
{
    uint64_t hashes[10] = {0};
    bool chosen[10];
    weir_balance_subset(hashes, 10, 3, 9, chosen);
    assert_int_equal(count_of(chosen, 10), 3);
}

TEST(subset, of_ten_thousand_backends)
{
    static uint64_t hashes[10000];
    static bool chosen[10000];
    make_hashes(hashes, 10000);
    for (uint64_t client = 0; client < 20; client++) {
        weir_balance_subset(hashes, 10000, 1000, client, chosen);
        assert_int_equal(count_of(chosen, 10000), 1000);
    }
}

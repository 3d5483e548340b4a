/* Numbers of the living loops, so that an id can name a loop without keeping it alive. */
#include "loop_impl.h"

#include <pthread.h>
#include <sched.h>

enum {
    NUMBERS = 1025
}; /* 0 is nobody's */

typedef struct seat {
    weir_loop *_Atomic loop;
    atomic_uint inside;  /* threads between enter and leave */
    uint32_t generation; /* of the earlier loops' ids; under `seating` */
    bool taken;          /* under `seating` */
} seat;

static seat seats[NUMBERS];
static pthread_mutex_t seating = PTHREAD_MUTEX_INITIALIZER;

static unsigned take_seat(void)
{
    unsigned number = 0;
    pthread_mutex_lock(&seating);
    for (unsigned i = 1; i < NUMBERS && number == 0; i++)
        if (!seats[i].taken)
            number = i;
    if (number != 0)
        seats[number].taken = true;
    pthread_mutex_unlock(&seating);
    return number;
}

static void give_back_seat(unsigned number)
{
    pthread_mutex_lock(&seating);
    seats[number].taken = false;
    pthread_mutex_unlock(&seating);
}

weir_err weir__loop_enrol(weir_loop *loop)
{
    unsigned number = take_seat();
    if (number == 0)
        return WEIR_EFULL;
    weir_err err = weir_slots_new(&loop->slots, seats[number].generation);
    if (err) {
        give_back_seat(number);
        return err;
    }
    loop->number = number;
    atomic_store(&seats[number].loop, loop);
    return WEIR_OK;
}

void weir__loop_unlist(weir_loop *loop)
{
    seat *s = &seats[loop->number];
    atomic_store(&s->loop, NULL);
    while (atomic_load(&s->inside) != 0)
        sched_yield();
}

void weir__loop_expel(weir_loop *loop)
{
    seat *s = &seats[loop->number];
    s->generation = weir_slots_generation(loop->slots);
    weir_slots_free(loop->slots);
    give_back_seat(loop->number);
}

weir_loop *weir_loop_enter(unsigned number)
{
    if (number == 0 || number >= NUMBERS)
        return NULL;
    seat *s = &seats[number];
    atomic_fetch_add(&s->inside, 1);
    weir_loop *loop = atomic_load(&s->loop);
    if (!loop)
        atomic_fetch_sub(&s->inside, 1);
    return loop;
}

void weir_loop_leave(unsigned number)
{
    atomic_fetch_sub(&seats[number].inside, 1);
}

unsigned weir_loop_number(const weir_loop *loop)
{
    return loop->number;
}

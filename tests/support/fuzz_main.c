/* Stands in for libFuzzer in ordinary builds: runs the seeds, every cut and some flips of each, and
 * random inputs from a fixed seed. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM_INPUTS = 2000,
    FLIPS = 200,
    MAX_CUTS = 300,
    INPUT_BYTES = 1 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/** A copy of exactly `size` bytes, so that a read past the end is seen. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_seed(uint8_t *data, size_t size)
{
    run(data, size);
    for (size_t i = 0; i < MAX_CUTS && i < size; i++)
        run(data, size <= MAX_CUTS ? i : next_random() % size);
    for (int i = 0; i < FLIPS && size; i++) {
        size_t at = next_random() % size;
        uint8_t was = data[at];
        data[at] = (uint8_t)next_random();
        run(data, size);
        data[at] = was;
    }
}

static int run_seeds(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    uint8_t *data = malloc(INPUT_BYTES);
    for (struct dirent *entry; dir && data && (entry = readdir(dir));) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (!file)
            continue;
        run_seed(data, fread(data, 1, INPUT_BYTES, file));
        fclose(file);
        count++;
    }
    free(data);
    if (dir)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int seeds = argc > 1 ? run_seeds(argv[1]) : 0;
    uint8_t data[512];
    for (int i = 0; i < RANDOM_INPUTS; i++) {
        size_t size = next_random() % sizeof data;
        for (size_t j = 0; j < size; j++)
            data[j] = (uint8_t)next_random();
        run(data, size);
    }
    printf("%d seeds and %d random inputs\n", seeds, RANDOM_INPUTS);
    return 0;
}

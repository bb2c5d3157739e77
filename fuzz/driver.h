/* driver.h: a main() for a fuzz target where there is no libFuzzer.
 *
 *   target FILES...               replays each file
 *   target -runs=N -seed=S FILES  also N mutations of each: bits flipped, bytes set, cut, doubled
 *
 * Each target defines LLVMFuzzerTestOneInput; with clang -fsanitize=fuzzer that is all it needs, and
 * this file is left empty. A seed gives the same mutations on every machine. */
#ifndef PYLOG_FUZZ_DRIVER_H
#define PYLOG_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(statement)                                                                      \
    do {                                                                                           \
        if (!(statement)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #statement);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#ifdef FUZZ_REPLAY
enum { FUZZ_MAX_BYTES = 1 << 20 };

static uint64_t fuzz_state;

static uint64_t fuzz_random(void) /* splitmix64 */
{
    uint64_t z = (fuzz_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* On the heap, exactly as long as the input: the sanitizer sees the first byte beyond. */
static void fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t fuzz_mutate(uint8_t *data, size_t size)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x02};
    for (uint64_t left = 1 + fuzz_random() % 4; left && size; left--) {
        /* half of the changes near the front, where the headers are */
        size_t at = fuzz_random() % (fuzz_random() % 2 && size > 128 ? 128 : size);
        switch (fuzz_random() % 5) {
        case 0: data[at] ^= (uint8_t)(1u << fuzz_random() % 8); break;
        case 1: data[at] = telling[fuzz_random() % sizeof telling]; break;
        case 2: data[at] = (uint8_t)fuzz_random(); break;
        case 3: size = at + 1; break;
        case 4:
            if (size + 16 <= FUZZ_MAX_BYTES && at + 16 <= size) {
                memmove(data + at + 16, data + at, size - at);
                size += 16;
            }
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    uint64_t runs = 0, seed = 1, done = 0;
    static uint8_t original[FUZZ_MAX_BYTES], mutated[FUZZ_MAX_BYTES];
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "-runs=%lu", &runs) == 1 || sscanf(argv[i], "-seed=%lu", &seed) == 1)
            continue;
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 2;
        }
        size_t size = fread(original, 1, sizeof original, file);
        fclose(file);
        fuzz_one(original, size);
        fuzz_state = seed ^ (uint64_t)size;
        for (uint64_t run = 0; run < runs; run++) {
            memcpy(mutated, original, size);
            fuzz_one(mutated, fuzz_mutate(mutated, size));
        }
        done += 1 + runs;
    }
    printf("%s: %lu inputs, seed %lu\n", argv[0], done, seed);
    return 0;
}
#endif
#endif

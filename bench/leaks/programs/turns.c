/* Programs in C that need no load: `turns KIND`, 50 turns a second. `bursts`, `maps`,
   `fragments`, `table` and `threads` leak. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *filled(size_t size) { return memset(malloc(size), 1, size); }

static void *mapped(size_t size) {
    return memset(mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
}

static void *visit(void *_) { return filled(100000 + rand() % 300000); }

int main(int argc, char **argv) {
    const char *kind = argv[1];
    static void *slots[4096], *pool[256];
    srand(7);
    for (unsigned turn = 0, used = 0;; turn++) {
        for (int i = 0; i < 4; i++) {
            unsigned slot = rand() % 256;
            free(pool[slot]);
            pool[slot] = filled(64 + rand() % 60000);
        }
        if (!strcmp(kind, "arena") && used < 2200 && rand() % 3)   /* grows for a minute, to 55 MB */
            slots[used++] = filled(10000 + rand() % 30000);
        if (!strcmp(kind, "chunks")) {                             /* 96 chunks, the oldest is unmapped; full after half a minute */
            if (turn % 16 == 0) {
                unsigned slot = used++ % 96;
                if (slots[slot]) munmap(slots[slot], 1 << 19);
                slots[slot] = mapped(1 << 19);
            }
        }
        if (!strcmp(kind, "bursts") && rand() % 400 == 0)          /* a job in about 8 s leaves something behind */
            for (int i = 0; i < 300; i++) filled(1000 + rand() % 20000);
        if (!strcmp(kind, "maps")) {                               /* 24 MB come and go in 20 s; a map in a second is forgotten */
            unsigned wanted = 24 * (1 - cos(turn * 2 * M_PI / 1000)) + 0.5;
            while (used < wanted) slots[used++] = mapped(1 << 19);
            while (used > wanted) munmap(slots[--used], 1 << 19);
            if (turn % 50 == 0) mapped(220000 + rand() % 150000);
        }
        if (!strcmp(kind, "fragments")) {                          /* lists that grow and are never given back */
            unsigned slot = rand() % 2048;
            size_t size = (size_t)slots[2048 + slot] + 2000 + rand() % 8000;
            slots[slot] = realloc(slots[slot], size);
            memset(slots[slot], 1, size);
            slots[2048 + slot] = (void *)size;
        }
        if (!strcmp(kind, "stairs") && turn % 700 == 699 && used < 5) /* five tenants, one in 14 s */
            slots[used++] = filled(9 << 20);
        if (!strcmp(kind, "scratch")) {                            /* a buffer that grows with each larger request, to 60 MB */
            unsigned wanted = rand() % 60;
            if (rand() % 60 == 0 && wanted > used) {
                used = wanted;
                slots[0] = memset(realloc(slots[0], (size_t)used << 20), 1, (size_t)used << 20);
            }
        }
        if (!strcmp(kind, "table")) {                              /* an index that doubles, of entries that stay */
            for (int i = 0; i < 3; i++) {
                if ((used & (used - 1)) == 0) slots[0] = realloc(slots[0], (used ? 2 * used : 1) * sizeof(void *));
                ((void **)slots[0])[used++] = filled(500 + rand() % 3000);
            }
        }
        if (!strcmp(kind, "threads") && rand() % 50 == 0) {        /* threads that are never joined, so that nobody takes their answers */
            pthread_t one;
            pthread_create(&one, 0, visit, 0);
        }
        usleep(20000);
    }
}

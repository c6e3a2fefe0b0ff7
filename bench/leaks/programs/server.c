/* A daemon in C: `server ok|leak|steps`. Allocates and frees as a server does, 100 turns a second. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char kind = argc > 1 ? argv[1][0] : 'o';
    void *pool[512] = {0};
    srand(7);
    for (unsigned turn = 0;; turn++) {
        for (int i = 0; i < 8; i++) {
            unsigned slot = rand() % 512, size = 64 + rand() % 40000;
            free(pool[slot]);
            pool[slot] = malloc(size);
            memset(pool[slot], 1, size);
        }
        if (kind == 'l') memset(malloc(2600), 1, 2600);                               /* each request */
        if (kind == 's' && turn % 1500 == 1499) memset(malloc(4 << 20), 1, 4 << 20);  /* each job */
        usleep(10000);
    }
}

/* Holds memory.
 *
 *   eat FIRST MORE STEP MILLISECONDS
 *
 * FIRST KiB at once; MORE KiB at each SIGUSR1, which SIGUSR2 gives back; STEP KiB each time that
 * MILLISECONDS have passed, unless that is 0. SIGTERM ends it with exit code 0. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static char *take(size_t kib)
{
	char *block = mmap(NULL, kib << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		exit(1);
	/* What is alike in all pages could be kept once. */
	for (size_t at = 0; at < kib << 10; at += 64)
		memcpy(block + at, &at, sizeof at);
	return block;
}

int main(int argc, char **argv)
{
	static char *blocks[4096];
	int held = 0, got;
	sigset_t all;
	if (argc != 5)
		return 2;
	size_t first = atol(argv[1]), more = atol(argv[2]), step = atol(argv[3]);
	long pause = atol(argv[4]);
	struct timespec wait = {pause ? pause / 1000 : 3600, pause % 1000 * 1000000};
	sigemptyset(&all);
	sigaddset(&all, SIGUSR1);
	sigaddset(&all, SIGUSR2);
	sigaddset(&all, SIGTERM);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (first)
		take(first);
	while ((got = sigtimedwait(&all, NULL, &wait)) != SIGTERM) {
		if (got == SIGUSR1 && held < 4096)
			blocks[held++] = take(more);
		else if (got == SIGUSR2 && held > 0)
			munmap(blocks[--held], more << 10);
		else if (got < 0 && pause)
			take(step);
	}
	return 0;
}

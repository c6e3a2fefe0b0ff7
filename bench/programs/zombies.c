/* Looks again and again at a /proc and remembers the most zombies of PID 1 that it saw at once.
 *
 *   zombies PROC-FOLDER PAUSE-US
 *
 * Ends on SIGTERM with the line `MOST LAST LOOKS`: the largest count, the last one, and how many
 * looks were taken. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void stop(int signal)
{
	(void)signal;
	over = 1;
}

/* Whether the process is a zombie and a child of PID 1; the name may hold anything but ends with
 * the last parenthesis. */
static int waits(int proc, const char *pid)
{
	char path[64], stat[512];
	snprintf(path, sizeof path, "%.20s/stat", pid);
	int fd = openat(proc, path, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (n <= 0)
		return 0;
	stat[n] = 0;
	char *end = strrchr(stat, ')');
	return end && end[1] == ' ' && end[2] == 'Z' && atoi(end + 4) == 1;
}

int main(int argc, char **argv)
{
	long most = 0, last = 0, looks = 0;
	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, stop);
	DIR *folder = opendir(argv[1]);
	if (!folder)
		return 1;
	while (!over) {
		struct dirent *entry;
		rewinddir(folder);
		last = 0;
		while ((entry = readdir(folder)))
			if (isdigit((unsigned char)entry->d_name[0]))
				last += waits(dirfd(folder), entry->d_name);
		looks++;
		if (last > most)
			most = last;
		usleep(atoi(argv[2]));
	}
	printf("%ld %ld %ld\n", most, last, looks);
	return 0;
}

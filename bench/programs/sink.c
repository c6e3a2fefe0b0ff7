/* Reads what supervisors made of the lines of `child … lines`, and judges each.
 *
 *   sink LINES-PER-WRITER WRITERS text|json
 *
 * A whole line is `#WRITER:NUMBER:~~~…~$`, at the end of the line (text, whatever prefix there is),
 * or inside a JSON object that fills the line. A line that holds a `~` and is no whole line is
 * broken; any other line is foreign: the supervisor's own. Writes `all` when every line has come,
 * and at the end of input `GOOD BROKEN DOUBLE FOREIGN LAST`, where LAST is when the last whole line
 * came, CLOCK_MONOTONIC in nanoseconds. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 99, ROOM = 1 << 20 };

static long per_writer, writers, good, broken, doubled, foreign;
static int json;
static unsigned char *seen;
static char fill[LINE];

/* The number of the line that begins at `text`, or -1 when it is not whole. */
static long whole(const char *text, const char *end)
{
	char *rest;
	if (end - text < LINE || text[0] != '#' || text[LINE - 1] != '$')
		return -1;
	long writer = strtol(text + 1, &rest, 10);
	if (*rest != ':' || writer < 0 || writer >= writers)
		return -1;
	long number = strtol(rest + 1, &rest, 10);
	if (*rest++ != ':' || number < 0 || number >= per_writer)
		return -1;
	if (memcmp(rest, fill, text + LINE - 1 - rest))
		return -1;
	return writer * per_writer + number;
}

static void judge(const char *line, const char *end)
{
	const char *mark = end - line >= LINE ? end - LINE : line;
	long at = -1;
	if (json) {
		mark = memchr(line, '#', end - line);
		if (mark && line[0] == '{' && end[-1] == '}' && mark > line && mark[-1] == '"' &&
		    mark + LINE < end && mark[LINE] == '"')
			at = whole(mark, end);
	} else if (!memchr(line, '#', mark - line) && !memchr(line, '~', mark - line)) {
		at = whole(mark, end);
	}
	if (at >= 0) {
		good += !seen[at];
		doubled += seen[at];
		seen[at] = 1;
	} else if (memchr(line, '~', end - line)) {
		broken++;
	} else {
		foreign++;
	}
}

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static char text[ROOM];
	size_t held = 0;
	ssize_t got;
	long long last = 0;
	int told = 0;
	if (argc != 4)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	per_writer = atol(argv[1]);
	writers = atol(argv[2]);
	json = !strcmp(argv[3], "json");
	seen = calloc(per_writer, writers);
	memset(fill, '~', sizeof fill);
	if (!seen)
		return 1;
	while ((got = read(0, text + held, ROOM - held)) > 0) {
		char *line = text, *end = text + held + got, *newline;
		long before = good;
		while ((newline = memchr(line, '\n', end - line))) {
			if (newline > line)
				judge(line, newline);
			line = newline + 1;
		}
		held = end - line;
		/* No honest line is that long: a broken one, and its rest follows. */
		if (held == ROOM) {
			judge(line, end);
			held = 0;
		}
		memmove(text, line, held);
		if (good > before)
			last = now();
		if (!told && good == per_writer * writers) {
			told = 1;
			printf("all\n");
			fflush(stdout);
		}
	}
	if (held)
		judge(text, text + held);
	printf("%ld %ld %ld %ld %lld\n", good, broken, doubled, foreign, last);
	return 0;
}

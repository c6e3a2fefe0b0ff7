/* What the supervisors supervise. Its ELF entry is `first`, which reads CLOCK_MONOTONIC before
 * anything else happens, so that the time to the first instruction is just that.
 *
 *   child EVENTS exit CODE          ends at once
 *   child EVENTS wait CODE          ends with CODE when SIGTERM comes
 *   child EVENTS stubborn           ignores SIGTERM; so does not its child in another session
 *   child EVENTS storm N FORKERS    makes N orphans once EVENTS.go is opened, then waits
 *   child EVENTS lines N WRITER     writes N lines once EVENTS.go is opened, then waits
 *
 * Each line in the FIFO (or file) EVENTS is `NAME TIME PID`, the time in nanoseconds:
 *   child   the first instruction; written when handlers stand, so TERM may be sent after it
 *   term    SIGTERM (or SIGINT) was handled
 *   refused, asked    SIGTERM reached the stubborn one, and its child
 *   nonblocking, failed    a write of lines failed, because somebody made the pipe so
 *   begun, done       of the storm, of the lines */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct timespec first_stamp __attribute__((section(".data"))) = {1, 1};

#if defined(__x86_64__)
__asm__(".globl first\nfirst:\n"
	"	mov $228, %eax\n	mov $1, %edi\n	lea first_stamp(%rip), %rsi\n	syscall\n"
	"	jmp _start\n");
#elif defined(__aarch64__)
__asm__(".globl first\nfirst:\n"
	"	mov x8, #113\n	mov x0, #1\n	adrp x1, first_stamp\n"
	"	add x1, x1, :lo12:first_stamp\n	svc #0\n	mov x0, #0\n	b _start\n");
#else
#error "add the entry for this machine"
#endif

static int events;
static int code;

/* Async-signal-safe, and one write each: lines of many processes never mix. */
static void tell(const char *name, struct timespec at)
{
	char line[96];
	unsigned long long numbers[2] = {at.tv_sec * 1000000000ULL + at.tv_nsec, getpid()};
	size_t length = strlen(name);
	memcpy(line, name, length);
	for (int i = 0; i < 2; i++) {
		char digits[24];
		int n = 0;
		do
			digits[n++] = '0' + numbers[i] % 10;
		while (numbers[i] /= 10);
		line[length++] = ' ';
		while (n)
			line[length++] = digits[--n];
	}
	line[length++] = '\n';
	if (write(events, line, length) != (ssize_t)length)
		_exit(99);
}

static struct timespec now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t;
}

static void on_term(int signal)
{
	(void)signal;
	tell("term", now());
	_exit(code);
}

static void on_term_refused(int signal)
{
	(void)signal;
	tell("refused", now());
}

static void on_term_asked(int signal)
{
	(void)signal;
	tell("asked", now());
	_exit(0);
}

static void handle(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};
	sigset_t term;
	sigaction(SIGTERM, &action, NULL);
	/* pm2 asks with INT whatever it was asked with. */
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigaddset(&term, SIGINT);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void rest(void)
{
	for (;;)
		pause();
}

static void stubborn(void)
{
	int ready[2];
	char byte;
	if (pipe(ready))
		_exit(98);
	if (fork() == 0) {
		close(ready[0]);
		setsid();
		handle(on_term_asked);
		close(ready[1]);
		rest();
	}
	close(ready[1]);
	handle(on_term_refused);
	while (read(ready[0], &byte, 1) > 0)
		;
	close(ready[0]);
}

/* `n` processes whose parent is gone before or just after they are. */
static void orphans(long n)
{
	while (n-- > 0) {
		pid_t between = fork();
		if (between < 0)
			_exit(97);
		if (between == 0) {
			pid_t orphan = fork();
			_exit(orphan < 0 ? 97 : 0);
		}
		int status;
		if (waitpid(between, &status, 0) != between || status != 0)
			_exit(97);
	}
}

static void await_go(const char *path)
{
	char go[4096];
	snprintf(go, sizeof go, "%s.go", path);
	close(open(go, O_RDONLY | O_CLOEXEC));
	tell("begun", now());
}

static void storm(const char *path, long n, int forkers)
{
	int failed = 0, status;
	await_go(path);
	for (int i = 0; i < forkers; i++)
		if (fork() == 0) {
			signal(SIGTERM, SIG_DFL);
			orphans(n / forkers);
			_exit(0);
		}
	for (int i = 0; i < forkers; i++)
		failed |= wait(&status) < 0 || status != 0;
	tell(failed ? "failed" : "done", now());
}

static void put(const char *bytes, size_t length)
{
	while (length) {
		ssize_t wrote = write(1, bytes, length);
		if (wrote < 0) {
			tell(errno == EAGAIN ? "nonblocking" : "failed", now());
			_exit(96);
		}
		bytes += wrote;
		length -= wrote;
	}
}

/* Lines of 100 bytes, `#WRITER:NUMBER:~~~…~$`, in blocks that end in the middle of a line as those
 * of C's stdio do. sink.c reads them. */
static void lines(const char *path, long n, int writer)
{
	static char block[4096];
	char line[128];
	size_t held = 0;
	await_go(path);
	for (long i = 0; i < n; i++) {
		int head = snprintf(line, sizeof line, "#%d:%08ld:", writer, i);
		memset(line + head, '~', 98 - head);
		line[98] = '$';
		line[99] = '\n';
		size_t room = sizeof block - held, now = room < 100 ? room : 100;
		memcpy(block + held, line, now);
		held += now;
		if (held == sizeof block) {
			put(block, held);
			held = 100 - now;
			memcpy(block, line + now, held);
		}
	}
	put(block, held);
	tell("done", now());
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 98;
	events = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
	if (events < 0)
		return 98;
	const char *mode = argv[2];
	code = argc > 3 ? atoi(argv[3]) : 0;
	if (!strcmp(mode, "exit")) {
		tell("child", first_stamp);
		return code;
	}
	if (!strcmp(mode, "stubborn"))
		stubborn();
	else
		handle(on_term);
	tell("child", first_stamp);
	if (!strcmp(mode, "storm")) {
		code = 0;
		storm(argv[1], atol(argv[3]), argc > 4 ? atoi(argv[4]) : 1);
	}
	if (!strcmp(mode, "lines")) {
		code = 0;
		lines(argv[1], atol(argv[3]), atoi(argv[4]));
	}
	rest();
}

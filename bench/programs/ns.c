/* Runs a command as PID 1 of a fresh PID namespace and tells when what happened to it.
 *
 *   ns REPORT-FD TERM-AFTER-US CGROUP COMMAND [ARGUMENT...]
 *
 * We first join CGROUP, a folder, unless it is `-`. The command gets our standard streams, a /proc of its own and an empty /run, as in a container.
 * Lines on REPORT-FD, all times CLOCK_MONOTONIC in nanoseconds:
 *   pid PID                   of the command, outside
 *   exec TIME                 the last thing done before execve
 *   sent TIME READY CPU       SIGTERM, TERM-AFTER-US microseconds after that (0: none is sent);
 *                             READY is 1 when the command caught or blocked it by then, and CPU is
 *                             what it had used, in nanoseconds
 *   gone TIME STATUS CPU      wait status, CPU time of that one process in nanoseconds
 * If we die, so does the namespace: nothing is left behind by an interrupted run. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int report;

static long long now(clockid_t clock)
{
	struct timespec t;
	if (clock_gettime(clock, &t))
		return -1;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "ns: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void join(const char *cgroup)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	close(fd);
}

/* Becomes the command; the other end of `hold` closes at the moment of exec. */
static void become(char **command, volatile long long *stamp)
{
	sigset_t none;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("PR_SET_PDEATHSIG");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("make mounts private");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		die("mount /proc");
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
		die("mount /run");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	*stamp = now(CLOCK_MONOTONIC);
	execvp(command[0], command);
	fprintf(stderr, "ns: %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Whether a process has a handler for SIGTERM, or blocks it to read it later. To PID 1 it is lost
 * otherwise, whoever sends it. */
static int ready(pid_t pid)
{
	char path[64], line[256];
	unsigned long long set;
	int found = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *status = fopen(path, "re");
	while (status && fgets(line, sizeof line, status))
		if (sscanf(line, "SigBlk: %llx", &set) == 1 || sscanf(line, "SigCgt: %llx", &set) == 1)
			found |= set >> (SIGTERM - 1) & 1;
	if (status)
		fclose(status);
	return found;
}

/* Waits until the command was executed, then until `us` later, and asks it to end. */
static void term_after(pid_t pid, int hold, volatile long long *stamp, long us)
{
	char byte;
	struct timespec at;
	long long when;
	while (read(hold, &byte, 1) < 0 && errno == EINTR)
		;
	when = *stamp + us * 1000LL;
	at.tv_sec = when / 1000000000LL;
	at.tv_nsec = when % 1000000000LL;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
	clockid_t cpu;
	clock_getcpuclockid(pid, &cpu);
	long long used = now(cpu);
	int stood = ready(pid);
	when = now(CLOCK_MONOTONIC);
	kill(pid, SIGTERM);
	dprintf(report, "sent %lld %d %lld\n", when, stood, used);
}

int main(int argc, char **argv)
{
	volatile long long *stamp;
	int hold[2], status;
	siginfo_t info;
	clockid_t cpu;
	long long gone;
	pid_t pid;
	if (argc < 5) {
		fprintf(stderr, "usage: ns REPORT-FD TERM-AFTER-US CGROUP COMMAND [ARGUMENT...]\n");
		return 125;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report = atoi(argv[1]);
	fcntl(report, F_SETFD, FD_CLOEXEC);
	if (strcmp(argv[3], "-"))
		join(argv[3]);
	stamp = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stamp == MAP_FAILED || pipe2(hold, O_CLOEXEC))
		die("prepare");
	pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("clone");
	if (pid == 0)
		become(argv + 4, stamp);
	close(hold[1]);
	dprintf(report, "pid %d\n", pid);
	if (atol(argv[2]) > 0)
		term_after(pid, hold[0], stamp, atol(argv[2]));
	while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	gone = now(CLOCK_MONOTONIC);
	clock_getcpuclockid(pid, &cpu);
	dprintf(report, "exec %lld\n", *stamp);
	long long used = now(cpu);
	waitpid(pid, &status, 0);
	dprintf(report, "gone %lld %d %lld\n", gone, status, used);
	return 0;
}

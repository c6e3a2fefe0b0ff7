/* Runs a command as a container runtime would: as PID 1 of fresh namespaces, in a control group.
 *
 *   contain CGROUP VIEW COMMAND [ARGUMENT...]
 *
 * CGROUP is the folder of the group, which exists. VIEW is what is seen of the hierarchy:
 *   ro     our own group as its root, read-only, as most runtimes show it
 *   rw     the same, writable: delegated
 *   host   all of it, read-only, without a namespace of its own
 *   bare   our own group alone, read-only, but with its path from outside in /proc/self/cgroup
 *   none   nothing is mounted
 * We end as the command does: with its exit code, or 128 and the number of its signal. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT "/sys/fs/cgroup"

static void die(const char *what)
{
	fprintf(stderr, "contain: %s: %s\n", what, strerror(errno));
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

static void show(const char *cgroup, const char *view)
{
	unsigned long flags = strcmp(view, "rw") ? MS_RDONLY : 0;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("make mounts private");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		die("mount /proc");
	if (!strcmp(view, "bare")) {
		if (mount(cgroup, MOUNT, NULL, MS_BIND, NULL))
			die("show the group alone");
	} else if (strcmp(view, "host")) {
		if (umount2(MOUNT, MNT_DETACH))
			die("hide the hierarchy");
		if (!strcmp(view, "none"))
			return;
		if (mount("cgroup", MOUNT, "cgroup2", 0, NULL))
			die("mount the hierarchy");
	}
	/* Of this mount alone: the flags of the file system are everybody's. */
	if (flags && mount(NULL, MOUNT, NULL, MS_REMOUNT | MS_BIND | flags, NULL))
		die("make it read-only");
}

int main(int argc, char **argv)
{
	int status;
	if (argc < 4) {
		fprintf(stderr, "usage: contain CGROUP VIEW COMMAND [ARGUMENT...]\n");
		return 125;
	}
	const char *view = argv[2];
	int shares = !strcmp(view, "host") || !strcmp(view, "bare");
	/* A process of the group makes the namespace, which takes that group for its root; we leave it
	 * to its members. */
	pid_t inner, outer = fork();
	if (outer < 0)
		die("fork");
	if (outer > 0) {
		while (waitpid(outer, &status, 0) < 0)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	int back = open(MOUNT "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	join(argv[1]);
	if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | (shares ? 0 : CLONE_NEWCGROUP)))
		die("make namespaces");
	inner = fork();
	if (inner < 0)
		die("fork");
	if (inner == 0) {
		show(argv[1], view);
		execv(argv[3], argv + 3);
		die(argv[3]);
	}
	/* What stays outside of the namespace is no member of the container. */
	if (back < 0 || write(back, "0", 1) != 1)
		die("leave the group");
	while (waitpid(inner, &status, 0) < 0)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

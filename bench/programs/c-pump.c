/*
 * The floor: the smallest C program that moves a ring to a port, as the baseline of the benchmarks.
 * One thread per CPU, pinned to it; a blocking splice from the ring into a pipe, a blocking splice from the pipe to the
 * port. It has no stop, no flush, no restart: SIGTERM ends it immediately.
 *
 *   c-pump [-p PIPE_BYTES] [-n NICE] TRACEFS_DIR OUTLET_TEMPLATE CPU...
 *
 * OUTLET_TEMPLATE has one %d for the CPU.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *tracefs, *outlet;
static int pipe_bytes = 128 * 4096;
static pthread_barrier_t all_open;

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void *pump(void *arg)
{
	int cpu = (int)(long)arg, ring, port, ends[2];
	char path[512];
	cpu_set_t mask;

	CPU_ZERO(&mask);
	CPU_SET(cpu, &mask);
	if (sched_setaffinity(0, sizeof(mask), &mask))
		err(1, "CPU %d", cpu);
	snprintf(path, sizeof(path), "%s/per_cpu/cpu%d/trace_pipe_raw", tracefs, cpu);
	ring = open_or_die(path, O_RDONLY);
	snprintf(path, sizeof(path), outlet, cpu);
	port = open_or_die(path, O_WRONLY);
	if (pipe(ends))
		err(1, "pipe");
	if (fcntl(ends[1], F_SETPIPE_SZ, pipe_bytes) < 0)
		err(1, "F_SETPIPE_SZ");
	pthread_barrier_wait(&all_open);

	for (;;) {
		ssize_t held = splice(ring, NULL, ends[1], NULL, pipe_bytes, SPLICE_F_MOVE);

		if (held < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (held < 0)
			err(1, "splice from ring %d", cpu);
		while (held > 0) {
			ssize_t moved = splice(ends[0], NULL, port, NULL, held, SPLICE_F_MOVE);

			if (moved < 0 && (errno == EAGAIN || errno == EINTR))
				continue;
			if (moved < 0)
				err(1, "splice to port %d", cpu);
			if (moved == 0)
				break;
			held -= moved;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int option;

	while ((option = getopt(argc, argv, "p:n:")) != -1) {
		if (option == 'p')
			pipe_bytes = atoi(optarg);
		else if (option != 'n')
			return 2;
		else if (setpriority(PRIO_PROCESS, 0, atoi(optarg)))
			err(1, "nice %s", optarg);
	}
	if (argc - optind < 3)
		errx(2, "c-pump [-p PIPE_BYTES] [-n NICE] TRACEFS_DIR OUTLET_TEMPLATE CPU...");
	tracefs = argv[optind];
	outlet = argv[optind + 1];
	pthread_barrier_init(&all_open, NULL, argc - optind - 2 + 1);
	for (int i = optind + 2; i < argc; i++)
		if (pthread_create(&thread, NULL, pump, (void *)(long)atoi(argv[i])))
			errx(1, "pthread_create");
	pthread_barrier_wait(&all_open);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

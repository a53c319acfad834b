/*
 * The traced program: calls the cheapest system call in a loop, on one CPU, for the given time.
 *
 *   call-loop CPU MILLISECONDS
 *
 * Prints one line of JSON: {"calls","wallNs","cpuNs"}.
 */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS_BETWEEN_LOOKS 1000

static uint64_t read_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t calls = 0, wall, cpu, end;
	cpu_set_t mask;

	if (argc != 3)
		errx(2, "usage: call-loop CPU MILLISECONDS");
	CPU_ZERO(&mask);
	CPU_SET(atoi(argv[1]), &mask);
	if (sched_setaffinity(0, sizeof(mask), &mask))
		err(1, "CPU %s", argv[1]);
	wall = read_ns(CLOCK_MONOTONIC);
	cpu = read_ns(CLOCK_PROCESS_CPUTIME_ID);
	end = wall + atol(argv[2]) * 1000000ULL;
	while (read_ns(CLOCK_MONOTONIC) < end)
		for (int i = 0; i < CALLS_BETWEEN_LOOKS; i++, calls++)
			syscall(SYS_getppid);
	printf("{\"calls\":%lu,\"wallNs\":%lu,\"cpuNs\":%lu}\n", (unsigned long)calls,
	       (unsigned long)(read_ns(CLOCK_MONOTONIC) - wall),
	       (unsigned long)(read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu));
	return 0;
}

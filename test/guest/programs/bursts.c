/*
 * Takes a CPU's time and logs when it had it: for the tests of `trace-host explain`, in a guest and on its host.
 *
 *   --run US --every US   runs for so long each period; --run 0: only wakes up, as a probe does
 *   --run 0 --every 0     runs all the time
 *
 * Ends at SIGTERM and prints a line for each stretch, "FROM TO PERIOD" in ns of CLOCK_BOOTTIME. A stretch ends where the
 * clock jumps by --gap ns: there something else had the CPU. Of a probe FROM is when it was due, TO when it woke.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define STRETCHES_MAX 400000

struct stretch {
  long long from, to;
  long period;
};

static struct stretch stretches[STRETCHES_MAX];
static long count, period;
static volatile sig_atomic_t ended;
static long gap_ns = 50000;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static long long now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* CLOCK_BOOTTIME minus CLOCK_MONOTONIC, from the shortest time between two readings: it is late by as much. */
static long long boot_offset(void) {
  long long offset = 0, shortest = 0x7fffffffffffffffLL;
  for (int i = 0; i < 100; i++) {
    long long before = now(CLOCK_MONOTONIC), boot = now(CLOCK_BOOTTIME), after = now(CLOCK_MONOTONIC);
    if (after - before >= shortest)
      continue;
    shortest = after - before;
    offset = boot - before - shortest / 2;
  }
  return offset;
}

static void keep(long long from, long long to) {
  if (count < STRETCHES_MAX)
    stretches[count++] = (struct stretch){from, to, period};
}

/* Runs until `until`, by CLOCK_BOOTTIME. */
static void run(long long until) {
  long long from = now(CLOCK_BOOTTIME), last = from;
  while (last < until && !ended) {
    long long t = now(CLOCK_BOOTTIME);
    if (t - last > gap_ns) {
      keep(from, last);
      from = t;
    }
    last = t;
  }
  keep(from, last);
}

static void fail(const char *what) {
  fprintf(stderr, "bursts: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long number(const char *text) {
  char *rest;
  errno = 0;
  long value = strtol(text, &rest, 10);
  if (errno || rest == text || *rest || value < 0) {
    fprintf(stderr, "bursts: not a number: %s\n", text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"name", 1, 0, 'n'}, {"cpu", 1, 0, 'c'},    {"fifo", 1, 0, 'f'}, {"run", 1, 0, 'r'},
      {"every", 1, 0, 'e'}, {"gap", 1, 0, 'g'},  {0},
  };
  long cpu = 0, fifo = 0, run_us = 0, every_us = 0;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (option) {
    case 'n': prctl(PR_SET_NAME, optarg); break;
    case 'c': cpu = number(optarg); break;
    case 'f': fifo = number(optarg); break;
    case 'r': run_us = number(optarg); break;
    case 'e': every_us = number(optarg); break;
    case 'g': gap_ns = number(optarg); break;
    default: return 2;
    }
  }
  if (cpu >= CPU_SETSIZE)
    return 2;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    fail("sched_setaffinity");
  struct sched_param param = {.sched_priority = (int)fifo};
  if (fifo > 0 && sched_setscheduler(0, SCHED_FIFO, &param) != 0)
    fail("sched_setscheduler");
  /* a page fault would be a gap */
  if (mlockall(MCL_CURRENT) != 0)
    fail("mlockall");
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  printf("ready\n");
  fflush(stdout);
  /* it sleeps by CLOCK_MONOTONIC, as programs do, which differs by the time suspended */
  long long boot = boot_offset();
  long long due = now(CLOCK_MONOTONIC);
  if (every_us == 0)
    run(0x7fffffffffffffffLL);
  while (!ended) {
    due += every_us * 1000LL;
    period++;
    /* a period that has passed is left out */
    while (due < now(CLOCK_MONOTONIC))
      due += every_us * 1000LL;
    struct timespec until = {due / 1000000000, due % 1000000000};
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
      continue;
    if (run_us == 0)
      keep(due + boot, now(CLOCK_BOOTTIME));
    else
      run(now(CLOCK_BOOTTIME) + run_us * 1000LL);
  }
  for (long i = 0; i < count; i++)
    printf("%lld %lld %ld\n", stretches[i].from, stretches[i].to, stretches[i].period);
  return 0;
}

/*
 * Load with numbers: writes trace_marker lines "m<cpu>:<number>:xxxx", each `size` bytes long, from one CPU at a
 * given rate, so that a reader can tell which arrived, how often, and whether in order.
 * Prints one line of JSON at the end: {"cpu","written","failed","seconds"}.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Writes are paced in batches this far apart: shorter sleeps cost more than the writes. */
#define BATCH_NS 2000000L
/* A longer write becomes two events on 6.1. */
#define MAX_SIZE 1024

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void usage(void) {
  fprintf(stderr, "usage: markers --cpu N --count C [--rate PER_SECOND, 0: no limit] [--size BYTES]\n"
                  "               [--start FIRST_NUMBER] [--instance NAME] [--tracefs DIR]\n");
  exit(2);
}

static long number(const char *text) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || end == text || *end || value < 0)
    usage();
  return value;
}

static int open_marker(const char *tracefs, const char *instance) {
  char path[4096];
  if (instance)
    snprintf(path, sizeof path, "%s/instances/%s/trace_marker", tracefs, instance);
  else
    snprintf(path, sizeof path, "%s/trace_marker", tracefs);
  int fd = open(path, O_WRONLY);
  if (fd < 0) {
    fprintf(stderr, "markers: %s: %s\n", path, strerror(errno));
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"cpu", 1, 0, 'c'},      {"rate", 1, 0, 'r'},    {"count", 1, 0, 'n'}, {"size", 1, 0, 's'},
      {"instance", 1, 0, 'i'}, {"tracefs", 1, 0, 't'}, {"start", 1, 0, 'k'}, {0},
  };
  long cpu = -1, rate = 0, count = -1, size = 100, start = 0;
  const char *instance = NULL, *tracefs = "/sys/kernel/tracing";
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (option) {
    case 'c': cpu = number(optarg); break;
    case 'r': rate = number(optarg); break;
    case 'n': count = number(optarg); break;
    case 's': size = number(optarg); break;
    case 'k': start = number(optarg); break;
    case 'i': instance = optarg; break;
    case 't': tracefs = optarg; break;
    default: usage();
    }
  }
  if (cpu < 0 || cpu >= 4096 || count < 0 || size < 32 || size > MAX_SIZE || optind != argc)
    usage();

  cpu_set_t *set = CPU_ALLOC(4096);
  CPU_ZERO_S(CPU_ALLOC_SIZE(4096), set);
  CPU_SET_S(cpu, CPU_ALLOC_SIZE(4096), set);
  if (sched_setaffinity(0, CPU_ALLOC_SIZE(4096), set) != 0) {
    fprintf(stderr, "markers: CPU %ld: %s\n", cpu, strerror(errno));
    return 1;
  }
  int fd = open_marker(tracefs, instance);

  char line[MAX_SIZE];
  memset(line, 'x', sizeof line);
  long written = 0, failed = 0;
  double begin = now();
  struct timespec wake;
  clock_gettime(CLOCK_MONOTONIC, &wake);
  for (long done = 0; done < count;) {
    long due = rate == 0 ? count : (long)((now() - begin) * rate) + 1;
    for (; done < due && done < count; done++) {
      int head = snprintf(line, sizeof line, "m%ld:%ld:", cpu, start + done);
      line[head] = 'x';
      line[size - 1] = '\n';
      if (write(fd, line, size) == size)
        written++;
      else
        failed++;
    }
    if (done < count) {
      wake.tv_nsec += BATCH_NS;
      if (wake.tv_nsec >= 1000000000L) {
        wake.tv_nsec -= 1000000000L;
        wake.tv_sec++;
      }
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
    }
  }
  printf("{\"cpu\":%ld,\"written\":%ld,\"failed\":%ld,\"seconds\":%.3f}\n", cpu, written, failed, now() - begin);
  return failed ? 1 : 0;
}

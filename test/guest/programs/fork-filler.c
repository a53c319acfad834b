/*
 * fork-filler SECONDS PID: fills the process table. Lowers kernel.pid_max to its least, forks sleepers until no process
 * is left, then kills PID and takes the places that this sets free too, until its stdin ends or for SECONDS; then
 * everything is put back. Nothing else can be started meanwhile, so all of this is one process. Prints "full" and at the
 * end "done".
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PID_MAX "/proc/sys/kernel/pid_max"
#define LEAST 301
#define MOST_SLEEPERS 1000

static int pid_max(int value) {
  int before = 0;
  FILE *file = fopen(PID_MAX, "r+");
  if (!file || fscanf(file, "%d", &before) != 1)
    exit(1);
  rewind(file);
  fprintf(file, "%d\n", value);
  fclose(file);
  return before;
}

static int input_ends(void) {
  struct pollfd input = {0, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: fork-filler SECONDS PID\n");
    return 2;
  }
  setlinebuf(stdout);
  pid_t sleepers[MOST_SLEEPERS];
  int count = 0, full = 0;
  int before = pid_max(LEAST);
  time_t end = time(NULL) + atoi(argv[1]);
  while (time(NULL) < end && count < MOST_SLEEPERS && !input_ends()) {
    pid_t pid = fork();
    if (pid == 0)
      for (;;)
        pause();
    if (pid > 0) {
      sleepers[count++] = pid;
    } else {
      if (!full++) {
        printf("full\n");
        kill(atoi(argv[2]), SIGKILL);
      }
      usleep(200);
    }
  }
  pid_max(before);
  for (int index = 0; index < count; index++)
    kill(sleepers[index], SIGKILL);
  while (wait(NULL) > 0)
    ;
  printf("done\n");
  return 0;
}

/*
 * What a guest has to be told that was restored from a saved state: its wall clock stood still, and its random
 * numbers would be those of every other guest from the same state. `after-restore SECONDS`, 64 random bytes on stdin.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SEED_BYTES = 64 };

int main(int argc, char **argv) {
  struct {
    int entropy_count, buf_size;
    uint32_t buf[SEED_BYTES / sizeof(uint32_t)];
  } seed = {.entropy_count = 8 * SEED_BYTES, .buf_size = SEED_BYTES};
  struct timespec now = {0, 0};
  if (argc != 2 || (now.tv_sec = strtoll(argv[1], NULL, 10)) <= 0) {
    fprintf(stderr, "usage: after-restore SECONDS\n");
    return 2;
  }
  if (clock_settime(CLOCK_REALTIME, &now)) {
    perror("after-restore: clock_settime");
    return 1;
  }
  if (fread(seed.buf, SEED_BYTES, 1, stdin) != 1) {
    fprintf(stderr, "after-restore: no %d bytes of seed\n", SEED_BYTES);
    return 1;
  }
  int fd = open("/dev/random", O_RDWR | O_CLOEXEC);
  /* Without the second the kernel goes on with the old key for up to a minute. */
  if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) || ioctl(fd, RNDRESEEDCRNG)) {
    perror("after-restore: /dev/random");
    return 1;
  }
  return 0;
}

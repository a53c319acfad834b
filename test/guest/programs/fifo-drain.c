/*
 * Runs on the host: fifo-drain FIFO FILE appends what comes out of FIFO to FILE by splice, for the least CPU time.
 * SIGTERM ends it between two splices, so that no byte is taken and dropped; QEMU's end ends it too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: fifo-drain FIFO FILE\n");
    return 2;
  }
  sigset_t term, none;
  sigemptyset(&none);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, NULL);
  signal(SIGTERM, end);

  int fifo = open(argv[1], O_RDONLY | O_NONBLOCK);
  int file = open(argv[2], O_WRONLY | O_CREAT, 0644);
  /* splice refuses a file that was opened to append. */
  off64_t at = file < 0 ? 0 : lseek(file, 0, SEEK_END);
  if (fifo < 0 || file < 0) {
    perror(fifo < 0 ? argv[1] : argv[2]);
    return 1;
  }
  printf("open\n");
  fflush(stdout);
  while (!ended) {
    struct pollfd poll_fifo = {fifo, POLLIN, 0};
    if (ppoll(&poll_fifo, 1, NULL, &none) < 0)
      continue;
    ssize_t n = splice(fifo, NULL, file, &at, 1 << 20, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n == 0)
      break;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      perror("fifo-drain: splice");
      return 1;
    }
  }
  return 0;
}

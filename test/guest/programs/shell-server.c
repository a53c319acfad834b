/*
 * The guest's end of the harness: PID 1 after /init. Serves framed requests on one virtio-serial port: runs
 * commands, several at once, and streams what they write. It sleeps in poll whenever nothing happens, so that it
 * takes no CPU time from what is measured.
 *
 * A frame, both ways: u32 id, u32 type, u32 length (little-endian), then length bytes.
 * To the guest:   RUN argv, each word ended by NUL; STDIN bytes, none: end of file; KILL u32 signal, u32 1: the group.
 * From the guest: HELLO (id 0); STARTED u32 pid; STDOUT, STDERR bytes; EXIT u32 wait status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN = 1, STDIN = 2, KILL = 3, HELLO = 16, STARTED = 17, STDOUT = 18, STDERR = 19, EXIT = 20 };

enum { MAX_JOBS = 128, CHUNK = 32768, OUT_HIGH_WATER = 1 << 20, MAX_FRAME = 1 << 20 };

struct buffer {
  char *data;
  size_t start, end, size;
};

struct job {
  int used;
  uint32_t id;
  pid_t pid;
  int in, out, err;
  int reaped, status;
  int in_ends;
  struct buffer input;
};

static struct job jobs[MAX_JOBS];
static struct buffer to_host, from_host;
static int port;

static void die(const char *what) {
  fprintf(stderr, "shell-server: %s: %s\n", what, strerror(errno));
  exit(1);
}

static size_t held(const struct buffer *b) { return b->end - b->start; }

static char *room(struct buffer *b, size_t n) {
  if (b->start == b->end)
    b->start = b->end = 0;
  if (b->size - b->end < n && b->start > 0) {
    memmove(b->data, b->data + b->start, held(b));
    b->end -= b->start;
    b->start = 0;
  }
  if (b->size - b->end < n) {
    b->size = (b->end + n) * 2;
    b->data = realloc(b->data, b->size);
    if (!b->data)
      die("realloc");
  }
  return b->data + b->end;
}

static void append(struct buffer *b, const void *data, size_t n) {
  memcpy(room(b, n), data, n);
  b->end += n;
}

static void frame(uint32_t id, uint32_t type, const void *data, uint32_t n) {
  uint32_t head[3] = {id, type, n};
  append(&to_host, head, sizeof head);
  append(&to_host, data, n);
}

static void close_end(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static struct job *find(uint32_t id) {
  for (int i = 0; i < MAX_JOBS; i++)
    if (jobs[i].used && jobs[i].id == id)
      return &jobs[i];
  return NULL;
}

static void refuse(uint32_t id, const char *why) {
  uint32_t status = 126 << 8;
  frame(id, STDERR, why, strlen(why));
  frame(id, EXIT, &status, sizeof status);
}

static void child(char **argv, const int *in, const int *out, const int *err) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  setpriority(PRIO_PROCESS, 0, 0);
  dup2(in[0], 0);
  dup2(out[1], 1);
  dup2(err[1], 2);
  execvp(argv[0], argv);
  fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

static void run(uint32_t id, char *words, uint32_t n) {
  char *argv[256];
  int argc = 0, in[2], out[2], err[2];
  struct job *job = NULL;
  for (int i = 0; i < MAX_JOBS && !job; i++)
    if (!jobs[i].used)
      job = &jobs[i];
  if (!job)
    return refuse(id, "shell-server: too many commands at once\n");
  if (n == 0 || words[n - 1] != 0)
    return refuse(id, "shell-server: bad argument list\n");
  for (uint32_t at = 0; at < n; at += strlen(words + at) + 1) {
    if (argc == 255)
      return refuse(id, "shell-server: too many arguments\n");
    argv[argc++] = words + at;
  }
  argv[argc] = NULL;
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
    die("pipe");
  pid_t pid = fork();
  if (pid < 0)
    die("fork");
  if (pid == 0)
    child(argv, in, out, err);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  fcntl(in[1], F_SETFL, O_NONBLOCK);
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  memset(job, 0, sizeof *job);
  *job = (struct job){.used = 1, .id = id, .pid = pid, .in = in[1], .out = out[0], .err = err[0]};
  uint32_t number = pid;
  frame(id, STARTED, &number, sizeof number);
}

static void feed(struct job *job) {
  while (job->in >= 0 && held(&job->input) > 0) {
    ssize_t n = write(job->in, job->input.data + job->input.start, held(&job->input));
    if (n < 0 && errno == EAGAIN)
      return;
    if (n < 0)
      close_end(&job->in);
    else
      job->input.start += n;
  }
  if (job->in_ends)
    close_end(&job->in);
}

/* Takes what is there, at most `limit` bytes: a command's background child may write for ever. */
static void take(struct job *job, int *fd, uint32_t type, size_t limit) {
  char chunk[CHUNK];
  while (*fd >= 0 && limit > 0) {
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n < 0)
      return;
    if (n == 0) {
      close_end(fd);
      return;
    }
    frame(job->id, type, chunk, n);
    limit -= (size_t)n < limit ? (size_t)n : limit;
  }
}

static void reap(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) > 0)
    ;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (int i = 0; i < MAX_JOBS; i++) {
      struct job *job = &jobs[i];
      if (!job->used || job->reaped || job->pid != pid)
        continue;
      uint32_t word = status;
      job->reaped = 1;
      take(job, &job->out, STDOUT, OUT_HIGH_WATER);
      take(job, &job->err, STDERR, OUT_HIGH_WATER);
      close_end(&job->in);
      frame(job->id, EXIT, &word, sizeof word);
    }
}

static void serve(uint32_t id, uint32_t type, char *data, uint32_t n) {
  struct job *job = find(id);
  if (type == RUN)
    return run(id, data, n);
  if (!job)
    return;
  if (type == STDIN && n == 0)
    job->in_ends = 1;
  if (type == STDIN) {
    append(&job->input, data, n);
    feed(job);
  }
  if (type == KILL && n == 8) {
    uint32_t words[2];
    memcpy(words, data, sizeof words);
    /* A reaped leader's group may live on; its number cannot be another's while it does. */
    if (words[1])
      kill(-job->pid, words[0]);
    else if (!job->reaped)
      kill(job->pid, words[0]);
  }
}

static void receive(void) {
  ssize_t n = read(port, room(&from_host, CHUNK), CHUNK);
  if (n <= 0)
    return;
  from_host.end += n;
  for (;;) {
    uint32_t head[3];
    if (held(&from_host) < sizeof head)
      return;
    memcpy(head, from_host.data + from_host.start, sizeof head);
    if (head[2] > MAX_FRAME) {
      errno = EMSGSIZE;
      die("frame");
    }
    if (held(&from_host) < sizeof head + head[2])
      return;
    char *data = from_host.data + from_host.start + sizeof head;
    from_host.start += sizeof head + head[2];
    serve(head[0], head[1], data, head[2]);
  }
}

static void send_held(void) {
  while (held(&to_host) > 0) {
    ssize_t n = write(port, to_host.data + to_host.start, held(&to_host));
    if (n <= 0)
      return;
    to_host.start += n;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: shell-server PORT\n");
    return 2;
  }
  port = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (port < 0)
    die(argv[1]);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals < 0)
    die("signalfd");
  /* Answers must come while every CPU of the guest is busy. */
  setpriority(PRIO_PROCESS, 0, -10);
  frame(0, HELLO, "", 0);

  for (;;) {
    struct pollfd fds[2 + 3 * MAX_JOBS];
    struct job *who[2 + 3 * MAX_JOBS];
    int n = 2;
    send_held();
    fds[0] = (struct pollfd){port, POLLIN | (held(&to_host) ? POLLOUT : 0), 0};
    fds[1] = (struct pollfd){signals, POLLIN, 0};
    for (int i = 0; i < MAX_JOBS; i++) {
      struct job *job = &jobs[i];
      if (!job->used)
        continue;
      if (job->reaped && job->out < 0 && job->err < 0) {
        free(job->input.data);
        job->used = 0;
        continue;
      }
      int listen = held(&to_host) < OUT_HIGH_WATER;
      int ends[3] = {held(&job->input) ? job->in : -1, listen ? job->out : -1, listen ? job->err : -1};
      for (int end = 0; end < 3; end++)
        if (ends[end] >= 0) {
          who[n] = job;
          fds[n++] = (struct pollfd){ends[end], end == 0 ? POLLOUT : POLLIN, 0};
        }
    }
    if (poll(fds, n, -1) < 0 && errno != EINTR)
      die("poll");
    /* Without a host at the socket poll says POLLHUP at once and for ever. */
    if (fds[0].revents & POLLHUP)
      usleep(100000);
    if (fds[0].revents & POLLIN)
      receive();
    for (int i = 2; i < n; i++) {
      struct job *job = who[i];
      if (!fds[i].revents)
        continue;
      if (fds[i].fd == job->in)
        feed(job);
      else if (fds[i].fd == job->out)
        take(job, &job->out, STDOUT, CHUNK);
      else if (fds[i].fd == job->err)
        take(job, &job->err, STDERR, CHUNK);
    }
    if (fds[1].revents)
      reap(signals);
  }
}

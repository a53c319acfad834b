/*
 * Stands in for udev's one rule that matters here: /dev/virtio-ports/NAME -> ../vportNpM for each named port, at the
 * start and whenever the kernel announces a change. Runs in the foreground; prints "linked" after the first round.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS "/dev/virtio-ports"
#define PORTS "/sys/class/virtio-ports"

static int port_name(const char *device, char *name, int size) {
  char path[512];
  snprintf(path, sizeof path, PORTS "/%s/name", device);
  FILE *file = fopen(path, "r");
  if (!file)
    return 0;
  int ok = fgets(name, size, file) != NULL;
  fclose(file);
  name[ok ? strcspn(name, "\n") : 0] = 0;
  return name[0] != 0 && !strchr(name, '/');
}

static void remove_dead(void) {
  DIR *dir = opendir(LINKS);
  char path[512];
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    snprintf(path, sizeof path, LINKS "/%s", entry->d_name);
    if (entry->d_type == DT_LNK && access(path, F_OK) != 0)
      unlink(path);
  }
  if (dir)
    closedir(dir);
}

static void link_all(void) {
  char name[256], path[512], target[512], old[512];
  DIR *dir = opendir(PORTS);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.' || !port_name(entry->d_name, name, sizeof name))
      continue;
    snprintf(path, sizeof path, LINKS "/%s", name);
    snprintf(target, sizeof target, "../%s", entry->d_name);
    ssize_t n = readlink(path, old, sizeof old - 1);
    if (n >= 0 && (old[n] = 0, strcmp(old, target) == 0))
      continue;
    unlink(path);
    if (symlink(target, path) != 0)
      perror(path);
  }
  if (dir)
    closedir(dir);
}

int main(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (events < 0 || bind(events, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("port-links: netlink");
    return 1;
  }
  mkdir(LINKS, 0755);
  link_all();
  printf("linked\n");
  fflush(stdout);
  for (;;) {
    char event[8192];
    ssize_t n = recv(events, event, sizeof event, 0);
    /* An error is ENOBUFS, events lost: look at all again. */
    if (n > 0 && !memmem(event, n, "SUBSYSTEM=virtio-ports", 22))
      continue;
    remove_dead();
    link_all();
  }
}

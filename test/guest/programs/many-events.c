/*
 * Makes as many kinds of events happen as one program can: each part does real work of one kind in a process of its own,
 * which is killed when it hangs; the last one calls each system call with arguments that it refuses. A part that this
 * kernel or this user cannot do says so and is left out.
 *
 *     many-events            all parts, below a new directory of /tmp
 *     many-events NAME...    these
 *
 * It changes nothing that outlives it: mounts, interfaces and loop devices are in namespaces of its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MB (1 << 20)

static void say(const char *what)
{
	fprintf(stderr, "many-events: %s: %s\n", what, strerror(errno));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say(path);
	if (fd >= 0)
		close(fd);
}

static void new_namespaces(int flags)
{
	if (unshare(flags))
		say("unshare");
	else if (flags & CLONE_NEWNS)
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* ---- parts ---- */

static void run(const char *path, ...)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, "-c", "true | cat; : $(echo a)", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void part_tasks(void)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t set;
	char name[16];
	int i;

	for (i = 0; i < 5; i++) {
		run("/bin/sh");
		run("/nothing/there");
	}
	snprintf(name, sizeof(name), "od d\"n%c%%s\xc3\xa9", 1);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_NAME, "many tasks");
	nice(1);
	setpriority(PRIO_PROCESS, 0, 5);
	sched_setscheduler(0, SCHED_FIFO, &param);
	usleep(1000);
	sched_setscheduler(0, SCHED_RR, &param);
	usleep(1000);
	param.sched_priority = 0;
	sched_setscheduler(0, SCHED_BATCH, &param);
	sched_setscheduler(0, SCHED_IDLE, &param);
	sched_setscheduler(0, SCHED_OTHER, &param);
	for (i = 0; i < 8; i++) {
		CPU_ZERO(&set);
		CPU_SET(i & 1, &set);
		sched_setaffinity(0, sizeof(set), &set);
		usleep(100);
	}
	if (vfork() == 0)
		_exit(3);
	wait(NULL);
	syscall(SYS_membarrier, 16, 0, 0);
	syscall(SYS_membarrier, 8, 0, 0);
	syscall(SYS_membarrier, 1, 0, 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *fight(void *arg)
{
	int i;

	prctl(PR_SET_NAME, arg);
	for (i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		if (i % 50 == 0)
			usleep(50);
		sched_yield();
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void part_threads(void)
{
	pthread_t threads[4];
	static char names[4][16] = { "fighter-0", "fighter 1", "fighter/2", "kworker/3:4" };
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, fight, names[i]);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void on_signal(int nr)
{
	(void)nr;
}

static void part_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec spec = { { 0, 1000000 }, { 0, 1000000 } };
	union sigval value = { .sival_int = 77 };
	volatile unsigned long spin;
	sigset_t set;
	timer_t timer;
	pid_t pid;
	int fd, nr;

	for (nr = 1; nr < 32; nr++)
		if (nr != SIGKILL && nr != SIGSTOP && nr != SIGALRM && nr != SIGSEGV)
			sigaction(nr, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	for (nr = 1; nr < 32; nr++)
		if (nr != SIGKILL && nr != SIGSTOP && nr != SIGALRM && nr != SIGSEGV)
			kill(getpid(), nr);
	sigqueue(getpid(), SIGRTMIN, value);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	for (spin = 0; spin < 50000000; spin++)
		;
	every.it_value.tv_usec = every.it_interval.tv_usec = 0;
	setitimer(ITIMER_VIRTUAL, &every, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &spec, NULL);
	usleep(5000);
	timer_delete(timer);
	event.sigev_signo = SIGUSR2;
	if (timer_create(CLOCK_BOOTTIME_ALARM, &event, &timer) == 0) {
		timer_settime(timer, 0, &spec, NULL);
		usleep(5000);
		timer_delete(timer);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	kill(getpid(), SIGUSR2);
	sigtimedwait(&set, NULL, &(struct timespec){ 0, 1000 });
	close(fd);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGCONT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		*(volatile int *)(uintptr_t)getppid() = 1;
	}
	waitpid(pid, NULL, 0);
}

static void part_timers(void)
{
	struct itimerspec spec = { { 0, 500000 }, { 0, 500000 } };
	struct timex timex = { .modes = 0 };
	struct timespec now;
	uint64_t times;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), i;

	timerfd_settime(fd, 0, &spec, NULL);
	for (i = 0; i < 5; i++)
		read(fd, &times, sizeof(times));
	close(fd);
	for (i = 0; i < 20; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 0, 100000 }, NULL);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	}
	prctl(PR_SET_TIMERSLACK, 100000);
	poll(NULL, 0, 3);
	select(0, NULL, NULL, NULL, &(struct timeval){ 0, 2000 });
	adjtimex(&timex);
	sleep(1);
}

static void fill(const char *path, size_t size, int flags)
{
	static char page[4096];
	int fd = open(path, O_RDWR | O_CREAT | flags, 0644);
	size_t at;

	memset(page, 'x', sizeof(page));
	for (at = 0; at < size; at += sizeof(page))
		if (write(fd, page, sizeof(page)) < 0)
			break;
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	lseek(fd, 0, SEEK_SET);
	while (read(fd, page, sizeof(page)) > 0)
		;
	close(fd);
}

static void part_files(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	static union {
		struct fiemap map;
		char bytes[sizeof(struct fiemap) + 8 * sizeof(struct fiemap_extent)];
	} extents;
	struct stat st;
	struct statvfs vfs;
	struct iovec vectors[2] = { { "one", 3 }, { "two", 3 } };
	char text[64];
	int fd, other, pipes[2], watch, i;
	pid_t pid;

	mkdir("sub", 0755);
	fill("sub/file", MB, 0);
	fd = open("sub/file", O_RDWR);
	fstat(fd, &st);
	stat("sub", &st);
	statvfs(".", &vfs);
	symlink("file", "sub/link");
	link("sub/file", "sub/hard");
	readlink("sub/link", text, sizeof(text));
	rename("sub/hard", "sub/renamed \"odd\" %s name");
	chmod("sub/file", 0600);
	chown("sub/file", 0, 0);
	utimensat(AT_FDCWD, "sub/file", NULL, 0);
	setxattr("sub/file", "user.colour", "red", 3, 0);
	getxattr("sub/file", "user.colour", text, sizeof(text));
	listxattr("sub/file", text, sizeof(text));
	removexattr("sub/file", "user.colour");
	fallocate(fd, 0, 2 * MB, MB);
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 65536);
	fallocate(fd, FALLOC_FL_ZERO_RANGE, 131072, 65536);
	fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 262144, 65536);
	fallocate(fd, FALLOC_FL_INSERT_RANGE, 262144, 65536);
	extents.map.fm_length = ~0ULL;
	extents.map.fm_extent_count = 8;
	ioctl(fd, FS_IOC_FIEMAP, &extents);
	lseek(fd, 0, SEEK_HOLE);
	ftruncate(fd, 100000);
	readahead(fd, 0, 65536);
	pwritev(fd, vectors, 2, 0);
	preadv(fd, vectors, 0, 0);
	fdatasync(fd);
	sync_file_range(fd, 0, 65536, SYNC_FILE_RANGE_WRITE);
	syncfs(fd);
	flock(fd, LOCK_EX);
	flock(fd, LOCK_UN);
	fcntl(fd, F_SETLK, &lock);
	pid = fork();
	if (pid == 0) {
		alarm(1);
		other = open("sub/file", O_RDWR);
		fcntl(other, F_SETLKW, &lock);
		_exit(0);
	}
	usleep(20000);
	lock.l_type = F_UNLCK;
	fcntl(fd, F_SETLK, &lock);
	waitpid(pid, NULL, 0);
	other = open("sub/leased", O_RDONLY | O_CREAT, 0644);
	signal(SIGIO, SIG_IGN);
	fcntl(other, F_SETLEASE, F_RDLCK);
	close(open("sub/leased", O_WRONLY | O_NONBLOCK));
	close(other);
	watch = inotify_init1(IN_CLOEXEC);
	inotify_add_watch(watch, "sub", IN_ALL_EVENTS);
	unlink("sub/link");
	read(watch, text, sizeof(text));
	close(watch);
	watch = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
	if (watch >= 0)
		fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "sub");
	close(watch);
	pipe(pipes);
	lseek(fd, 0, SEEK_SET);
	for (i = 0; i < 5; i++)
		if (splice(fd, NULL, pipes[1], NULL, 4096, 0) > 0)
			read(pipes[0], text, sizeof(text));
	close(pipes[0]);
	close(pipes[1]);
	other = open("sub/copy", O_RDWR | O_CREAT, 0644);
	lseek(fd, 0, SEEK_SET);
	sendfile(other, fd, NULL, 65536);
	copy_file_range(fd, NULL, other, NULL, 4096, 0);
	ioctl(other, FICLONE, fd);
	close(other);
	other = open("sub/direct", O_RDWR | O_CREAT | O_DIRECT, 0644);
	if (other >= 0) {
		void *page = aligned_alloc(4096, 65536);

		memset(page, 1, 65536);
		write(other, page, 65536);
		pread(other, page, 65536, 0);
		close(other);
	}
	close(open(".", O_TMPFILE | O_RDWR, 0600));
	close(fd);
	unlink("sub/file");
	rmdir("sub");
	sync();
}

/* The kernel's names of file systems to make and mount; tmpfs is everywhere, the others need their tools. */
static void part_mounts(void)
{
	char options[128];

	new_namespaces(CLONE_NEWNS);
	mkdir("mnt", 0755);
	mkdir("low", 0755);
	mkdir("up", 0755);
	mkdir("wrk", 0755);
	if (mount("tmpfs", "mnt", "tmpfs", MS_NOATIME, "size=8m,huge=always"))
		say("tmpfs");
	fill("mnt/file", 4 * MB, 0);
	mount("mnt", "low", NULL, MS_BIND, NULL);
	mount(NULL, "low", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	snprintf(options, sizeof(options), "lowerdir=low,upperdir=up,workdir=wrk");
	mount("overlay", "mnt", "overlay", 0, options);
	umount2("mnt", MNT_DETACH);
	umount("low");
	umount("mnt");
	mount("proc", "mnt", "proc", 0, NULL);
	umount("mnt");
	mount("cgroup2", "mnt", "cgroup2", 0, NULL);
	umount("mnt");
	syscall(SYS_fsopen, "tmpfs", 1);
}

static void part_loop(void)
{
	int control = open("/dev/loop-control", O_RDWR), nr, loop, fd;
	char name[32];
	void *page = aligned_alloc(4096, 65536);

	if (control < 0 || (nr = ioctl(control, LOOP_CTL_GET_FREE)) < 0) {
		say("loop-control");
		return;
	}
	fill("disk", 4 * MB, 0);
	snprintf(name, sizeof(name), "/dev/loop%d", nr);
	loop = open(name, O_RDWR | O_DIRECT);
	fd = open("disk", O_RDWR);
	if (loop < 0 || ioctl(loop, LOOP_SET_FD, fd)) {
		say(name);
		return;
	}
	memset(page, 2, 65536);
	write(loop, page, 65536);
	fsync(loop);
	pread(loop, page, 65536, MB);
	ioctl(loop, BLKDISCARD, (uint64_t[]){ 0, MB });
	ioctl(loop, BLKZEROOUT, (uint64_t[]){ 0, MB });
	ioctl(loop, BLKFLSBUF, 0);
	ioctl(loop, LOOP_CLR_FD, 0);
	close(loop);
	unlink("disk");
}

static void part_memory(void)
{
	size_t size = 24 * MB, at;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *other;
	unsigned char resident[64];
	int fd;

	madvise(map, size, MADV_HUGEPAGE);
	for (at = 0; at < size; at += 4096)
		map[at] = 1;
	mprotect(map, MB, PROT_READ);
	mincore(map, 64 * 4096, resident);
	msync(map, 4096, MS_SYNC);
	mlock(map, 65536);
	munlock(map, 65536);
	madvise(map, MB, MADV_COLD);
	madvise(map, MB, 21 /* MADV_PAGEOUT */);
	madvise(map, MB, MADV_DONTNEED);
	madvise(map + 2 * MB, 2 * MB, MADV_FREE);
	madvise(map, size, MADV_NOHUGEPAGE);
	madvise(map + 4 * MB, 2 * MB, 25 /* MADV_COLLAPSE */);
	madvise(map, size, MADV_MERGEABLE);
	map = mremap(map, size, size / 2, MREMAP_MAYMOVE);
	if (fork() == 0) {
		for (at = 0; at < size / 2; at += 4096)
			map[at] = 2;
		_exit(0);
	}
	wait(NULL);
	munmap(map, size / 2);
	fd = syscall(SYS_memfd_create, "many", 0);
	ftruncate(fd, 2 * MB);
	other = mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(other, 3, 2 * MB);
	msync(other, 2 * MB, MS_SYNC);
	munmap(other, 2 * MB);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	close(fd);
	sbrk(MB);
	sbrk(-MB);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	close(fd);
	fd = syscall(SYS_pkey_alloc, 0, 0);
	syscall(SYS_pkey_free, fd);
	put("/proc/sys/vm/compact_memory", "1");
	put("/proc/sys/vm/drop_caches", "3");
}

static void serve(int family, int type, struct sockaddr *address, socklen_t length)
{
	int server = socket(family, type | SOCK_CLOEXEC, 0), client, one = 1, peer, i;
	char text[2000] = "";
	socklen_t got = length;

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (server < 0 || bind(server, address, length)) {
		say("bind");
		close(server);
		return;
	}
	getsockname(server, address, &got);
	client = socket(family, type, 0);
	if (type == SOCK_STREAM) {
		listen(server, 5);
		if (connect(client, address, got))
			say("connect");
		peer = accept4(server, NULL, NULL, SOCK_NONBLOCK);
		for (i = 0; i < 20; i++) {
			send(client, text, sizeof(text), MSG_NOSIGNAL);
			recv(peer, text, sizeof(text), 0);
			send(peer, text, 100, MSG_NOSIGNAL);
			recv(client, text, sizeof(text), MSG_DONTWAIT);
		}
		setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
		shutdown(client, SHUT_WR);
		/* unread data: a reset */
		close(peer);
	} else {
		for (i = 0; i < 20; i++) {
			sendto(client, text, 200, 0, address, got);
			recv(server, text, sizeof(text), MSG_DONTWAIT);
		}
	}
	close(client);
	close(server);
	/* nobody there any more */
	client = socket(family, type, 0);
	connect(client, address, got);
	send(client, text, 10, MSG_NOSIGNAL);
	usleep(1000);
	close(client);
}

static int netlink(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	bind(fd, (void *)&address, sizeof(address));
	return fd;
}

static void attribute(struct nlmsghdr *head, int type, const void *data, int length)
{
	struct rtattr *at = (void *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	at->rta_type = type;
	at->rta_len = RTA_LENGTH(length);
	if (length > 0)
		memcpy(RTA_DATA(at), data, length);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(at->rta_len);
}

static void ask(int fd, struct nlmsghdr *head, const char *what)
{
	static char answer[16384];
	struct nlmsghdr *got = (void *)answer;

	head->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, head, head->nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		say(what);
	else if (got->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(got))->error) {
		errno = -((struct nlmsgerr *)NLMSG_DATA(got))->error;
		say(what);
	}
}

struct link_request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	char room[512];
};

static void add_link(int fd, const char *kind, const char *name)
{
	struct link_request request = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
						  .nlmsg_type = RTM_NEWLINK,
						  .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL } };
	struct rtattr *nest;

	attribute(&request.head, IFLA_IFNAME, name, strlen(name) + 1);
	nest = (void *)((char *)&request + NLMSG_ALIGN(request.head.nlmsg_len));
	attribute(&request.head, IFLA_LINKINFO, NULL, 0);
	attribute(&request.head, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	nest->rta_len = (char *)&request + NLMSG_ALIGN(request.head.nlmsg_len) - (char *)nest;
	ask(fd, &request.head, kind);
}

static void link_up(int fd, const char *name)
{
	struct link_request request = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
						  .nlmsg_type = RTM_NEWLINK },
					.info = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };

	request.info.ifi_index = if_nametoindex(name);
	ask(fd, &request.head, name);
}

static void add_address(int fd, const char *name, uint32_t address)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg info;
		char room[256];
	} request = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
				.nlmsg_type = RTM_NEWADDR,
				.nlmsg_flags = NLM_F_CREATE },
		      .info = { .ifa_family = AF_INET, .ifa_prefixlen = 24 } };

	request.info.ifa_index = if_nametoindex(name);
	address = htonl(address);
	attribute(&request.head, IFA_LOCAL, &address, 4);
	attribute(&request.head, IFA_ADDRESS, &address, 4);
	ask(fd, &request.head, "address");
}

static void part_network(void)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct sockaddr_vm vm = { .svm_family = AF_VSOCK, .svm_cid = 1, .svm_port = 4711 };
	struct {
		struct nlmsghdr head;
		struct rtgenmsg general;
	} dump = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
			     .nlmsg_type = RTM_GETLINK,
			     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		   .general = { AF_UNSPEC } };
	static char answer[16384];
	int fd, raw;

	new_namespaces(CLONE_NEWNET);
	fd = netlink();
	link_up(fd, "lo");
	serve(AF_INET, SOCK_STREAM, (void *)&v4, sizeof(v4));
	v4.sin_port = 0;
	serve(AF_INET, SOCK_DGRAM, (void *)&v4, sizeof(v4));
	serve(AF_INET6, SOCK_STREAM, (void *)&v6, sizeof(v6));
	v6.sin6_port = 0;
	serve(AF_INET6, SOCK_DGRAM, (void *)&v6, sizeof(v6));
	serve(AF_UNIX, SOCK_STREAM, (void *)&local, sizeof(local));
	unlink("socket");
	serve(AF_UNIX, SOCK_DGRAM, (void *)&local, sizeof(local));
	serve(AF_VSOCK, SOCK_STREAM, (void *)&vm, sizeof(vm));
	add_link(fd, "veth", "many0");
	add_link(fd, "dummy", "many1");
	add_link(fd, "bridge", "many2");
	add_link(fd, "ifb", "many3");
	link_up(fd, "many0");
	link_up(fd, "many1");
	link_up(fd, "many2");
	add_address(fd, "many0", 0x0a090807);
	add_address(fd, "many1", 0x0a090907);
	v4.sin_addr.s_addr = htonl(0x0a090909);
	v4.sin_port = htons(53);
	raw = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sendto(raw, "neighbour", 9, 0, (void *)&v4, sizeof(v4));
	usleep(20000);
	close(raw);
	raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sendto(raw, "\x08\0\xf7\xff\0\0\0\0", 8, 0, (void *)&v4, sizeof(v4));
	recv(raw, answer, sizeof(answer), MSG_DONTWAIT);
	close(raw);
	raw = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	close(raw);
	send(fd, &dump, dump.head.nlmsg_len, 0);
	recv(fd, answer, sizeof(answer), 0);
	close(fd);
}

static void part_ipc(void)
{
	struct sembuf up = { 0, 1, 0 }, down = { 0, -1, IPC_NOWAIT };
	struct {
		long type;
		char text[16];
	} message = { 1, "hello" };
	int id, fd, other, pair[2], i;
	uint64_t one = 1;
	struct epoll_event event = { .events = EPOLLIN };
	mqd_t queue;
	char byte = 0, *memory;

	id = semget(IPC_PRIVATE, 1, 0600);
	semop(id, &up, 1);
	semop(id, &down, 1);
	semctl(id, 0, IPC_RMID);
	id = msgget(IPC_PRIVATE, 0600);
	msgsnd(id, &message, 16, 0);
	msgrcv(id, &message, 16, 0, 0);
	msgctl(id, IPC_RMID, NULL);
	id = shmget(IPC_PRIVATE, 65536, 0600);
	memory = shmat(id, NULL, 0);
	memory[0] = 1;
	shmdt(memory);
	shmctl(id, IPC_RMID, NULL);
	queue = mq_open("/many-events", O_RDWR | O_CREAT, 0600, NULL);
	if (queue != (mqd_t)-1) {
		mq_send(queue, "text", 4, 1);
		mq_unlink("/many-events");
	}
	fd = eventfd(0, EFD_CLOEXEC);
	other = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(other, EPOLL_CTL_ADD, fd, &event);
	write(fd, &one, 8);
	epoll_wait(other, &event, 1, 10);
	read(fd, &one, 8);
	epoll_wait(other, &event, 1, 1);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	if (fork() == 0) {
		for (i = 0; i < 500; i++)
			if (read(pair[1], &byte, 1) == 1)
				write(pair[1], &byte, 1);
		_exit(0);
	}
	for (i = 0; i < 500; i++) {
		write(pair[0], &byte, 1);
		read(pair[0], &byte, 1);
	}
	wait(NULL);
}

static void part_ring(void)
{
	struct io_uring_params params = { .flags = 0 };
	struct io_uring_sqe *entries;
	char *ring;
	unsigned *tail, *array, mask, at;
	int fd = syscall(SYS_io_uring_setup, 8, &params), i, out;

	if (fd < 0) {
		say("io_uring_setup");
		return;
	}
	ring = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    IORING_OFF_SQ_RING);
	entries = mmap(NULL, params.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       IORING_OFF_SQES);
	tail = (void *)(ring + params.sq_off.tail);
	array = (void *)(ring + params.sq_off.array);
	mask = *(unsigned *)(ring + params.sq_off.ring_mask);
	out = open("ring", O_RDWR | O_CREAT, 0644);
	for (i = 0; i < 5; i++) {
		static const int what[] = { IORING_OP_NOP, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_POLL_ADD,
					    IORING_OP_TIMEOUT };
		static struct __kernel_timespec soon = { 0, 1000000 };

		at = *tail & mask;
		memset(&entries[at], 0, sizeof(*entries));
		entries[at].opcode = what[i];
		entries[at].fd = out;
		entries[at].user_data = i;
		if (i == 1) {
			entries[at].addr = (uintptr_t) "text";
			entries[at].len = 4;
		}
		if (i == 3)
			entries[at].poll32_events = POLLIN;
		if (i == 4) {
			entries[at].addr = (uintptr_t)&soon;
			entries[at].len = 1;
			entries[at].fd = -1;
		}
		array[at] = at;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			say("io_uring_enter");
	}
	syscall(SYS_io_uring_register, fd, 0, NULL, 0);
	close(fd);
}

static void part_probes(void)
{
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(perf),
					.config = PERF_COUNT_SW_CPU_CLOCK };
	struct {
		uint32_t type, key, value, entries, flags;
	} map = { BPF_MAP_TYPE_HASH, 4, 8, 16, 0 };
	struct bpf_insn code[] = { { .code = 0xb7 }, { .code = 0x95 } };
	union bpf_attr program;
	int fd;
	pid_t pid;

	fd = syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0);
	close(fd);
	fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));
	close(fd);
	memset(&program, 0, sizeof(program));
	program.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	program.insn_cnt = 2;
	program.insns = (uintptr_t)code;
	program.license = (uintptr_t) "GPL";
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program));
	close(fd);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, NULL, 0);
}

static void part_files_of_proc(void)
{
	static const char *paths[] = { "/proc/stat", "/proc/meminfo", "/proc/self/maps", "/proc/self/smaps",
				       "/proc/interrupts", "/proc/vmstat", "/proc/self/mountinfo",
				       "/proc/net/tcp", "/proc/self/status", "/proc/slabinfo",
				       "/proc/self/pagemap", "/proc/loadavg", "/sys/power/state" };
	static char text[65536];
	struct utsname name;
	struct sysinfo info;
	struct rusage usage;
	unsigned i;

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY);

		while (fd >= 0 && read(fd, text, sizeof(text)) > 0 && i != 10)
			;
		close(fd);
	}
	uname(&name);
	sysinfo(&info);
	getrusage(RUSAGE_SELF, &usage);
	syscall(SYS_getrandom, text, 256, 0);
	klogctl(10, NULL, 0);
	put("/dev/kmsg", "<6>many-events says hello\n");
}

/* A limit, then more than the limit: reclaim, and at last a kill. In a group of its own. */
static void part_limits(void)
{
	char group[160], path[192], text[32];
	static const char *roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup",
				       "/tmp/many-cgroup" };
	unsigned i;
	pid_t pid;

	mkdir("/tmp/many-cgroup", 0755);
	new_namespaces(CLONE_NEWNS);
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) && access("/sys/fs/cgroup/memory", F_OK))
		mount("cgroup2", "/tmp/many-cgroup", "cgroup2", 0, NULL);
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	put("/tmp/many-cgroup/cgroup.subtree_control", "+memory");
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, W_OK))
			continue;
		snprintf(group, sizeof(group), "%s/many-events-%d", roots[i], getpid());
		if (mkdir(group, 0755))
			continue;
		snprintf(path, sizeof(path), "%s/memory.max", group);
		if (access(path, W_OK))
			snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", group);
		if (!access(path, W_OK))
			put(path, "16777216");
		pid = fork();
		if (pid == 0) {
			snprintf(path, sizeof(path), "%s/cgroup.procs", group);
			snprintf(text, sizeof(text), "%d", getpid());
			put(path, text);
			snprintf(path, sizeof(path), "%s/cgroup.freeze", group);
			if (!access(path, W_OK)) {
				pid_t frozen = fork();

				if (frozen == 0) {
					pause();
					_exit(0);
				}
				kill(frozen, SIGKILL);
				waitpid(frozen, NULL, 0);
			}
			fill("limited", 32 * MB, 0);
			unlink("limited");
			memset(malloc(48 * MB), 5, 48 * MB);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		snprintf(path, sizeof(path), "%s/renamed-%d", roots[i], getpid());
		if (rename(group, path) == 0)
			snprintf(group, sizeof(group), "%s", path);
		if (rmdir(group))
			say(group);
	}
}

/* Of these, some block, some end the process, and the others are none of a test's business. */
static int is_left_out(long nr)
{
	switch (nr) {
	case SYS_rt_sigreturn: case SYS_pause: case SYS_exit: case SYS_exit_group: case SYS_fork: case SYS_vfork:
	case SYS_clone: case SYS_vhangup: case SYS_reboot: case SYS_kexec_load: case SYS_kexec_file_load:
	case SYS_rt_sigsuspend: case SYS_settimeofday: case SYS_clock_settime: case SYS_sync: case SYS_kill:
	case SYS_tkill: case SYS_personality: case SYS_setsid: case SYS_umask: case SYS_alarm: case SYS_swapon:
	case SYS_swapoff: case SYS_acct: case 435 /* clone3 */:
		return 1;
	default:
		return 0;
	}
}

static void part_refused(void)
{
	long nr;
	pid_t pid;

	for (nr = 0; nr < 470; nr++) {
		if (is_left_out(nr))
			continue;
		pid = fork();
		if (pid == 0) {
			alarm(2);
			syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static const struct {
	const char *name;
	void (*part)(void);
} parts[] = {
	{ "tasks", part_tasks },     { "threads", part_threads }, { "signals", part_signals },
	{ "timers", part_timers },   { "files", part_files },     { "mounts", part_mounts },
	{ "loop", part_loop },	     { "memory", part_memory },   { "network", part_network },
	{ "ipc", part_ipc },	     { "ring", part_ring },	  { "probes", part_probes },
	{ "proc", part_files_of_proc }, { "limits", part_limits }, { "refused", part_refused },
};

int main(int argc, char **argv)
{
	char dir[] = "/tmp/many-events-XXXXXX", command[64];
	unsigned i;
	int word, wanted, status;
	pid_t pid;

	if (mkdtemp(dir) == NULL || chdir(dir))
		return say(dir), 1;
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		wanted = argc < 2;
		for (word = 1; word < argc; word++)
			wanted |= !strcmp(argv[word], parts[i].name);
		if (!wanted)
			continue;
		pid = fork();
		if (pid == 0) {
			alarm(60);
			parts[i].part();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		fprintf(stderr, "many-events: %s ended with %d\n", parts[i].name, status);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

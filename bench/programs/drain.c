/*
 * The host end of a trace port: reads pages from a FIFO and counts their events, to detect missing ones. The data is
 * discarded. The CPU time of this program is not part of any measurement.
 *
 *   drain [--live] FIFO PAGE_BYTES
 *
 * Prints "open", then for each SIGUSR1, and at SIGTERM once the FIFO has been empty for 100 ms, one line of JSON:
 *   {"pages","dataBytes","events","missed","torn","firstNs","lastNs"}
 * missed: events that the kernel reports as overwritten before a page; torn: bytes of an incomplete page at the end;
 * times are CLOCK_MONOTONIC. With --live it also prints such a line after every read that returned data.
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
#include <time.h>
#include <unistd.h>

#define HEADER_BYTES 16
#define QUIET_MS 100
#define BUFFER_BYTES (1 << 20)

static volatile sig_atomic_t asked, ended;
static char buffer[BUFFER_BYTES];
static size_t held;
static long page_bytes;
static uint64_t pages, data_bytes, events, missed, first_ns, last_ns;

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		asked = 1;
	else
		ended = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static uint32_t word_at(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* One page of the ring: u64 time, u64 commit (length, bit 31 events missed, bit 30 how many), records. */
static void count_page(const char *page)
{
	uint32_t commit = word_at(page + 8), length = commit & ((1u << 27) - 1);
	const char *data = page + HEADER_BYTES;

	if (length > page_bytes - HEADER_BYTES) {
		fprintf(stderr, "drain: page %lu claims to hold %u bytes\n", (unsigned long)pages, length);
		exit(1);
	}
	pages++;
	data_bytes += length;
	if ((commit & (1u << 30)) && length + 8 <= page_bytes - HEADER_BYTES) {
		uint64_t count;

		memcpy(&count, data + length, sizeof(count));
		missed += count;
	}
	for (uint32_t at = 0; at + 4 <= length;) {
		uint32_t head = word_at(data + at), type = head & 31, delta = head >> 5;

		if (type >= 1 && type <= 28) {
			events++;
			at += 4 + 4 * type;
		} else if (type == 0) {
			events++;
			at += 4 + word_at(data + at + 4);
		} else if (type == 29) {
			if (delta == 0)
				break;
			at += 4 + word_at(data + at + 4);
		} else {
			at += 8;
		}
	}
}

static void take(size_t bytes)
{
	size_t at = 0;

	last_ns = now_ns();
	if (first_ns == 0)
		first_ns = last_ns;
	held += bytes;
	for (; held - at >= (size_t)page_bytes; at += page_bytes)
		count_page(buffer + at);
	memmove(buffer, buffer + at, held - at);
	held -= at;
}

static void say(void)
{
	printf("{\"pages\":%lu,\"dataBytes\":%lu,\"events\":%lu,\"missed\":%lu,\"torn\":%zu,"
	       "\"firstNs\":\"%lu\",\"lastNs\":\"%lu\"}\n",
	       (unsigned long)pages, (unsigned long)data_bytes, (unsigned long)events, (unsigned long)missed, held,
	       (unsigned long)first_ns, (unsigned long)last_ns);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int live = argc > 1 && strcmp(argv[1], "--live") == 0;
	sigset_t blocked, none;
	struct pollfd fifo;

	if (argc - live != 3)
		return fprintf(stderr, "usage: drain [--live] FIFO PAGE_BYTES\n"), 2;
	page_bytes = atol(argv[live + 2]);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);

	/* open for reading and writing: no end of file when the writer closes it */
	fifo.fd = open(argv[live + 1], O_RDWR | O_NONBLOCK);
	fifo.events = POLLIN;
	if (fifo.fd < 0 || fcntl(fifo.fd, F_SETPIPE_SZ, BUFFER_BYTES) < 0)
		return perror(argv[live + 1]), 1;
	puts("open");
	fflush(stdout);
	for (;;) {
		struct timespec quiet = {0, QUIET_MS * 1000000L};
		int ready = ppoll(&fifo, 1, ended ? &quiet : NULL, &none);
		ssize_t got = ready > 0 ? read(fifo.fd, buffer + held, BUFFER_BYTES - held) : 0;

		if (got > 0)
			take(got);
		if (got > 0 ? live : asked) {
			asked = 0;
			say();
		}
		if (ended && ready == 0)
			break;
	}
	say();
	return 0;
}

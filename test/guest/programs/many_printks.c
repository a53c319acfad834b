// A module that says something by trace_printk with every conversion there is, when it is loaded. Values are constant, but
// for addresses. After a conversion that it does not know, trace-cmd prints no other line of trace_printk in the file: such
// a line is only said when it is asked for, by `odd=NUMBER`, and between two others.
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/time64.h>
#include <linux/rtc.h>
#include <linux/uuid.h>

static char text[] = "some text";
static char strange[] = "tab\there \x01 \xc3\xa9 \xff \"quoted\" 100% \\ \x1b[31m";
static int variable = 7;

static noinline void numbers(void)
{
	int i;
	static const long long values[] = { 0, 1, -1, 42, 255, 65536, 2147483647, -2147483647 - 1, 4294967295LL,
					    9223372036854775807LL, -9223372036854775807LL - 1, 123456789012345LL };

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		long long value = values[i];

		trace_printk("d=%d i=%i u=%u x=%x X=%X o=%o\n", (int)value, (int)value, (unsigned)value, (unsigned)value,
			     (unsigned)value, (unsigned)value);
		trace_printk("ld=%ld lu=%lu lx=%lx lX=%lX lo=%lo\n", (long)value, (long)value, (long)value, (long)value,
			     (long)value);
		trace_printk("lld=%lld llu=%llu llx=%llx llX=%llX llo=%llo\n", value, value, value, value, value);
		trace_printk("zd=%zd zu=%zu zx=%zx td=%td\n", (size_t)value, (size_t)value, (size_t)value,
			     (ptrdiff_t)value);
		trace_printk("[%5d] [%05d] [%#x] [%#o] [%8x] [%08x] [%20lld] [%020lld] [%016llx] [%#llx]\n", (int)value,
			     (int)value, (int)value, (int)value, (int)value, (int)value, value, value, value, value);
		trace_printk("[%.3d] [%8.3d] [%.0d] [%*d] [%0*d]\n", (int)value, (int)value, (int)value, 6, (int)value, 6,
			     (int)value);
	}
	trace_printk("percent 100%% %d%%%d\n", 1, 2);
	trace_printk("%d\n", 1);
	trace_printk("no line break %d", 1);
	trace_printk("two\nlines %d\n", 2);
	trace_printk("nothing to convert\n");
	trace_printk("nothing to convert but 100%%\n");
}

static noinline void strings(void)
{
	const char *null = NULL;

	trace_printk("s=%s\n", text);
	trace_printk("s=%s\n", strange);
	trace_printk("s=%s|\n", "");
	trace_printk("null=%s\n", null);
	trace_printk("[%20s] [%4s] [%.4s] [%*s]\n", text, text, text, 12, text);
	trace_printk("c=%c c=[%3c] c=[%-3c] d=%d\n", 'A', 'B', 'C', 4);
	trace_printk("c=%c%c%c s=%s d=%d\n", 'x', '\t', 0x80, text, 5);
	trace_printk("%s %s %s\n", "one", "two", "three");
	trace_printk("%s=%d %s=%llx %s\n", "a", 1, "b", 2ULL, "c");
	trace_printk("const string only: %s\n", "constant");
}

static noinline void pointers(void)
{
	static const u8 v4[4] = { 127, 0, 0, 1 };
	static const u8 v6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 1 };
	static const u8 mac[6] = { 0x52, 0x54, 0, 0x12, 0xab, 0xcd };
	static const u8 bytes[16] = "0123456789abcde";
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x7f000001) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	struct timespec64 when = { 1234567890, 123456789 };
	DECLARE_BITMAP(bits, 70);
	uuid_t uuid;
	phys_addr_t physical = 0x123456789;

	memcpy(&uuid, bytes, 16);
	in6.sin6_addr.s6_addr[15] = 1;
	bitmap_zero(bits, 70);
	bitmap_set(bits, 1, 3);
	bitmap_set(bits, 66, 2);
	trace_printk("p=%p\n", &variable);
	trace_printk("p=%p null\n", NULL);
	trace_printk("px=%px\n", &variable);
	trace_printk("[%20p]\n", &variable);
	trace_printk("pS=%pS\n", (void *)_RET_IP_);
	trace_printk("ps=%ps\n", (void *)_RET_IP_);
	trace_printk("pS=%pS ps=%ps pB=%pB\n", schedule, schedule, (void *)schedule + 8);
	trace_printk("pS=%pS own ps=%ps\n", pointers, &variable);
	trace_printk("pSR=%pSR pSb=%pSb\n", schedule, schedule);
	trace_printk("[%30pS]\n", schedule);
	trace_printk("ps=%ps d=%d s=%s\n", schedule, 5, text);
	trace_printk("pI4=%pI4 pi4=%pi4\n", v4, v4);
	trace_printk("pI4h=%pI4h pI4n=%pI4n pI4b=%pI4b pI4l=%pI4l\n", v4, v4, v4, v4);
	trace_printk("pI6=%pI6 pi6=%pi6 pI6c=%pI6c\n", v6, v6, v6);
	trace_printk("pIS=%pIS pISpc=%pISpc\n", &in4, &in4);
	trace_printk("pIS=%pIS pISc=%pISc pISpc=%pISpc pISpfsc=%pISpfsc\n", &in6, &in6, &in6, &in6);
	trace_printk("pM=%pM pm=%pm pMF=%pMF pMR=%pMR pmR=%pmR\n", mac, mac, mac, mac, mac);
	trace_printk("pU=%pU pUb=%pUb pUB=%pUB pUl=%pUl pUL=%pUL\n", &uuid, &uuid, &uuid, &uuid, &uuid);
	trace_printk("ph=%*ph phC=%*phC phD=%*phD phN=%*phN\n", 8, bytes, 8, bytes, 8, bytes, 8, bytes);
	trace_printk("ph=%16ph ph=%3phN\n", bytes, bytes);
	trace_printk("pbl=%*pbl pb=%*pb\n", 70, bits, 70, bits);
	trace_printk("pbl=%*pbl d=%d\n", cpumask_pr_args(cpu_online_mask), 6);
	trace_printk("pa=%pa pad=%pad pap=%pap\n", &physical, &physical, &physical);
	trace_printk("pe=%pe\n", ERR_PTR(-ENOENT));
	trace_printk("pE=%*pE\n", 9, "a\tb\"c\\d\n");
	trace_printk("pGp=%pGg\n", &(gfp_t){ GFP_KERNEL });
	trace_printk("ptT=%ptTs\n", &when.tv_sec);
	trace_printk("pt=%ptRd\n", &(struct rtc_time){ .tm_year = 120, .tm_mday = 1 });
	trace_printk("mixed %d %pI4 %s %pM %lld %pS end\n", 1, v4, text, mac, 2LL, schedule);
	trace_printk("pt4cc=%p4cc\n", &(u32){ 0x34325241 });
}

static noinline void say_odd(int which)
{
	int value = -42;

	switch (which) {
	case 0: trace_printk("hd=%hd d=%d\n", (short)value, value); break;
	case 1: trace_printk("hhx=%hhx d=%d\n", (unsigned char)value, value); break;
	case 2: trace_printk("[%-5d] d=%d\n", value, value); break;
	case 3: trace_printk("[%+d] d=%d\n", value, value); break;
	case 4: trace_printk("[% d] d=%d\n", value, value); break;
	case 5: trace_printk("[%-8x] d=%d\n", value, value); break;
	case 6: trace_printk("[%#010x] [%#18llx] d=%d\n", value, (long long)value, value); break;
	case 7: trace_printk("[%-20lld] d=%d\n", (long long)value, value); break;
	case 8: trace_printk("[%.*d] d=%d\n", 4, value, value); break;
	case 9: trace_printk("[%-*d] d=%d\n", 6, value, value); break;
	case 10: trace_printk("[%-20s] d=%d\n", text, value); break;
	case 11: trace_printk("[%8.4s] d=%d\n", text, value); break;
	case 12: trace_printk("[%-8.4s] d=%d\n", text, value); break;
	case 13: trace_printk("[%.*s] d=%d\n", 3, text, value); break;
	case 14: trace_printk("[%-*s] d=%d\n", 12, text, value); break;
	case 15: trace_printk("[%-20p] d=%d\n", &variable, value); break;
	case 16: trace_printk("[%-30ps] d=%d\n", schedule, value); break;
	case 17: trace_printk("[%-30pS] s=%s\n", schedule, text); break;
	case 18: trace_printk("%llx %hx %llx\n", 1ULL, (unsigned short)value, 2ULL); break;
	case 19: trace_printk("%*.*d %s\n", 9, 4, value, text); break;
	}
}

static int odd = -1;
module_param(odd, int, 0);

static int __init say(void)
{
	int i;
	char buffer[16] = "not constant";
	const char *format = buffer;

	if (odd >= 0) {
		trace_printk("before %d\n", odd);
		say_odd(odd);
		trace_printk("after %d\n", odd);
		return 0;
	}
	numbers();
	strings();
	pointers();
	for (i = 0; i < 40; i++)
		trace_printk("turn %d of %d, variable %d at %ps\n", i, 40, variable, &variable);
	// not constant: text, and no conversions to do later
	__trace_printk(_THIS_IP_, "print %d %s\n", 5, text);
	__trace_puts(_THIS_IP_, format, strlen(format));
	trace_puts("puts\n");
	trace_puts("puts without a line break");
	trace_dump_stack(0);
	return 0;
}

static void __exit leave(void)
{
}

module_init(say);
module_exit(leave);
MODULE_LICENSE("GPL");

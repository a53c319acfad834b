// A module that says two lines by trace_printk when it is loaded: one with a format, one as it stands.
#include <linux/kernel.h>
#include <linux/module.h>

static int __init say(void)
{
	int answer = 42;

	trace_printk("printk says %d\n", answer);
	trace_printk("printk says no more\n");
	return 0;
}

static void __exit leave(void)
{
}

module_init(say);
module_exit(leave);
MODULE_LICENSE("GPL");

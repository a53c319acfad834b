// A module that disturbs a CPU with the interrupts of QEMU's device "edu", and logs how long each of them kept the CPU: for
// the tests of `trace-host explain`.
//
//   cpu=N        the CPU that is interrupted; another one makes the device do it
//   run_us=US    how long the handler runs
//   every_us=US  time between two interrupts, if the first one has ended by then
//
// /proc/storm has its irq, then a line for each stretch in which the handler had the CPU, "FROM TO INTERRUPT" in ns of
// CLOCK_BOOTTIME, as of bursts.c. A stretch ends where the clock jumps by GAP_NS: there something outside the guest had the
// CPU, as inside nothing interrupts a handler. The handler reads the clock itself, and no event, so its log is what
// explain is held against. What it lacks is how long the kernel takes to call the handler and to return from it.
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#define NAME "storm"
#define STRETCHES_MAX 100000
// QEMU's thread of the CPU may have to wait for another one for so short a time
#define GAP_NS 10000
// a write to this register of "edu" raises its interrupt
#define RAISE 0x60

struct stretch {
	u64 from, to;
	unsigned long interrupt;
};

static int cpu = 1;
module_param(cpu, int, 0444);
static int run_us = 1000;
module_param(run_us, int, 0444);
static int every_us = 3000;
module_param(every_us, int, 0444);

static struct pci_dev *device;
static void __iomem *registers;
static struct task_struct *raiser;
static struct stretch *stretches;
// written by the handler only, which runs on one CPU
static unsigned long count, interrupts;

static void keep(u64 from, u64 to)
{
	if (count == STRETCHES_MAX)
		return;
	stretches[count] = (struct stretch){ from, to, interrupts };
	// who reads the log may be on another CPU
	smp_store_release(&count, count + 1);
}

static irqreturn_t handle(int irq, void *data)
{
	u64 from = ktime_get_boot_fast_ns(), last = from, until = from + run_us * 1000ULL;

	// the first interrupts may come to another CPU, until the device has its new address
	if (smp_processor_id() != cpu)
		return IRQ_HANDLED;
	interrupts++;
	while (last < until) {
		u64 now = ktime_get_boot_fast_ns();

		if (now - last > GAP_NS) {
			keep(from, last);
			from = now;
		}
		last = now;
	}
	keep(from, last);
	return IRQ_HANDLED;
}

static int raise_often(void *data)
{
	while (!kthread_should_stop()) {
		iowrite32(1, registers + RAISE);
		usleep_range(every_us, every_us);
	}
	return 0;
}

static int show(struct seq_file *file, void *data)
{
	unsigned long i, known = smp_load_acquire(&count);

	seq_printf(file, "irq %d\n", pci_irq_vector(device, 0));
	for (i = 0; i < known; i++)
		seq_printf(file, "%llu %llu %lu\n", stretches[i].from, stretches[i].to, stretches[i].interrupt);
	return 0;
}

static int start_raiser(void)
{
	raiser = kthread_create(raise_often, NULL, NAME);
	if (IS_ERR(raiser))
		return PTR_ERR(raiser);
	kthread_bind(raiser, cpumask_any_but(cpu_online_mask, cpu));
	wake_up_process(raiser);
	return 0;
}

static int __init begin(void)
{
	int err;

	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu) || num_online_cpus() < 2)
		return -EINVAL;
	device = pci_get_device(0x1234, 0x11e8, NULL);
	if (!device)
		return -ENODEV;
	err = -ENOMEM;
	stretches = vzalloc(array_size(STRETCHES_MAX, sizeof(*stretches)));
	if (!stretches)
		goto put;
	err = pci_enable_device(device);
	if (err)
		goto put;
	pci_set_master(device);
	err = -EIO;
	registers = pci_iomap(device, 0, 0);
	if (!registers)
		goto disable;
	err = pci_alloc_irq_vectors(device, 1, 1, PCI_IRQ_MSI);
	if (err < 0)
		goto unmap;
	err = request_irq(pci_irq_vector(device, 0), handle, IRQF_NOBALANCING, NAME, NULL);
	if (err)
		goto vectors;
	err = irq_set_affinity(pci_irq_vector(device, 0), cpumask_of(cpu));
	if (err)
		goto irq;
	err = -ENOMEM;
	if (!proc_create_single(NAME, 0400, NULL, show))
		goto irq;
	err = start_raiser();
	if (!err)
		return 0;
	remove_proc_entry(NAME, NULL);
irq:
	free_irq(pci_irq_vector(device, 0), NULL);
vectors:
	pci_free_irq_vectors(device);
unmap:
	pci_iounmap(device, registers);
disable:
	pci_disable_device(device);
put:
	vfree(stretches);
	pci_dev_put(device);
	return err;
}

static void __exit end(void)
{
	kthread_stop(raiser);
	// the last interrupt may be on its way
	msleep(100);
	remove_proc_entry(NAME, NULL);
	free_irq(pci_irq_vector(device, 0), NULL);
	pci_free_irq_vectors(device);
	pci_iounmap(device, registers);
	pci_disable_device(device);
	vfree(stretches);
	pci_dev_put(device);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");

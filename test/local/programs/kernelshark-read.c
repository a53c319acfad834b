/*
 * kernelshark-read PLUGIN HOST.dat GUEST.dat...: what KernelShark's library makes of these files, opened in this order.
 * Lines of words, with tabs between them:
 *
 *	plugin STREAM NAME DRAWS		a plugin accepted the stream; DRAWS: it will draw on its graphs
 *	guest STREAM HOST-STREAM NAME TID...	a guest, and the host's thread of each vCPU
 *	event STREAM NS CPU PID NAME		in the order in which KernelShark lists them
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <libkshark.h>
#include <libkshark-tepdata.h>

static int fail(const char *what, const char *which)
{
	fprintf(stderr, "kernelshark-read: %s: %s\n", what, which);
	return 1;
}

static void print_plugins(const struct kshark_data_stream *stream)
{
	for (const struct kshark_dpi_list *plugin = stream->plugins; plugin; plugin = plugin->next) {
		if (plugin->status & KSHARK_PLUGIN_LOADED)
			printf("plugin\t%d\t%s\t%d\n", stream->stream_id, plugin->interface->name,
			       stream->draw_handlers != NULL);
	}
}

static void print_guests(void)
{
	struct kshark_host_guest_map *guests = NULL;
	int count = kshark_tracecmd_get_hostguest_mapping(&guests);

	for (int i = 0; i < count; i++) {
		printf("guest\t%d\t%d\t%s", guests[i].guest_id, guests[i].host_id, guests[i].guest_name);
		for (int vcpu = 0; vcpu < guests[i].vcpu_count; vcpu++)
			printf("\t%d", guests[i].cpu_pid[vcpu]);
		putchar('\n');
	}
	kshark_tracecmd_free_hostguest_map(guests, count);
}

int main(int argc, char **argv)
{
	struct kshark_context *kshark = NULL;
	struct kshark_entry **entries = NULL;

	if (argc < 3)
		return fail("usage", "PLUGIN FILE...");
	if (!kshark_instance(&kshark))
		return fail("cannot start", "libkshark");
	if (!kshark_register_plugin(kshark, "kvm_combo", argv[1]))
		return fail("cannot load", argv[1]);
	for (int i = 2; i < argc; i++) {
		int stream = kshark_open(kshark, argv[i]);

		if (stream < 0)
			return fail("cannot open", argv[i]);
		kshark_tep_handle_plugins(kshark, stream);
		print_plugins(kshark_get_data_stream(kshark, stream));
	}
	print_guests();

	ssize_t count = kshark_load_all_entries(kshark, &entries);

	if (count < 0)
		return fail("cannot load", "the events");
	for (ssize_t i = 0; i < count; i++) {
		char *name = kshark_get_event_name(entries[i]);

		printf("event\t%d\t%" PRId64 "\t%d\t%d\t%s\n", entries[i]->stream_id, entries[i]->ts,
		       entries[i]->cpu, kshark_get_pid(entries[i]), name);
		free(name);
	}
	return 0;
}

#!/bin/sh
# PID 1 of the test guest: mounts, virtio modules, names for the ports, then the shell server takes over.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for fd in "fd fd" "stdin fd/0" "stdout fd/1" "stderr fd/2"; do
  set -- $fd
  ln -s /proc/self/$2 /dev/$1
done
ip link set lo up
hostname guest

# harness.undriven: what the agent says while a driver under its ports is not there yet, in /run/undriven.
undriven() {
  mkdir -p /run/undriven
  trace-agent doctor --json >/run/undriven/$1.doctor
  trace-agent 2>/run/undriven/$1.agent
}

for module in $(cat /lib/virtio/order); do
  case $module in virtio_pci.ko | virtio_console.ko)
    grep -q harness.undriven /proc/cmdline && undriven ${module%.ko}
    ;;
  esac
  insmod /lib/virtio/$module || echo "init: $module did not load"
done

# The port's name appears a moment after its device.
tries=0
until port=$(grep -lx harness.shell /sys/class/virtio-ports/*/name 2>/dev/null); do
  tries=$((tries + 1))
  [ $tries -lt 200 ] || { echo "init: no port harness.shell"; poweroff -f; }
  usleep 20000
done
port=${port%/name}

# harness.noudev: a guest whose ports have no names below /dev.
grep -q harness.noudev /proc/cmdline || {
  port-links >/run/port-links &
  until grep -q linked /run/port-links; do usleep 5000; done
}
exec shell-server /dev/${port##*/} </dev/null >/dev/console 2>&1

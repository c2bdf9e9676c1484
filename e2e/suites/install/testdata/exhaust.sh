# Makes the kernel's OOM killer end containers, by their ids: it limits their memory to little more than what they use, and allocates as much again beside them. To wait until they need more themselves could take for ever.

exhaust() { # cgroup, the file of the memory in use, the file of its limit
	# In cgroup v1, a limit below what is in use by now is rejected.
	until limit=$(($(cat "$1/$2") + 1048576)) && echo "$limit" >"$1/$3"; do :; done
	# tail keeps a line that does not end. The OOM killer ends the container, and in cgroup v2 all else in the cgroup.
	(echo 0 >"$1/cgroup.procs" && head -c "$limit" /dev/zero | tail >/dev/null) || true
}

for container; do
	pid=$(ctr --namespace=k8s.io tasks list | awk -v id="$container" '$1 == id { print $2 }')
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		exhaust "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" memory.current memory.max
	else
		exhaust "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")" \
			memory.usage_in_bytes memory.limit_in_bytes
	fi
done

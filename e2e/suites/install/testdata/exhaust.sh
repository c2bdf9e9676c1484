# Limits the memory of containers, by their ids, to less than they use. The kernel reclaims what it can, and then ends a process that asks for more.
exhaust() {
	cgroup=$1
	if [ -e "$cgroup/memory.max" ]; then # cgroup v2 ends a process at once
		echo 4M >"$cgroup/memory.max"
		return
	fi
	# In cgroup v1, a limit below what is in use is rejected. So it comes down in steps, until nothing more can be reclaimed.
	limit=$(cat "$cgroup/memory.usage_in_bytes")
	while [ "$limit" -gt 0 ] && echo "$limit" 2>/dev/null >"$cgroup/memory.limit_in_bytes"; do
		limit=$((limit - 131072))
	done
}

for container; do
	pid=$(ctr --namespace=k8s.io tasks list | awk -v id="$container" '$1 == id { print $2 }')
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		exhaust "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" &
	else
		exhaust "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")" &
	fi
done
wait

package sysctl

const (
	kernelDoc = "Linux Documentation/admin-guide/sysctl/kernel.rst"
	fsDoc     = "Linux Documentation/admin-guide/sysctl/fs.rst"
	vmDoc     = "Linux Documentation/admin-guide/sysctl/vm.rst"
)

// neverShared are the names that are rejected on a shared kernel even if a policy allows them. All have node scope (a
// test checks it), which already rejects them. The table makes sure that no later rule allows them by accident, and
// gives the reason for each.
var neverShared = []row{
	// They make the kernel run a program as root, outside every container.
	{"fs.binfmt_misc.*", "makes the node run an arbitrary interpreter for other pods' programs",
		"Linux Documentation/admin-guide/binfmt-misc.rst"},
	{"kernel.core_pattern", "names a program that the node runs as root at every crash", kernelDoc},
	{"kernel.hotplug", "names a program that the node runs as root for every device event", kernelDoc},
	{"kernel.modprobe", "names the program that the node runs as root to load a kernel module", kernelDoc},
	{"kernel.poweroff_cmd", "names the program that the node runs as root to power off",
		"Linux kernel/reboot.c (poweroff_cmd)"},
	{"kernel.usermodehelper.*", "sets the capabilities of the programs that the kernel starts as root",
		"Linux kernel/umh.c (usermodehelper_table)"},

	// They stop or reboot the node, now or at the next fault.
	{"kernel.cad_pid", "chooses the process that Ctrl-Alt-Delete signals", kernelDoc},
	{"kernel.ctrl-alt-del", "decides whether Ctrl-Alt-Delete reboots the node at once, without a sync", kernelDoc},
	{"kernel.hardlockup_panic", "makes the node panic when a CPU is stuck", kernelDoc},
	{"kernel.hung_task_panic", "makes the node panic when a task hangs", kernelDoc},
	{"kernel.max_rcu_stall_to_panic", "makes the node panic after some RCU stalls", "Linux kernel/rcu/tree_stall.h"},
	{"kernel.oops_limit", "makes the node panic after some kernel faults", kernelDoc},
	{"kernel.panic*", "decides when the node panics, and whether it reboots then", kernelDoc},
	{"kernel.softlockup_panic", "makes the node panic when a CPU is stuck", kernelDoc},
	{"kernel.sysrq", "enables the keys that crash, reboot or debug the node",
		"Linux Documentation/admin-guide/sysrq.rst"},
	{"kernel.unknown_nmi_panic", "makes the node panic on an unknown interrupt", kernelDoc},
	{"kernel.warn_limit", "makes the node panic after some kernel warnings", kernelDoc},
	{"vm.panic_on_oom", "makes the node panic instead of ending one process when memory runs out", vmDoc},

	// Once written, they stay until the node reboots.
	{"kernel.kexec_load_disabled", "cannot be undone until the node reboots", kernelDoc},
	{"kernel.kexec_load_limit_*", "cannot be undone until the node reboots", kernelDoc},
	{"kernel.modules_disabled", "stops the node from loading modules until it reboots", kernelDoc},
	{"kernel.unprivileged_bpf_disabled", "opens BPF to every process, or closes it until the node reboots", kernelDoc},
	{"kernel.yama.*", "decides which processes of the whole node may trace others; its strictest value stays until " +
		"the node reboots", "Linux Documentation/admin-guide/LSM/Yama.rst"},

	// They remove protection from every pod on the node.
	{"fs.protected_*", "removes the whole node's protection against link and file attacks", fsDoc},
	{"fs.suid_dumpable", "lets privileged programs leave core dumps", fsDoc},
	{"kernel.dmesg_restrict", "opens the kernel's log to every process", kernelDoc},
	{"kernel.io_uring_disabled", "opens io_uring to every process, or closes it", kernelDoc},
	{"kernel.kptr_restrict", "opens kernel addresses to every process", kernelDoc},
	{"kernel.perf_event_paranoid", "opens performance events, which reveal data of other processes, to every process",
		kernelDoc},
	{"kernel.randomize_va_space", "removes address randomization from the whole node", kernelDoc},
	{"vm.mmap_min_addr", "removes the whole node's protection against kernel null pointer attacks", vmDoc},
	{"vm.unprivileged_userfaultfd", "opens userfaultfd for kernel faults to every process", vmDoc},
}

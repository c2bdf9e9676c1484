# The first process of a node, in process and mount namespaces of its own: when it ends, the kernel ends every other
# process there, and the mounts disappear with the last process. Directories at fixed paths are in memory, in mounts that
# are invisible outside. All paths that the node's programs get are inside these mounts.
set -eu
files=$1 kubernetes=$2 plugins=$3 containerd=$4 runc=$5

mount -n --make-rprivate /
mount -n -t proc proc /proc

# Made aside and then moved over /run: the folders it shows may themselves lie below one that is covered here.
aside=$files/run
mkdir "$aside"
mount -n -t tmpfs tmpfs "$aside"
mkdir -p "$aside/node" "$aside/kubernetes" "$aside/cni" "$aside/programs/containerd" "$aside/programs/runc" "$aside/proc"
mount -n --bind "$files" "$aside/node"
mount -n --bind "$kubernetes" "$aside/kubernetes"
mount -n --bind "$plugins" "$aside/cni"
mount -n --bind "$containerd" "$aside/programs/containerd"
mount -n --bind "$runc" "$aside/programs/runc"
mount -n --move "$aside" /run
mount -n -t tmpfs tmpfs /var/lib
mount -n -t tmpfs tmpfs /var/log

# A kubelet writes these at its start. Here it finds the values that it wants, so it does not change the machine's.
while read -r path; do
	mount -n --bind "/run/node/tunables/$path" "/proc/sys/$path"
done </run/node/tunables.txt

# In a user namespace, the kernel allows a new procfs only if the mount namespace shows one that nothing covers. The mounts
# above cover parts of the one at /proc.
mount -n -t proc proc /run/proc

: >/run/node/ready
sleep infinity &
wait # for every process that has lost its parent too

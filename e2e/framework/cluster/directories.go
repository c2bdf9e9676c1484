package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// files are the directories of one cluster.
type files struct {
	scratch string // temporary; its base name is unique to the cluster and names its owner
	pki     string
	etcd    string
	node    string // what the node's programs read
}

// namePrefix opens the names of all that a cluster leaves outside its Dir. The owner's process id and start time
// follow, so that a later process can tell whether the owner still lives.
const namePrefix = "sysctl-injector-"

func (c *Cluster) makeDirectories(config Config) (files, error) {
	owner, err := identify(os.Getpid())
	if err != nil {
		return files{}, err
	}
	scratch, err := os.MkdirTemp("", namePrefix+owner.String()+"-*")
	if err != nil {
		return files{}, err
	}
	c.temporary = append(c.temporary, scratch)
	c.dir = scratch
	if config.Dir != "" {
		c.dir = config.Dir
		c.temporary = append(c.temporary, credentialPaths(c.dir)...)
	}
	c.logs = filepath.Join(c.dir, "logs")
	if config.LogDir != "" {
		c.logs = config.LogDir
	}
	f := files{
		scratch: scratch,
		pki:     filepath.Join(c.dir, pkiDir),
		etcd:    filepath.Join(scratch, "etcd"),
		node:    filepath.Join(scratch, "node"),
	}
	// Most of the time of a write to etcd is the disk's fsync, and these data are not needed after a crash.
	if inMemory := memoryDirectory(); inMemory != "" {
		f.etcd = filepath.Join(inMemory, filepath.Base(scratch))
		c.temporary = append(c.temporary, f.etcd)
	}
	for _, dir := range []string{c.dir, f.pki, c.logs, f.etcd} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return files{}, err
		}
	}
	return f, nil
}

// MkdirTemp makes a directory for the files of programs that run beside the cluster's own. Stop removes it. If the
// cluster's owner is killed, RemoveStale does.
func (c *Cluster) MkdirTemp(name string) (string, error) {
	return os.MkdirTemp(c.files.scratch, name+"-*")
}

// Entries of a cluster's directory.
const (
	pkiDir          = "pki"
	kubeconfigFile  = "kubeconfig"
	kubectlCacheDir = "kubectl-cache"
)

// credentialPaths lists the files that are removed from a kept directory when its cluster stops.
func credentialPaths(dir string) []string {
	return []string{filepath.Join(dir, pkiDir), filepath.Join(dir, kubeconfigFile), filepath.Join(dir, kubectlCacheDir)}
}

// RemoveCredentials removes the credentials from the Config.Dir of a cluster whose owner was killed before it called
// Stop.
func RemoveCredentials(dir string) error {
	for _, path := range credentialPaths(dir) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// RemoveStale removes the files and network namespaces of clusters whose owner was killed. The kernel has already ended
// their processes. Start calls it too. It ignores errors: the next call tries again.
func RemoveStale() {
	for _, dir := range []string{os.TempDir(), memoryDirectory()} {
		paths, _ := filepath.Glob(filepath.Join(dir, namePrefix+"*"))
		for _, path := range paths {
			if stale(filepath.Base(path)) {
				_ = os.RemoveAll(path)
			}
		}
	}
	removeStaleNamespaces()
	removeStaleCgroups()
}

// stale reports whether a name is a cluster's and the cluster's owner is gone.
func stale(name string) bool {
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "-")
	if len(parts) != 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	start, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return false
	}
	return !Identity{PID: pid, Start: start}.Alive()
}

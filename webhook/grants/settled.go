package grants

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
)

// maxSettled limits the number of remembered needs. A pod can ask for any subset of the granted sysctls, so there are
// far more needs than grants.
const maxSettled = 4096

// settled remembers the needs whose grants are in force. For these, Ensure makes no API call and renders nothing.
type settled struct {
	mu sync.Mutex
	// byNamespace holds hashes, so that every entry is equally small.
	byNamespace map[string]map[needHash]bool
	size        int
	// generation counts the calls of forget. A result from an earlier generation may be outdated.
	generation uint64
}

type needHash [sha256.Size]byte

// hashOf is for the needs of one namespace. It does not depend on the order of the sysctls.
func hashOf(need Need) needHash {
	sysctls := slices.Sorted(slices.Values(need.Sysctls))
	native := slices.Sorted(slices.Values(need.NativeSysctls))
	// Quotes separate the names: one of an interface may contain a slash, and one that a pod states itself anything.
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %t", need.ServiceAccount, sysctls, native, need.UserNamespace))
}

func newSettled() *settled { return &settled{byNamespace: map[string]map[needHash]bool{}} }

func (s *settled) has(namespace string, need needHash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byNamespace[namespace][need]
}

func (s *settled) currentGeneration() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// add remembers a need whose grants are in force, unless forget was called since that generation.
func (s *settled) add(namespace string, need needHash, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation || s.byNamespace[namespace][need] {
		return
	}
	if s.size == maxSettled {
		// Starting over costs each need one lookup in the cache, and no API call.
		s.clear()
	}
	if s.byNamespace[namespace] == nil {
		s.byNamespace[namespace] = map[needHash]bool{}
	}
	s.byNamespace[namespace][need] = true
	s.size++
}

// forget drops the needs of a namespace, or of all namespaces if it is "", as for a cluster-scoped object.
func (s *settled) forget(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	if namespace == "" {
		s.clear()
		return
	}
	s.size -= len(s.byNamespace[namespace])
	delete(s.byNamespace, namespace)
}

func (s *settled) clear() {
	clear(s.byNamespace)
	s.size = 0
}

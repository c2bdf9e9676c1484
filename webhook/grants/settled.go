package grants

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
)

// maxSettled bounds how many needs are remembered. A pod author can ask for any subset of what is granted, so there are far more
// needs than grants.
const maxSettled = 4096

// settled remembers the needs whose grants are in force: for those Ensure makes no call and renders nothing.
type settled struct {
	mu sync.Mutex
	// byNamespace holds hashes, so that an entry has the same small size whatever the need.
	byNamespace map[string]map[needHash]bool
	size        int
	// generation counts the calls of forget. What was found before one may no longer be so.
	generation uint64
}

type needHash [sha256.Size]byte

// hashOf is the same for the same sysctls in any order.
func hashOf(need Need) needHash {
	sysctls := slices.Sorted(slices.Values(need.Sysctls))
	native := slices.Sorted(slices.Values(need.NativeSysctls))
	// No name holds a "/": each part can be told from the next.
	return sha256.Sum256([]byte(need.ServiceAccount + "/" + strings.Join(sysctls, "/") + "//" + strings.Join(native, "/")))
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

// add remembers a need that was found to be met, unless something has been forgotten since that generation.
func (s *settled) add(namespace string, need needHash, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation || s.byNamespace[namespace][need] {
		return
	}
	if s.size == maxSettled {
		// Starting over costs each need one look into the cache, and no call.
		s.clear()
	}
	if s.byNamespace[namespace] == nil {
		s.byNamespace[namespace] = map[needHash]bool{}
	}
	s.byNamespace[namespace][need] = true
	s.size++
}

// forget drops what is remembered of a namespace; of all of them where it is "", for an object of no namespace.
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

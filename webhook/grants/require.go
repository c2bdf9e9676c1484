package grants

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// MissingError is the list of sysctls that a pod's service account lacks, and the command by which an administrator grants them.
type MissingError struct {
	Need    Need // with the missing sysctls only
	Backend Backend
}

func (e *MissingError) Error() string {
	command := []string{"sysctl-injector companion -n", e.Need.Namespace, "--serviceaccount", e.Need.ServiceAccount}
	if e.Backend != ValidatingAdmissionPolicy {
		command = append(command, "--backend", string(e.Backend))
	}
	if e.Backend == PodSecurityPolicy && len(e.Need.Sysctls) > 0 {
		command = append(command, "--injected")
	}
	names := slices.Concat(e.Need.Sysctls, e.Need.NativeSysctls)
	command = append(append(command, names...), "| kubectl apply -f -")
	return fmt.Sprintf("service account %q in namespace %q may not use %s; an administrator can run: %s",
		e.Need.ServiceAccount, e.Need.Namespace, strings.Join(names, ", "), strings.Join(command, " "))
}

// Checker grants nothing. It rejects a pod whose service account lacks a grant.
type Checker struct {
	Backend Backend
	Client  client.Writer
}

// Ensure asks the API server's authorizer. The error is a *MissingError where the answer is no.
func (c *Checker) Ensure(ctx context.Context, need Need) error {
	objects, err := Render(c.Backend, []Need{need})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	required := accesses(need, objects)
	allowed := make([]bool, len(required))
	group, ctx := errgroup.WithContext(ctx)
	for i, access := range required {
		group.Go(recovered(func() (err error) {
			allowed[i], err = access.allowed(ctx, c.Client)
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var missing, native []string
	for i, access := range required {
		switch {
		case allowed[i]:
		case access.group == v1alpha1.GroupName:
			missing = append(missing, access.name)
		default: // the object that admits the container is missing, whatever it sets
			missing, native = need.Sysctls, need.NativeSysctls
		}
	}
	if len(missing)+len(native) == 0 {
		return nil
	}
	if c.Backend != PodSecurityPolicy {
		native = nil
	}
	return &MissingError{Need{Namespace: need.Namespace, ServiceAccount: need.ServiceAccount, Sysctls: missing, NativeSysctls: native}, c.Backend}
}

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

// MissingError lists the missing grants of a pod's service account. Its message has the command that grants them.
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
	if e.Backend == SecurityContextConstraints && e.Need.UserNamespace {
		command = append(command, "--user-namespace")
	}
	names := slices.Concat(e.Need.Sysctls, e.Need.NativeSysctls)
	command = append(append(command, names...), "| kubectl apply -f -")
	lacking := strings.Join(names, ", ")
	if len(names) == 0 {
		lacking = "the SecurityContextConstraints that admit the init container"
	}
	return fmt.Sprintf("service account %q in namespace %q may not use %s; an administrator can run: %s",
		e.Need.ServiceAccount, e.Need.Namespace, lacking, strings.Join(command, " "))
}

// Checker checks grants, and applies none. It rejects a pod whose service account lacks a grant.
type Checker struct {
	Backend Backend
	Client  client.Writer
}

// Ensure asks the API server's authorizer. The error is a *MissingError if a grant is missing.
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
	if missing := lacking(c.Backend, need, required, allowed); missing != nil {
		return &MissingError{*missing, c.Backend}
	}
	return nil
}

// lacking returns the missing part of a need; nil if every access is allowed.
func lacking(backend Backend, need Need, required []access, allowed []bool) *Need {
	all := need
	if backend != PodSecurityPolicy {
		all.NativeSysctls = nil
	}
	missing := all
	missing.Sysctls, missing.NativeSysctls = nil, nil
	for i, access := range required {
		switch {
		case allowed[i]:
		case access.group != v1alpha1.GroupName: // the object that admits the container
			return &all
		default:
			missing.Sysctls = append(missing.Sysctls, access.name)
		}
	}
	if len(missing.Sysctls) == 0 {
		return nil
	}
	return &missing
}

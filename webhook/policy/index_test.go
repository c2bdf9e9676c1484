package policy

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// TestIndexDecidesAsALinearWalk holds random policies to what one finds who reads them all, in order.
func TestIndexDecidesAsALinearWalk(t *testing.T) {
	seen := map[nearness]int{}
	for seed := range uint64(2000) {
		g := generator{rand.New(rand.NewPCG(seed, 0))}
		objects := make([]*v1alpha1.SysctlPolicy, 1+g.IntN(12))
		policies := make([]*Policy, len(objects))
		for n := range objects {
			objects[n] = g.policy(n)
			var errs field.ErrorList
			if policies[n], errs = CompilePolicy(objects[n]); len(errs) > 0 {
				t.Fatalf("seed %d: %v", seed, errs.ToAggregate())
			}
		}
		set := NewSet(policies, nil)
		slices.SortFunc(objects, func(a, b *v1alpha1.SysctlPolicy) int { return cmp.Compare(a.Name, b.Name) })
		for range 8 {
			facts, wanted := g.facts(), g.assignment()
			near, lacks := walk(t, objects, facts, wanted)
			seen[near]++
			var want []refusal
			if near < allowed {
				message := fmt.Sprintf("%sForbidden: line 1: %s is not allowed by any SysctlPolicy for service account %q in namespace %q",
					atSysctls, wanted.Name, facts.ServiceAccount, facts.Namespace)
				want = []refusal{{"NotAllowedByPolicy", message + lacks + askFor}}
			}
			compare(t, set.Evaluate(facts, []Setting{{Assignment: wanted, Path: sysctlsPath}}), want)
			if diff := gocmp.Diff(walkNames(t, objects, facts, wanted.Name), set.Allowing(facts, wanted.Name)); diff != "" {
				t.Errorf("Allowing (-want +got):\n%s", diff)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %v, %+v", seed, wanted, facts)
			}
		}
	}
	for near := elsewhere; near <= allowed; near++ {
		if seen[near] < 300 {
			t.Errorf("only %d decisions of nearness %d", seen[near], near)
		}
	}
}

// walk decides by the policies as they are written, one after the other.
func walk(t *testing.T, objects []*v1alpha1.SysctlPolicy, facts Facts, wanted sysctl.Assignment) (near nearness, lacks string) {
	t.Helper()
	for _, object := range objects {
		for _, rule := range object.Spec.Allow {
			if !selects(t, object, facts) || !names(t, rule, wanted.Name) {
				continue
			}
			n, instead := allowed, breaks(rule, wanted.Value)
			if len(rule.Kernels) > 0 && !slices.Contains(rule.Kernels, facts.Kernel) {
				n, instead = otherKernel, fmt.Sprintf("it on a %s kernel only", rule.Kernels[0])
			} else if instead != "" {
				n = outOfBounds
			}
			if n > near {
				near, lacks = n, fmt.Sprintf(": the nearest one, SysctlPolicy %q, allows %s", object.Name, instead)
			}
		}
	}
	return near, lacks
}

func walkNames(t *testing.T, objects []*v1alpha1.SysctlPolicy, facts Facts, name string) []string {
	t.Helper()
	var found []string
	for _, object := range objects {
		if selects(t, object, facts) && slices.ContainsFunc(object.Spec.Allow, func(r v1alpha1.AllowRule) bool {
			return names(t, r, name) && (len(r.Kernels) == 0 || slices.Contains(r.Kernels, facts.Kernel))
		}) {
			found = append(found, object.Name)
		}
	}
	return found
}

func selects(t *testing.T, object *v1alpha1.SysctlPolicy, facts Facts) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&object.Spec.NamespaceSelector)
	if err != nil {
		t.Fatal(err)
	}
	accounts := object.Spec.ServiceAccountNames
	return selector.Matches(labels.Set(facts.NamespaceLabels)) && (len(accounts) == 0 || slices.Contains(accounts, facts.ServiceAccount))
}

func names(t *testing.T, rule v1alpha1.AllowRule, name string) bool {
	t.Helper()
	return slices.ContainsFunc(rule.Names, func(text string) bool {
		pattern, err := sysctl.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		return pattern.Matches(name)
	})
}

func breaks(rule v1alpha1.AllowRule, value string) string {
	if len(rule.OneOf) > 0 && !slices.Contains(rule.OneOf, value) {
		return fmt.Sprintf("only the values %q", rule.OneOf[0])
	}
	for _, f := range strings.Fields(value) {
		if bigWithin(rule.Min, rule.Max, f) {
			continue
		}
		switch {
		case rule.Max == nil:
			return fmt.Sprintf("only whole numbers from %d, not %q", *rule.Min, f)
		case rule.Min == nil:
			return fmt.Sprintf("only whole numbers up to %d, not %q", *rule.Max, f)
		default:
			return fmt.Sprintf("only whole numbers from %d to %d, not %q", *rule.Min, *rule.Max, f)
		}
	}
	return ""
}

// bigWithin compares numbers of any length.
func bigWithin(minimum, maximum *int64, f string) bool {
	if minimum == nil && maximum == nil {
		return true
	}
	number, ok := new(big.Int).SetString(f, 10)
	return ok && number.String() == f &&
		(minimum == nil || number.Cmp(big.NewInt(*minimum)) >= 0) &&
		(maximum == nil || number.Cmp(big.NewInt(*maximum)) <= 0)
}

// TestIndexFindsFew counts the rules that are judged for a pod: a thousand policies that differ in something are gone through in nothing.
func TestIndexFindsFew(t *testing.T) {
	for _, sort := range sorts {
		t.Run(sort.name, func(t *testing.T) {
			facts := ordinary()
			facts.NamespaceLabels["kind"] = "shop"
			set := NewSet(many(t, sort.tweak, 1000), nil)
			judged := 0
			for _, d := range set.index.open(facts, nil) {
				d.each("net.core.somaxconn", func(int) bool { judged++; return true })
			}
			if judged != 1 {
				t.Errorf("%d of %d rules are judged", judged, len(set.index.rules))
			}
		})
	}
}

// TestIndexStaysSmall files a policy under its names alone when it lists many namespaces besides.
func TestIndexStaysSmall(t *testing.T) {
	object := policyNamed("many", allow("net.a", "net.b", "net.*"))
	for n := range mostFilings {
		object.Spec.ServiceAccountNames = append(object.Spec.ServiceAccountNames, fmt.Sprintf("web-%d", n))
	}
	p, errs := CompilePolicy(object)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	set := NewSet([]*Policy{p}, nil)
	if len(set.index.requiring) > 0 {
		t.Errorf("it is filed under %d requirements", len(set.index.requiring))
	}
	facts := ordinary()
	facts.ServiceAccount = "web-999"
	compare(t, set.Evaluate(facts, asks(t, "net.a = 1")), nil)
}

// FuzzWithin holds the comparison of numbers to one of any length.
func FuzzWithin(f *testing.F) {
	for _, seed := range []string{"", "-", "0", "-0", "010", "+1", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "99999999999999999999x", "1_000", "٣"} {
		f.Add(seed, int64(0), int64(1<<63-1), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, least, most int64, bounds uint8) {
		r := &allowRule{}
		if bounds&1 != 0 {
			r.min = &least
		}
		if bounds&2 != 0 {
			r.max = &most
		}
		if r.min == nil && r.max == nil {
			return
		}
		if got, want := r.within(text), bigWithin(r.min, r.max, text); got != want {
			t.Errorf("within(%q) is %t, want %t, with bounds %s", text, got, want, r.bounds())
		}
	})
}

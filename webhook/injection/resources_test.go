package injection

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	schedulerresource "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"
)

func quantities(cpu, memory string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, quantity := range map[corev1.ResourceName]string{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory} {
		if quantity != "" {
			list[name] = resource.MustParse(quantity)
		}
	}
	return list
}

func TestStatesResourcesAsSmallAsThePod(t *testing.T) {
	type resources = corev1.ResourceRequirements
	for _, test := range []struct {
		name string
		own  []resources
		want resources
	}{
		{"guaranteed", []resources{{Requests: quantities("1", "1Gi"), Limits: quantities("1", "1Gi")}},
			resources{Requests: quantities("100m", "32Mi"), Limits: quantities("100m", "32Mi")}},
		{"guaranteed and small", []resources{{Requests: quantities("10m", "16Mi"), Limits: quantities("10m", "16Mi")}},
			resources{Requests: quantities("10m", "16Mi"), Limits: quantities("10m", "16Mi")}},
		{"burstable and small", []resources{{Requests: quantities("10m", "16Mi"), Limits: quantities("50m", "32Mi")}},
			resources{Requests: quantities("10m", "16Mi"), Limits: quantities("50m", "32Mi")}},
		{"requests alone", []resources{{Requests: quantities("1", "")}, {Requests: quantities("20m", "")}, {}},
			resources{Requests: quantities("20m", "")}},
		{"limits alone, which are requests too", []resources{{Limits: quantities("20m", "")}},
			resources{Requests: quantities("20m", ""), Limits: quantities("20m", "")}},
		{"a limit, and a request of nothing", []resources{{Requests: quantities("0", ""), Limits: quantities("1", "")}},
			resources{Requests: quantities("0", ""), Limits: quantities("100m", "")}},
		{"nothing, but stated", []resources{{Requests: quantities("0", "0"), Limits: quantities("", "0")}},
			resources{Requests: quantities("0", "0"), Limits: quantities("", "0")}},
		{"nothing, and another container more", []resources{{Requests: quantities("0", "")},
			{Requests: quantities("20m", "")}}, resources{Requests: quantities("20m", "")}},
		{"more than any node has", []resources{{Requests: quantities("1e999999999", "16Mi")}},
			resources{Requests: quantities("", "16Mi")}},
		{"a limit below another container's request", []resources{{Requests: quantities("0", ""),
			Limits: quantities("30m", "")}, {Requests: quantities("80m", "")}},
			resources{Requests: quantities("30m", ""), Limits: quantities("30m", "")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.Containers = nil
			for i, own := range test.own {
				w.pod.Spec.Containers = append(w.pod.Spec.Containers,
					corev1.Container{Name: fmt.Sprint("c", i), Resources: own})
			}
			w.pod = apply(t, w.pod, w.decide(t, Config{}))
			if diff := cmp.Diff(test.want, w.pod.Spec.InitContainers[0].Resources); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// For any pod, neither its QoS class changes nor what the scheduler counts, with resources of the whole pod and an
// overhead too.
func TestQoSClassAndRequestsStay(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewSource(seed))
	for range 1000 {
		w := validWorld()
		w.pod.Spec.Containers, w.pod.Spec.InitContainers = randomContainers(random, 1), randomContainers(random, 0)
		if random.Intn(4) == 0 {
			w.pod.Spec.Overhead = quantities("50m", "64Mi")
		}
		whole := random.Intn(4) == 0
		if whole {
			w.pod.Spec.Resources = &corev1.ResourceRequirements{Requests: quantities("4", "")}
		}
		before := defaulted(w.pod)
		outcome := w.decide(t, Config{})
		if random.Intn(2) == 0 { // as the API server sends it
			w.pod = before
			outcome = w.decide(t, Config{})
		}
		after := defaulted(apply(t, w.pod, outcome))
		if was, is := qosClass(before), qosClass(after); was != is && !whole {
			t.Fatalf("QoS class %s becomes %s: %s", was, is, mustMarshal(after.Spec))
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if was, is := scheduled(before, name), scheduled(after, name); was != is {
				t.Fatalf("the scheduler counts %d of %s, and %d before: %s", is, name, was, mustMarshal(after.Spec))
			}
		}
		own := after.Spec.InitContainers[0].Resources
		for name, request := range own.Requests {
			if limit, ok := own.Limits[name]; ok && limit.Cmp(request) < 0 {
				t.Fatalf("the request of %s is above the limit: %s", name, mustMarshal(own))
			}
		}
	}
}

func randomContainers(random *rand.Rand, atLeast int) []corev1.Container {
	containers := make([]corev1.Container, atLeast+random.Intn(3))
	guaranteed := random.Intn(3) == 0
	for i := range containers {
		c := &containers[i]
		c.Name = fmt.Sprint("c", atLeast, i)
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			small, large := int64(random.Intn(300)), int64(300+random.Intn(1000))
			list := func(milli int64) corev1.ResourceList {
				if name == corev1.ResourceMemory {
					milli *= 1000 << 18
				}
				return corev1.ResourceList{name: *resource.NewMilliQuantity(milli, resource.BinarySI)}
			}
			merge := func(to *corev1.ResourceList, from corev1.ResourceList) {
				if *to == nil {
					*to = corev1.ResourceList{}
				}
				(*to)[name] = from[name]
			}
			if guaranteed {
				merge(&c.Resources.Limits, list(small+1))
				continue
			}
			if random.Intn(2) == 0 {
				merge(&c.Resources.Requests, list(small))
			}
			if random.Intn(3) == 0 {
				merge(&c.Resources.Limits, list(large))
			}
		}
		if atLeast == 0 && random.Intn(3) == 0 {
			c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		}
	}
	return containers
}

// defaulted is a pod with the requests that the API server sets to the limits (k8s.io/kubernetes pkg/apis/core/v1,
// SetDefaults_Pod).
func defaulted(p corev1.Pod) corev1.Pod {
	p = *p.DeepCopy()
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			for name, limit := range list[i].Resources.Limits {
				if _, ok := list[i].Resources.Requests[name]; ok {
					continue
				}
				if list[i].Resources.Requests == nil {
					list[i].Resources.Requests = corev1.ResourceList{}
				}
				list[i].Resources.Requests[name] = limit
			}
		}
	}
	return p
}

// qosClass is a pod's QoS class (k8s.io/kubernetes pkg/apis/core/v1/helper/qos, ComputePodQOS), for pods whose
// spec.resources is missing or empty.
func qosClass(p corev1.Pod) corev1.PodQOSClass {
	requests, limits := map[corev1.ResourceName]int64{}, map[corev1.ResourceName]int64{}
	guaranteed := true
	for _, c := range append(slices.Clone(p.Spec.Containers), p.Spec.InitContainers...) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
			requests[name] += request.MilliValue()
			limits[name] += limit.MilliValue()
			guaranteed = guaranteed && limit.Sign() > 0
		}
	}
	switch {
	case requests[corev1.ResourceCPU]+requests[corev1.ResourceMemory]+
		limits[corev1.ResourceCPU]+limits[corev1.ResourceMemory] == 0:
		return corev1.PodQOSBestEffort
	case guaranteed && maps.Equal(requests, limits):
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// scheduled is what the scheduler counts for a pod.
func scheduled(p corev1.Pod, name corev1.ResourceName) int64 {
	counted := schedulerresource.PodRequests(&p, schedulerresource.PodResourcesOptions{})
	return counted.Name(name, resource.DecimalSI).MilliValue()
}

// smallest are the resources of a container beside others.
func smallest(others []corev1.Container) (own corev1.ResourceRequirements) {
	for name, most := range map[corev1.ResourceName]string{corev1.ResourceCPU: "100m", corev1.ResourceMemory: "32Mi"} {
		var requests, limits []resource.Quantity
		for _, c := range others {
			limit, limited := c.Resources.Limits[name]
			request, requested := c.Resources.Requests[name]
			if limited && !requested {
				request = limit
			}
			if limit.Sign() > 0 {
				limits = append(limits, limit)
			}
			if request.Sign() > 0 {
				requests = append(requests, request)
			}
		}
		byValue := func(a, b resource.Quantity) int { return a.Cmp(b) }
		if len(limits) > 0 {
			if own.Limits == nil {
				own.Limits = corev1.ResourceList{}
			}
			own.Limits[name] = slices.MinFunc(append(limits, resource.MustParse(most)), byValue)
		}
		if len(requests)+len(limits) == 0 {
			continue
		}
		if own.Requests == nil {
			own.Requests = corev1.ResourceList{}
		}
		if own.Requests[name] = (resource.Quantity{}); len(requests) == 0 {
			continue
		}
		bounds := append(slices.Clone(requests), resource.MustParse(most))
		if len(limits) > 0 {
			bounds = append(bounds, own.Limits[name])
		}
		own.Requests[name] = slices.MinFunc(bounds, byValue)
	}
	return own
}

// From Kubernetes 1.37 on, the QoS class of a pod with an empty spec.resources depends on its containers
// (PodLevelResourcesFixKubeletQOSClass).
func TestEmptyResourcesOfAWholePod(t *testing.T) {
	for name, whole := range map[string]*corev1.ResourceRequirements{
		"empty": {}, "empty lists": {Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.Resources = whole
			w.pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: quantities("50m", "16Mi"),
				Limits: quantities("50m", "16Mi")}
			w.pod = apply(t, w.pod, w.decide(t, Config{Kubernetes: func() uint { return 37 }}))
			if got := qosClass(w.pod); got != corev1.PodQOSGuaranteed {
				t.Errorf("the pod was Guaranteed, and is %s: %s", got, mustMarshal(w.pod.Spec))
			}
		})
	}
}

// API servers before Kubernetes 1.34 show spec.resources to webhooks, and drop it afterwards.
func TestResourcesOfAWholePod(t *testing.T) {
	containers := corev1.ResourceRequirements{Requests: quantities("50m", "16Mi")}
	for kubernetes, want := range map[uint]corev1.ResourceRequirements{33: containers, 34: {}} {
		w := validWorld()
		w.pod.Spec.Resources = &corev1.ResourceRequirements{Requests: quantities("1", "1Gi")}
		w.pod.Spec.Containers[0].Resources = containers
		w.pod = apply(t, w.pod, w.decide(t, Config{Kubernetes: func() uint { return kubernetes }}))
		if diff := cmp.Diff(want, w.pod.Spec.InitContainers[0].Resources); diff != "" {
			t.Errorf("Kubernetes 1.%d (-want +got):\n%s", kubernetes, diff)
		}
	}
}

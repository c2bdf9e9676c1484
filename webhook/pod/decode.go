package pod

import (
	"bytes"

	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// Decode finds in a pod's JSON what a decision needs, in one pass: a pod may be large, and only a few fields matter.
// It keeps no part of raw.
func Decode(raw []byte) (*Pod, error) {
	pod := newPod()
	if err := scan.Read(raw, pod, readPod); err != nil {
		return nil, err
	}
	return pod, nil
}

// Reader reads a pod that is a part of a larger document.
func Reader[T any](of func(*T) **Pod) scan.Reader[T] {
	return func(into *T, c *scan.Cursor) {
		pod := newPod()
		readPod(pod, c)
		*of(into) = pod
	}
}

var readPod = scan.Object(scan.Fields[Pod]{
	"metadata": readMetadata,
	"spec": func(p *Pod, c *scan.Cursor) {
		p.HasSpec = true
		readSpec(p, c)
	},
})

var readMetadata = scan.Object(scan.Fields[Pod]{
	"name":            scan.Text(func(p *Pod) *string { return &p.name }),
	"generateName":    scan.Text(func(p *Pod) *string { return &p.generateName }),
	"namespace":       scan.Text(func(p *Pod) *string { return &p.Namespace }),
	"annotations":     readAnnotations,
	"labels":          readLabels,
	"ownerReferences": readOwners,
})

var readSpec = scan.Object(scan.Fields[Pod]{
	"serviceAccountName": scan.Text(func(p *Pod) *string { return &p.serviceAccountName }, "default"),
	"serviceAccount":     scan.Text(func(p *Pod) *string { return &p.deprecatedServiceAccount }, "default"),
	"runtimeClassName":   scan.Text(func(p *Pod) *string { return &p.RuntimeClass }),
	"hostNetwork":        scan.Boolean(func(p *Pod) *bool { return &p.HostNetwork }),
	"hostIPC":            scan.Boolean(func(p *Pod) *bool { return &p.HostIPC }),
	"hostUsers":          scan.Boolean(func(p *Pod) *bool { return &p.HostUsers }),
	"os":                 scan.Object(scan.Fields[Pod]{"name": scan.Text(func(p *Pod) *string { return &p.OS })}),
	"nodeSelector":       readNodeSelector,
	"affinity": scan.Object(scan.Fields[Pod]{"nodeAffinity": scan.Object(scan.Fields[Pod]{
		"requiredDuringSchedulingIgnoredDuringExecution": scan.Object(scan.Fields[Pod]{"nodeSelectorTerms": readNodeTerms}),
	})}),
	"securityContext": func(p *Pod, c *scan.Cursor) {
		p.HasSecurityContext = true
		readSecurityContext(p, c)
	},
	"resources": func(p *Pod, c *scan.Cursor) {
		p.HasResources = true
		c.Skip()
	},
	"imagePullSecrets": func(p *Pod, c *scan.Cursor) {
		p.HasPullSecrets = true
		readPullSecrets(p, c)
	},
	"initContainers": func(p *Pod, c *scan.Cursor) {
		p.HasInitContainers = true
		readContainers(&p.InitContainers, c)
	},
	"containers":          func(p *Pod, c *scan.Cursor) { readContainers(&p.Containers, c) },
	"ephemeralContainers": func(p *Pod, c *scan.Cursor) { readContainers(&p.EphemeralContainers, c) },
	"volumes": scan.List(func(p *Pod) *[]Volume { return &p.Volumes }, scan.Fields[Volume]{
		"name": scan.Text(func(v *Volume) *string { return &v.Name }),
		"projected": func(v *Volume, c *scan.Cursor) {
			v.Projected = true
			c.Skip()
		},
	}),
})

var readSecurityContext = scan.Object(scan.Fields[Pod]{
	"seLinuxOptions": scan.Object(scan.Fields[Pod]{"type": scan.Text(func(p *Pod) *string { return &p.SELinuxType })}),
	"sysctls": func(p *Pod, c *scan.Cursor) {
		p.HasNativeSysctls = true
		readNativeSysctls(p, c)
	},
})

var readNativeSysctls = scan.List(func(p *Pod) *[]Sysctl { return &p.NativeSysctls }, scan.Fields[Sysctl]{
	"name":  scan.Text(func(s *Sysctl) *string { return &s.Name }),
	"value": scan.Text(func(s *Sysctl) *string { return &s.Value }),
})

type pullSecret struct{ name string }

var readPullSecret = scan.Object(scan.Fields[pullSecret]{
	"name": scan.Text(func(s *pullSecret) *string { return &s.name }),
})

func readPullSecrets(p *Pod, c *scan.Cursor) {
	c.Each(func() {
		var secret pullSecret
		readPullSecret(&secret, c)
		p.PullSecrets = append(p.PullSecrets, secret.name)
	})
}

func readAnnotations(p *Pod, c *scan.Cursor) {
	p.HasAnnotations = true
	readOurs(&p.Annotations, c, func(key []byte) {
		switch string(key) {
		case mirrorAnnotation:
			p.Mirror = true
			c.Text()
		case EKSSkipAnnotation:
			p.skipAnnotation(EKSSkipAnnotation, c.Text())
		case AzureSkipAnnotation:
			p.skipAnnotation(AzureSkipAnnotation, c.Text())
		default:
			c.Skip()
		}
	})
}

func readLabels(p *Pod, c *scan.Cursor) {
	p.HasLabels = true
	start := c.Mark()
	readOurs(&p.Labels, c, func(key []byte) {
		if string(key) == azureIdentityLabel {
			p.AzureIdentity = c.Text("true") == "true"
			return
		}
		c.Skip()
	})
	p.rawLabels = c.Since(start)
}

func (p *Pod) skipAnnotation(key, value string) {
	if p.SkipAnnotations == nil {
		p.SkipAnnotations = map[string]string{}
	}
	p.SkipAnnotations[key] = value
}

// readOurs reads those entries of a map of strings that have the project's prefix, and leaves the others to other.
func readOurs(into *map[string]string, c *scan.Cursor, other func(key []byte)) {
	c.Map(func(name []byte) {
		if !bytes.HasPrefix(name, []byte(prefix)) {
			other(name)
			return
		}
		key := string(name)
		if _, twice := (*into)[key]; twice {
			c.Errorf("stands there twice")
		}
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[key] = c.Text()
	})
}

func readNodeSelector(p *Pod, c *scan.Cursor) {
	c.Map(func(key []byte) {
		if isOSLabel(string(key)) {
			p.NodeSelectorWindows = c.Text("linux", windows) == windows || p.NodeSelectorWindows
			return
		}
		c.Skip()
	})
}

func readNodeTerms(p *Pod, c *scan.Cursor) {
	var terms []nodeTerm
	c.Each(func() {
		var term nodeTerm
		readNodeTerm(&term, c)
		terms = append(terms, term)
	})
	p.NodeAffinityWindows = allWindows(terms)
}

var readNodeTerm = scan.Object(scan.Fields[nodeTerm]{
	"matchExpressions": func(term *nodeTerm, c *scan.Cursor) {
		c.Each(func() {
			var e nodeExpression
			readNodeExpression(&e, c)
			term.windows = term.windows || e.windowsOnly()
		})
	},
})

var readNodeExpression = scan.Object(scan.Fields[nodeExpression]{
	"key":      scan.Text(func(e *nodeExpression) *string { return &e.key }),
	"operator": scan.Text(func(e *nodeExpression) *string { return &e.operator }),
	"values":   scan.Texts(func(e *nodeExpression) *[]string { return &e.values }),
})

// readOwners reads the controller among the owners.
func readOwners(p *Pod, c *scan.Cursor) {
	c.Each(func() {
		var read owner
		readOwner(&read, c)
		if read.controller {
			p.Owner = read.Owner
		}
	})
}

type owner struct {
	Owner
	controller bool
}

var readOwner = scan.Object(scan.Fields[owner]{
	"apiVersion": scan.Text(func(o *owner) *string { return &o.APIVersion }, "apps/v1", "batch/v1"),
	"kind":       scan.Text(func(o *owner) *string { return &o.Kind }, "ReplicaSet", "StatefulSet", "DaemonSet", "Job"),
	"name":       scan.Text(func(o *owner) *string { return &o.Name }),
	"uid":        scan.Text(func(o *owner) *string { return &o.UID }),
	"controller": scan.Boolean(func(o *owner) *bool { return &o.controller }),
})

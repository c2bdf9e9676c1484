package form

import (
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/celtext"
)

// Shape is an init container as its template has it: what the guard recognises it by.
type Shape struct {
	Name      string   // of its file below templates/forms, without ".yaml"
	Forms     []string // that have it, by name
	Container map[string]any
	Commands  []*Command
	// PodSecurity is the strictest Pod Security Standard that admits the container by itself, in a minor version of
	// Kubernetes.
	PodSecurity func(minor uint) psaapi.Level
}

// Shapes returns the shape of each template, in the order of the table.
func Shapes() ([]Shape, error) {
	var shapes []Shape
	for _, t := range all() {
		shape := Shape{Name: t.name(), Commands: t.commands, PodSecurity: t.podSecurity}
		if err := templates.Decode(templates.Forms, "forms/"+t.file, &shape.Container); err != nil {
			return nil, err
		}
		for _, f := range table {
			for _, of := range f.templates {
				if of == t {
					shape.Forms = append(shape.Forms, f.Name)
				}
			}
		}
		shapes = append(shapes, shape)
	}
	return shapes, nil
}

// Claimed returns the CEL expression for the name of the shape that a pod's first init container claims to have. It
// reads a field or two, so that the guard compares the container with one shape only.
func Claimed() string {
	quote := func(t *template) string { return "'" + t.name() + "'" }
	claimed := quote(table[len(table)-1].templates[0])
	for _, f := range table {
		if f.mark == "" {
			continue
		}
		shape := quote(f.templates[0])
		for _, t := range f.templates[1:] {
			shape = t.mark + " ? " + quote(t) + " : " + shape
		}
		if len(f.templates) == 1 {
			claimed = f.mark + " ? " + shape + " : " + claimed
		} else {
			claimed = f.mark + "\n? (" + shape + ")\n: " + claimed
		}
	}
	return claimed
}

// Chosen returns the CEL expression for the name of the form that sets a pod's sysctls without the server.
func Chosen() string {
	chosen := ""
	for _, f := range table {
		if f.takesCEL != "" {
			chosen += f.takesCEL + " ? '" + f.Name + "' : "
		}
	}
	return chosen + "'" + table[len(table)-1].Name + "'"
}

// CommandField returns a field of the shape's command, for celtext.Literal. Of two commands, the CEL variable
// "scripted" selects one.
func (s Shape) CommandField(field func(*Command) any) any {
	if len(s.Commands) == 1 {
		return field(s.Commands[0])
	}
	literals := make([]string, len(s.Commands))
	for i, command := range s.Commands {
		var err error
		if literals[i], err = celtext.Literal(field(command)); err != nil {
			panic(err) // words and texts always encode
		}
	}
	return celtext.Expression("(variables.scripted ? " + literals[1] + "\n: " + literals[0] + ")")
}

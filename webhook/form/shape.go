package form

import (
	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Shape is a container as its template has it: what the guard recognises a form by. Forms with the same template share one.
type Shape struct {
	Forms     []string // by name
	Container map[string]any
}

// Shapes returns the shape of each template, in the order of the table.
func Shapes() ([]Shape, error) {
	var shapes []Shape
	indexOf := map[string]int{}
	for i := range table {
		f := &table[i]
		at, seen := indexOf[f.Template]
		if !seen {
			at = len(shapes)
			indexOf[f.Template] = at
			shapes = append(shapes, Shape{})
			if err := templates.Decode(templates.Forms, "forms/"+f.Template, &shapes[at].Container); err != nil {
				return nil, err
			}
		}
		shapes[at].Forms = append(shapes[at].Forms, f.Name)
	}
	return shapes, nil
}

package app

import (
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// unread are the objects that the caller may not read, each once: a text and its error.
type unread struct {
	texts []string
	errs  []error
}

// mayBeForbidden records an error of missing permission, and returns any other error.
func (u *unread) mayBeForbidden(what string, err error) error {
	if err == nil || !apierrors.IsForbidden(err) {
		return err
	}
	if text := fmt.Sprintf("%s: %s", what, err); !slices.Contains(u.texts, text) {
		u.texts, u.errs = append(u.texts, text), append(u.errs, err)
	}
	return nil
}

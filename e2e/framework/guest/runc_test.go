//go:build linux

package main

import "testing"

func TestChildrenEndBeforeAndAfterTheyAreExpected(t *testing.T) {
	c := newChildren()
	c.end(10, 3)
	if code := <-c.expect(10); code != 3 {
		t.Errorf("a process that had ended has code %d, want 3", code)
	}
	later := c.expect(10)
	c.end(10, 4)
	if code := <-later; code != 4 {
		t.Errorf("a process that ends later has code %d, want 4", code)
	}
	c.end(11, 5)
	c.forget()
	again := c.expect(11)
	c.end(11, 6)
	if code := <-again; code != 6 {
		t.Errorf("a process with the number of one long gone has code %d, want 6", code)
	}
}

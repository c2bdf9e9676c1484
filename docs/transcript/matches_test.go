package transcript

import "testing"

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		name, shown, printed string
		want                 bool
	}{
		{"the same text", "a\nb\n", "a\nb\n", true},
		{"another value", "net.core.somaxconn = 512\n", "net.core.somaxconn = 1024\n", false},
		{"another age, with wider columns", "NAME  AGE\nweb   3m\n", "NAME   AGE\nweb    2m10s\n", true},
		{"an age where a number was", "3m\n", "3\n", false},
		{"another random name", "web-68c99b779c-x7k2p  0/1\n", "web-5d4f8c7b9-zz4wq   0/1\n", true},
		{"another name", "web-frontend  0/1\n", "web-backend  0/1\n", false},
		{"an ellipsis within a line", "Warning: … is node-level\n", "Warning: vm.swappiness is node-level\n", true},
		{"an ellipsis for lines", "…\nEvents:\n", "Name: web\nLabels: none\nEvents:\n", true},
		{"text after the end", "done\n", "done\nand more\n", false},
		{"a missing line", "a\nb\n", "a\n", false},
		{"characters of regular expressions", "a.c (x)\n", "abc (x)\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Matches(test.shown, test.printed); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

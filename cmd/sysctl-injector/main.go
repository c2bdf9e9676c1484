// Command sysctl-injector sets the kernel parameters that pods ask for.
package main

import (
	"os"

	"github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app"
)

func main() {
	os.Exit(app.RunAs(os.Args[0], os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

package app

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// Values of --output.
const (
	outputYAML  = "yaml"
	outputJSON  = "json"
	outputTable = "table"
	outputDiff  = "diff"
	outputHTML  = "html"
)

// addOutputFlag adds -o with the formats that a command knows.
func addOutputFlag(cmd *cobra.Command, value *string, byDefault string, formats ...string) {
	addChoiceFlag(cmd, value, "output", "o", "output format", byDefault, formats...)
}

// addBackendFlag adds the flag that names the cluster's admission mechanism.
func addBackendFlag(cmd *cobra.Command, value *string, name string) {
	addChoiceFlag(cmd, value, name, "", "mechanism by which the cluster admits pods",
		string(grants.ValidatingAdmissionPolicy), grants.Backends()...)
}

// addChoiceFlag adds a flag whose value is one of a few words, and their completion.
func addChoiceFlag(cmd *cobra.Command, value *string, name, shorthand, usage, byDefault string, words ...string) {
	*value = byDefault
	cmd.Flags().VarP(&choice{value: value, allowed: words}, name, shorthand, usage+": "+strings.Join(words, ", "))
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words,
		cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only when the flag does not exist
	}
}

// choice is a flag whose value is one of a few words.
type choice struct {
	value   *string
	allowed []string
}

func (c *choice) String() string { return *c.value }
func (c *choice) Type() string   { return "string" }

func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	*c.value = value
	return nil
}

func printAs(out io.Writer, format string, value any) error {
	var encoded []byte
	var err error
	if format == outputJSON {
		encoded, err = json.MarshalIndent(value, "", "  ")
		encoded = append(encoded, '\n')
	} else {
		encoded, err = yaml.Marshal(value)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(encoded)
	return err
}

// Command release writes what a release consists of into a folder: binaries, the container image, what they are made
// of, the chart and the sums of it all. It needs Go and no container engine. The same sources, version and Go give
// the same bytes.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if newCommand().ExecuteContext(ctx) != nil {
		return 1
	}
	return 0
}

func newCommand() *cobra.Command {
	var (
		r         release
		epoch     int64
		platforms []string
		imageOnly bool
	)
	cmd := &cobra.Command{
		Use:          "release",
		Short:        "Write binaries, container image, SBOMs, chart and checksums into a folder",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.created, r.progress = time.Unix(epoch, 0).UTC(), cmd.ErrOrStderr()
			for _, platform := range platforms {
				parsed, err := v1.ParsePlatform(platform)
				if err != nil {
					return err
				}
				r.platforms = append(r.platforms, *parsed)
			}
			if imageOnly {
				return r.writeImage(cmd.Context())
			}
			return r.write(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.source, "source", ".", "folder of the checkout")
	flags.StringVar(&r.output, "output", "dist", "folder to write into; it must be new or empty")
	flags.StringVar(&r.version, "version", "", "what is released: `v1.2.3`")
	flags.StringVar(&r.revision, "revision", "", "the commit, for the image's labels")
	flags.Int64Var(&epoch, "source-date-epoch", 0,
		"the commit's time in `seconds` since 1970, which stands for all times in what is written")
	flags.StringSliceVar(&platforms, "platforms",
		strings.Split("linux/amd64,linux/arm64,linux/ppc64le,linux/s390x,darwin/amd64,darwin/arm64", ","),
		"what to compile for; the image has those of them that are Linux's")
	flags.BoolVar(&imageOnly, "image-only", false, "write the container image and nothing else")
	for _, required := range []string{"version", "source-date-epoch"} {
		_ = cmd.MarkFlagRequired(required)
	}
	return cmd
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2" //nolint:depguard // only to send the lines of client-go to the server's log
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/cluster"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

type serveOptions struct {
	objectOptions
	containerOptions
	certificateOptions
	standalone bool
	kubeconfig string
	// namespace is the server's own namespace; empty if only one server runs.
	namespace       string
	grants, backend string
	gracePeriod     time.Duration
	grantLimits     grants.Limits
	bindAddress     string
	observeAddress  string
	shutdownDelay   time.Duration
	logLevel        slog.Level
}

func newServeCommand() *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the webhook",
		Long: `Run the webhook: it decides on pods at https://ADDRESS` + admission.MutatePath + `.

With --standalone, the server needs no cluster: policies, profiles and RuntimeClasses come from
files, every namespace counts as enrolled, and the server applies no grants.`,
		Example: `  sysctl-injector serve --standalone --bind-address 127.0.0.1:8443 \
    --tls-cert-file tls.crt --tls-private-key-file tls.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.objectOptions.addFlags(cmd)
	o.containerOptions.addFlags(cmd)
	o.certificateOptions.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.standalone, "standalone", false, "run without a cluster")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster; not needed in a pod")
	flags.StringVar(&o.namespace, "namespace", "",
		"the server's own namespace, with its Certificate or Secret and the Lease for leader election "+
			"(needed if several servers run)")
	modes := []string{string(cluster.GenerateGrants), string(cluster.RequireGrants)}
	addChoiceFlag(cmd, &o.grants, "grants", "",
		"apply the grants that a pod needs (generate), or reject the pod if they are missing (require)", modes[0],
		modes...)
	addBackendFlag(cmd, &o.backend, "grants-backend")
	flags.DurationVar(&o.gracePeriod, "grants-grace-period", time.Hour,
		"how long to keep a grant that no live pod uses")
	limits := grants.DefaultLimits()
	flags.IntVar(&o.grantLimits.Names, "grants-max-sysctls", limits.Names,
		"most different sysctls with grants in one namespace")
	flags.IntVar(&o.grantLimits.PerMinute, "grants-max-per-minute", limits.PerMinute,
		fmt.Sprintf("most new grants in one namespace per minute, by each server; at least %d, since one pod may need "+
			"as many", grants.MinPerMinute))
	flags.StringVar(&o.bindAddress, "bind-address", ":8443", "address of the webhook (HTTPS)")
	flags.StringVar(&o.observeAddress, "observe-bind-address", ":8080",
		"address of /livez, /readyz and /metrics (HTTP)")
	flags.DurationVar(&o.shutdownDelay, "shutdown-delay", 5*time.Second,
		"how long to keep serving after a signal to stop, until clients no longer send requests")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	return cmd
}

func (o *serveOptions) run(cmd *cobra.Command) error {
	log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: o.logLevel}))
	// Libraries log to the same place.
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	klog.SetSlogLogger(log)

	rest, err := o.rest()
	if err != nil {
		return err
	}
	version, err := o.version(rest, log)
	if err != nil {
		return err
	}
	injector, err := o.injector()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	config := admission.Config{Injector: injector, BodyBytes: bodyBytes(limitMemory(log)),
		Metrics: admission.NewMetrics(registry), Log: log}
	known, err := o.facts(cmd, rest, registry, &config)
	if err != nil {
		return err
	}
	// From here on, a signal starts a graceful shutdown. Before, it ends the process.
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	served, components, err := o.open(rest, o.namespace, registry, log)
	if err != nil {
		return err
	}
	handler, err := admission.New(config)
	if err != nil {
		return err
	}
	if known != nil {
		gate, err := cluster.NewImageGate(rest, o.image, log)
		if err != nil {
			return err
		}
		components = append(components, component{name: "caches", start: known.Start, ready: known.Ready},
			component{name: "kubernetes-version", start: version.Start, ready: version.Ready},
			component{name: "guard", start: gate.Start, ready: gate.Ready})
	}
	if known != nil && o.grants == string(cluster.GenerateGrants) {
		if err := known.ManageGrants(ctx, handler.Need, o.gracePeriod); err != nil {
			return err
		}
	}
	return o.serve(ctx, handler, served, components, registry, log)
}

// rest returns the configuration of the API server's client; nil without a cluster.
func (o *serveOptions) rest() (*rest.Config, error) {
	if err := o.validate(o.namespace, o.standalone); err != nil {
		return nil, err
	}
	if o.standalone {
		return nil, nil
	}
	if len(o.policies)+len(o.profiles)+len(o.runtimeClasses) > 0 {
		return nil, usagef("--policy, --profile and --runtime-class are for --standalone: otherwise the server uses " +
			"the cluster's objects")
	}
	if o.gracePeriod <= 0 {
		return nil, usagef("--grants-grace-period: %s is not above zero", o.gracePeriod)
	}
	if o.grantLimits.Names <= 0 {
		return nil, usagef("--grants-max-sysctls: %d is not above zero", o.grantLimits.Names)
	}
	if o.grantLimits.PerMinute < grants.MinPerMinute {
		return nil, usagef("--grants-max-per-minute: %d is below %d, the number of grants that one pod may need",
			o.grantLimits.PerMinute, grants.MinPerMinute)
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the cluster (--kubeconfig, or --standalone to run without one): %w", err)
	}
	config.UserAgent = "sysctl-injector/" + buildVersion()
	return config, nil
}

// version returns the reader of the API servers' version, on which decisions depend; nil without a cluster.
func (o *serveOptions) version(rest *rest.Config, log *slog.Logger) (*cluster.Version, error) {
	if rest == nil {
		return nil, nil
	}
	version, err := cluster.NewVersion(rest, grants.Backend(o.backend), log)
	if err == nil {
		o.minor = version.Minor
	}
	return version, err
}

// facts sets the source of the facts and rules for decisions: files, or a cluster, which it returns.
func (o *serveOptions) facts(cmd *cobra.Command, rest *rest.Config, registry *prometheus.Registry,
	config *admission.Config) (*cluster.Cluster, error) {
	if rest == nil {
		objects, err := o.load(cmd.Context(), cmd.InOrStdin())
		if err != nil {
			return nil, err
		}
		config.Source = objects
		return nil, nil
	}
	known, err := cluster.New(cluster.Config{
		REST: rest, LeaderElectionNamespace: o.namespace, Grants: cluster.GrantMode(o.grants),
		Backend:  grants.Backend(o.backend),
		Limits:   o.grantLimits,
		Registry: registry, Log: config.Log,
	})
	if err != nil {
		return nil, err
	}
	config.Source, config.Granter, config.Rejected = known, known, known.Rejected
	config.Tried = known.Tried
	return known, nil
}

// component runs beside the webhook.
type component struct {
	name  string
	start func(context.Context) error // until the context ends
	ready func() error                // returns why it is not ready; a nil function means always ready
	state func() (text string, ok bool)
}

// serve runs the webhook and its components until ctx ends or one of them fails.
func (o *serveOptions) serve(ctx context.Context, handler *admission.Handler, served tlsMaterial,
	components []component, registry *prometheus.Registry, log *slog.Logger) error {
	webhook, err := net.Listen("tcp", o.bindAddress)
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	observe, err := net.Listen("tcp", o.observeAddress)
	if err != nil {
		return errors.Join(fmt.Errorf("--observe-bind-address: %w", err), webhook.Close())
	}
	log.Info("Serving", "webhook", webhook.Addr().String(), "observe", observe.Addr().String(), "version",
		buildVersion(), "standalone", o.standalone)
	group, ctx := errgroup.WithContext(ctx)
	// The components stop after the webhook, which still needs them while it drains.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer end()
		return admission.Serve(ctx, admission.ServerConfig{
			Listener: webhook, GetCertificate: served.certificate, GetClientCAs: served.clientCAs, Handler: handler,
			Workloads: handler.Workloads(), ShutdownDelay: o.shutdownDelay, Log: log,
		})
	})
	checks := []check{{name: "shutdown", ready: func() error { return context.Cause(ctx) }}}
	for _, p := range components {
		checks = append(checks, check{p.name, p.ready, p.state})
		group.Go(func() error { return p.start(life) })
	}
	registry.MustRegister(newReadiness(checks))
	group.Go(func() error { return observeServe(life, observe, registry, checks) })
	err = group.Wait()
	log.Info("Stopped")
	return err
}

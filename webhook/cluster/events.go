package cluster

import (
	"fmt"

	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	clientevents "k8s.io/client-go/tools/events"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/events"
)

// Rejected queues an Event about a rejected pod for its workload.
func (c *Cluster) Rejected(rejection admission.Rejection) { c.events.Rejected(rejection) }

func (c *Cluster) addEvents(config *rest.Config) error {
	writer, err := eventsv1.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	c.events, err = events.New(events.Config{
		Reader:     c.manager.GetAPIReader(),
		Sink:       &clientevents.EventSinkImpl{Interface: writer},
		IsEnrolled: c.isEnrolled,
		Metrics:    events.NewMetrics(c.config.Registry),
		Log:        c.config.Log,
	})
	if err != nil {
		return err
	}
	return c.manager.Add(c.events)
}

package form

import (
	"fmt"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// tooMany says why the container cannot set so many sysctls, and what could be set without it; "" if it can.
func (p *Plan) tooMany() string {
	count := len(p.Contained)
	if count <= sysctl.MaxContained {
		return ""
	}
	if p.Form.OnlyReads {
		return fmt.Sprintf("%d sysctls are to be verified, and the init container takes at most %d; remove %d", count,
			sysctl.MaxContained, count-sysctl.MaxContained)
	}
	message := fmt.Sprintf("%d sysctls need the init container, which can set at most %d: the guard checks each of "+
		"them, and has a budget for so many",
		count, sysctl.MaxContained)
	if couldBe := p.couldBeNative(); len(couldBe) > 0 {
		message += fmt.Sprintf("; with the annotation %s: %s, Kubernetes itself sets %d of them: %s",
			v1alpha1.StrategyAnnotation, NativeFirst, len(couldBe), strings.Join(couldBe, ", "))
		count -= len(couldBe)
	}
	if count > sysctl.MaxContained {
		message += fmt.Sprintf("; remove %d", count-sysctl.MaxContained)
		if count < len(p.Contained) {
			message += " of the others"
		}
	}
	return message
}

// couldBeNative returns the names that would need no container if the strategy were another one.
func (p *Plan) couldBeNative() []string {
	pod := p.pod
	pod.NativeFirst = true
	var names []string
	for _, s := range p.Contained {
		if native.takes(pod, s.Assignment) {
			names = append(names, s.Name)
		}
	}
	return names
}

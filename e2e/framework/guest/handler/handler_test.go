package handler

import (
	"errors"
	"testing"
)

func TestJudge(t *testing.T) {
	const (
		works = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000\n"
		fails = "userspace - ptrace set fp regs failed, errno = 14\n" +
			"Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n"
	)
	if err := judge(works); err != nil {
		t.Errorf("a console of one that runs: %v", err)
	}
	if err := judge(fails); !errors.Is(err, ErrProcessor) {
		t.Errorf("a console of one that cannot set registers: %v, want %v", err, ErrProcessor)
	}
}

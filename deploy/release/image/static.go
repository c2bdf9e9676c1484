package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1"
)

// machines are the architectures that images are made for, as ELF has them.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkProgram rejects a program that would not start in an image of its own, on the platform.
func checkProgram(program []byte, platform v1.Platform) error {
	machine, known := machines[platform.Architecture]
	if platform.OS != "linux" || !known {
		return fmt.Errorf("no images are made for %s, only for linux/amd64 and linux/arm64", platform)
	}
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("read it as an ELF file: %w", err)
	}
	if file.Machine != machine {
		return fmt.Errorf("it is compiled for %v, not for %s", file.Machine, platform)
	}
	return CheckStatic(file)
}

// CheckStatic rejects a program that needs libraries, which an image of one file does not have.
func CheckStatic(file *elf.File) error {
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("it is not linked statically")
		}
	}
	return nil
}

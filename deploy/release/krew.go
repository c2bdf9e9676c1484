package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
)

const (
	homepage = "https://github.com/sysctl-injector/sysctl-injector"
	// pluginName is what people write after kubectl. krew and kubectl look for it with an underscore in the file's
	// name.
	pluginName    = "sysctl-injector"
	pluginProgram = "kubectl-sysctl_injector"
	pluginFile    = pluginName + ".yaml"
	licenseFile   = "LICENSE"
)

// plugin writes an archive with the kubectl plugin for each platform, and the manifest by which krew installs them.
func (r release) plugin(programs []image.Binary) error {
	license, err := os.ReadFile(filepath.Join(r.source, licenseFile))
	if err != nil {
		return err
	}
	manifest := index.Plugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin"},
		ObjectMeta: metav1.ObjectMeta{Name: pluginName},
		Spec: index.PluginSpec{
			Version:          "v" + chartVersion(r.version),
			Homepage:         homepage,
			ShortDescription: "Give pods the sysctls that they ask for",
			Description: "Shows the pods whose sysctls sysctl-injector sets and whether that worked, " +
				"explains sysctls, opens\n" +
				"namespaces for them, finds workloads that set sysctls by hand, and injects into manifests.\n",
		},
	}
	for _, program := range programs {
		archive, err := pack(r.created, member{pluginProgram, 0o755, program.Content},
			member{licenseFile, 0o644, license})
		if err != nil {
			return err
		}
		file := archiveName(program.Platform)
		if err := r.save(file, archive); err != nil {
			return err
		}
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, index.Platform{
			URI:    homepage + "/releases/download/" + r.version + "/" + file,
			Sha256: fmt.Sprintf("%x", sha256.Sum256(archive)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": program.Platform.OS,
				"arch": program.Platform.Architecture}},
			Files: []index.FileOperation{{From: pluginProgram, To: "."}, {From: licenseFile, To: "."}},
			Bin:   pluginProgram,
		})
	}
	encoded, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	return r.save(pluginFile, encoded)
}

func archiveName(platform v1.Platform) string {
	return pluginProgram + "-" + platform.OS + "-" + platform.Architecture + ".tar.gz"
}

// member is a file of an archive.
type member struct {
	name    string
	mode    int64
	content []byte
}

// pack returns a compressed archive: the same bytes for the same members and time.
func pack(created time.Time, members ...member) ([]byte, error) {
	var packed bytes.Buffer
	compressor := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressor)
	for _, m := range members {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: m.mode, Size: int64(len(m.content)),
			ModTime: created, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(m.content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressor.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// Pack turns the YAML files that the program would read at every start into
// JSON, which it reads several times sooner:
//
//	go run ./scripts/pack [directory of the repository]
//
// TestPacked fails when what is embedded is not what is written.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubonsai/kubonsai/sim/container/image"
	"sigs.k8s.io/yaml"
)

var files = []struct {
	from, to string
	pack     func([]byte) (string, error)
}{
	{"sim/container/image/catalogue.yaml", "sim/container/image/zz_generated.catalogue.txt", image.Pack},
	{"sim/addons.yaml", "sim/zz_generated.addons.txt", lines},
	{"sim/examples/metrics-server.yaml", "sim/zz_generated.metrics.txt", lines},
}

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	for _, f := range files {
		doc, err := os.ReadFile(filepath.Join(root, f.from))
		if err == nil {
			var text string
			if text, err = f.pack(doc); err == nil {
				err = os.WriteFile(filepath.Join(root, f.to), []byte(text), 0o644)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "pack:", f.from+":", err)
			os.Exit(1)
		}
	}
}

// lines turns a stream of YAML documents into lines of JSON.
func lines(stream []byte) (string, error) {
	var out bytes.Buffer
	for _, doc := range bytes.Split(stream, []byte("\n---\n")) {
		object, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return "", err
		}
		out.Write(append(object, '\n'))
	}
	return out.String(), nil
}

// The protobuf table: the field numbers of every message that a client may
// send, read from the .proto files that Kubernetes' API modules publish.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

var protoModules = []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator"}

var (
	protoPackage = regexp.MustCompile(`^package (\S+);`)
	protoMessage = regexp.MustCompile(`^message (\w+) \{`)
	protoField   = regexp.MustCompile(`^\s+(optional |repeated |)(map<string, ?(\S+)>|\S+) (\w+) = (\d+);`)
)

// protoLine is one field of a message.
type protoLine struct {
	number, name, typ string
	repeated, isMap   bool
}

// schemaName is a message's name as the schemas spell it.
func schemaName(proto string) string {
	s := strings.ReplaceAll(strings.TrimPrefix(proto, "."), "_", "-")
	return "io.k8s" + strings.TrimPrefix(s, "k8s.io")
}

func readProtos() (map[string][]protoLine, error) {
	messages := map[string][]protoLine{}
	for _, m := range protoModules {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m).Output()
		if err != nil {
			return nil, fmt.Errorf("go list %s: %w", m, err)
		}
		err = filepath.WalkDir(strings.TrimSpace(string(dir)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "generated.proto" {
				return err
			}
			return readProto(path, messages)
		})
		if err != nil {
			return nil, err
		}
	}
	return messages, nil
}

func readProto(path string, messages map[string][]protoLine) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var pkg, message string
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case protoPackage.MatchString(line):
			pkg = protoPackage.FindStringSubmatch(line)[1]
		case protoMessage.MatchString(line):
			message = schemaName(pkg + "." + protoMessage.FindStringSubmatch(line)[1])
			messages[message] = nil
		case line == "}":
			message = ""
		case message != "" && protoField.MatchString(line):
			m := protoField.FindStringSubmatch(line)
			f := protoLine{number: m[5], name: m[4], typ: m[2], repeated: m[1] == "repeated ", isMap: m[3] != ""}
			if f.isMap {
				f.typ = m[3]
			}
			switch {
			case strings.HasPrefix(f.typ, "."):
				f.typ = schemaName(f.typ)
			case f.typ[0] >= 'A' && f.typ[0] <= 'Z':
				f.typ = schemaName(pkg + "." + f.typ)
			}
			messages[message] = append(messages[message], f)
		}
	}
	return lines.Err()
}

// encodeProtos writes a line for each message that a served kind is made of:
// its name, then its fields, separated by tabs, as number, name and type,
// separated by spaces. A type starts with [ if repeated and with { if the values
// of a map; a name with & when its fields are the message's own in JSON. Types
// are those of protobuf, or the number of a message's line.
func encodeProtos(schemas map[string]*openSchema) ([]byte, error) {
	messages, err := readProtos()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	var use func(name string)
	use = func(name string) {
		if fields, ok := messages[name]; ok && !used[name] {
			used[name] = true
			for _, f := range fields {
				use(f.typ)
			}
		}
	}
	for name, s := range schemas {
		if len(s.Kinds) > 0 && !strings.HasSuffix(name, "List") {
			use(name)
		}
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	sort.Strings(names)
	line := map[string]int{}
	for i, name := range names {
		line[name] = i
	}
	var b bytes.Buffer
	for _, name := range names {
		b.WriteString(strings.TrimPrefix(name, "io.k8s."))
		for _, f := range messages[name] {
			typ, prefix, inline := f.typ, "", ""
			known := true
			if s := schemas[name]; s != nil && len(s.Properties) > 0 {
				f.name, known = jsonName(s, f.name)
			}
			if n, ok := line[f.typ]; ok {
				typ = fmt.Sprint(n)
				if !known {
					inline = "&"
				}
			} else if strings.Contains(f.typ, ".") {
				return nil, fmt.Errorf("%s.%s: no message %s", name, f.name, f.typ)
			}
			switch {
			case f.repeated:
				prefix = "["
			case f.isMap:
				prefix = "{"
			}
			fmt.Fprintf(&b, "\t%s %s%s %s%s", f.number, inline, f.name, prefix, typ)
		}
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// jsonName is the property that a protobuf field stands for: protobuf's names
// have neither hyphens nor dollar signs.
func jsonName(s *openSchema, name string) (string, bool) {
	if s.Properties[name] != nil {
		return name, true
	}
	for p := range s.Properties {
		if strings.EqualFold(strings.NewReplacer("-", "", "$", "").Replace(p), name) {
			return p, true
		}
	}
	return name, false
}

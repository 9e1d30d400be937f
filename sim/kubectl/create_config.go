// kubectl create configmap and secret: keys and values from literals, files,
// directories and env files.

package kubectl

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// dataSources are the flags that name keys and values.
type dataSources struct {
	files, literals, envFiles []string
	appendHash                bool
}

func (d *dataSources) flags(f *pflag.FlagSet, kind string) {
	f.StringSliceVar(&d.files, "from-file", nil, "File or directory ([key=]path) whose content becomes a value")
	f.StringArrayVar(&d.literals, "from-literal", nil, "key=value; may be repeated")
	f.StringSliceVar(&d.envFiles, "from-env-file", nil, "File with lines of key=value")
	f.BoolVar(&d.appendHash, "append-hash", false, "Append a hash of the content to the "+kind+"'s name")
}

func (d *dataSources) validate() error {
	if len(d.envFiles) > 0 && (len(d.files) > 0 || len(d.literals) > 0) {
		return errors.New("from-env-file cannot be combined with from-file or from-literal")
	}
	return nil
}

// each calls add for every key and value.
func (d *dataSources) each(s *Session, kind string, add func(key string, value []byte, literal bool) error) error {
	if err := fromFiles(s, d.files, add); err != nil {
		return err
	}
	for _, l := range d.literals {
		key, value, ok := strings.Cut(l, "=")
		if !ok || key == "" {
			return fmt.Errorf("invalid literal source %v, expected key=value", l)
		}
		if err := add(key, []byte(value), true); err != nil {
			return err
		}
	}
	for _, file := range d.envFiles {
		info, err := s.FS.Stat(s.Path(file))
		if err != nil {
			return readingError(file, err)
		}
		if info.IsDir() {
			return fmt.Errorf("env %s file cannot be a directory", kind)
		}
		data, err := s.FS.ReadFile(s.Path(file))
		if err != nil {
			return openError(file, err)
		}
		err = s.envLines(file, data, func(key, value string) error { return add(key, []byte(value), true) })
		if err != nil {
			return err
		}
	}
	return nil
}

func readingError(file string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("error reading %s: %v", file, err)
}

func fromFiles(s *Session, sources []string, add func(key string, value []byte, literal bool) error) error {
	for _, source := range sources {
		key, file := path.Base(source), source
		switch n := strings.Count(source, "="); {
		case n == 1 && strings.HasPrefix(source, "="):
			return fmt.Errorf("key name for file path %v missing", source[1:])
		case n == 1 && strings.HasSuffix(source, "="):
			return fmt.Errorf("file path for key name %v missing", strings.TrimSuffix(source, "="))
		case n > 1:
			return errors.New("key names or file paths cannot contain '='")
		case n == 1:
			key, file, _ = strings.Cut(source, "=")
		}
		full := s.Path(file)
		info, err := s.FS.Stat(full)
		if err != nil {
			return readingError(file, err)
		}
		if !info.IsDir() {
			data, err := s.FS.ReadFile(full)
			if err != nil {
				return openError(file, err)
			}
			if err := add(key, data, false); err != nil {
				return err
			}
			continue
		}
		if strings.Contains(source, "=") {
			return errors.New("cannot give a key name for a directory path")
		}
		entries, err := s.FS.ReadDir(full)
		if err != nil {
			return fmt.Errorf("error listing files in %s: %v", file, err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() {
				continue
			}
			data, err := s.FS.ReadFile(path.Join(full, e.Name()))
			if err != nil {
				return openError(path.Join(file, e.Name()), err)
			}
			if err := add(e.Name(), data, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// envLines reads lines of key=value; a key alone takes its value from the environment.
func (s *Session) envLines(file string, data []byte, fn func(key, value string) error) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for n, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if !utf8.ValidString(line) {
			return fmt.Errorf("env file %s contains invalid utf8 bytes at line %d: %v", file, n+1, []byte(line))
		}
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if errs := validation.IsEnvVarName(key); len(errs) > 0 {
			return fmt.Errorf("%q is not a valid key name: %s", key, strings.Join(errs, ";"))
		}
		if !ok {
			value = s.Getenv(key)
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

// contentHash is the suffix of --append-hash: ten letters of the content's
// SHA-256, without those that could form words.
func contentHash(content map[string]any) (string, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	hex := fmt.Sprintf("%x", sha256.Sum256(data))[:10]
	return strings.NewReplacer("0", "g", "1", "h", "3", "k", "a", "m", "e", "t").Replace(hex), nil
}

func createConfigMapCommand() *Command {
	return &Command{
		Use:     "configmap NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
		Aliases: []string{"cm"},
		Short:   "Create a config map from literals, files, directories or env files",
		Examples: `kubectl create configmap settings --from-literal=colour=green
kubectl create configmap settings --from-file=app.properties
kubectl create configmap settings --from-env-file=app.env`,
		New: func() Verb { return &createConfigMap{} },
	}
}

type createConfigMap struct {
	creator
	data dataSources
}

func (o *createConfigMap) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.data.flags(f, "config map")
}

func (o *createConfigMap) Validate() error { return o.data.validate() }

func (o *createConfigMap) Run(s *Session) error {
	cm := &corev1.ConfigMap{ObjectMeta: o.meta(), Data: map[string]string{}, BinaryData: map[string][]byte{}}
	err := o.data.each(s, "config", func(key string, value []byte, literal bool) error {
		if errs := validation.IsConfigMapKey(key); len(errs) > 0 {
			return fmt.Errorf("%q is not a valid key name for a ConfigMap: %s", key, strings.Join(errs, ","))
		}
		if _, taken := cm.Data[key]; taken {
			return fmt.Errorf("cannot add key %q, another key by that name already exists in Data for ConfigMap %q", key, cm.Name)
		}
		if _, taken := cm.BinaryData[key]; taken {
			return fmt.Errorf("cannot add key %q, another key by that name already exists in BinaryData for ConfigMap %q", key, cm.Name)
		}
		if literal || utf8.Valid(value) {
			cm.Data[key] = string(value)
		} else {
			cm.BinaryData[key] = value
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.data.appendHash {
		content := map[string]any{"kind": "ConfigMap", "name": cm.Name, "data": cm.Data}
		if len(cm.BinaryData) > 0 {
			content["binaryData"] = cm.BinaryData
		}
		h, err := contentHash(content)
		if err != nil {
			return err
		}
		cm.Name += "-" + h
	}
	return o.create(cm, "configmap:")
}

func createSecretCommand() *Command {
	return &Command{
		Use:   "secret (docker-registry | generic | tls)",
		New:   needsSubcommand,
		Short: "Create a secret with a subcommand",
		Long:  "Create a secret: for an image registry, from files and literals, or from a certificate and its key.",
		Sub: []*Command{
			{Use: "docker-registry NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]",
				Short: "Create a secret for an image registry", New: func() Verb { return &createSecretDocker{} }},
			{Use: "generic NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
				Short: "Create a secret from a file, directory, or literal", New: func() Verb { return &createSecretGeneric{} }},
			{Use: "tls NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]",
				Short: "Create a TLS secret", New: func() Verb { return &createSecretTLS{} }},
		},
	}
}

// secretAdder puts keys into a secret.
func secretAdder(secret *corev1.Secret) func(string, []byte, bool) error {
	return func(key string, value []byte, _ bool) error {
		if errs := validation.IsConfigMapKey(key); len(errs) > 0 {
			return fmt.Errorf("%q is not valid key name for a Secret %s", key, strings.Join(errs, ";"))
		}
		if _, taken := secret.Data[key]; taken {
			return fmt.Errorf("cannot add key %s, another key by that name already exists", key)
		}
		secret.Data[key] = value
		return nil
	}
}

func (o *creator) createSecret(secret *corev1.Secret, hash bool) error {
	if hash {
		h, err := contentHash(map[string]any{"kind": "Secret", "type": secret.Type, "name": secret.Name, "data": secret.Data})
		if err != nil {
			return err
		}
		secret.Name += "-" + h
	}
	return o.create(secret, "secret")
}

type createSecretGeneric struct {
	creator
	data       dataSources
	secretType string
}

func (o *createSecretGeneric) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.data.flags(f, "secret")
	f.StringVar(&o.secretType, "type", "", "Type of the secret")
}

func (o *createSecretGeneric) Validate() error { return o.data.validate() }

func (o *createSecretGeneric) Run(s *Session) error {
	secret := &corev1.Secret{ObjectMeta: o.meta(), Type: corev1.SecretType(o.secretType), Data: map[string][]byte{}}
	if err := o.data.each(s, "secret", secretAdder(secret)); err != nil {
		return err
	}
	return o.createSecret(secret, o.data.appendHash)
}

type createSecretDocker struct {
	creator
	username, password, email, server string
	files                             []string
	appendHash                        bool
}

func (o *createSecretDocker) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.username, "docker-username", "", "User name at the registry")
	f.StringVar(&o.password, "docker-password", "", "Password at the registry")
	f.StringVar(&o.email, "docker-email", "", "E-mail address at the registry")
	f.StringVar(&o.server, "docker-server", "https://index.docker.io/v1/", "The registry")
	f.StringSliceVar(&o.files, "from-file", nil, "File with a Docker configuration ([.dockerconfigjson=]path)")
	f.BoolVar(&o.appendHash, "append-hash", false, "Append a hash of the content to the secret's name")
}

func (o *createSecretDocker) Validate() error {
	if len(o.files) == 0 && (o.username == "" || o.password == "" || o.server == "") {
		return errors.New("either --from-file or the combination of --docker-username, --docker-password and --docker-server is required")
	}
	return nil
}

func (o *createSecretDocker) Run(s *Session) error {
	secret := &corev1.Secret{ObjectMeta: o.meta(), Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{}}
	if len(o.files) > 0 {
		if err := fromFiles(s, o.files, secretAdder(secret)); err != nil {
			return err
		}
	} else {
		type entry struct {
			Username string `json:"username,omitempty"`
			Password string `json:"password,omitempty"`
			Email    string `json:"email,omitempty"`
			Auth     string `json:"auth,omitempty"`
		}
		auth := base64.StdEncoding.EncodeToString([]byte(o.username + ":" + o.password))
		data, err := json.Marshal(map[string]any{"auths": map[string]entry{o.server: {o.username, o.password, o.email, auth}}})
		if err != nil {
			return err
		}
		secret.Data[corev1.DockerConfigJsonKey] = data
	}
	return o.createSecret(secret, o.appendHash)
}

type createSecretTLS struct {
	creator
	cert, key  string
	appendHash bool
}

func (o *createSecretTLS) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.cert, "cert", "", "File with the PEM encoded certificate")
	f.StringVar(&o.key, "key", "", "File with the PEM encoded private key")
	f.BoolVar(&o.appendHash, "append-hash", false, "Append a hash of the content to the secret's name")
}

func (o *createSecretTLS) Validate() error {
	if o.key == "" || o.cert == "" {
		return errors.New("key and cert must be specified")
	}
	return nil
}

func (o *createSecretTLS) Run(s *Session) error {
	read := func(file string) ([]byte, error) {
		data, err := s.FS.ReadFile(s.Path(file))
		if err != nil {
			return nil, fmt.Errorf("Cannot read file %v, %v", file, openError(file, err))
		}
		return data, nil
	}
	cert, err := read(o.cert)
	if err != nil {
		return err
	}
	key, err := read(o.key)
	if err != nil {
		return err
	}
	if b, _ := pem.Decode(cert); b == nil {
		return errors.New("tls: failed to find any PEM data in certificate input")
	}
	if b, _ := pem.Decode(key); b == nil {
		return errors.New("tls: failed to find any PEM data in key input")
	}
	secret := &corev1.Secret{ObjectMeta: o.meta(), Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: cert, corev1.TLSPrivateKeyKey: key}}
	return o.createSecret(secret, o.appendHash)
}

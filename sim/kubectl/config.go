// kubectl config: looking at kubeconfig files and changing them.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_config/

package kubectl

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func configCommand() *Command {
	sub := func(use, short string, run func(o *configOptions, s *Session) error, flags ...func(*configOptions, *pflag.FlagSet)) *Command {
		return &Command{Use: use, Short: short, New: func() Verb { return &configOptions{run: run, flags: flags} }}
	}
	c := &Command{
		Use: "config SUBCOMMAND", Short: "Modify kubeconfig files", New: needsSubcommand,
		Long: "Shows and changes kubeconfig files: the one that --kubeconfig names, else those in $KUBECONFIG, else $HOME/.kube/config.",
		Sub: []*Command{
			sub("current-context [flags]", "Display the current-context", (*configOptions).currentContext),
			sub("delete-cluster NAME", "Delete the specified cluster from the kubeconfig", deleteEntry("cluster", kindClusters)),
			sub("delete-context NAME", "Delete the specified context from the kubeconfig", deleteEntry("context", kindContexts)),
			sub("delete-user NAME", "Delete the specified user from the kubeconfig", deleteEntry("user", kindUsers)),
			sub("get-clusters [flags]", "Display clusters defined in the kubeconfig", listEntries(kindClusters)),
			sub("get-contexts [(-o|--output=)name)]", "Describe one or many contexts", (*configOptions).getContexts, (*configOptions).listFlags),
			sub("get-users [flags]", "Display users defined in the kubeconfig", listEntries(kindUsers)),
			sub("rename-context CONTEXT_NAME NEW_NAME", "Rename a context from the kubeconfig file", (*configOptions).renameContext),
			sub("set PROPERTY_NAME PROPERTY_VALUE", "Set an individual value in a kubeconfig file", (*configOptions).set, (*configOptions).setFlags),
			sub("set-cluster NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
				"Set a cluster entry in kubeconfig", (*configOptions).setCluster, (*configOptions).clusterFlags),
			sub("set-context [NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]",
				"Set a context entry in kubeconfig", (*configOptions).setContext, (*configOptions).contextFlags),
			sub("set-credentials NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] [--username=basic_user] [--password=basic_password] [--auth-provider=provider_name] [--auth-provider-arg=key=value] [--exec-command=exec_command] [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value]",
				"Set a user entry in kubeconfig", (*configOptions).setCredentials, (*configOptions).credentialFlags),
			sub("unset PROPERTY_NAME", "Unset an individual value in a kubeconfig file", (*configOptions).unset),
			sub("use-context CONTEXT_NAME", "Set the current-context in a kubeconfig file", (*configOptions).useContext),
			sub("view [flags]", "Display merged kubeconfig settings or a specified kubeconfig file", (*configOptions).view, (*configOptions).viewFlags),
		},
	}
	c.find("use-context").Aliases = []string{"use"}
	return c
}

// configOptions serves all subcommands: each has its own flags and one step.
type configOptions struct {
	run   func(o *configOptions, s *Session) error
	flags []func(*configOptions, *pflag.FlagSet)
	args  []string

	noHeaders             bool
	output                string
	print                 PrintFlags
	raw, flatten, minify  bool
	merge                 bool
	current, rawBytes     bool
	embed, providesInfo   bool
	values                map[string]*string
	insecure              bool
	execArgs, execEnv     []string
	authProviderArguments []string
}

func (o *configOptions) Flags(f *pflag.FlagSet) {
	for _, fn := range o.flags {
		fn(o, f)
	}
}

func (o *configOptions) Complete(s *Session, args []string) error {
	o.args = args
	_, err := s.Config()
	return err
}

func (o *configOptions) Validate() error { return nil }

func (o *configOptions) Run(s *Session) error { return o.run(o, s) }

func (o *configOptions) one(s *Session) (string, error) {
	if len(o.args) != 1 {
		return "", o.unexpected(s)
	}
	return o.args[0], nil
}

// unexpected prints the help page and says which arguments were too many or too few.
func (o *configOptions) unexpected(s *Session) error {
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	s.Command.New().Flags(own)
	if err := s.help(s.Command, own); err != nil {
		return err
	}
	return fmt.Errorf("Unexpected args: %v", o.args)
}

// text adds a string flag whose value is kept by name.
func (o *configOptions) text(f *pflag.FlagSet, name, usage string) {
	if o.values == nil {
		o.values = map[string]*string{}
	}
	o.values[name] = f.String(name, "", usage)
}

func (o *configOptions) listFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.noHeaders, "no-headers", false, "Leave out the headers")
	f.StringVarP(&o.output, "output", "o", "", "Output format: (name)")
}

func (o *configOptions) setFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.rawBytes, "set-raw-bytes", false, "The value of a field of bytes is given as it is, not in base64")
}

func (o *configOptions) clusterFlags(f *pflag.FlagSet) {
	o.text(f, "server", "URL of the server")
	o.text(f, "certificate-authority", "File with the certificate authority's certificate")
	o.text(f, "tls-server-name", "Name in the server's certificate")
	o.text(f, "proxy-url", "URL of a proxy")
	f.BoolVar(&o.embed, "embed-certs", false, "Store the file's content instead of its name")
	f.BoolVar(&o.insecure, "insecure-skip-tls-verify", false, "Do not check the server's certificate")
}

func (o *configOptions) contextFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.current, "current", false, "Change the current context")
	o.text(f, "cluster", "Cluster of the context")
	o.text(f, "user", "User of the context")
	if o.values == nil {
		o.values = map[string]*string{}
	}
	o.values["namespace"] = f.StringP("namespace", "n", "", "Namespace of the context")
}

func (o *configOptions) credentialFlags(f *pflag.FlagSet) {
	for _, n := range []string{"client-certificate", "client-key", "token", "username", "password", "auth-provider", "exec-command", "exec-api-version", "exec-interactive-mode"} {
		o.text(f, n, "The user's "+strings.ReplaceAll(n, "-", " "))
	}
	f.BoolVar(&o.embed, "embed-certs", false, "Store the files' content instead of their names")
	f.BoolVar(&o.providesInfo, "exec-provide-cluster-info", false, "Tell the credential plugin about the cluster")
	f.StringSliceVar(&o.execArgs, "exec-arg", nil, "Arguments of the credential plugin")
	f.StringArrayVar(&o.execEnv, "exec-env", nil, "key=value environment of the credential plugin")
	f.StringSliceVar(&o.authProviderArguments, "auth-provider-arg", nil, "key=value arguments of the auth provider")
}

func (o *configOptions) viewFlags(f *pflag.FlagSet) {
	o.print.Output = "yaml"
	o.print.Flags(f)
	f.BoolVar(&o.merge, "merge", true, "Merge all kubeconfig files")
	noOptDefault(f, "merge", "true")
	f.BoolVar(&o.raw, "raw", false, "Show certificates and secrets too")
	f.BoolVar(&o.flatten, "flatten", false, "Put the content of files that are named into the output")
	f.BoolVar(&o.minify, "minify", false, "Only what the current context uses")
}

func (o *configOptions) currentContext(s *Session) error {
	if len(o.args) > 0 {
		return fmt.Errorf("unexpected args: %v", o.args)
	}
	if s.config.current == "" {
		return errors.New("current-context is not set")
	}
	s.Printf("%s\n", s.config.current)
	return nil
}

func (o *configOptions) useContext(s *Session) error {
	name, err := o.one(s)
	if err != nil {
		return err
	}
	if s.config.contexts[name] == nil {
		return fmt.Errorf("no context exists with the name: %q", name)
	}
	s.config.current = name
	if err := s.saveConfig(); err != nil {
		return err
	}
	s.Printf("Switched to context %q.\n", name)
	return nil
}

func deleteEntry(what, kind string) func(o *configOptions, s *Session) error {
	return func(o *configOptions, s *Session) error {
		if len(o.args) != 1 {
			if what == "user" {
				return s.UsageErrorf("user to delete is required")
			}
			return o.unexpected(s)
		}
		name := o.args[0]
		e := s.config.table(kind)[name]
		if e == nil {
			return fmt.Errorf("cannot delete %s %s, not in %s", what, name, s.configFile())
		}
		if kind == kindContexts && s.config.current == name {
			s.Errorf("warning: this removed your active context, use \"kubectl config use-context\" to select a different one\n")
		}
		s.config.set(kind, name, nil)
		if err := s.saveConfig(); err != nil {
			return err
		}
		s.Printf("deleted %s %s from %s\n", what, name, e.file)
		return nil
	}
}

func listEntries(kind string) func(o *configOptions, s *Session) error {
	return func(o *configOptions, s *Session) error {
		s.Printf("NAME\n")
		for _, n := range tree.Keys(s.config.table(kind)) {
			s.Printf("%s\n", n)
		}
		return nil
	}
}

func (o *configOptions) getContexts(s *Session) error {
	if o.output != "" && o.output != "name" {
		return fmt.Errorf("--output %v is not available in kubectl config get-contexts; resetting to default output format", o.output)
	}
	names := append([]string(nil), o.args...)
	if len(names) == 0 {
		names = tree.Keys(s.config.contexts)
	}
	sort.Strings(names)
	w := printer.NewTabWriter(s.Stdout)
	var errs []error
	if !o.noHeaders && o.output == "" {
		fmt.Fprintln(w, "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE")
	}
	for _, n := range names {
		e := s.config.contexts[n]
		if e == nil {
			errs = append(errs, fmt.Errorf("context %v not found", n))
			continue
		}
		if o.output == "name" {
			fmt.Fprintln(w, n)
			continue
		}
		mark := ""
		if n == s.config.current {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", mark, n, tree.String(e.body, "cluster"), tree.String(e.body, "user"), tree.String(e.body, "namespace"))
	}
	w.Flush()
	if len(errs) > 0 {
		return &CodeError{1, plainErrors(errs)}
	}
	return nil
}

func plainErrors(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return NewAggregate(errs)
}

func (o *configOptions) renameContext(s *Session) error {
	if len(o.args) != 2 {
		return o.unexpected(s)
	}
	from, to := o.args[0], o.args[1]
	c := s.config
	e := c.contexts[from]
	if e == nil {
		return fmt.Errorf("cannot rename the context %q, it's not in %s", from, s.configFile())
	}
	if c.contexts[to] != nil {
		return fmt.Errorf("cannot rename the context %q, the context %q already exists in %s", from, to, s.configFile())
	}
	delete(c.contexts, from)
	c.contexts[to] = e
	if c.current == from {
		c.current = to
	}
	if err := s.saveConfig(); err != nil {
		return err
	}
	s.Printf("Context %q renamed to %q.\n", from, to)
	return nil
}

// entry is a copy of an entry's body to be changed.
func (o *configOptions) entry(s *Session, kind, name string) (body tree.Map, existed bool) {
	if e := s.config.table(kind)[name]; e != nil {
		return tree.Copy(e.body), true
	}
	return tree.Map{}, false
}

// given puts the flags that were typed into the body.
func (o *configOptions) given(s *Session, body tree.Map, names ...string) {
	for _, n := range names {
		if !s.Changed(n) {
			continue
		}
		if *o.values[n] == "" {
			delete(body, n)
		} else {
			body[n] = *o.values[n]
		}
	}
}

// files stores names of files, or with --embed-certs their content.
func (o *configOptions) files(s *Session, body tree.Map, names ...string) error {
	for _, n := range names {
		if !s.Changed(n) {
			continue
		}
		file := *o.values[n]
		delete(body, n+"-data")
		delete(body, n)
		if file == "" {
			continue
		}
		if !o.embed {
			body[n] = s.Path(file)
			continue
		}
		data, err := s.FS.ReadFile(s.Path(file))
		if err != nil {
			return fmt.Errorf("could not stat %s file %s: stat %s: no such file or directory", n, file, file)
		}
		body[n+"-data"] = base64.StdEncoding.EncodeToString(data)
	}
	return nil
}

func (o *configOptions) setCluster(s *Session) error {
	name, err := o.one(s)
	if err != nil {
		return err
	}
	body, _ := o.entry(s, kindClusters, name)
	if _, there := body["server"]; !there {
		body["server"] = ""
	}
	o.given(s, body, "server", "tls-server-name", "proxy-url")
	if s.Changed("insecure-skip-tls-verify") {
		delete(body, "insecure-skip-tls-verify")
		if o.insecure {
			body["insecure-skip-tls-verify"] = true
			delete(body, "certificate-authority")
			delete(body, "certificate-authority-data")
		}
	}
	if err := o.files(s, body, "certificate-authority"); err != nil {
		return err
	}
	return o.store(s, kindClusters, name, body, "Cluster %q set.\n")
}

func (o *configOptions) store(s *Session, kind, name string, body tree.Map, message string) error {
	s.config.set(kind, name, body)
	if err := s.saveConfig(); err != nil {
		return err
	}
	s.Printf(message, name)
	return nil
}

func (o *configOptions) setContext(s *Session) error {
	if len(o.args) > 1 {
		return s.UsageErrorf("unexpected args: %v", o.args)
	}
	name := ""
	if len(o.args) == 1 {
		name = o.args[0]
	}
	switch {
	case name == "" && !o.current:
		return errors.New("you must specify a non-empty context name or --current")
	case name != "" && o.current:
		return errors.New("you cannot specify both a context name and --current")
	}
	if o.current {
		if s.config.current == "" {
			return errors.New("no current context is set")
		}
		name = s.config.current
	}
	body, existed := o.entry(s, kindContexts, name)
	for _, n := range []string{"cluster", "user"} {
		if _, there := body[n]; !there {
			body[n] = ""
		}
	}
	o.given(s, body, "namespace")
	for _, n := range []string{"cluster", "user"} {
		if s.Changed(n) {
			body[n] = *o.values[n]
		}
	}
	message := "Context %q created.\n"
	if existed {
		message = "Context %q modified.\n"
	}
	return o.store(s, kindContexts, name, body, message)
}

func (o *configOptions) setCredentials(s *Session) error {
	name, err := o.one(s)
	if err != nil {
		return err
	}
	if *o.values["token"] != "" && (*o.values["username"] != "" || *o.values["password"] != "") {
		return fmt.Errorf("you cannot specify more than one authentication method at the same time: --%v, --%v/--%v", "token", "username", "password")
	}
	body, _ := o.entry(s, kindUsers, name)
	o.given(s, body, "token", "username", "password")
	if s.Changed("token") {
		delete(body, "username")
		delete(body, "password")
	} else if s.Changed("username") || s.Changed("password") {
		delete(body, "token")
	}
	if err := o.files(s, body, "client-certificate", "client-key"); err != nil {
		return err
	}
	if command := *o.values["exec-command"]; command != "" {
		exec := tree.Map{"command": command, "args": nil, "env": nil, "provideClusterInfo": o.providesInfo}
		if v := *o.values["exec-api-version"]; v != "" {
			exec["apiVersion"] = v
		}
		if v := *o.values["exec-interactive-mode"]; v != "" {
			exec["interactiveMode"] = v
		}
		var args []any
		for _, a := range o.execArgs {
			args = append(args, a)
		}
		if args != nil {
			exec["args"] = args
		}
		var env []any
		for _, e := range o.execEnv {
			k, v, _ := strings.Cut(e, "=")
			env = append(env, tree.Map{"name": k, "value": v})
		}
		if env != nil {
			exec["env"] = env
		}
		body["exec"] = exec
	}
	return o.store(s, kindUsers, name, body, "User %q set.\n")
}

// locate finds the object and the field that a property name such as contexts.a.namespace means.
func (o *configOptions) locate(s *Session, property string, create bool) (m tree.Map, field string, err error) {
	head, rest, _ := strings.Cut(property, ".")
	switch head {
	case kindClusters, kindContexts, kindUsers:
	default:
		return nil, "", fmt.Errorf("unable to parse %v after %v at %v", property, []string{}, "api.Config")
	}
	t := s.config.table(head)
	if rest == "" {
		return nil, "", fmt.Errorf("unable to parse %v after %v at %v", property, []string{}, "api.Config")
	}
	name := rest
	if e := t[rest]; e == nil {
		dot := strings.LastIndexByte(rest, '.')
		if dot >= 0 {
			name, field = rest[:dot], rest[dot+1:]
		}
	}
	if t[name] == nil {
		if !create {
			return nil, field, nil
		}
		body := tree.Map{}
		switch head {
		case kindClusters:
			body["server"] = ""
		case kindContexts:
			body["cluster"], body["user"] = "", ""
		}
		s.config.set(head, name, body)
	}
	return t[name].body, field, nil
}

func (o *configOptions) set(s *Session) error {
	if len(o.args) != 2 {
		return o.unexpected(s)
	}
	property, value := o.args[0], o.args[1]
	if property == "current-context" {
		s.config.current = value
	} else {
		m, field, err := o.locate(s, property, true)
		if err != nil {
			return err
		}
		switch {
		case field == "":
			return fmt.Errorf("can't set a map to a value: %v", property)
		case field == "insecure-skip-tls-verify" || field == "disable-compression":
			b, err := strconv.ParseBool(value)
			if err != nil {
				return err
			}
			m[field] = b
		case strings.HasSuffix(field, "-data") && o.rawBytes:
			m[field] = base64.StdEncoding.EncodeToString([]byte(value))
		case strings.HasSuffix(field, "-data"):
			if _, err := base64.StdEncoding.DecodeString(value); err != nil {
				return fmt.Errorf("error decoding input value: %v", err)
			}
			m[field] = value
		default:
			m[field] = value
		}
	}
	if err := s.saveConfig(); err != nil {
		return err
	}
	s.Printf("Property %q set.\n", property)
	return nil
}

func (o *configOptions) unset(s *Session) error {
	property, err := o.one(s)
	if err != nil {
		return err
	}
	switch property {
	case "current-context":
		s.config.current = ""
	case kindClusters, kindContexts, kindUsers:
		clear(s.config.table(property))
	default:
		m, field, err := o.locate(s, property, false)
		if err != nil {
			return err
		}
		if field != "" {
			delete(m, field)
		} else if m != nil {
			head, name, _ := strings.Cut(property, ".")
			s.config.set(head, name, nil)
		}
	}
	if err := s.saveConfig(); err != nil {
		return err
	}
	s.Printf("Property %q unset.\n", property)
	return nil
}

// The order in which view prints JSON.
type (
	viewedConfig struct {
		Kind       string          `json:"kind"`
		APIVersion string          `json:"apiVersion"`
		Clusters   []viewedCluster `json:"clusters"`
		Users      []viewedUser    `json:"users"`
		Contexts   []viewedContext `json:"contexts"`
		Current    string          `json:"current-context"`
	}
	viewedCluster struct {
		Name    string `json:"name"`
		Cluster struct {
			Server     string `json:"server"`
			ServerName string `json:"tls-server-name,omitempty"`
			Insecure   bool   `json:"insecure-skip-tls-verify,omitempty"`
			Authority  string `json:"certificate-authority,omitempty"`
			Data       string `json:"certificate-authority-data,omitempty"`
			Proxy      string `json:"proxy-url,omitempty"`
		} `json:"cluster"`
	}
	viewedUser struct {
		Name string `json:"name"`
		User struct {
			Certificate     string `json:"client-certificate,omitempty"`
			CertificateData string `json:"client-certificate-data,omitempty"`
			Key             string `json:"client-key,omitempty"`
			KeyData         string `json:"client-key-data,omitempty"`
			Token           string `json:"token,omitempty"`
			TokenFile       string `json:"tokenFile,omitempty"`
			As              string `json:"as,omitempty"`
			Username        string `json:"username,omitempty"`
			Password        string `json:"password,omitempty"`
			Exec            any    `json:"exec,omitempty"`
		} `json:"user"`
	}
	viewedContext struct {
		Name    string `json:"name"`
		Context struct {
			Cluster   string `json:"cluster"`
			User      string `json:"user"`
			Namespace string `json:"namespace,omitempty"`
		} `json:"context"`
	}
)

func (o *configOptions) view(s *Session) error {
	if len(o.args) > 0 {
		return s.UsageErrorf("unexpected arguments: %v", o.args)
	}
	c := s.config
	t := tree.Copy(c.tree(""))
	if o.minify {
		name := c.current
		if s.Global.Context != "" {
			name = s.Global.Context
		}
		context := c.contexts[name]
		if name == "" {
			return errors.New("current-context must exist in order to minify")
		}
		if context == nil {
			return fmt.Errorf("cannot locate context %v", name)
		}
		keep := func(kind, want string) {
			var out []any
			for _, m := range tree.Maps(t, kind) {
				if tree.String(m, "name") == want {
					out = append(out, m)
				}
			}
			t[kind] = nil
			if out != nil {
				t[kind] = out
			}
		}
		keep(kindContexts, name)
		keep(kindClusters, tree.String(context.body, "cluster"))
		keep(kindUsers, tree.String(context.body, "user"))
		t["current-context"] = name
	}
	if !o.raw && !o.flatten {
		redact(t)
	}
	var obj any = t
	if o.print.Output == "json" || o.print.Output == "kyaml" {
		data, err := json.Marshal(t)
		if err != nil {
			return err
		}
		v := new(viewedConfig)
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		obj = v
	}
	p, err := o.print.Printer(s, DryRunNone)
	if err != nil {
		return err
	}
	return p.Print(obj, s.Stdout)
}

// redact hides secrets, and content that is long.
func redact(t tree.Map) {
	hide := func(kind, body, field, with string) {
		for _, m := range tree.Maps(t, kind) {
			if b := tree.Sub(m, body); b != nil && tree.String(b, field) != "" {
				b[field] = with
			}
		}
	}
	hide(kindClusters, "cluster", "certificate-authority-data", "DATA+OMITTED")
	hide(kindUsers, "user", "client-certificate-data", "DATA+OMITTED")
	hide(kindUsers, "user", "client-key-data", "DATA+OMITTED")
	hide(kindUsers, "user", "token", "REDACTED")
	hide(kindUsers, "user", "password", "REDACTED")
}

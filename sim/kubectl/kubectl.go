// Package kubectl is the command that readers type: the real kubectl's verbs,
// flags, messages and output over rest.Handler. One file holds one verb: its
// options struct with Flags, Complete, Validate, Run. This file starts a run;
// command.go finds the verb, builder.go the objects it is about, client.go
// talks to the server, package printer draws what comes back. Everything that a
// run touches outside comes from its program.Context and from Options.
// README.md says how to add a verb.
package kubectl

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Options is what the host gives kubectl.
type Options struct {
	// Connect opens the API of a server, by the URL that the kubeconfig gives.
	// Its error is worded as a dialler's: "dial tcp 10.0.0.1:6443: connect: connection refused".
	Connect func(server string) (rest.Handler, error)
	// FetchURL reads a manifest from a URL (-f https://…). Nil: nothing can be fetched.
	FetchURL func(url string) ([]byte, error)
	// Startup is how long kubectl takes to start and to discover the API, and
	// RoundTrip how long each request takes that changes something: controllers
	// act in the meantime, so that what a script does next finds the cluster as
	// it would find a real one.
	Startup, RoundTrip time.Duration
	// Version is what kubectl says it is; "" is v1.36.2.
	Version string
	// Serve makes the API of a handler available on a port of the local
	// machine until the returned function is called; nil where the host has no
	// network. It is kubectl proxy's listener.
	Serve func(c *program.Context, address string, port int, h ProxyHandler) (actual int, stop func(), err error)
	// Encode and EncodeEvent write answers and watch events as bytes, for
	// clients of kubectl proxy; nil: plain JSON.
	Encode      func(*rest.Request, *rest.Response) (contentType string, body []byte, err error)
	EncodeEvent func(rest.Event) ([]byte, error)

	known discoveries // kept from run to run
}

// ProxyHandler answers one HTTP request that came in over kubectl proxy.
type ProxyHandler func(r *rest.Request) *rest.Response

const defaultVersion = "v1.36.2"

// Session is one run of kubectl.
type Session struct {
	*program.Context
	Options Options
	// Command is the one that runs; Flags are all its flags, Global the values
	// of those that every command has.
	Command *Command
	Flags   *pflag.FlagSet
	Global  globalFlags
	// ArgsLenAtDash is how many arguments stood before "--"; -1 without one.
	ArgsLenAtDash int

	global    *pflag.FlagSet
	config    *kubeConfig
	client    *Client
	stdinUsed bool
	warned    map[string]bool
	warnings  int
}

// New returns the program.
func New(o Options) program.Program {
	if o.Version == "" {
		o.Version = defaultVersion
	}
	o.known = discoveries{}
	return func(c *program.Context, args []string) int {
		s := &Session{Context: c, Options: o, ArgsLenAtDash: -1}
		if !s.spend(o.Startup) {
			return 130
		}
		s.global = s.Global.flags()
		if home := s.Getenv("HOME"); home != "" { // help shows it
			f := s.global.Lookup("cache-dir")
			f.DefValue = home + "/.kube/cache"
			s.Global.CacheDir = f.DefValue
		}
		s.global.SetNormalizeFunc(dashes)
		return s.finish(s.execute(commands(), args[1:]))
	}
}

// spend lets the time pass; false when the program is interrupted meanwhile. It
// passes for the process that runs: a forwarded port serves its client's.
func (s *Session) spend(d time.Duration) bool {
	p := s.Proc
	if p == nil {
		return true
	}
	if running := p.Kernel().Current(); running != nil {
		p = running
	}
	return p.Spend(d) == nil
}

// finish prints the error as kubectl does and returns the exit status.
func (s *Session) finish(err error) int {
	if err == nil {
		return 0
	}
	message, code := explainError(err)
	if message != "" {
		if !strings.HasSuffix(message, "\n") {
			message += "\n"
		}
		io.WriteString(s.Stderr, message)
	}
	return code
}

// Now is the virtual time.
func (s *Session) Now() time.Time {
	if s.Proc == nil {
		return time.Time{}
	}
	return s.Proc.Now()
}

// Printf prints on stdout; Warnf a line on stderr.
func (s *Session) Printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// Errorf prints on stderr.
func (s *Session) Errorf(format string, args ...any) { fmt.Fprintf(s.Stderr, format, args...) }

// ReadStdin reads all of stdin; it can be used once.
func (s *Session) ReadStdin() ([]byte, error) {
	if s.Stdin == nil {
		return nil, nil
	}
	return io.ReadAll(s.Stdin)
}

// globalFlags are the flags of every command.
type globalFlags struct {
	As, AsUID             string
	AsGroup, AsUserExtra  []string
	CacheDir              string
	CertificateAuthority  string
	ClientCertificate     string
	ClientKey             string
	Cluster, Context      string
	DisableCompression    bool
	InsecureSkipTLSVerify bool
	Kubeconfig, Kuberc    string
	LogFlushFrequency     time.Duration
	MatchServerVersion    bool
	Namespace             string
	Password              string
	Profile               string
	ProfileOutput         string
	RequestTimeout        string
	Server                string
	TLSServerName         string
	Token                 string
	User, Username        string
	Verbosity             string
	VModule               string
	WarningsAsErrors      bool
}

func (g *globalFlags) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("global", pflag.ContinueOnError)
	f.StringVar(&g.As, "as", "", "Act as this user or service account")
	f.StringArrayVar(&g.AsGroup, "as-group", nil, "Act as a member of this group; may be repeated")
	f.StringVar(&g.AsUID, "as-uid", "", "Act under this UID")
	f.StringArrayVar(&g.AsUserExtra, "as-user-extra", nil, "Extra key=value of the user to act as; may be repeated")
	f.StringVar(&g.CacheDir, "cache-dir", "/.kube/cache", "Directory for caches")
	f.StringVar(&g.CertificateAuthority, "certificate-authority", "", "File with the certificate authority's certificate")
	f.StringVar(&g.ClientCertificate, "client-certificate", "", "File with the client's TLS certificate")
	f.StringVar(&g.ClientKey, "client-key", "", "File with the client's TLS key")
	f.StringVar(&g.Cluster, "cluster", "", "Cluster of the kubeconfig to talk to")
	f.StringVar(&g.Context, "context", "", "Context of the kubeconfig to use")
	f.BoolVar(&g.DisableCompression, "disable-compression", false, "Ask the server for answers that are not compressed")
	f.BoolVar(&g.InsecureSkipTLSVerify, "insecure-skip-tls-verify", false, "Do not check the server's certificate")
	f.StringVar(&g.Kubeconfig, "kubeconfig", "", "The kubeconfig file to use")
	f.StringVar(&g.Kuberc, "kuberc", "", "File with preferences; has no effect here")
	f.DurationVar(&g.LogFlushFrequency, "log-flush-frequency", 5*time.Second, "Longest time between two flushes of the log")
	f.BoolVar(&g.MatchServerVersion, "match-server-version", false, "Insist on a server of the client's version")
	f.StringVarP(&g.Namespace, "namespace", "n", "", "Namespace in which to look")
	f.StringVar(&g.Password, "password", "", "Password for basic authentication")
	f.StringVar(&g.Profile, "profile", "none", "Profile to capture; has no effect here")
	f.StringVar(&g.ProfileOutput, "profile-output", "profile.pprof", "File for the profile")
	f.StringVar(&g.RequestTimeout, "request-timeout", "0", "How long to wait for one answer of the server, with a unit (1s, 2m, 3h); 0 is for ever")
	f.StringVarP(&g.Server, "server", "s", "", "Address and port of the API server")
	f.StringVar(&g.TLSServerName, "tls-server-name", "", "Name to expect in the server's certificate")
	f.StringVar(&g.Token, "token", "", "Bearer token to show to the server")
	f.StringVar(&g.User, "user", "", "User of the kubeconfig to be")
	f.StringVar(&g.Username, "username", "", "Name for basic authentication")
	f.StringVarP(&g.Verbosity, "v", "v", "0", "How much to log")
	f.StringVar(&g.VModule, "vmodule", "", "Log levels by source file")
	f.BoolVar(&g.WarningsAsErrors, "warnings-as-errors", false, "Fail when the server sends a warning")
	return f
}

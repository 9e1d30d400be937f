// Package image is the registry and the contents of container images, as data:
// which names and tags exist, what a container of the image runs, which files
// and tools it has, how long a pull takes, how much memory is used. The
// catalogue is a YAML file; a page can add its own. What the programs of an
// image do when they run is package container's affair: this package names
// their behaviour.
//
// catalogue.yaml is what is written by hand. The program embeds what scripts/pack
// makes of it, from which an image is decoded when somebody asks for it.
package image

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

//go:embed zz_generated.catalogue.txt
var packed string

// Behaviour says what a program of an image does.
type Behaviour struct {
	// Kind is one of
	//   - entrypoint: runs the rest of its arguments
	//   - servers: http (answers from Routes), files (static files), nginx,
	//     httpd (Apache), httpbin, guestbook, liveness, redis, sql (Server is
	//     mysql or postgres), memcached, mongo, ingress (proxies as Ingress
	//     objects say), tcp (accepts connections)
	//   - sleep (does nothing until it is told to stop), stress, exit
	//   - commands: print (gives Answers), perl, redis-cli, mysql, psql,
	//     mongosh, rabbitmqctl.
	Kind string `json:"kind"`
	// Modes are what the program is instead when its arguments begin so:
	// "-m http.server", "netexec".
	Modes map[string]Behaviour `json:"modes,omitempty"`
	// Answers are what kind print says by its arguments, or their end; "" is
	// for none, "*" for all others. Arguments without an answer get Missing on
	// stderr and the status Code.
	Answers map[string]string `json:"answers,omitempty"`
	// Refused is what kind print says when nothing listens on its Port.
	Refused string `json:"refused,omitempty"`
	// Listing is how kind files shows a directory: ${LIST} are its entries.
	Listing string `json:"listing,omitempty"`
	// ReadyMS is how long it takes until the port is open; all lines of Log but
	// the first are printed then.
	ReadyMS int `json:"ready_ms,omitempty"`
	// Data is the directory in which a store keeps what it is given.
	Data string `json:"data,omitempty"`
	// Title is what the process table shows; "" is the command line.
	Title string `json:"title,omitempty"`
	// Workers are the process titles of further processes.
	Workers []string `json:"workers,omitempty"`
	Port    int      `json:"port,omitempty"`
	Ports   []int    `json:"ports,omitempty"` // further ports that accept connections
	PortEnv string   `json:"portEnv,omitempty"`
	// PortFlag is a command line flag that sets the port: "-p", "--port"; "#"
	// means the first argument that is a number.
	PortFlag string   `json:"portFlag,omitempty"`
	Routes   []Route  `json:"routes,omitempty"`
	Log      []string `json:"log,omitempty"`    // lines printed at the start
	Access   string   `json:"access,omitempty"` // line printed per request
	Server   string   `json:"server,omitempty"` // the Server header
	Root     string   `json:"root,omitempty"`   // static files are served from here
	// Term is the exit status after SIGTERM; nil means that the program has no
	// handler, so that as pid 1 it ignores the signal.
	Term *int `json:"term,omitempty"`
	// Stop is how long the program needs to end.
	StopMS int `json:"stop_ms,omitempty"`
	// Code is the exit status of kind exit.
	Code int `json:"code,omitempty"`
	// Requires are environment variables without any of which the program ends
	// at once, with Missing on stderr and status 1; a store whose Data is there
	// already does not ask for them.
	Requires []string `json:"requires,omitempty"`
	Missing  string   `json:"missing,omitempty"`
	// CPU is what one request costs, in milliseconds of one core.
	CPU float64 `json:"cpu_ms,omitempty"`
}

// Route answers requests whose path begins with Path.
type Route struct {
	Path   string            `json:"path"`
	Exact  bool              `json:"exact,omitempty"`
	Status int               `json:"status,omitempty"`
	Type   string            `json:"type,omitempty"`
	Body   string            `json:"body,omitempty"` // ${HOSTNAME}, ${VERSION}, ${PATH}, ${CLIENT}, ${env:NAME}, ${flag:NAME}, ${file:PATH}…
	Header map[string]string `json:"header,omitempty"`
}

// File is a file of an image.
type File struct {
	Path string `json:"path"`
	Text string `json:"text,omitempty"`
	Mode uint32 `json:"mode,omitempty"`
	Link string `json:"link,omitempty"` // a symbolic link to there
	Dir  bool   `json:"dir,omitempty"`
}

// Repository is one entry of the catalogue.
type Repository struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	// Versions lists the version tags: "1.27.5", or "1.27.0..5" for a range of
	// the last number. Shorter forms (1.27, 1) mean the newest that fits.
	Versions []string `json:"versions,omitempty"`
	// Named maps other tags to a version: latest, stable.
	Named map[string]string `json:"named,omitempty"`
	// Suffixes can follow any version or stand alone: alpine, perl.
	Suffixes []string `json:"suffixes,omitempty"`
	AnyTag   bool     `json:"anyTag,omitempty"`
	Missing  []string `json:"missing,omitempty"` // tags that do not exist all the same

	Settings
	// Tags changes settings for some tags: the key is a version, a prefix of
	// one, or a suffix.
	Tags map[string]Settings `json:"tags,omitempty"`
}

// Settings is what a container of the image gets. In Tags, only what is set
// there replaces the repository's.
type Settings struct {
	Base       string                `json:"base,omitempty"` // debian, alpine, busybox, scratch
	Entrypoint []string              `json:"entrypoint,omitempty"`
	Command    []string              `json:"command,omitempty"`
	Env        map[string]string     `json:"env,omitempty"`
	Ports      []int                 `json:"ports,omitempty"`
	User       string                `json:"user,omitempty"` // "uid" or "uid:gid"
	UserName   string                `json:"userName,omitempty"`
	WorkDir    string                `json:"workDir,omitempty"`
	Tools      []string              `json:"tools,omitempty"`
	Programs   map[string]*Behaviour `json:"programs,omitempty"`
	Files      []File                `json:"files,omitempty"`
	SizeMB     float64               `json:"size_mb,omitempty"`
	PullMS     int                   `json:"pull_ms,omitempty"` // 0: from the size
	StartMS    int                   `json:"start_ms,omitempty"`
	MemoryMB   float64               `json:"memory_mb,omitempty"`
	CPU        float64               `json:"cpu_milli,omitempty"` // idle use
	StopSignal string                `json:"stopSignal,omitempty"`
	LibcLookup bool                  `json:"libcLookup,omitempty"` // its nslookup asks the C library: busybox before 1.29
	Version    string                `json:"version,omitempty"`    // ${VERSION}, when it is not the tag
}

// Image is one image: a repository at a tag.
type Image struct {
	Settings
	Name    string // docker.io/library/nginx:1.27
	Repo    string // docker.io/library/nginx
	Tag     string
	Variant string // the suffix: "", "alpine"
	Digest  string // sha256:…
	Generic bool   // not in the catalogue

	id   string   // see ID
	argv []string // see Argv
}

// ID is the image's id as in containerStatuses[].imageID.
func (i *Image) ID() string {
	if i.id == "" {
		i.id = i.Repo + "@" + i.Digest
	}
	return i.id
}

// Size is the image's size in bytes.
func (i *Image) Size() int64 {
	mb := i.SizeMB
	if mb == 0 {
		mb = 40
	}
	h := sha256.Sum256([]byte(i.Name))
	return int64(mb*1e6) + int64(h[0])*997 + int64(h[1])
}

// PullTime is how long fetching and unpacking takes.
func (i *Image) PullTime() time.Duration {
	if i.PullMS > 0 {
		return time.Duration(i.PullMS) * time.Millisecond
	}
	return 900*time.Millisecond + time.Duration(i.Size()/40_000)*time.Millisecond
}

// Memory is what the program uses once it has started, in bytes.
func (i *Image) Memory() int64 {
	if i.MemoryMB == 0 {
		return 1 << 20
	}
	return int64(i.MemoryMB * (1 << 20))
}

// Argv is the command line of a container: a pod's command replaces the
// entrypoint and drops the image's arguments; its args replace the latter. The
// answer may be shared and must not be changed.
func (i *Image) Argv(command, args []string) []string {
	switch {
	case len(command) > 0:
		return append(slices.Clone(command), args...)
	case len(args) > 0:
		return append(slices.Clone(i.Entrypoint), args...)
	}
	if i.argv == nil {
		i.argv = append(slices.Clip(slices.Clone(i.Entrypoint)), i.Command...)
	}
	return slices.Clip(i.argv)
}

// Catalogue is a set of repositories.
type Catalogue struct {
	repos    map[string]func() *Repository // by their full names
	toolsets map[string][]string
	bases    map[string]*Settings
	// UnknownRuns says what a repository that is not in the catalogue is: an
	// image whose program sleeps, or one that cannot be pulled.
	UnknownRuns bool
	images      map[string]*Image
}

type file struct {
	Toolsets map[string][]string  `json:"toolsets,omitempty"`
	Bases    map[string]*Settings `json:"bases,omitempty"`
	Unknown  string               `json:"unknown,omitempty"` // "run" or "fail"
	Images   []*Repository        `json:"images,omitempty"`
}

// builtin is unpacked once, its images when they are asked for.
var builtin = sync.OnceValue(func() *Catalogue {
	c := &Catalogue{repos: map[string]func() *Repository{}, UnknownRuns: true}
	head, rest, _ := strings.Cut(packed, "\n")
	var f file
	mustDecode(head, &f)
	c.toolsets, c.bases = f.Toolsets, f.Bases
	for line := range strings.Lines(rest) {
		names, text, _ := strings.Cut(line, "\t")
		get := sync.OnceValue(func() *Repository {
			r := &Repository{}
			mustDecode(text, r)
			return r
		})
		for _, name := range strings.Fields(names) {
			c.repos[name] = get
		}
	}
	return c
})

func mustDecode(text string, v any) {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		panic("the built-in image catalogue: " + err.Error())
	}
}

// Pack turns a catalogue in the form of catalogue.yaml into what is embedded: a
// line with all but the images, then one per image, its names and JSON.
func Pack(doc []byte) (string, error) {
	c := &Catalogue{repos: map[string]func() *Repository{}, toolsets: map[string][]string{}, bases: map[string]*Settings{}, UnknownRuns: true}
	f, err := c.add(doc)
	if err != nil {
		return "", err
	}
	if !c.UnknownRuns {
		return "", errors.New("unknown: the built-in catalogue's default is to run")
	}
	images := f.Images
	f.Images, f.Unknown = nil, ""
	var out strings.Builder
	line := func(names []string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			out.WriteString(strings.Join(names, " ") + "\t")
		}
		out.Write(append(text, '\n'))
		return nil
	}
	if err := line(nil, f); err != nil {
		return "", err
	}
	for _, r := range images {
		names, err := r.names()
		if err == nil {
			err = line(names, r)
		}
		if err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// names are the full names of a repository.
func (r *Repository) names() ([]string, error) {
	var names []string
	for _, n := range append([]string{r.Name}, r.Aliases...) {
		ref, err := Parse(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		names = append(names, ref.Repo)
	}
	return names, nil
}

// Default returns a catalogue with the images that are built in.
func Default() *Catalogue {
	b := builtin()
	c := *b
	c.repos = maps.Clone(b.repos)
	c.toolsets, c.bases = maps.Clone(b.toolsets), maps.Clone(b.bases)
	c.images = map[string]*Image{}
	return &c
}

// Add adds a page's own images, in the form of catalogue.yaml; a repository of
// the same name is replaced. A few lines are enough:
//
//	images:
//	- name: example/shop
//	  versions: ["1.0", "1.1"]
//	  command: [/shop]
//	  programs:
//	    /shop: {kind: http, port: 8080, routes: [{path: /, body: "shop ${VERSION} on ${HOSTNAME}"}]}
//
// The error names the line of an unknown field, and the kinds that there are.
func (c *Catalogue) Add(doc []byte) error {
	if _, err := c.add(doc); err != nil {
		return fmt.Errorf("image catalogue: %w", err)
	}
	c.images = map[string]*Image{}
	return nil
}

// add adds what a document has, which it returns.
func (c *Catalogue) add(doc []byte) (f file, err error) {
	if err := yaml.UnmarshalStrict(doc, &f); err != nil {
		return f, located(doc, err)
	}
	maps.Copy(c.toolsets, f.Toolsets)
	maps.Copy(c.bases, f.Bases)
	switch f.Unknown {
	case "":
	case "run", "fail":
		c.UnknownRuns = f.Unknown == "run"
	default:
		return f, fmt.Errorf(`unknown: %q is neither "run" nor "fail"`, f.Unknown)
	}
	for _, r := range f.Images {
		if r.Name == "" {
			return f, errors.New("an image without a name")
		}
		if err := r.Settings.check(); err != nil {
			return f, fmt.Errorf("%s: %w", r.Name, err)
		}
		for _, tag := range slices.Sorted(maps.Keys(r.Tags)) {
			s := r.Tags[tag]
			if err := s.check(); err != nil {
				return f, fmt.Errorf("%s:%s: %w", r.Name, tag, err)
			}
		}
		for _, s := range r.Versions {
			if _, err := expand(s); err != nil {
				return f, fmt.Errorf("%s: %w", r.Name, err)
			}
		}
		names, err := r.names()
		if err != nil {
			return f, err
		}
		for _, name := range names {
			c.repos[name] = func() *Repository { return r }
		}
	}
	return f, nil
}

// located adds the line of an unknown field, which the decoder does not know.
func located(doc []byte, err error) error {
	_, name, ok := strings.Cut(err.Error(), `unknown field "`)
	if !ok {
		return err
	}
	name, _, _ = strings.Cut(name, `"`)
	name = name[strings.LastIndexByte(name, '.')+1:]
	for i, line := range strings.Split(string(doc), "\n") {
		if at := strings.Index(line, name+":"); at == 0 || at > 0 && strings.IndexByte(" {,-", line[at-1]) >= 0 {
			return fmt.Errorf("line %d: unknown field %q", i+1, name)
		}
	}
	return err
}

// kinds are those of Behaviour.
var kinds = strings.Fields("entrypoint http files httpd httpbin guestbook nginx redis sql memcached mongo liveness ingress tcp sleep stress exit print perl redis-cli mysql psql mongosh rabbitmqctl")

// check refuses programs that the runtime does not know.
func (s *Settings) check() error {
	for _, name := range slices.Sorted(maps.Keys(s.Programs)) {
		if err := s.Programs[name].check(); err != nil {
			return fmt.Errorf("program %s: %w", name, err)
		}
	}
	return nil
}

func (b Behaviour) check() error {
	if !slices.Contains(kinds, b.Kind) {
		return fmt.Errorf("unknown kind %q; there are %s", b.Kind, strings.Join(kinds, ", "))
	}
	for _, k := range slices.Sorted(maps.Keys(b.Modes)) {
		if err := b.Modes[k].check(); err != nil {
			return fmt.Errorf("mode %q: %w", k, err)
		}
	}
	return nil
}

// Names lists the repositories, sorted.
func (c *Catalogue) Names() []string { return slices.Sorted(maps.Keys(c.repos)) }

// Toolset is the list of programs that the names stand for; a name that is not
// a set is a program. A set may contain other sets, one level deep.
func (c *Catalogue) Toolset(names []string) []string {
	var out []string
	for _, n := range names {
		if set, ok := c.toolsets[n]; ok {
			for _, m := range set {
				if inner, ok := c.toolsets[m]; ok && m != n {
					out = append(out, inner...)
				} else {
					out = append(out, m)
				}
			}
		} else {
			out = append(out, n)
		}
	}
	return out
}

// Ref is a parsed image name.
type Ref struct{ Repo, Tag, Digest string }

func (r Ref) String() string {
	s := r.Repo
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Parse normalizes an image name: docker.io and library are filled in, and the
// tag latest when there is neither tag nor digest. The error's text is that of
// the reference library.
func Parse(name string) (Ref, error) {
	bad := errors.New("invalid reference format")
	rest := name
	var r Ref
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		r.Digest, rest = rest[i+1:], rest[:i]
		hexa, ok := strings.CutPrefix(r.Digest, "sha256:")
		if _, err := hex.DecodeString(hexa); !ok || err != nil || len(hexa) != 64 {
			return r, bad
		}
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		r.Tag, rest = rest[i+1:], rest[:i]
		if !validTag(r.Tag) {
			return r, bad
		}
	}
	first, remainder, slash := strings.Cut(rest, "/")
	switch {
	case !slash:
		rest = "docker.io/library/" + rest
	case first != "localhost" && !strings.ContainsAny(first, ".:"):
		rest = "docker.io/" + rest
	case first == "index.docker.io" || first == "docker.io":
		if !strings.Contains(remainder, "/") {
			remainder = "library/" + remainder
		}
		rest = "docker.io/" + remainder
	}
	_, path, _ := strings.Cut(rest, "/")
	if strings.ToLower(path) != path {
		return r, fmt.Errorf("invalid reference format: repository name (%s) must be lowercase", path)
	}
	for _, part := range strings.Split(path, "/") {
		if !validPart(part) {
			return r, bad
		}
	}
	r.Repo = rest
	if r.Tag == "" && r.Digest == "" {
		r.Tag = "latest"
	}
	return r, nil
}

func validTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

func validPart(s string) bool {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && !strings.ContainsRune("._-", rune(s[i])) {
			return false
		}
	}
	return true
}

// ErrNotFound is a tag or repository that does not exist; see PullError.
type ErrNotFound struct{ Ref string }

// Error is worded as containerd 2.2 does when a registry does not know the name.
func (e *ErrNotFound) Error() string {
	return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve image: %s: not found", e.Ref, e.Ref)
}

// ErrDenied is a repository that does not exist or needs a login.
type ErrDenied struct{ Ref, Repo string }

// Error is worded as containerd 2.2 does when Docker Hub refuses.
func (e *ErrDenied) Error() string {
	return fmt.Sprintf("failed to pull and unpack image %q: failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", e.Ref)
}

// Resolve finds the image of that name: *ErrNotFound or *ErrDenied when a pull
// would fail, another error when the name is invalid.
func (c *Catalogue) Resolve(name string) (*Image, error) {
	if i := c.images[name]; i != nil {
		return i, nil
	}
	ref, err := Parse(name)
	if err != nil {
		return nil, err
	}
	img, err := c.resolve(ref)
	if err == nil {
		c.images[name] = img
	}
	return img, err
}

func (c *Catalogue) resolve(ref Ref) (*Image, error) {
	var repo *Repository
	if get := c.repos[ref.Repo]; get != nil {
		repo = get()
	} else {
		if !c.UnknownRuns {
			return nil, &ErrDenied{ref.String(), ref.Repo}
		}
		repo = &Repository{Name: ref.Repo, AnyTag: true, Settings: Settings{
			Base: "alpine", Command: []string{"/app"}, Programs: map[string]*Behaviour{"/app": {Kind: "sleep", Term: new(int)}},
		}}
		img := c.build(repo, ref, ref.Tag, "", "")
		img.Generic = true
		return img, nil
	}
	if ref.Digest != "" {
		return c.build(repo, ref, ref.Tag, newest(repo), ""), nil
	}
	if slices.Contains(repo.Missing, ref.Tag) {
		return nil, &ErrNotFound{ref.String()}
	}
	if v, suffix, ok := repo.find(ref.Tag); ok {
		return c.build(repo, ref, ref.Tag, v, suffix), nil
	}
	if repo.AnyTag {
		return c.build(repo, ref, ref.Tag, ref.Tag, ""), nil
	}
	return nil, &ErrNotFound{ref.String()}
}

// find resolves a tag to a version and a suffix.
func (r *Repository) find(tag string) (version, suffix string, ok bool) {
	try := func(t string) (string, bool) {
		if v, ok := r.Named[t]; ok {
			return v, true
		}
		if t == "latest" {
			return newest(r), true
		}
		best := ""
		for _, s := range r.Versions {
			list, _ := expand(s)
			for _, v := range list {
				if v == t {
					return v, true
				}
				if strings.HasPrefix(v, t+".") && (best == "" || compare(v, best) > 0) {
					best = v
				}
			}
		}
		return best, best != ""
	}
	if v, ok := try(tag); ok {
		return v, "", true
	}
	for _, s := range r.Suffixes {
		if tag == s {
			return newest(r), s, true
		}
		if t, ok := strings.CutSuffix(tag, "-"+s); ok {
			if v, ok := try(t); ok {
				return v, s, true
			}
		}
	}
	return "", "", false
}

func newest(r *Repository) string {
	if v, ok := r.Named["latest"]; ok {
		return v
	}
	best := ""
	for _, s := range r.Versions {
		list, _ := expand(s)
		for _, v := range list {
			if best == "" || compare(v, best) > 0 {
				best = v
			}
		}
	}
	return best
}

// expand turns "1.27.0..5" into its six versions.
func expand(s string) ([]string, error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok {
		return []string{s}, nil
	}
	i := strings.LastIndexByte(from, '.') + 1
	a, err1 := strconv.Atoi(from[i:])
	b, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || b < a || b-a > 1000 {
		return nil, fmt.Errorf("%q is not a range of versions", s)
	}
	var out []string
	for ; a <= b; a++ {
		out = append(out, from[:i]+strconv.Itoa(a))
	}
	return out, nil
}

// compare orders dotted versions by number.
func compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, e1 := strconv.Atoi(x)
		n, e2 := strconv.Atoi(y)
		switch {
		case e1 != nil || e2 != nil:
			if d := strings.Compare(x, y); d != 0 {
				return d
			}
		case m != n:
			return m - n
		}
	}
	return 0
}

func (c *Catalogue) build(repo *Repository, ref Ref, tag, version, variant string) *Image {
	img := &Image{Name: ref.String(), Repo: ref.Repo, Tag: tag, Variant: variant, Digest: ref.Digest, Settings: repo.Settings}
	if img.Digest == "" {
		h := sha256.Sum256([]byte("kubonsai image " + ref.Repo + ":" + version + "-" + variant))
		img.Digest = "sha256:" + hex.EncodeToString(h[:])
	}
	switch {
	case strings.Contains(variant, "alpine"):
		img.Base = "alpine"
		img.SizeMB = img.SizeMB*0.25 + 5
	case strings.Contains(variant, "slim"):
		img.SizeMB *= 0.5
	}
	keys := slices.Sorted(maps.Keys(repo.Tags))
	slices.SortStableFunc(keys, func(a, b string) int { return len(a) - len(b) }) // longer keys win
	for _, k := range keys {
		if k == version || strings.HasPrefix(version, k+".") || k == tag || variant != "" && k == variant {
			s := repo.Tags[k]
			img.override(&s)
		}
	}
	if img.Settings.Version == "" {
		img.Settings.Version = version
	}
	if base := c.bases[img.Base]; base != nil {
		img.inherit(base)
	}
	return img
}

// override replaces what s sets.
func (i *Image) override(s *Settings) {
	set := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	set(&i.Base, s.Base)
	set(&i.User, s.User)
	set(&i.UserName, s.UserName)
	set(&i.WorkDir, s.WorkDir)
	set(&i.StopSignal, s.StopSignal)
	i.LibcLookup = i.LibcLookup || s.LibcLookup
	set(&i.Settings.Version, s.Version)
	if s.Entrypoint != nil {
		i.Entrypoint = s.Entrypoint
	}
	if s.Command != nil {
		i.Command = s.Command
	}
	if s.Ports != nil {
		i.Ports = s.Ports
	}
	if s.Tools != nil {
		i.Tools = s.Tools
	}
	i.Env = merged(i.Env, s.Env)
	i.Programs = merged(i.Programs, s.Programs)
	i.Files = append(slices.Clone(i.Files), s.Files...)
	num := func(dst *float64, v float64) {
		if v != 0 {
			*dst = v
		}
	}
	num(&i.SizeMB, s.SizeMB)
	num(&i.MemoryMB, s.MemoryMB)
	num(&i.CPU, s.CPU)
	if s.PullMS != 0 {
		i.PullMS = s.PullMS
	}
	if s.StartMS != 0 {
		i.StartMS = s.StartMS
	}
}

// inherit takes what the base image has and this one does not set.
func (i *Image) inherit(b *Settings) {
	i.Tools = append(slices.Clone(b.Tools), i.Tools...)
	i.Files = append(slices.Clone(b.Files), i.Files...)
	i.Env = merged(b.Env, i.Env)
	if len(i.Entrypoint) == 0 && len(i.Command) == 0 {
		i.Command = b.Command
	}
	if i.SizeMB == 0 {
		i.SizeMB = b.SizeMB
	}
	if i.MemoryMB == 0 {
		i.MemoryMB = b.MemoryMB
	}
}

func merged[V any](a, b map[string]V) map[string]V {
	if len(b) == 0 {
		return a
	}
	m := maps.Clone(a)
	if m == nil {
		m = map[string]V{}
	}
	maps.Copy(m, b)
	return m
}

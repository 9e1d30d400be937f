// Running a page: its blocks in order on a fresh cluster, in virtual time, and
// the comparison of what they print with what the page shows.

package doctest

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/transcript"
	"github.com/kubonsai/kubonsai/wasm/bridge"
)

// Host is what a run needs from outside of the page.
type Host struct {
	Seed  uint64 // of pages that name none
	Nodes int    // of pages that name none
	// Load reads a file, or all files of a folder, by a path relative to the
	// page; the names in the result are relative to the folder.
	Load func(path string) (map[string][]byte, error)
}

// Status is how a block fared.
type Status string

const (
	Passed  Status = "passed"
	Differs Status = "differs" // it prints something else than the page shows
	Failed  Status = "failed"  // a command failed, and the page does not show that
	Skipped Status = "skipped"
)

// Result is what became of one block.
type Result struct {
	Line   int
	Title  string
	Hidden bool
	Status Status
	// Detail says why, one line each: of what differs, "- " and a line that
	// the page shows, "+ " and one that was printed instead.
	Detail []string
	// Printed is what the block's commands printed, on both streams; of those
	// that never end what they did before the page went on.
	Printed string
	Took    time.Duration // virtual
}

// stepLimit is how much virtual time one command may take before it is interrupted.
const stepLimit = time.Hour

// Run runs the page's blocks. An error says that they could not be run at all.
func (p *Page) Run(h Host) ([]Result, error) {
	opts := sim.Options{Seed: h.Seed, Nodes: h.Nodes, Start: p.Settings.Start, MetricsServer: !p.Settings.NoMetrics,
		Files: map[string][]byte{}, Images: p.Settings.catalogues}
	if p.Settings.Seed != nil {
		opts.Seed = *p.Settings.Seed
	}
	if p.Settings.Nodes > 0 {
		opts.Nodes = p.Settings.Nodes
	}
	if p.Settings.NoCluster {
		opts.Nodes = -1
	}
	for _, name := range p.Settings.Files {
		files, err := h.Load(name)
		if err != nil {
			return nil, fmt.Errorf("files=%s: %w", name, err)
		}
		for n, data := range files {
			opts.Files[n] = data
		}
	}
	for _, name := range p.Settings.Images {
		files, err := h.Load(name)
		if err != nil {
			return nil, fmt.Errorf("images=%s: %w", name, err)
		}
		for _, n := range sortedKeys(files) {
			opts.Images = append(opts.Images, files[n])
		}
	}
	urls := map[string][]byte{}
	opts.URLs = func(url string) ([]byte, bool) {
		data, ok := urls[url]
		return data, ok
	}
	// As on the page, every file is there from the beginning.
	for _, b := range p.Blocks {
		if b.Kind != File || b.Options.Skip != "" {
			continue
		}
		if _, there := opts.Files[b.File]; !there {
			opts.Files[b.File] = []byte(b.Text + "\n")
		}
		if b.URL != "" {
			if _, there := urls[b.URL]; !there {
				urls[b.URL] = []byte(b.Text + "\n")
			}
		}
	}
	c, err := sim.New(opts)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := &runner{machine: c, page: p, urls: urls, pause: p.Settings.Pause}
	if r.pause == 0 {
		r.pause = DefaultPause
	}
	for _, b := range p.Blocks {
		r.block(b)
	}
	r.stop()
	return r.results, nil
}

type runner struct {
	machine *sim.Machine
	page    *Page
	urls    map[string][]byte
	pause   time.Duration
	seen    map[string]bool // files that the page has shown
	beside  []*background
	results []Result
	ran     bool
}

// background is a command that never ends by itself.
type background struct {
	terminal string
	block    *Block
	run      *sim.Run
	out      strings.Builder
	stopped  bool
	// compare is asked for the verdict once the command is stopped; may be nil.
	compare func()
}

func (r *runner) block(b *Block) {
	res := Result{Line: b.Line, Title: b.Title(), Hidden: b.Hidden, Status: Passed}
	switch {
	case b.Options.stop:
		r.stop()
		if b.Text == "" {
			return
		}
	case b.Options.Skip != "":
		res.Status, res.Detail = Skipped, []string{b.Options.Skip}
		if b.Kind == Snippet {
			r.results = append(r.results, res)
		}
		return
	}
	if b.Kind == File {
		r.file(b)
		return
	}
	switch {
	case b.Options.HasWait:
		r.pass(b.Options.Wait)
	case r.ran && !b.Hidden:
		r.pass(r.pause)
	}
	r.ran = true
	begin := r.machine.Now()
	r.results = append(r.results, res)
	at := len(r.results) - 1
	r.snippet(b, at)
	r.results[at].Took = r.machine.Now().Sub(begin)
}

// file lets a file that the page shows once more take the place of the first.
func (r *runner) file(b *Block) {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	again := r.seen[b.File]
	r.seen[b.File] = true
	if !again {
		return
	}
	text := b.Text + "\n"
	if b.URL != "" {
		r.urls[b.URL] = []byte(text)
	}
	name := sim.Home + "/" + path.Clean("/" + b.File)[1:]
	files := r.machine.Files()
	err := files.MkdirAll(path.Dir(name), 0o755)
	if err == nil {
		err = files.WriteFile(name, []byte(text), 0o644)
	}
	if err != nil {
		r.results = append(r.results, Result{Line: b.Line, Title: b.File, Status: Failed, Detail: []string{err.Error()}})
	}
}

// step is a piece of a block with what the page shows beneath it.
type step struct {
	text     string
	commands []bridge.Step
	shows    string
	shown    bool
}

// steps takes a block apart into what is compared at once.
func steps(b *Block) []step {
	var out []step
	read := ReadBlock(b.Text, b.Language)
	for _, s := range read {
		if len(read) == 1 && s.Shows == "" {
			return scriptSteps(s.Run)
		}
		commands, _ := bridge.Steps(s.Run)
		out = append(out, step{text: s.Run, commands: commands, shows: s.Shows, shown: s.Shows != ""})
	}
	return out
}

// scriptSteps takes a script without prompts apart. Comment lines directly
// beneath a command are its output, if no other command follows them directly:
// then they are the author's words about that one.
func scriptSteps(script string) []step {
	commands, _ := bridge.Steps(script)
	var out []step
	for i := 0; i < len(commands); i++ {
		s := step{commands: commands[i : i+1]}
		end := commands[i].End
		for i+1 < len(commands) && !strings.Contains(script[min(end, commands[i+1].Start):commands[i+1].Start], "\n") {
			i++
			s.commands = append(s.commands[:len(s.commands):len(s.commands)], commands[i])
			end = commands[i].End
		}
		s.text = script[s.commands[0].Start:end]
		_, rest, _ := strings.Cut(script[end:], "\n")
		s.shows, s.shown = commentOutput(rest)
		out = append(out, s)
	}
	return out
}

func commentOutput(rest string) (string, bool) {
	var lines []string
	for line := range strings.SplitSeq(rest, "\n") {
		line = strings.TrimSpace(line)
		text, ok := strings.CutPrefix(line, "#")
		if !ok {
			if line != "" {
				return "", false
			}
			break
		}
		lines = append(lines, strings.TrimPrefix(text, " "))
	}
	return strings.Join(lines, "\n"), len(lines) > 0
}

// expectations are the block's steps with what stands in a block beneath it: it
// is the last command's if others show theirs, else the whole block's.
func expectations(b *Block) []step {
	all := steps(b)
	if b.Output == nil || len(all) == 0 {
		return all
	}
	whole := step{text: b.Text, shows: *b.Output, shown: true}
	for _, s := range all {
		if s.shown {
			last := &all[len(all)-1]
			if last.shows != "" {
				last.shows += "\n"
			}
			last.shows, last.shown = last.shows+*b.Output, true
			return all
		}
		whole.commands = append(whole.commands, s.commands...)
	}
	return []step{whole}
}

// snippet runs one block; its result is r.results[at].
func (r *runner) snippet(b *Block, at int) {
	terminal := b.Options.Terminal
	if terminal == "" {
		terminal = "1"
	}
	fail := func(status Status, lines ...string) {
		res := &r.results[at]
		if res.Status != Failed {
			res.Status = status
		}
		res.Detail = append(res.Detail, lines...)
	}
	var failures []string
	var printed strings.Builder
	defer func() { r.results[at].Printed = printed.String() }()
	last, anyFailed := 0, false
	for _, s := range expectations(b) {
		var out strings.Builder
		var watches []*background
		var failed []string
		for _, command := range s.commands {
			if command.Endless {
				bg := r.start(terminal, command.Text, b)
				watches = append(watches, bg)
				until := DefaultFor
				if b.Options.For > 0 {
					until = b.Options.For
				}
				r.jump(r.machine.Now().Add(until), func() bool { _, done := bg.run.Done(); return done })
				printed.WriteString(bg.out.String())
				code, done := bg.run.Done()
				if last = 0; done && code != 0 {
					last = code
					failed = append(failed, fmt.Sprintf("exit status %d: %s", code, command.Text))
				}
				continue
			}
			text, code, ok := r.command(terminal, command.Text, &b.Options)
			out.WriteString(text)
			printed.WriteString(text)
			if last = code; !ok {
				fail(Failed, fmt.Sprintf("did not end: %s", command.Text))
			} else if code != 0 {
				failed = append(failed, fmt.Sprintf("exit status %d: %s", code, command.Text))
				if !s.shown || b.Options.Loose {
					failed = append(failed, indented(text)...)
				}
			}
		}
		anyFailed = anyFailed || len(failed) > 0
		if !s.shown || b.Options.Loose {
			failures = append(failures, failed...)
			continue
		}
		verdict := func() {
			got := out.String()
			for _, w := range watches {
				got += w.out.String()
			}
			if diff := compare(s.text, s.shows, got, len(watches) > 0); len(diff) > 0 {
				fail(Differs, append([]string{"$ " + s.text}, diff...)...)
			}
		}
		if len(watches) > 0 && b.Options.UntilEnd {
			watches[len(watches)-1].compare = verdict
		} else {
			verdict()
		}
	}
	switch want := b.Options.Exit; {
	case want != nil && last != *want:
		fail(Failed, fmt.Sprintf("exit status %d, the page says %d", last, *want))
	case b.Options.Fails && !anyFailed:
		fail(Failed, "the page says that a command fails here, and none does")
	case want == nil && !b.Options.Fails && len(failures) > 0:
		fail(Failed, failures...)
	}
}

func indented(s string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		if line != "" {
			out = append(out, "  "+line)
		}
	}
	return out
}

// edit is a text that a program waits for an editor to save.
type edit struct {
	text string
	done func(string, bool)
}

// newEditor returns what saves a text that was opened in an editor: as it is,
// or changed by a script for sed. It is called until it reports true.
func (r *runner) newEditor(script string) func(edit) bool {
	if script == "" {
		return func(e edit) bool {
			e.done(e.text, true)
			return true
		}
	}
	const name = "/tmp/doctest-editor"
	var sed *sim.Run
	var out strings.Builder
	return func(e edit) bool {
		if sed == nil {
			if err := r.machine.Files().WriteFile(name, []byte(e.text), 0o600); err != nil {
				e.done(e.text, false)
				return true
			}
			out.Reset()
			sed = r.machine.Terminal("doctest editor").Start("sed "+quote(script)+" "+name, sim.RunOptions{OnOutput: func(_ int, data []byte) { out.Write(data) }})
		}
		code, done := sed.Done()
		if done {
			sed = nil
			e.done(out.String(), code == 0)
		}
		return done
	}
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// command runs a command to its end and returns what it prints, on both
// streams as a terminal shows them, and its status; ok is false if it had to
// be killed.
func (r *runner) command(terminal, script string, o *Options) (printed string, code int, ok bool) {
	var out strings.Builder
	var edits []edit
	editor := r.newEditor(o.Editor)
	run := r.machine.Terminal(terminal).Start(script, sim.RunOptions{
		Interactive: o.Input != "",
		OnOutput:    func(_ int, data []byte) { out.Write(data) },
		Edit:        func(_, text string, done func(string, bool)) { edits = append(edits, edit{text, done}) },
	})
	if o.Input != "" {
		run.Write([]byte(o.Input))
		run.CloseInput()
	}
	limit := r.machine.Now().Add(stepLimit)
	ended := func() bool {
		if len(edits) > 0 && editor(edits[0]) {
			edits = edits[1:]
		}
		_, done := run.Done()
		return done
	}
	ok = r.jump(limit, ended)
	if !ok {
		transcript.End(r.machine, run)
	}
	code, _ = run.Done()
	return out.String(), code, ok
}

// maxQuanta is how much a command may compute: who needs more is an endless loop.
var maxQuanta = 20_000

func (r *runner) jump(limit time.Time, done func() bool) bool {
	last, stuck := r.machine.Quanta()+maxQuanta, false
	ok := r.machine.Jump(limit, func() bool {
		stuck = r.machine.Quanta() > last
		return stuck || done()
	})
	return ok && !stuck
}

// start begins a command that never ends by itself. Those of earlier blocks in
// the same terminal are stopped first, as a reader would have to.
func (r *runner) start(terminal, script string, b *Block) *background {
	for _, bg := range r.beside {
		if bg.terminal == terminal && bg.block != b {
			r.end(bg)
		}
	}
	bg := &background{terminal: terminal, block: b}
	bg.run = r.machine.Terminal(terminal).Start(script, sim.RunOptions{Beside: true, OnOutput: func(_ int, data []byte) {
		if !bg.stopped {
			bg.out.Write(data)
		}
	}})
	r.beside = append(r.beside, bg)
	return bg
}

// stop ends what runs beside.
func (r *runner) stop() {
	for _, bg := range r.beside {
		r.end(bg)
	}
	r.beside = nil
}

func (r *runner) end(bg *background) {
	if bg.stopped {
		return
	}
	bg.stopped = true
	transcript.End(r.machine, bg.run)
	if bg.compare != nil {
		bg.compare()
	}
}

func (r *runner) pass(d time.Duration) {
	// A program in the background that never rests must not stop the page.
	r.jump(r.machine.Now().Add(d), func() bool { return false })
}

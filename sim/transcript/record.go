// Recording: a scenario's script is run step by step, in virtual time.

package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim"
)

// Scenario is a folder to record.
type Scenario struct {
	Name  string
	Files map[string][]byte // by name, the script and the transcript not among them
	// Script is the text of the script.
	Script string
	// Transcript is what has been recorded of a real cluster; may be empty.
	Transcript string
}

// Load reads a scenario from a folder of fsys.
func Load(fsys fs.FS, dir string) (*Scenario, error) {
	s := &Scenario{Name: path.Base(dir), Files: map[string][]byte{}}
	script, err := fs.ReadFile(fsys, path.Join(dir, "script"))
	if err != nil {
		return nil, err
	}
	s.Script = string(script)
	err = fs.WalkDir(fsys, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(p, dir+"/")
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		switch name {
		case "script":
		case "transcript":
			s.Transcript = string(data)
		default:
			s.Files[name] = data
		}
		return nil
	})
	return s, err
}

type directive struct {
	kind  byte // '$', '&', 's'top, 'w'ait
	name  string
	text  string
	delay float64
}

func parseScript(text string) (comments []string, out []directive, err error) {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "":
		case strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		case strings.HasPrefix(line, "$ "):
			out = append(out, directive{kind: '$', text: line[2:]})
		case strings.HasPrefix(line, "& "):
			name, cmd, ok := strings.Cut(line[2:], " ")
			if !ok {
				return nil, nil, fmt.Errorf("script line %d: & needs a name and a command", i+1)
			}
			out = append(out, directive{kind: '&', name: name, text: cmd})
		case strings.HasPrefix(line, "stop "):
			out = append(out, directive{kind: 's', name: strings.TrimSpace(line[5:])})
		case strings.HasPrefix(line, "wait "):
			n, err := strconv.ParseFloat(strings.TrimSpace(line[5:]), 64)
			if err != nil {
				return nil, nil, fmt.Errorf("script line %d: wait needs a number of seconds", i+1)
			}
			out = append(out, directive{kind: 'w', delay: n})
		default:
			return nil, nil, fmt.Errorf("script line %d: unknown directive %q (use $, &, stop, wait or #)", i+1, line)
		}
	}
	return comments, out, nil
}

// background is a command under way.
type background struct {
	pace           Pace
	command        string
	at             float64
	run            *sim.Run
	stdout, stderr strings.Builder
}

// stepLimit is how much virtual time one step may take before it is interrupted.
const stepLimit = time.Hour

// Pace is what moves the machine of a recording.
type Pace interface {
	// Do calls fn while nothing else touches the machine.
	Do(fn func(m *sim.Machine))
	// Jump is sim.Machine.Jump; it calls done as Do calls its function.
	Jump(limit time.Time, done func() bool) bool
}

// headless moves a machine that nothing else touches.
type headless struct{ *sim.Machine }

func (h headless) Do(fn func(*sim.Machine)) { fn(h.Machine) }

// Prepare completes the options of a machine for the scenario: its files, and
// images that need no pulling, as on the cluster of the real recordings.
func (s *Scenario) Prepare(opts sim.Options) sim.Options {
	opts.ImagesPresent = true
	opts.Files = maps.Clone(s.Files)
	return opts
}

// Record runs the scenario in a fresh cluster and returns its transcript.
func Record(s *Scenario, opts sim.Options) (string, error) {
	m, err := sim.New(s.Prepare(opts))
	if err != nil {
		return "", err
	}
	defer m.Close()
	return RecordOn(s, headless{m})
}

// RecordOn is Record on a machine made with Scenario.Prepare's options, which
// stays open.
func RecordOn(s *Scenario, pace Pace) (string, error) {
	comments, script, err := parseScript(s.Script)
	if err != nil {
		return "", err
	}
	want := map[int]Step{}
	for _, st := range Parse(s.Transcript) {
		want[st.N] = st
	}
	// The number of the step that each & directive is recorded as.
	number, open := map[int]int{}, map[string]int{}
	n := 0
	for i, d := range script {
		switch d.kind {
		case '$':
			n++
			number[i] = n
		case '&':
			open[d.name] = i
		case 's':
			n++
			number[i] = n
			if j, ok := open[d.name]; ok {
				number[j] = n
			}
		}
	}
	r := &recorder{pace: pace}
	start := r.now()
	elapsed := func() float64 { return r.now().Sub(start).Seconds() }
	// A step begins when it was recorded to, and as long after the one before it
	// as it was, should that have begun late.
	late := time.Duration(0)
	notBefore := func(i int) {
		if w, ok := want[number[i]]; ok {
			at := start.Add(time.Duration(w.At * float64(time.Second)))
			r.jumpTo(at.Add(late))
			late = r.now().Sub(at)
		}
	}
	var steps []Step
	running := map[string]*background{}
	for i, d := range script {
		switch d.kind {
		case 'w':
			r.jumpTo(r.now().Add(time.Duration(d.delay * float64(time.Second))))
		case '$':
			notBefore(i)
			at := elapsed()
			b := r.start("1", d.text)
			if !r.pace.Jump(r.now().Add(stepLimit), b.ended) {
				r.end(b)
			}
			code, done := b.done()
			if !done {
				return "", errors.New("step " + strconv.Itoa(number[i]) + " cannot be ended: " + d.text)
			}
			steps = append(steps, Step{N: number[i], At: at, Exit: strconv.Itoa(code), Command: d.text,
				Stdout: Lines(b.stdout.String()), Stderr: Lines(b.stderr.String())})
		case '&':
			notBefore(i)
			at := elapsed()
			b := r.start(d.name, d.text)
			b.command, b.at = d.text, at
			running[d.name] = b
			// The second terminal is up before the next command begins.
			r.jumpTo(r.now().Add(300 * time.Millisecond))
		case 's':
			b := running[d.name]
			if b == nil {
				return "", fmt.Errorf("stop %s: nothing of that name was started", d.name)
			}
			delete(running, d.name)
			r.end(b)
			steps = append(steps, Step{N: number[i], At: b.at, Exit: "0",
				Command: b.command + SecondTerminal,
				Stdout:  Lines(b.stdout.String()), Stderr: Lines(b.stderr.String())})
		}
	}
	return Format(comments, steps), nil
}

// recorder runs the steps of one recording.
type recorder struct{ pace Pace }

func (r *recorder) now() (t time.Time) {
	r.pace.Do(func(m *sim.Machine) { t = m.Now() })
	return t
}

func (r *recorder) jumpTo(t time.Time) { r.pace.Jump(t, func() bool { return false }) }

func (r *recorder) start(terminal, command string) *background {
	b := &background{pace: r.pace}
	r.pace.Do(func(m *sim.Machine) {
		b.run = m.Terminal(terminal).Start(command, sim.RunOptions{OnOutput: collect(&b.stdout, &b.stderr)})
	})
	return b
}

func (r *recorder) end(b *background) { end(r.pace, b.run) }

func (b *background) ended() bool {
	_, done := b.run.Done()
	return done
}

func (b *background) done() (code int, done bool) {
	b.pace.Do(func(*sim.Machine) { code, done = b.run.Done() })
	return code, done
}

// End interrupts a command, and kills it if it takes no heed of that.
func End(m *sim.Machine, run *sim.Run) { end(headless{m}, run) }

func end(pace Pace, run *sim.Run) {
	ended := func() bool { _, done := run.Done(); return done }
	within := func() (limit time.Time) {
		pace.Do(func(m *sim.Machine) { limit = m.Now().Add(time.Minute) })
		return limit
	}
	pace.Do(func(*sim.Machine) { run.Interrupt() })
	if !pace.Jump(within(), ended) {
		pace.Do(func(*sim.Machine) { run.Kill() })
		pace.Jump(within(), ended)
	}
}

func collect(out, errs *strings.Builder) func(int, []byte) {
	return func(stream int, data []byte) {
		if stream == 1 {
			out.Write(data)
		} else {
			errs.Write(data)
		}
	}
}

// Recording: a scenario's script is run step by step, in virtual time.

package transcript

import (
	"errors"
	"fmt"
	"io/fs"
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

type background struct {
	command        string
	at             float64
	run            *sim.Run
	stdout, stderr strings.Builder
}

// stepLimit is how much virtual time one step may take before it is interrupted.
const stepLimit = time.Hour

// Record runs the scenario in a fresh cluster and returns its transcript.
func Record(s *Scenario, opts sim.Options) (string, error) {
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
	opts.ImagesPresent = true
	opts.Files = map[string][]byte{}
	for name, data := range s.Files {
		opts.Files[name] = data
	}
	c, err := sim.New(opts)
	if err != nil {
		return "", err
	}
	defer c.Close()
	start := c.Now()
	elapsed := func() float64 { return c.Now().Sub(start).Seconds() }
	notBefore := func(i int) {
		if w, ok := want[number[i]]; ok {
			c.JumpTo(start.Add(time.Duration(w.At * float64(time.Second))))
		}
	}
	var steps []Step
	running := map[string]*background{}
	for i, d := range script {
		switch d.kind {
		case 'w':
			c.JumpTo(c.Now().Add(time.Duration(d.delay * float64(time.Second))))
		case '$':
			notBefore(i)
			var out, errs strings.Builder
			at := elapsed()
			run := c.Terminal("1").Start(d.text, sim.RunOptions{OnOutput: collect(&out, &errs)})
			ended := func() bool { _, done := run.Done(); return done }
			if !c.Jump(c.Now().Add(stepLimit), ended) {
				End(c, run)
			}
			code, done := run.Done()
			if !done {
				return "", errors.New("step " + strconv.Itoa(number[i]) + " cannot be ended: " + d.text)
			}
			steps = append(steps, Step{N: number[i], At: at, Exit: strconv.Itoa(code), Command: d.text,
				Stdout: Lines(out.String()), Stderr: Lines(errs.String())})
		case '&':
			notBefore(i)
			b := &background{command: d.text, at: elapsed()}
			b.run = c.Terminal(d.name).Start(d.text, sim.RunOptions{OnOutput: collect(&b.stdout, &b.stderr)})
			running[d.name] = b
			// The second terminal is up before the next command begins.
			c.JumpTo(c.Now().Add(300 * time.Millisecond))
		case 's':
			b := running[d.name]
			if b == nil {
				return "", fmt.Errorf("stop %s: nothing of that name was started", d.name)
			}
			delete(running, d.name)
			End(c, b.run)
			steps = append(steps, Step{N: number[i], At: b.at, Exit: "0",
				Command: b.command + SecondTerminal,
				Stdout:  Lines(b.stdout.String()), Stderr: Lines(b.stderr.String())})
		}
	}
	return Format(comments, steps), nil
}

// End interrupts a command, and kills it if it takes no heed of that.
func End(c *sim.Machine, run *sim.Run) {
	ended := func() bool { _, done := run.Done(); return done }
	run.Interrupt()
	if !c.Jump(c.Now().Add(time.Minute), ended) {
		run.Kill()
		c.Jump(c.Now().Add(time.Minute), ended)
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

// The report of a run: for people, and as JUnit's XML.

package doctest

import (
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"
)

// Report is what became of one page.
type Report struct {
	Page    string
	Results []Result
	Err     error // the page could not be run
}

// OK reports whether the page tells the truth.
func (r *Report) OK() bool {
	return r.Err == nil && r.count(Differs)+r.count(Failed) == 0
}

func (r *Report) count(s Status) (n int) {
	for _, res := range r.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// Print writes a line for each block and a sum; quiet leaves out the blocks
// that passed.
func (r *Report) Print(w io.Writer, quiet bool) {
	if r.Err != nil {
		fmt.Fprintf(w, "%s: %v\n", r.Page, r.Err)
		return
	}
	for _, res := range r.Results {
		if res.Status == Passed && (quiet || res.Hidden) {
			continue
		}
		fmt.Fprintf(w, "%s:%d: %s: %s\n", r.Page, res.Line, res.Status, res.Title)
		for _, l := range res.Detail {
			fmt.Fprintln(w, "    "+strings.ReplaceAll(l, "\n", "\n    "))
		}
	}
	fmt.Fprintf(w, "%s: %d passed", r.Page, r.count(Passed))
	for _, s := range []Status{Differs, Failed, Skipped} {
		if n := r.count(s); n > 0 {
			fmt.Fprintf(w, ", %d %s", n, s)
		}
	}
	fmt.Fprintln(w)
}

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string     `xml:"name,attr"`
		Class   string     `xml:"classname,attr"`
		File    string     `xml:"file,attr"`
		Line    int        `xml:"line,attr,omitempty"`
		Time    string     `xml:"time,attr"`
		Failure *junitNote `xml:"failure"`
		Error   *junitNote `xml:"error"`
		Skipped *junitNote `xml:"skipped"`
	}
	junitNote struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the reports in the XML that CI systems read. Times are virtual.
func JUnit(w io.Writer, reports []*Report) error {
	all := junitSuites{Name: "kubonsai doctest"}
	for _, r := range reports {
		s := junitSuite{Name: r.Page, Tests: len(r.Results), Failures: r.count(Differs) + r.count(Failed), Skipped: r.count(Skipped)}
		total := 0.0
		for _, res := range r.Results {
			c := junitCase{Name: fmt.Sprintf("line %d: %s", res.Line, res.Title), Class: r.Page, File: r.Page, Line: res.Line, Time: fmt.Sprintf("%.3f", res.Took.Seconds())}
			total += res.Took.Seconds()
			text := strings.Join(res.Detail, "\n")
			switch res.Status {
			case Differs:
				c.Failure = &junitNote{Message: "prints something else than the page shows", Type: string(Differs), Text: text}
			case Failed:
				c.Failure = &junitNote{Message: firstLine(text), Type: string(Failed), Text: text}
			case Skipped:
				c.Skipped = &junitNote{Message: text}
			}
			s.Cases = append(s.Cases, c)
		}
		if r.Err != nil {
			s.Tests, s.Errors = s.Tests+1, 1
			s.Cases = append(s.Cases, junitCase{Name: "page", Class: r.Page, File: r.Page, Time: "0", Error: &junitNote{Message: r.Err.Error()}})
		}
		s.Time = fmt.Sprintf("%.3f", total)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

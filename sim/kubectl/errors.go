// This file turns errors into what a person reads on stderr, and into exit
// statuses, as the real kubectl's error check does.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// ErrExit ends kubectl with status 1 and no message.
var ErrExit = errors.New("exit")

// CodeError ends kubectl with a status of its own; Err is printed as usual, nil prints nothing.
type CodeError struct {
	Code int
	Err  error
}

func (e *CodeError) Error() string {
	if e.Err == nil {
		return "exit"
	}
	return e.Err.Error()
}

// Aggregate is several errors.
type Aggregate []error

func (a Aggregate) Error() string {
	var texts []string
	seen := map[string]bool{}
	for _, e := range a.flat() {
		if t := e.Error(); !seen[t] {
			seen[t] = true
			texts = append(texts, t)
		}
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// Unwrap makes errors.Is and errors.As look inside.
func (a Aggregate) Unwrap() []error { return a }

func (a Aggregate) flat() []error {
	var out []error
	for _, e := range a {
		if inner, ok := e.(Aggregate); ok {
			out = append(out, inner.flat()...)
		} else if e != nil {
			out = append(out, e)
		}
	}
	return out
}

// NewAggregate joins errors; nil when there are none.
func NewAggregate(errs []error) error {
	if flat := Aggregate(errs).flat(); len(flat) > 0 {
		return Aggregate(flat)
	}
	return nil
}

// listed is an error that is worded as one among several, though it is alone.
type listed struct{ error }

// configError is a kubeconfig that cannot be used.
type configError struct{ error }

// connectError is a server that cannot be reached.
type connectError struct {
	server string
	err    error
}

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// noResourceMatch is a resource type that the server does not have.
type noResourceMatch struct{ group, version, resource string }

func (e *noResourceMatch) Error() string {
	switch {
	case e.group != "" && e.version != "":
		return fmt.Sprintf("the server doesn't have a resource type %q in group %q and version %q", e.resource, e.group, e.version)
	case e.group != "":
		return fmt.Sprintf("the server doesn't have a resource type %q in group %q", e.resource, e.group)
	case e.version != "":
		return fmt.Sprintf("the server doesn't have a resource type %q in version %q", e.resource, e.version)
	}
	return fmt.Sprintf("the server doesn't have a resource type %q", e.resource)
}

// noKindMatch is a kind that the server does not have.
type noKindMatch struct{ group, version, kind string }

func (e *noKindMatch) Error() string {
	switch {
	case e.version == "":
		return fmt.Sprintf("no matches for kind %q in group %q", e.kind, e.group)
	default:
		return fmt.Sprintf("no matches for kind %q in version %q", e.kind, metav1.GroupVersion{Group: e.group, Version: e.version})
	}
}

// AddSource says which file an error of the server is about.
func AddSource(verb, source string, err error) error {
	if source == "" || err == nil {
		return err
	}
	if status, ok := err.(apierrors.APIStatus); ok {
		st := status.Status()
		st.Message = fmt.Sprintf("error when %s %q: %v", verb, source, st.Message)
		return &apierrors.StatusError{ErrStatus: st}
	}
	return fmt.Errorf("error when %s %q: %v", verb, source, err)
}

func lines(a Aggregate) string {
	var b strings.Builder
	for _, e := range a.flat() {
		b.WriteString(messageFor(e) + "\n")
	}
	return b.String()
}

// explainError is the text for stderr and the exit status.
func explainError(err error) (string, int) {
	if a, ok := err.(Aggregate); ok {
		flat := a.flat()
		if len(flat) == 1 {
			err = flat[0]
		}
	}
	switch e := err.(type) {
	case *CodeError:
		if e.Err == nil {
			return "", e.Code
		}
		text, _ := explainError(e.Err)
		return text, e.Code
	case configError:
		return multiline("Error in configuration: ", e.error), 1
	case *noResourceMatch:
		return e.Error(), 1
	case listed:
		return lines(Aggregate{e.error}), 1
	case Aggregate:
		return lines(e), 1
	case *rest.ExitError:
		return e.Error(), e.Code
	}
	if err == ErrExit {
		return "", 1
	}
	if errors.Is(err, kernel.ErrInterrupted) {
		return "", 130
	}
	if errors.Is(err, kernel.ErrBrokenPipe) { // nobody reads any more: SIGPIPE
		return "", 141
	}
	if text, ok := invalidText(err); ok {
		return text, 1
	}
	if text, ok := standardMessage(err); ok {
		return text, 1
	}
	text := err.Error()
	if !strings.HasPrefix(text, "error: ") {
		text = "error: " + text
	}
	return text, 1
}

// invalidText words an answer of reason Invalid: one line, or a list of its causes.
func invalidText(err error) (string, bool) {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Reason != metav1.StatusReasonInvalid {
		return "", false
	}
	st := status.Status()
	text := "The request is invalid"
	d := st.Details
	if d == nil {
		if st.Message != "" {
			text += ": " + st.Message
		}
		return text, true
	}
	if d.Kind != "" || d.Name != "" {
		text = fmt.Sprintf("The %s %q is invalid", d.Kind, d.Name)
	} else if st.Message != "" && len(d.Causes) == 0 {
		text += ": " + st.Message
	}
	if len(d.Causes) == 0 {
		return text, true
	}
	var causes []error
	seen := map[string]bool{}
	for _, c := range d.Causes {
		if line := c.Field + ": " + c.Message; !seen[line] {
			seen[line] = true
			causes = append(causes, errors.New(line))
		}
	}
	return multiline(text+": ", Aggregate(causes)), true
}

// multiline puts several errors on a line each.
func multiline(prefix string, err error) string {
	a, ok := err.(Aggregate)
	if !ok {
		return prefix + err.Error() + "\n"
	}
	errs := a.flat()
	if len(errs) == 1 {
		return prefix + messageFor(errs[0]) + "\n"
	}
	var b strings.Builder
	b.WriteString(prefix + "\n")
	for _, e := range errs {
		b.WriteString("* " + messageFor(e) + "\n")
	}
	return b.String()
}

func messageFor(err error) string {
	if text, ok := standardMessage(err); ok {
		return text
	}
	return err.Error()
}

// standardMessage words what came from the server or from the way to it.
func standardMessage(err error) (string, bool) {
	switch e := err.(type) {
	case apierrors.APIStatus:
		st := e.Status()
		switch {
		case st.Reason == metav1.StatusReasonUnauthorized:
			return fmt.Sprintf("error: You must be logged in to the server (%s)", st.Message), true
		case st.Reason != "":
			return fmt.Sprintf("Error from server (%s): %v", st.Reason, err), true
		}
		return fmt.Sprintf("Error from server: %v", err), true
	case *connectError:
		if strings.Contains(e.err.Error(), "connection refused") {
			host := e.server
			if u, perr := url.Parse(e.server); perr == nil && u.Host != "" {
				host = u.Host
			}
			return fmt.Sprintf("The connection to the server %s was refused - did you specify the right host or port?", host), true
		}
		return fmt.Sprintf("Unable to connect to the server: %v", e.err), true
	}
	return "", false
}

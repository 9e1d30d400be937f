// kubectl events: what has happened, oldest first.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_events/

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/describe"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func eventsCommand() *Command {
	return &Command{
		Use:      "events [(-o|--output=)" + strings.Join(outputFormats(), "|") + "] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]",
		Short:    "List events",
		Examples: "# Recent events of the namespace\nkubectl events\n# Of one object, as they happen\nkubectl events --for pod/web --watch",
		New:      func() Verb { return &eventsOptions{} },
	}
}

type eventsOptions struct {
	print         PrintFlags
	watch         bool
	allNamespaces bool
	forObject     string
	types         []string
	noHeaders     bool
	chunk         int64
	namespace     string
	query         url.Values
}

func (o *eventsOptions) Flags(f *pflag.FlagSet) {
	o.print.Flags(f)
	f.BoolVarP(&o.watch, "watch", "w", false, "Go on and show new events")
	allNamespacesFlag(f, &o.allNamespaces)
	f.StringVar(&o.forObject, "for", "", "Only events of this object (pod/web)")
	f.StringSliceVar(&o.types, "types", nil, "Only events of these types: Normal, Warning")
	f.BoolVar(&o.noHeaders, "no-headers", false, "Leave out the headers")
	chunkFlag(f, &o.chunk)
}

func (o *eventsOptions) Complete(s *Session, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for \"kubectl events\"", args[0])
	}
	var err error
	if o.namespace, _, err = s.Namespace(); err != nil {
		return err
	}
	o.query = url.Values{}
	if o.forObject == "" {
		return nil
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.Mapper()
	if err != nil {
		return err
	}
	parts := strings.Split(o.forObject, "/")
	switch {
	case len(parts) == 1:
		return errors.New("--for must be in resource/name form")
	case len(parts) > 2:
		return errors.New("arguments in resource/name form may not have more than one slash")
	}
	m, err := mapper.Find(strings.ToLower(parts[0]))
	if err != nil {
		return &noResourceMatch{resource: parts[0]}
	}
	o.query.Set("fieldSelector", fmt.Sprintf("involvedObject.kind=%s,involvedObject.apiVersion=%s,involvedObject.name=%s", m.Kind, m.APIVersion(), parts[1]))
	return nil
}

func (o *eventsOptions) Validate() error {
	for _, t := range o.types {
		if !strings.EqualFold(t, "Normal") && !strings.EqualFold(t, "Warning") {
			return errors.New("valid --types are Normal or Warning")
		}
	}
	return nil
}

func (o *eventsOptions) wanted(e *corev1.Event) bool {
	for _, t := range o.types {
		if strings.EqualFold(t, e.Type) {
			return true
		}
	}
	return len(o.types) == 0
}

func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

func (o *eventsOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	m := &Mapping{Version: "v1", Kind: "Event", Resource: "events", Namespaced: true}
	namespace := o.namespace
	if o.allNamespaces {
		namespace = ""
	}
	var document printer.Printer
	if o.print.Output != "" || o.print.Template != "" {
		if document, err = o.print.Printer(s, DryRunNone); err != nil {
			return err
		}
	}
	w := printer.NewTabWriter(s.Stdout)
	headers := !o.noHeaders
	show := func(e *corev1.Event) {
		if headers {
			headers = false
			if o.allNamespaces {
				fmt.Fprint(w, "NAMESPACE\t")
			}
			fmt.Fprintln(w, "LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE")
		}
		if o.allNamespaces {
			fmt.Fprintf(w, "%s\t", e.Namespace)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%v\n", describe.Interval(e, s.Now()), printer.Escape(e.Type), printer.Escape(e.Reason),
			printer.Escape(e.InvolvedObject.Kind), printer.Escape(e.InvolvedObject.Name), printer.Escape(strings.TrimSpace(e.Message)))
	}
	if o.watch {
		_, err := c.Watch(m.Path(namespace, "", ""), o.query, nil, 0, func(ev rest.Event) (bool, error) {
			if ev.Type == rest.Deleted {
				return false, nil
			}
			e, err := asTyped[corev1.Event](ev.Object, nil)
			if err != nil || !o.wanted(e) {
				return false, err
			}
			if document != nil {
				t, err := ToTree(ev.Object)
				if err != nil {
					return false, err
				}
				return false, document.Print(t, s.Stdout)
			}
			show(e)
			return false, w.Flush()
		})
		return err
	}
	all, err := ListTyped[corev1.Event](c, m, namespace, o.query)
	if err != nil {
		return err
	}
	var list []*corev1.Event
	for _, e := range all {
		if o.wanted(e) {
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		if o.allNamespaces {
			s.Errorf("No events found.\n")
		} else {
			s.Errorf("No events found in %s namespace.\n", o.namespace)
		}
		return nil
	}
	sort.SliceStable(list, func(i, j int) bool { return lastSeen(list[i]).Before(lastSeen(list[j])) })
	if document == nil {
		for _, e := range list {
			show(e)
		}
		return w.Flush()
	}
	items := []any{}
	for _, e := range list {
		t, err := api.ToTree(e)
		if err != nil {
			return err
		}
		t["apiVersion"], t["kind"] = "v1", "Event"
		items = append(items, t)
	}
	return document.Print(tree.Map{"apiVersion": "v1", "kind": "EventList", "metadata": tree.Map{}, "items": items}, s.Stdout)
}

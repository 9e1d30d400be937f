// kubectl certificate: approves and denies certificate signing requests.

package kubectl

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func certificateCommand() *Command {
	return &Command{
		Use: "certificate SUBCOMMAND", Short: "Modify certificate resources",
		Long: "Approve or deny requests for certificates.",
		Sub: []*Command{
			{Use: "approve (-f FILENAME | NAME)", Short: "Approve a certificate signing request", New: func() Verb { return &certificateOptions{approve: true} }},
			{Use: "deny (-f FILENAME | NAME)", Short: "Deny a certificate signing request", New: func() Verb { return &certificateOptions{} }},
		},
	}
}

type certificateOptions struct {
	approve, force bool
	out            outputFlags
	files          FilenameOptions
	names          []string
}

func (o *certificateOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	f.BoolVar(&o.force, "force", false, "Update the request even if that was done already")
	o.files.flags(f, "that names the requests")
}

func (o *certificateOptions) Complete(s *Session, args []string) error {
	o.names = args
	return o.out.check(s)
}

func (o *certificateOptions) Validate() error {
	if len(o.names) == 0 && o.files.Empty() {
		return errors.New("one or more CSRs must be specified as <name> or -f <filename>")
	}
	return nil
}

func (o *certificateOptions) Run(s *Session) error {
	want, other, reason := "Denied", "Approved", "KubectlDeny"
	message, operation := "This CSR was denied by kubectl certificate deny.", "denied"
	if o.approve {
		want, other, reason = "Approved", "Denied", "KubectlApprove"
		message, operation = "This CSR was approved by kubectl certificate approve.", "approved"
	}
	b := &Builder{S: s, Files: o.files, DefaultResource: "certificatesigningrequests", Args: o.names,
		ContinueOnError: true, Flatten: true, Latest: true}
	found := 0
	err := b.Do().Visit(func(i *Info) error {
		for try := 0; ; try++ {
			if i.Mapping.GroupKind() != (metav1.GroupKind{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"}) {
				return fmt.Errorf("can only handle CertificateSigningRequest.certificates.k8s.io objects, got %s", i.Mapping.GroupKind())
			}
			csr := tree.Copy(i.Object)
			have := false
			for _, c := range tree.Maps(csr, "status", "conditions") {
				switch tree.String(c, "type") {
				case other:
					return fmt.Errorf("certificate signing request %q is already %s", i.Name, other)
				case want:
					have = true
				}
			}
			if have && !o.force {
				break
			}
			if !have {
				now := s.Now().UTC().Format("2006-01-02T15:04:05Z")
				list := append(tree.Slice(csr, "status", "conditions"), tree.Map{"type": want, "status": "True", "reason": reason,
					"message": message, "lastUpdateTime": now})
				tree.Set(csr, list, "status", "conditions")
			}
			_, err := i.client.Send("PUT", i.Mapping, "", i.Name, "approval", nil, csr)
			if apierrors.IsConflict(err) && try < 10 {
				if err := i.Get(); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			break
		}
		found++
		return o.out.print(s, operation, DryRunNone, i.Object)
	})
	if found == 0 && err == nil {
		s.Printf("No resources found\n")
	}
	return err
}

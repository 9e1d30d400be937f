// kubectl cp: files to and from containers, by tar at the far end.

package kubectl

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func cpCommand() *Command {
	return &Command{
		Use:   "cp <file-spec-src> <file-spec-dest>",
		Short: "Copy files and directories to and from containers",
		Long:  "Copy files and directories between this machine and a container, whose image must have tar.",
		Examples: `kubectl cp ./page.html web:/usr/share/nginx/html/index.html
kubectl cp web:/etc/nginx ./nginx -c nginx
kubectl cp other/web:/tmp/log ./log`,
		New: func() Verb { return &cpOptions{} },
	}
}

type cpOptions struct {
	container  string
	noPreserve bool
	retries    int
	args       []string
	namespace  string
}

func (o *cpOptions) Flags(f *pflag.FlagSet) {
	f.StringVarP(&o.container, "container", "c", "", "Container; the annotated or the first one if not given")
	f.BoolVar(&o.noPreserve, "no-preserve", false, "Do not keep owner and permissions in the container")
	f.IntVar(&o.retries, "retries", 0, "How often to try again when copying from a container")
}

func (o *cpOptions) Complete(s *Session, args []string) (err error) {
	o.args = args
	o.namespace, _, err = s.Namespace()
	return err
}

func (o *cpOptions) Validate() error {
	if len(o.args) != 2 {
		return errors.New("source and destination are required")
	}
	return nil
}

// fileSpec is [[namespace/]pod:]path.
type fileSpec struct{ namespace, pod, file string }

func (o *cpOptions) spec(arg string) (fileSpec, error) {
	wrong := errors.New("filespec must match the canonical format: [[namespace/]pod:]file/path")
	i := strings.Index(arg, ":")
	switch {
	case i == 0:
		return fileSpec{}, wrong
	case i < 0:
		return fileSpec{file: arg}, nil
	}
	pieces := strings.Split(arg[:i], "/")
	switch len(pieces) {
	case 1:
		return fileSpec{o.namespace, pieces[0], arg[i+1:]}, nil
	case 2:
		return fileSpec{pieces[0], pieces[1], arg[i+1:]}, nil
	}
	return fileSpec{}, wrong
}

func (o *cpOptions) Run(s *Session) error {
	src, err := o.spec(o.args[0])
	if err != nil {
		return err
	}
	dest, err := o.spec(o.args[1])
	if err != nil {
		return err
	}
	switch {
	case src.pod != "" && dest.pod != "":
		return errors.New("one of src or dest must be a local file specification")
	case src.file == "" || dest.file == "":
		return errors.New("filepath can not be empty")
	case src.pod != "":
		return o.fromPod(s, src, dest)
	case dest.pod != "":
		return o.toPod(s, src, dest)
	}
	return errors.New("one of src or dest must be a remote file specification")
}

// exec runs a command in the container that is meant.
func (o *cpOptions) exec(s *Session, at fileSpec, command []string, t rest.StreamOptions, warn func(string, ...any)) error {
	c, m, err := s.resource("pods")
	if err != nil {
		return err
	}
	pod, err := GetTyped[corev1.Pod](c, m, at.namespace, at.pod)
	if err != nil {
		return err
	}
	if err := completed(pod, "exec into"); err != nil {
		return err
	}
	container, err := chooseContainer(pod, o.container, warn == nil, warn)
	if err != nil {
		return err
	}
	return s.exec(pod, container.name, command, t)
}

func (o *cpOptions) toPod(s *Session, src, dest fileSpec) error {
	if _, err := s.FS.Stat(s.Path(src.file)); err != nil {
		return fmt.Errorf("%s doesn't exist in local filesystem", src.file)
	}
	target := path.Clean(dest.file)
	err := o.exec(s, dest, []string{"test", "-d", dest.file}, rest.StreamOptions{Stdout: io.Discard, Stderr: io.Discard}, nil)
	if err == nil {
		target = path.Join(target, path.Base(path.Clean(src.file)))
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := addToTar(s, w, s.Path(src.file), path.Base(target)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	command := []string{"tar", "-xmf", "-"}
	if o.noPreserve {
		command = []string{"tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"}
	}
	if dir := path.Dir(target); dir != "" {
		command = append(command, "-C", dir)
	}
	return o.exec(s, dest, command, rest.StreamOptions{Stdin: &archive, Stdout: s.Stdout, Stderr: s.Stderr}, s.Errorf)
}

// addToTar puts a file or directory into an archive under another name.
func addToTar(s *Session, w *tar.Writer, file, name string) error {
	info, err := s.FS.Lstat(file)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		entries, err := s.FS.ReadDir(file)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()})
		}
		for _, e := range entries {
			if err := addToTar(s, w, path.Join(file, e.Name()), path.Join(name, e.Name())); err != nil {
				return err
			}
		}
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := s.FS.Readlink(file)
		if err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: link, Mode: 0o777, ModTime: info.ModTime()})
	}
	data, err := s.FS.ReadFile(file)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: int64(len(data)), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func (o *cpOptions) fromPod(s *Session, src, dest fileSpec) error {
	var archive bytes.Buffer
	err := o.exec(s, src, []string{"tar", "cf", "-", src.file}, rest.StreamOptions{Stdout: &archive, Stderr: s.Stdout}, s.Printf)
	if err != nil {
		return err
	}
	prefix := path.Clean(strings.TrimLeft(src.file, "/"))
	for strings.HasPrefix(prefix, "../") {
		prefix = prefix[3:]
	}
	if prefix == "." || prefix == ".." {
		prefix = ""
	}
	symlinkWarned := false
	r := tar.NewReader(&archive)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(h.Name, prefix) {
			return errors.New("tar contents corrupted")
		}
		rel := path.Clean("/" + h.Name[len(prefix):])
		name := path.Clean(dest.file + rel)
		if rel == "/" {
			name = path.Clean(dest.file)
		}
		full := s.Path(name)
		mode := fs.FileMode(h.Mode).Perm()
		switch h.Typeflag {
		case tar.TypeDir:
			if err := s.FS.MkdirAll(full, 0o755); err != nil {
				return err
			}
			continue
		case tar.TypeSymlink:
			if !symlinkWarned {
				symlinkWarned = true
				s.Errorf("warning: skipping symlink: %q -> %q (consider using \"kubectl exec -n %q %q -- tar cf - %q | tar xf -\")\n",
					name, h.Linkname, src.namespace, src.pod, src.file)
				continue
			}
			s.Errorf("warning: skipping symlink: %q -> %q\n", name, h.Linkname)
			continue
		}
		if err := s.FS.MkdirAll(path.Dir(full), 0o755); err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := s.FS.WriteFile(full, data, mode|0o600); err != nil {
			return openError(name, err)
		}
	}
}

// The words of busybox: its tools say less than those of GNU, and differently.

package tool

import "strings"

// busyWords are busybox's formats for errors, by GNU's; "tool format" goes
// before a format alone.
var busyWords = map[string]string{
	"cat %s: %s":                            "can't open '%s': %s",
	"tac %s: %s":                            "can't open '%s': %s",
	"uniq %s: %s":                           "can't open '%s': %s",
	"md5sum %s: %s":                         "can't open '%s': %s",
	"sha1sum %s: %s":                        "can't open '%s': %s",
	"sha256sum %s: %s":                      "can't open '%s': %s",
	"sha512sum %s: %s":                      "can't open '%s': %s",
	"cksum %s: %s":                          "can't open '%s': %s",
	"base64 %s: %s":                         "can't open '%s': %s",
	"diff %s: %s":                           "can't stat '%s': %s",
	"cannot read: %s: %s":                   "can't open '%s': %s",
	"head cannot open '%s' for reading: %s": "%s: %s",
	"cannot open '%s' for reading: %s":      "can't open '%s': %s",
	"ls cannot access '%s': %s":             "%s: %s",
	"chmod cannot access '%s': %s":          "%s: %s",
	"chown cannot access '%s': %s":          "%s: %s",
	"du cannot access '%s': %s":             "%s: %s",
	"cannot open directory '%s': %s":        "can't open '%s': %s",
	"cannot statx '%s': %s":                 "can't stat '%s': %s",
	"mv cannot stat '%s': %s":               "can't rename '%s': %s",
	"cannot stat '%s': %s":                  "can't stat '%s': %s",
	"cannot create directory ‘%s’: %s":      "can't create directory '%s': %s",
	"cannot create directory '%s': %s":      "can't create directory '%s': %s",
	"cannot create regular file '%s': %s":   "can't create '%s': %s",
	"cannot remove '%s': Is a directory":    "'%s' is a directory",
	"cannot remove '%s': %s":                "can't remove '%s': %s",
	"failed to remove '%s': %s":             "'%s': %s",
	"cannot touch '%s': %s":                 "%s: %s",
	"can't read %s: %s":                     "%s: %s",
	"‘%s’: %s":                              "%s: %s",
	"changing permissions of '%s': %s":      "%s: %s",
	"changing ownership of '%s': %s":        "%s: %s",
	"failed to access '%s': %s":             "%s: %s",
}

// inWords is the format in the words of the machine's tools.
func (t *T) inWords(format string) string {
	if !strings.Contains(format, "%s") || !t.busybox() {
		return format
	}
	if f, ok := busyWords[t.name+" "+format]; ok {
		return f
	}
	if f, ok := busyWords[format]; ok {
		return f
	}
	return format
}

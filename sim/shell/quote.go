// Words written so that the shell reads them as they are.

package shell

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes text so that the shell reads it back as one word; always says
// whether to quote what needs no quotes (as ${x@Q} does).
func Quote(t string, always bool) string {
	plain, ctrl := t != "", false
	for _, r := range t {
		switch {
		case r < 32 || r == 127 || r == utf8.RuneError:
			ctrl, plain = true, false
		case !(r == '_' || r == '-' || r == '.' || r == '/' || r == ':' || r == '=' || r == '+' || r == '@' || r == '%' || r == ',' || r >= '0' && r <= '9' || unicode.IsLetter(r)):
			plain = false
		}
	}
	if plain && !always {
		return t
	}
	if !ctrl {
		return "'" + strings.ReplaceAll(t, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == 27:
			b.WriteString(`\E`)
		case c == 7:
			b.WriteString(`\a`)
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 32 || c == 127:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}

func doubleQuote(t string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(t) + `"`
}

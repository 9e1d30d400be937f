// Rewrites an awk program so that what would reach for files, commands or the
// wall clock calls the functions of awk.go, and so that loops over arrays have
// an order. What is written is another awk program:
//
//	print x > "f"              print x > __kb_to(">", "f")
//	"date" | getline d         (__kb_cmd("date", RS) > 0 ? … d = __kb_a[1] … : __kb_st())
//	for (k in a) …             for (__kb_it1 = __kb_keys(a); __kb_has(__kb_it1) && … k = …; ) …
//	system(c), close(f)        __kb_system(c), __kb_close(f)
//	FILENAME, ARGV, ARGC       __kb_FILENAME, …
//
// getline's value goes through split(), which makes of it a number that looks
// like one, as input is.

package texttool

import (
	"fmt"
	"strings"

	. "github.com/benhoyt/goawk/lexer"
)

// piece is a token and its text, with a space after it where there was any.
type piece struct {
	tok  Token
	val  string
	text string
	at   Position
	from int // offset
}

// scan splits a program; ok is false when it has no tokens that make sense.
func scan(src string) (out []piece, ok bool) {
	starts := []int{0}
	for i := range len(src) {
		if src[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	offset := func(p Position) int { return min(starts[min(p.Line, len(starts))-1]+p.Column-1, len(src)) }
	l := NewLexer([]byte(src))
	prev := NEWLINE
	for {
		at, tok, val := l.Scan()
		if tok == ILLEGAL {
			return out, false
		}
		if (tok == DIV || tok == DIV_ASSIGN) && !endsOperand(prev) {
			_, tok, val = l.ScanRegex()
			if tok == ILLEGAL {
				return out, false
			}
		}
		out = append(out, piece{tok: tok, val: val, at: at, from: offset(at)})
		if tok == EOF {
			break
		}
		prev = tok
	}
	for i := range out[:len(out)-1] {
		p := &out[i]
		p.text = tokenText(p.tok, src[p.from:max(out[i+1].from, p.from)])
		if p.tok != NEWLINE && p.from+len(p.text) < out[i+1].from {
			p.text += " "
		}
	}
	return out, true
}

// tokenText is the token at the start of s.
func tokenText(tok Token, s string) string {
	switch {
	case s == "":
		return ""
	case tok == NEWLINE:
		return "\n"
	case tok == STRING || tok == REGEX:
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == s[0] {
				return s[:i+1]
			}
		}
		return s
	}
	if i := strings.IndexAny(s, " \t\n\\#"); i >= 0 {
		return s[:i]
	}
	return s
}

func endsOperand(t Token) bool {
	switch t {
	case NAME, NUMBER, STRING, REGEX, RPAREN, RBRACKET, INCR, DECR, F_LENGTH, DOLLAR:
		return true
	}
	return false
}

type rewriter struct {
	in    []piece
	out   []piece
	i     int
	loops int
	argv  bool
}

// rewrite returns the program as it is run; the same one when nothing in it
// needs to change.
func rewrite(src string) string {
	in, ok := scan(src)
	if !ok {
		return src
	}
	r := &rewriter{in: in}
	needed := false
	for _, p := range in {
		switch p.tok {
		case GREATER, APPEND, PIPE, GETLINE, IN, F_CLOSE, F_SYSTEM, F_FFLUSH, F_SRAND, F_SUBSTR, NEXTFILE:
			needed = true
		case NAME:
			needed = needed || p.val == "FILENAME"
			r.argv = r.argv || p.val == "ARGV" || p.val == "ARGC"
		}
	}
	if !needed && !r.argv {
		return src
	}
	r.all()
	var b strings.Builder
	if r.argv {
		b.WriteString("BEGIN { __kb_ARGC = __kb_argc(); for (__kb_i = 0; __kb_i < __kb_ARGC; __kb_i++) { split(__kb_arg(__kb_i), __kb_a, \"\\034\"); __kb_ARGV[__kb_i] = __kb_a[1] } }\n")
	}
	b.WriteString(text(r.out))
	if r.loops > 0 {
		b.WriteString("\nfunction __kb_keys(a, k) { for (k in a) __kb_add(k); return __kb_begin() }\n")
	}
	if r.argv {
		b.WriteString("\nBEGIN { __kb_reset(); __kb_n = 1; for (__kb_i = 1; __kb_i < __kb_ARGC; __kb_i++) if (__kb_i in __kb_ARGV) { __kb_k = __kb_push(__kb_ARGV[__kb_i]); if (__kb_k == 1) ARGV[__kb_n++] = __kb_ARGV[__kb_i]; if (__kb_k == 2) { ARGV[__kb_n++] = \"__kb_FILENAME=\" __kb_esc(__kb_ARGV[__kb_i]); ARGV[__kb_n++] = \"-\" } } ; ARGC = __kb_n }\n")
	}
	return b.String()
}

func text(ps []piece) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}

func (r *rewriter) put(tok Token, s string) { r.out = append(r.out, piece{tok: tok, text: s}) }

func (r *rewriter) peek(n int) piece { return r.in[min(r.i+n, len(r.in)-1)] }

// printing is the print statement that is being read.
type printing struct {
	depth, dest int
	op          string
}

func (r *rewriter) all() {
	depth := 0
	var now *printing
	finish := func() {
		if now != nil && now.op != "" {
			dest := text(r.out[now.dest:])
			r.out = r.out[:now.dest]
			op := now.op
			if op == "|" {
				op = ">"
			}
			r.put(RPAREN, fmt.Sprintf(" %s __kb_to(%q, %s)", op, now.op, dest))
		}
		now = nil
	}
	for ; r.i < len(r.in); r.i++ {
		p := r.in[r.i]
		if now != nil && depth == now.depth {
			switch p.tok {
			case SEMICOLON, RBRACE, RPAREN, EOF:
				finish()
			case NEWLINE:
				if last := r.out[len(r.out)-1].tok; last != COMMA && last != AND && last != OR {
					finish()
				}
			}
		}
		switch p.tok {
		case LPAREN, LBRACKET, LBRACE:
			depth++
		case RPAREN, RBRACKET, RBRACE:
			depth--
		}
		switch p.tok {
		case PRINT, PRINTF:
			now = &printing{depth: depth}
			r.out = append(r.out, p)
			continue
		case GREATER, APPEND, PIPE:
			if p.tok == PIPE && r.peek(1).tok == GETLINE {
				r.i += 2
				r.command()
				continue
			}
			if now != nil && now.op == "" && depth == now.depth {
				now.op, now.dest = strings.TrimSpace(p.text), len(r.out)
				continue
			}
		case GETLINE:
			if r.file() {
				continue
			}
		case FUNCTION:
			r.function()
			continue
		case FOR:
			if r.forIn() {
				continue
			}
		case F_CLOSE:
			p.text = "__kb_close"
		case F_SUBSTR:
			p.text = "__kb_substr"
		case F_SYSTEM:
			p.text = "__kb_system"
		case F_FFLUSH:
			if p.text = "__kb_fflush"; r.peek(1).tok != LPAREN {
				p.text += "() "
			}
		case F_SRAND:
			if r.peek(1).tok != LPAREN {
				p.text = "srand(__kb_now()) "
			} else if r.peek(2).tok == RPAREN {
				p.text = "srand(__kb_now()"
				r.i++
			}
		case NEXTFILE:
			p.text = "{ __kb_nextfile(); nextfile }"
			if r.peek(1).tok == SEMICOLON {
				r.i++
			}
			p.tok = RBRACE
		case NAME:
			p.text = r.name(p)
		}
		r.out = append(r.out, p)
	}
}

func (r *rewriter) name(p piece) string {
	if p.val == "FILENAME" || r.argv && (p.val == "ARGV" || p.val == "ARGC") {
		return "__kb_" + p.text
	}
	return p.text
}

// lvalue takes the variable at r.i, if there is one: "" for none.
func (r *rewriter) lvalue() string {
	switch p := r.peek(0); p.tok {
	case NAME:
		if r.peek(1).tok == LPAREN && !strings.HasSuffix(p.text, " ") {
			return ""
		}
		r.i++
		s := r.name(p)
		if r.peek(0).tok == LBRACKET {
			s += r.group()
		}
		return s
	case DOLLAR:
		r.i++
		return "$" + r.primary()
	}
	return ""
}

// group takes the parentheses or brackets at r.i.
func (r *rewriter) group() string {
	s, depth := "", 0
	for {
		p := r.peek(0)
		if p.tok == EOF {
			return s
		}
		switch p.tok {
		case LPAREN, LBRACKET:
			depth++
		case RPAREN, RBRACKET:
			depth--
		}
		s += r.name(p)
		r.i++
		if depth == 0 {
			return s
		}
	}
}

// primary takes the smallest expression at r.i.
func (r *rewriter) primary() string {
	p := r.peek(0)
	switch p.tok {
	case LPAREN:
		return r.group()
	case DOLLAR:
		r.i++
		return "$" + r.primary()
	case NAME:
		r.i++
		s := r.name(p)
		if t := r.peek(0).tok; t == LBRACKET || t == LPAREN && !strings.HasSuffix(p.text, " ") {
			s += r.group()
		}
		return s
	case EOF, NEWLINE, SEMICOLON, RBRACE, RPAREN:
		return ""
	}
	r.i++
	s := p.text
	if p.tok >= FIRST_FUNC && p.tok <= LAST_FUNC && r.peek(0).tok == LPAREN {
		s += r.group()
	}
	return s
}

const value = `split(__kb_val(), __kb_a, "\034")`

// command rewrites "… | getline [lvalue]"; r.i is behind getline.
func (r *rewriter) command() {
	from := operand(r.out)
	left := text(r.out[from:])
	r.out = r.out[:from]
	lv := r.lvalue()
	if lv == "" {
		lv = "$0"
	}
	r.i--
	r.put(RPAREN, fmt.Sprintf("(__kb_cmd(%s, RS) > 0 ? __kb_one(%s, NR++, %s = __kb_a[1]) : __kb_st()) ", left, value, lv))
}

// file rewrites "getline [lvalue] < file"; false when it reads the main input.
func (r *rewriter) file() bool {
	was := r.i
	r.i++
	lv := r.lvalue()
	if r.peek(0).tok != LESS {
		r.i = was
		return false
	}
	r.i++
	name := r.primary()
	if n := strings.TrimSpace(name); n == `"-"` || n == `"/dev/stdin"` {
		r.i = was
		return false
	}
	r.i--
	if lv == "" {
		lv = "$0"
	}
	r.put(RPAREN, fmt.Sprintf("(__kb_file(%s, RS) > 0 ? __kb_one(%s, %s = __kb_a[1]) : __kb_st()) ", name, value, lv))
	return true
}

// operand is where the left side of a pipe to getline begins.
func operand(ps []piece) int {
	depth := 0
	for i := len(ps) - 1; i >= 0; i-- {
		switch ps[i].tok {
		case RPAREN, RBRACKET:
			if ps[i].text[0] == ')' || ps[i].text[0] == ']' { // not a rewritten expression
				depth++
			}
			continue
		case LPAREN, LBRACKET:
			if depth == 0 {
				return i + 1
			}
			if depth--; depth == 0 && i > 0 {
				switch ps[i-1].tok {
				case IF, WHILE, FOR: // what was walked over is a condition
					for j := i; j < len(ps); j++ {
						switch ps[j].tok {
						case LPAREN:
							depth++
						case RPAREN:
							if ps[j].text[0] == ')' {
								depth--
							}
						}
						if depth == 0 {
							return j + 1
						}
					}
				}
			}
			continue
		}
		if depth > 0 {
			continue
		}
		switch ps[i].tok {
		case COMMA, SEMICOLON, NEWLINE, LBRACE, RBRACE, ASSIGN, ADD_ASSIGN, SUB_ASSIGN, MUL_ASSIGN, DIV_ASSIGN, MOD_ASSIGN, POW_ASSIGN,
			QUESTION, COLON, AND, OR, NOT, EQUALS, NOT_EQUALS, LESS, LTE, GREATER, GTE, MATCH, NOT_MATCH, IN, PRINT, PRINTF, RETURN, EXIT, ELSE, DO:
			return i + 1
		}
	}
	return 0
}

// isForIn reports whether "for (NAME in NAME)" begins at in[i].
func isForIn(in []piece, i int) bool {
	if i+5 >= len(in) {
		return false
	}
	return in[i].tok == FOR && in[i+1].tok == LPAREN && in[i+2].tok == NAME && in[i+3].tok == IN && in[i+4].tok == NAME && in[i+5].tok == RPAREN
}

func (r *rewriter) forIn() bool {
	if !isForIn(r.in, r.i) {
		return false
	}
	r.loops++
	it, k, arr := fmt.Sprintf("__kb_it%d", r.loops), strings.TrimSpace(r.in[r.i+2].text), strings.TrimSpace(r.name(r.in[r.i+4]))
	r.put(FOR, "for ")
	r.put(LPAREN, "(")
	r.put(NAME, fmt.Sprintf("%s = __kb_keys(%s); __kb_has(%s) && __kb_one(%s = __kb_next(%s)); ", it, arr, it, k, it))
	r.put(RPAREN, ") ")
	r.i += 5
	return true
}

// function copies a function's head, with a local variable for each loop over
// an array in its body.
func (r *rewriter) function() {
	end, depth, loops := r.i, 0, 0
	for ; r.in[end].tok != EOF; end++ {
		switch r.in[end].tok {
		case LBRACE:
			depth++
		case RBRACE:
			depth--
		case FOR:
			if isForIn(r.in, end) {
				loops++
			}
		}
		if r.in[end].tok == RBRACE && depth == 0 {
			break
		}
	}
	for ; r.i < end; r.i++ {
		p := r.in[r.i]
		if p.tok == RPAREN {
			var more []string
			for n := range loops {
				more = append(more, fmt.Sprintf("__kb_it%d", r.loops+n+1))
			}
			if len(more) > 0 && r.in[r.i-1].tok != LPAREN {
				r.put(COMMA, ", ")
			}
			r.put(NAME, strings.Join(more, ", "))
			r.out = append(r.out, p)
			return
		}
		r.out = append(r.out, p)
	}
	r.i--
}

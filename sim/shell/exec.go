// Execution of statements: simple commands, pipelines, lists, compound
// commands, functions.

package shell

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/shell/pattern"
)

func (s *Shell) stmts(list []*syntax.Stmt) {
	for _, st := range list {
		s.stmt(st)
		if s.flow != flowNone {
			return
		}
	}
}

func (s *Shell) stmt(st *syntax.Stmt) {
	s.tick()
	if s.flow != flowNone {
		return
	}
	if l := int(st.Pos().Line()); l > 0 {
		s.line = l + s.lineBase
	}
	if st.Coprocess || st.Disown {
		s.errorf("coproc is not supported")
		s.status = 1
		return
	}
	if st.Background {
		s.background(st)
		return
	}
	if st.Negated {
		s.noErr++
	}
	s.command1(st)
	if st.Negated {
		s.noErr--
		if s.flow == flowNone {
			s.status = int(b2i(s.status == 0))
		}
		return
	}
	if s.status != 0 && s.noErr == 0 && s.flow == flowNone && checked(st) {
		if cmd, ok := s.traps["ERR"]; ok && !s.inTrap {
			s.runTrap(cmd)
		}
		if s.opts['e'] && s.flow == flowNone {
			s.flow = flowExit
		}
	}
}

// checked reports whether set -e looks at the statement's own status: the
// lists inside compound commands have been looked at already.
func checked(st *syntax.Stmt) bool {
	switch c := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		return c.Op == syntax.Pipe || c.Op == syntax.PipeAll
	case *syntax.IfClause, *syntax.WhileClause, *syntax.ForClause, *syntax.CaseClause, *syntax.Block, *syntax.FuncDecl:
		return len(st.Redirs) > 0
	}
	return true
}

// command1 runs a statement's command with its redirections.
func (s *Shell) command1(st *syntax.Stmt) {
	switch c := st.Cmd.(type) {
	case nil:
		s.redirectOnly(st)
		return
	case *syntax.CallExpr:
		s.call(st, c)
		return
	case *syntax.BinaryCmd:
		if len(st.Redirs) == 0 {
			s.binary(c)
			return
		}
	case *syntax.FuncDecl:
		if c.Name == nil {
			s.errorf("syntax error: function without a name")
			s.status = 2
			return
		}
		s.funcs[c.Name.Value] = c.Body
		s.status = 0
		return
	}
	tail := s.tail
	s.tail = tail && isSubshell(st.Cmd)
	restore, ok := s.redirect(st.Redirs)
	if ok {
		s.compound(st.Cmd)
	}
	restore()
}

func isSubshell(c syntax.Command) bool { _, ok := c.(*syntax.Subshell); return ok }

func (s *Shell) redirectOnly(st *syntax.Stmt) {
	s.status = 0
	s.substStatus = 0
	restore, ok := s.redirect(st.Redirs)
	restore()
	if ok {
		s.status = s.substStatus
	}
}

func (s *Shell) compound(cmd syntax.Command) {
	switch c := cmd.(type) {
	case *syntax.BinaryCmd:
		s.binary(c)
	case *syntax.Block:
		s.stmts(c.Stmts)
	case *syntax.Subshell:
		s.runSubshell(c.Stmts)
	case *syntax.IfClause:
		s.ifClause(c)
	case *syntax.WhileClause:
		s.while(c)
	case *syntax.ForClause:
		s.forClause(c)
	case *syntax.CaseClause:
		s.caseClause(c)
	case *syntax.ArithmCmd:
		n, err := s.arith(c.X)
		if err != nil {
			var fatal *fatalError
			if errors.As(err, &fatal) {
				s.fail(err)
				return
			}
			s.errorf("((: %s", s.arithError(c.X, err))
			s.status = 1
			return
		}
		if s.opts['x'] {
			s.trace("((", printNode(c.X), "))")
		}
		s.status = int(b2i(n == 0))
	case *syntax.LetClause:
		s.let(c.Exprs)
	case *syntax.TestClause:
		ok, err := s.testExpr(c.X)
		if err != nil {
			var ex *exprError
			var fatal *fatalError
			if errors.As(err, &fatal) || errors.As(err, &ex) {
				s.fail(err)
			} else {
				s.errorf("%s", err)
				s.status = 2
			}
			return
		}
		s.status = int(b2i(!ok))
	case *syntax.DeclClause:
		s.declClause(c)
	case *syntax.TimeClause:
		s.timeClause(c)
	case *syntax.FuncDecl:
		if c.Name != nil {
			s.funcs[c.Name.Value] = c.Body
			s.status = 0
		}
	case *syntax.CoprocClause:
		s.errorf("coproc is not supported")
		s.status = 1
	default:
		s.errorf("%T is not supported", cmd)
		s.status = 1
	}
}

func printNode(n any) string {
	var b strings.Builder
	p := syntax.NewPrinter(syntax.SingleLine(true))
	switch n := n.(type) {
	case syntax.ArithmExpr:
		return arithSource(n, 0)
	case syntax.Node:
		_ = p.Print(&b, n)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (s *Shell) let(exprs []syntax.ArithmExpr) {
	var n int64
	for _, e := range exprs {
		var err error
		if n, err = s.arith(e); err != nil {
			s.errorf("let: %s", s.arithError(e, err))
			s.status = 1
			return
		}
	}
	s.status = int(b2i(n == 0))
}

func (s *Shell) binary(c *syntax.BinaryCmd) {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		tail := s.tail
		s.tail = false
		s.noErr++
		s.stmt(c.X)
		s.noErr--
		s.tail = tail
		if s.flow == flowNone && (s.status == 0) == (c.Op == syntax.AndStmt) {
			s.stmt(c.Y)
		}
	default:
		var stages []*syntax.Stmt
		var errs []bool
		flatten(c, &stages, &errs)
		s.pipeline(stages, errs)
	}
}

func flatten(c *syntax.BinaryCmd, stages *[]*syntax.Stmt, errs *[]bool) {
	add := func(st *syntax.Stmt) {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) && len(st.Redirs) == 0 && !st.Negated && !st.Background {
			flatten(b, stages, errs)
			return
		}
		*stages = append(*stages, st)
	}
	add(c.X)
	*errs = append(*errs, c.Op == syntax.PipeAll)
	add(c.Y)
}

func (s *Shell) pipeline(stages []*syntax.Stmt, withErr []bool) {
	var procs []*kernel.Proc
	var in *desc
	codes := make([]int, len(stages))
	inPlace := s.shopts["lastpipe"]
	for i, st := range stages {
		var next *desc
		last := i == len(stages)-1
		if last && inPlace {
			break
		}
		c := s.fork()
		c.noErr = 0
		if in != nil {
			c.setFD(0, in)
		}
		if !last {
			pipe := s.proc.Kernel().NewPipe(0)
			out := &desc{w: pipe, onClose: pipe.CloseWrite, refs: 0}
			next = &desc{r: pipe, onClose: pipe.CloseRead, refs: 1}
			c.setFD(1, out)
			out.refs++
			if withErr[i] {
				c.setFD(2, out)
				out.refs++
			}
		}
		p, err := s.start(c, "", func(c *Shell) {
			c.tail = true
			c.stmt(st)
		})
		in = next
		if err != nil {
			break
		}
		procs = append(procs, p)
	}
	if inPlace && in != nil && len(procs) == len(stages)-1 {
		saved := s.fds[0]
		s.fds[0] = in
		s.stmt(stages[len(stages)-1])
		s.fds[0] = saved
		codes[len(stages)-1] = s.status
		in.close()
		in = nil
	}
	if in != nil {
		in.close()
		if len(procs) < len(stages) {
			codes[len(stages)-1] = 254
		}
	}
	s.fg = append(s.fg, procs...)
	for i, p := range procs {
		codes[i] = s.join(p)
		if s.flow == flowExit {
			break
		}
	}
	s.fg = s.fg[:max(0, len(s.fg)-len(procs))]
	if s.flow == flowExit || s.flow == flowDiscard {
		return
	}
	s.pipeStatus = codes
	s.status = codes[len(codes)-1]
	if s.opts['o'] { // pipefail
		for _, c := range codes {
			if c != 0 {
				s.status = c
			}
		}
	}
}

// setFD gives the descriptor to a table that is not shared; refs is not
// counted for d.
func (s *Shell) setFD(n int, d *desc) {
	if old := s.fds[n]; old != nil {
		old.close()
	}
	s.fds[n] = d
}

func (s *Shell) runSubshell(list []*syntax.Stmt) {
	c := s.fork()
	p, err := s.start(c, "", func(c *Shell) {
		c.tail = len(list) == 1
		c.stmts(list)
	})
	if err != nil {
		return
	}
	s.status = s.join(p)
}

func (s *Shell) ifClause(c *syntax.IfClause) {
	for ; c != nil; c = c.Else {
		if len(c.Cond) > 0 {
			s.noErr++
			s.stmts(c.Cond)
			s.noErr--
			if s.flow != flowNone {
				return
			}
			if s.status != 0 {
				continue
			}
		}
		s.stmts(c.Then)
		return
	}
	s.status = 0
}

// endLoop decides, after a turn, whether the loop ends.
func (s *Shell) endLoop() bool {
	switch s.flow {
	case flowNone:
		return false
	case flowBreak, flowContinue:
		if s.flowCount > 1 && s.loops > 1 {
			s.flowCount--
			return true
		}
		done := s.flow == flowBreak
		s.flow = flowNone
		return done
	}
	return true
}

func (s *Shell) while(c *syntax.WhileClause) {
	s.loops++
	defer func() { s.loops-- }()
	status := 0
	for {
		s.tick()
		s.noErr++
		s.stmts(c.Cond)
		s.noErr--
		if s.flow != flowNone {
			if s.endLoop() {
				return
			}
			continue
		}
		if (s.status == 0) == c.Until {
			break
		}
		s.stmts(c.Do)
		status = s.status
		if s.flow != flowNone && s.endLoop() {
			return
		}
		status = s.status
	}
	s.status = status
}

func (s *Shell) forClause(c *syntax.ForClause) {
	s.loops++
	defer func() { s.loops-- }()
	switch loop := c.Loop.(type) {
	case *syntax.CStyleLoop:
		eval := func(e syntax.ArithmExpr) (int64, bool) {
			if e == nil {
				return 1, true
			}
			n, err := s.arith(e)
			if err != nil {
				s.errorf("((: %s", s.arithError(e, err))
				s.status = 1
			}
			return n, err == nil
		}
		status := 0
		if _, ok := eval(loop.Init); !ok {
			return
		}
		for {
			s.tick()
			if s.flow != flowNone {
				return
			}
			n, ok := eval(loop.Cond)
			if !ok {
				return
			}
			if n == 0 {
				break
			}
			s.stmts(c.Do)
			status = s.status
			if s.flow != flowNone && s.endLoop() {
				return
			}
			if _, ok := eval(loop.Post); !ok {
				return
			}
		}
		s.status = status
	case *syntax.WordIter:
		items := s.params
		if loop.InPos.IsValid() {
			var err error
			if items, err = s.fields(loop.Items...); err != nil {
				s.fail(err)
				return
			}
		}
		if c.Select {
			s.selectLoop(loop.Name.Value, items, c.Do)
			return
		}
		s.status = 0
		for _, it := range items {
			s.tick()
			if s.flow != flowNone {
				return
			}
			if err := s.assign(loop.Name.Value, it, false); err != nil {
				s.fail(err)
				return
			}
			s.stmts(c.Do)
			if s.flow != flowNone && s.endLoop() {
				return
			}
		}
	}
}

func (s *Shell) selectLoop(name string, items []string, body []*syntax.Stmt) {
	if len(items) == 0 {
		s.status = 0
		return
	}
	menu := true
	for {
		s.tick()
		if s.flow != flowNone {
			return
		}
		if menu {
			width := len(fmt.Sprint(len(items)))
			for i, it := range items {
				s.fdWrite(2, []byte(fmt.Sprintf("%*d) %s\n", width, i+1, it)))
			}
		}
		ps3, ok := s.param("PS3")
		if !ok {
			ps3 = "#? "
		}
		s.fdWrite(2, []byte(ps3))
		line, err := s.readLine(0, '\n')
		if err != nil && line == "" {
			s.fdWrite(1, []byte("\n"))
			s.status = 1
			return
		}
		line = strings.TrimSuffix(line, "\n")
		menu = line == ""
		if menu {
			continue
		}
		pick := ""
		n := 0
		if _, err := fmt.Sscan(line, &n); err == nil && n >= 1 && n <= len(items) {
			pick = items[n-1]
		}
		_ = s.assign("REPLY", line, false)
		_ = s.assign(name, pick, false)
		s.stmts(body)
		if s.flow != flowNone && s.endLoop() {
			return
		}
	}
}

func (s *Shell) caseClause(c *syntax.CaseClause) {
	text, err := s.literal(c.Word)
	if err != nil {
		s.fail(err)
		return
	}
	mode := pattern.Ext
	if s.shopts["nocasematch"] {
		mode |= pattern.NoCase
	}
	s.status = 0
	through := false
	for _, item := range c.Items {
		hit := through
		for _, w := range item.Patterns {
			if hit {
				break
			}
			pat, err := s.patternOf(w)
			if err != nil {
				s.fail(err)
				return
			}
			hit = pattern.Match(pat, text, mode)
		}
		if !hit {
			continue
		}
		s.stmts(item.Stmts)
		if s.flow != flowNone {
			return
		}
		switch item.Op {
		case syntax.Fallthrough:
			through = true
		case syntax.Resume:
			through = false
		default:
			return
		}
	}
}

func (s *Shell) timeClause(c *syntax.TimeClause) {
	start := s.now()
	if c.Stmt != nil {
		s.stmt(c.Stmt)
	} else {
		s.status = 0
	}
	d := s.now().Sub(start)
	if s.flow >= flowDiscard && s.flow != flowExit {
		return
	}
	if c.PosixFormat {
		s.fdWrite(2, []byte(fmt.Sprintf("real %.2f\nuser 0.00\nsys 0.00\n", d.Seconds())))
		return
	}
	if s.flavour == Ash {
		s.fdWrite(2, []byte(fmt.Sprintf("real\t%dm %.2fs\nuser\t0m 0.00s\nsys\t0m 0.00s\n", int(d.Minutes()), d.Seconds()-float64(int(d.Minutes())*60))))
		return
	}
	s.fdWrite(2, []byte(fmt.Sprintf("\nreal\t%dm%.3fs\nuser\t0m0.000s\nsys\t0m0.000s\n", int(d.Minutes()), d.Seconds()-float64(int(d.Minutes())*60))))
}

// trace prints a command for set -x.
func (s *Shell) trace(words ...string) {
	if !s.opts['x'] {
		return
	}
	ps4, _ := s.param("PS4")
	if strings.Contains(ps4, "$") {
		if w, err := parser(Bash).Document(strings.NewReader(ps4)); err == nil {
			s.opts['x'] = false
			ps4, _ = s.document(w)
			s.opts['x'] = true
		}
	}
	s.fdWrite(2, []byte(ps4+strings.Join(words, " ")+"\n"))
}

func traceQuote(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, "=:") && !strings.ContainsAny(a, " \t\n'\"\\$`*?[]{}()<>|&;!~#") && a != "" {
			out[i] = a
			continue
		}
		out[i] = Quote(a, false)
	}
	return out
}

// call runs a simple command.
func (s *Shell) call(st *syntax.Stmt, c *syntax.CallExpr) {
	s.substStatus = 0
	if len(c.Args) == 0 {
		restore, ok := s.redirect(st.Redirs)
		defer restore()
		if !ok {
			return
		}
		for _, a := range c.Assigns {
			if err := s.assignment(a); err != nil {
				s.fail(err)
				return
			}
		}
		if s.flow == flowNone {
			s.status = s.substStatus
		}
		return
	}
	if s.shopts["expand_aliases"] && s.alias(st, c) {
		return
	}
	tail := s.tail
	s.tail = false
	args, err := s.fields(c.Args...)
	if err != nil {
		s.fail(err)
		return
	}
	if s.flow != flowNone {
		return
	}
	s.tail = tail
	nclean := len(s.cleanups)
	restore, ok := s.redirect(st.Redirs)
	defer func() {
		restore()
		for len(s.cleanups) > nclean {
			n := len(s.cleanups) - 1
			fn := s.cleanups[n]
			s.cleanups = s.cleanups[:n]
			fn()
		}
	}()
	if !ok {
		return
	}
	if len(args) == 0 {
		for _, a := range c.Assigns {
			if err := s.assignment(a); err != nil {
				s.fail(err)
				return
			}
		}
		s.status = s.substStatus
		return
	}
	// prefix assignments
	var saved map[string]*Var
	if len(c.Assigns) > 0 {
		saved = map[string]*Var{}
		defer func() { s.restore(saved) }()
		for _, a := range c.Assigns {
			name := a.Name.Value
			if _, ok := saved[name]; !ok {
				saved[name] = s.vars[name]
				if v := s.vars[name]; v != nil {
					w := *v
					w.owner = nil
					s.vars[name] = &w
				}
			}
			if err := s.assignment(a); err != nil {
				s.errorf("%s", err)
				s.status = 1
				return
			}
			if v := s.vars[name]; v != nil {
				v.Exported = true
			}
		}
	}
	if s.opts['x'] {
		s.trace(traceQuote(args)...)
	}
	s.command = strings.Join(args, " ")
	s.run(args)
	if len(args) > 0 {
		s.lastArg = args[len(args)-1]
	}
}

// alias replaces the first word by its alias and runs the result.
func (s *Shell) alias(st *syntax.Stmt, c *syntax.CallExpr) bool {
	first := c.Args[0].Lit()
	text, ok := s.aliases[first]
	if !ok || first == "" {
		return false
	}
	var rest strings.Builder
	p := syntax.NewPrinter()
	for _, a := range c.Assigns {
		_ = p.Print(&rest, a)
		rest.WriteByte(' ')
	}
	rest.WriteString(text)
	for _, w := range c.Args[1:] {
		rest.WriteByte(' ')
		_ = p.Print(&rest, w)
	}
	f, err := parser(s.flavour).Parse(strings.NewReader(rest.String()), "")
	if err != nil || len(f.Stmts) == 0 {
		return false
	}
	last := f.Stmts[len(f.Stmts)-1]
	last.Redirs = append(last.Redirs, st.Redirs...)
	delete(s.aliases, first)
	s.stmts(f.Stmts)
	if _, set := s.aliases[first]; !set {
		s.aliases[first] = text
	}
	return true
}

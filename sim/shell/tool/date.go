// date, sleep, and times formatted as strftime(3) does.

package tool

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("date [OPTION]... [+FORMAT]", date, "date")
	reg("sleep NUMBER[SUFFIX]...", func(t *T) int {
		var total time.Duration
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		for _, a := range t.args {
			d, ok := ParseDuration(a)
			if !ok {
				t.errorf("invalid time interval ‘%s’", a)
				t.eprint("Try 'sleep --help' for more information.\n")
				return 1
			}
			if total += d; total < 0 {
				total = 1<<63 - 1
			}
		}
		if total > 0 {
			// longer than a century is forever
			if err := t.Proc.Sleep(min(total, 100*365*24*time.Hour)); err != nil {
				return 130
			}
		}
		return 0
	}, "sleep")
}

// ParseDuration reads sleep's argument: a number with s, m, h or d, or
// infinity.
func ParseDuration(a string) (time.Duration, bool) {
	unit := time.Second
	if a == "infinity" || a == "inf" {
		return 1<<63 - 1, true
	}
	if n := len(a); n > 1 {
		switch a[n-1] {
		case 's':
			a = a[:n-1]
		case 'm':
			unit, a = time.Minute, a[:n-1]
		case 'h':
			unit, a = time.Hour, a[:n-1]
		case 'd':
			unit, a = 24*time.Hour, a[:n-1]
		}
	}
	f, err := strconv.ParseFloat(a, 64)
	if err != nil || f < 0 || f != f {
		return 0, false
	}
	if f*float64(unit) > 9e18 {
		return 1<<63 - 1, true
	}
	return time.Duration(f * float64(unit)), true
}

func date(t *T) int {
	for i, a := range t.args {
		if strings.HasPrefix(a, "-I") && len(a) > 2 {
			kinds := map[byte]string{'d': "date", 'h': "hours", 'm': "minutes", 's': "seconds", 'n': "ns"}
			t.args[i] = "--iso-8601=" + kinds[a[2]]
		}
	}
	if !t.parse("ud:r:RIf:s:", "utc=u", "universal=u", "date=d", "reference=r", "rfc-email=R", "iso-8601=I?", "rfc-3339=3", "set=s") {
		return 1
	}
	at := t.Proc.Now().UTC()
	if v, ok := t.opts["d"]; ok {
		var valid bool
		if at, valid = parseDate(v, at); !valid {
			t.errorf("invalid date ‘%s’", v)
			return 1
		}
	}
	if v, ok := t.opts["r"]; ok {
		info, err := t.FS.Stat(t.Path(v))
		if err != nil {
			t.errorf("%s: %s", v, vfs.Reason(err))
			return 1
		}
		at = info.ModTime().UTC()
	}
	if t.has("s") {
		t.errorf("cannot set date: Operation not permitted")
		return 1
	}
	format := "%a %b %e %H:%M:%S UTC %Y"
	if tz := t.Env["TZ"]; tz != "" && tz != "UTC" {
		if off, name, ok := zone(tz); ok {
			at = at.In(time.FixedZone(name, off))
			format = "%a %b %e %H:%M:%S " + name + " %Y"
		}
	}
	if t.has("R") {
		format = "%a, %d %b %Y %H:%M:%S %z"
	}
	if v, ok := t.opts["I"]; ok {
		format = map[string]string{"": "%Y-%m-%d", "date": "%Y-%m-%d", "seconds": "%Y-%m-%dT%H:%M:%S+00:00", "minutes": "%Y-%m-%dT%H:%M+00:00", "hours": "%Y-%m-%dT%H+00:00", "ns": "%Y-%m-%dT%H:%M:%S,%N+00:00"}[v]
	}
	if v, ok := t.opts["3"]; ok {
		format = map[string]string{"date": "%Y-%m-%d", "seconds": "%Y-%m-%d %H:%M:%S+00:00", "ns": "%Y-%m-%d %H:%M:%S.%N+00:00"}[v]
	}
	for _, a := range t.args {
		if !strings.HasPrefix(a, "+") {
			t.errorf("invalid date ‘%s’", a)
			return 1
		}
		format = a[1:]
	}
	t.puts(Strftime(format, at) + "\n")
	return 0
}

// zone knows a few zones without daylight saving, and POSIX ones like JST-9.
func zone(tz string) (offset int, name string, ok bool) {
	switch tz {
	case "Asia/Tokyo", "Japan":
		return 9 * 3600, "JST", true
	case "Asia/Kolkata":
		return 5*3600 + 1800, "IST", true
	case "Asia/Shanghai":
		return 8 * 3600, "CST", true
	case "Asia/Singapore":
		return 8 * 3600, "+08", true
	}
	m := regexp.MustCompile(`^([A-Z]{3,5})([+-]?\d{1,2})$`).FindStringSubmatch(tz)
	if m == nil {
		return 0, "", false
	}
	h, _ := strconv.Atoi(m[2])
	return -h * 3600, m[1], true
}

var relative = lazy.Regexp(`^\s*([+-]?\s*\d+)\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?(\s+ago)?`)

func parseDate(v string, now time.Time) (time.Time, bool) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "@") {
		f, err := strconv.ParseFloat(v[1:], 64)
		if err != nil {
			return now, false
		}
		return time.Unix(int64(f), int64((f-float64(int64(f)))*1e9)).UTC(), true
	}
	base, rest := now, v
	for _, l := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "Jan 2 2006", "2 Jan 2006", "Jan 2, 2006", time.RFC1123, time.RFC1123Z, "Mon Jan _2 15:04:05 MST 2006", "01/02/2006", "20060102", "15:04:05", "15:04"} {
		if at, err := time.Parse(l, v); err == nil {
			if strings.HasPrefix(l, "15:") {
				y, m, d := now.Date()
				at = time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
			}
			return at.UTC(), true
		}
	}
	if len(v) > 10 {
		if at, err := time.Parse("2006-01-02", v[:10]); err == nil {
			base, rest = at, v[10:]
		}
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		word, after, _ := strings.Cut(rest, " ")
		switch strings.ToLower(word) {
		case "now", "today":
			rest = after
			continue
		case "yesterday":
			base, rest = base.AddDate(0, 0, -1), after
			continue
		case "tomorrow":
			base, rest = base.AddDate(0, 0, 1), after
			continue
		case "next":
			rest = "1 " + after
			continue
		case "last":
			rest = "-1 " + after
			continue
		}
		m := relative().FindStringSubmatch(rest)
		if m == nil {
			return now, false
		}
		n, _ := strconv.Atoi(strings.ReplaceAll(m[1], " ", ""))
		if m[3] != "" {
			n = -n
		}
		switch m[2] {
		case "sec", "second":
			base = base.Add(time.Duration(n) * time.Second)
		case "min", "minute":
			base = base.Add(time.Duration(n) * time.Minute)
		case "hour":
			base = base.Add(time.Duration(n) * time.Hour)
		case "day":
			base = base.AddDate(0, 0, n)
		case "week":
			base = base.AddDate(0, 0, 7*n)
		case "fortnight":
			base = base.AddDate(0, 0, 14*n)
		case "month":
			base = base.AddDate(0, n, 0)
		case "year":
			base = base.AddDate(n, 0, 0)
		}
		rest = rest[len(m[0]):]
	}
	return base, true
}

// Strftime formats a time; flags such as %-d and %_H are known.
func Strftime(f string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 >= len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		pad, width := byte(0), 0
		for i < len(f)-1 && strings.IndexByte("-_0^:", f[i]) >= 0 {
			pad = f[i]
			i++
		}
		for i < len(f)-1 && f[i] >= '0' && f[i] <= '9' {
			width = width*10 + int(f[i]-'0')
			i++
		}
		num := func(n, w int, def byte) {
			if pad != 0 {
				def = pad
			}
			switch def {
			case '-':
				fmt.Fprintf(&b, "%d", n)
			case '_':
				fmt.Fprintf(&b, "%*d", w, n)
			default:
				fmt.Fprintf(&b, "%0*d", w, n)
			}
		}
		str := func(s string) {
			if pad == '^' {
				s = strings.ToUpper(s)
			}
			b.WriteString(s)
		}
		h12 := (t.Hour()+11)%12 + 1
		_, week := t.ISOWeek()
		isoYear, _ := t.ISOWeek()
		switch c := f[i]; c {
		case 'Y':
			num(t.Year(), 4, '0')
		case 'C':
			num(t.Year()/100, 2, '0')
		case 'y':
			num(t.Year()%100, 2, '0')
		case 'm':
			num(int(t.Month()), 2, '0')
		case 'd':
			num(t.Day(), 2, '0')
		case 'e':
			num(t.Day(), 2, '_')
		case 'H':
			num(t.Hour(), 2, '0')
		case 'k':
			num(t.Hour(), 2, '_')
		case 'I':
			num(h12, 2, '0')
		case 'l':
			num(h12, 2, '_')
		case 'M':
			num(t.Minute(), 2, '0')
		case 'S':
			num(t.Second(), 2, '0')
		case 'N':
			s := fmt.Sprintf("%09d", t.Nanosecond())
			if width > 0 && width < 9 {
				s = s[:width]
			}
			b.WriteString(s)
		case 'j':
			num(t.YearDay(), 3, '0')
		case 'V':
			num(week, 2, '0')
		case 'G':
			num(isoYear, 4, '0')
		case 'U':
			num((t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
		case 'W':
			num((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, '0')
		case 'u':
			num((int(t.Weekday())+6)%7+1, 1, '0')
		case 'w':
			num(int(t.Weekday()), 1, '0')
		case 's':
			fmt.Fprintf(&b, "%d", t.Unix())
		case 'a':
			str(t.Format("Mon"))
		case 'A':
			str(t.Format("Monday"))
		case 'b', 'h':
			str(t.Format("Jan"))
		case 'B':
			str(t.Format("January"))
		case 'p':
			str(t.Format("PM"))
		case 'P':
			str(t.Format("pm"))
		case 'Z':
			str(t.Format("MST"))
		case 'z':
			if pad == ':' {
				str(t.Format("-07:00"))
			} else {
				str(t.Format("-0700"))
			}
		case 'F':
			str(t.Format("2006-01-02"))
		case 'T', 'X':
			str(t.Format("15:04:05"))
		case 'R':
			str(t.Format("15:04"))
		case 'D', 'x':
			str(t.Format("01/02/06"))
		case 'r':
			str(t.Format("03:04:05 PM"))
		case 'c':
			str(Strftime("%a %b %e %H:%M:%S %Y", t))
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '%':
			b.WriteByte('%')
		default:
			b.WriteByte('%')
			b.WriteByte(c)
		}
	}
	return b.String()
}
